"""The templates that are in force, as the kernels' tables have them: learned, replaced, withdrawn, forgotten.

Templates belong to an exporter's address and observation domain. Their number is bounded for each exporter and in
all; one too many pushes out that of the same exporter that was sent least lately, so that who forges templates in
one name harms no other; only for its first template an exporter takes the place of one that has most. One that was
neither sent nor used for a day is forgotten (RFC 7011 section 8.4 leaves that to the collector; exporters repeat
theirs every few minutes).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.sources.exports.plan import Plan, compile_plan
from rearguard.sources.exports.tables import PLAN_COLUMNS, USED, pair_slot, template_key
from rearguard.sources.exports.templates import FIRST_DATA, Template

__all__ = ["Templates"]


class Templates:
    """The templates in force; ``state`` (the decoder's tables) follows every change."""

    def __init__(self, state: Any, most: int, share: int, age: int) -> None:
        self.state = state
        self._most = most
        self._share = share
        self._age = age
        self._of: dict[int, dict[int, tuple[Template, int]]] = {}
        """By exporter, then by id: the template and the row of its plan, the last that was sent behind."""
        self._learned: dict[int, int] = {}
        """By row: when the template was sent last, ns."""
        self._free = list(range(most, 0, -1))
        self._steps_used = 0

    def __len__(self) -> int:
        return len(self._learned)

    def get(self, exporter: int, number: int) -> Template | None:
        """The template in force."""
        found = self._of.get(exporter, {}).get(number)
        return found[0] if found else None

    def of(self, exporter: int) -> tuple[tuple[Template, int], ...]:
        """An exporter's templates, the last that was sent behind, and when each was sent or used last, ns."""
        plans = self.state.plans
        return tuple(
            (template, max(self._learned[row], int(plans[row, USED])))
            for template, row in self._of.get(exporter, {}).values()
        )

    def learn(self, exporter: int, template: Template, time: int) -> bool:
        """Take a template or a withdrawal; whether it changed anything. One without a length is not taken."""
        mine = self._of.setdefault(exporter, {})
        if not template.fields:
            return self._withdraw(exporter, template)
        before = mine.pop(template.id, None)
        if before is not None:
            mine[template.id] = before  # now the last that was sent
            if before[0] == template:
                self._learned[before[1]] = time
                return False
        plan = compile_plan(template)
        if plan is None:
            return False
        if before is not None:
            self._forget(exporter, template.id)
        elif len(mine) >= self._share or (mine and not self._free):
            self._forget(exporter, next(iter(mine)))
        elif not self._free:
            most = max(self._of, key=lambda other: len(self._of[other]))
            self._forget(most, next(iter(self._of[most])))
        row = self._free.pop()
        self._learned[row] = time
        mine[template.id] = template, row
        self._write(exporter, template.id, row, plan)
        return True

    def expire(self, now: int) -> None:
        """Forget what is too old at ``now``, ns."""
        for exporter, mine in self._of.items():
            for number, (_, row) in list(mine.items()):
                if now - max(self._learned[row], int(self.state.plans[row, USED])) > self._age:
                    self._forget(exporter, number)

    def _withdraw(self, exporter: int, template: Template) -> bool:
        mine = self._of[exporter]
        if template.id >= FIRST_DATA:
            numbers = [template.id] if template.id in mine else []
        else:
            numbers = [number for number, (other, _) in mine.items() if other.options == template.options]
        for number in numbers:
            self._forget(exporter, number)
        return bool(numbers)

    def _forget(self, exporter: int, number: int) -> None:
        _, row = self._of[exporter].pop(number)
        del self._learned[row]
        self._free.append(row)
        state = self.state
        state.template_plans[pair_slot(state.template_keys, template_key(exporter, number))] = 0
        state.plans[row] = 0

    def _write(self, exporter: int, number: int, row: int, plan: Plan) -> None:
        """Put a plan into the tables. Keys of forgotten templates stay until the table is half full of keys."""
        state = self.state
        key = template_key(exporter, number)
        slot = pair_slot(state.template_keys, key)
        if (
            state.template_keys[slot] == 0
            and 2 * np.count_nonzero(state.template_keys) >= state.template_keys.size
        ):
            self._rehash()
            slot = pair_slot(state.template_keys, key)
        state.template_keys[slot] = key
        state.template_plans[slot] = row
        if self._steps_used + len(plan.steps) > len(self.state.steps):
            self._compact(len(plan.steps))
        self._place(row, plan)

    def _place(self, row: int, plan: Plan) -> None:
        values = (
            self._steps_used,
            len(plan.steps),
            plan.least,
            plan.tail,
            plan.kind,
            plan.has,
            *plan.kinds,
            plan.proto,
            int(plan.session),
            0,
        )
        assert len(values) == PLAN_COLUMNS
        self.state.plans[row] = values
        end = self._steps_used + len(plan.steps)
        if plan.steps:
            self.state.steps[self._steps_used : end] = plan.steps
        self._steps_used = end

    def _rehash(self) -> None:
        state = self.state
        state.template_keys[:] = 0
        state.template_plans[:] = 0
        for exporter, mine in self._of.items():
            for number, (_, row) in mine.items():
                slot = pair_slot(state.template_keys, template_key(exporter, number))
                state.template_keys[slot] = template_key(exporter, number)
                state.template_plans[slot] = row

    def _compact(self, more: int) -> None:
        """Lay the steps of the plans in force side by side, in a table twice as large if they need it."""
        state = self.state
        plans = {row: compile_plan(template) for mine in self._of.values() for template, row in mine.values()}
        need = more + sum(len(plan.steps) for plan in plans.values() if plan is not None)
        size = len(state.steps)
        while size < 2 * need:
            size *= 2
        self.state = state._replace(steps=np.zeros((size, 3), np.int32))
        self._steps_used = 0
        for row, plan in plans.items():
            assert plan is not None
            used = state.plans[row, USED]
            self._place(row, plan)
            state.plans[row, USED] = used
