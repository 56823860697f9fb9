"""The change ticket beside a filter: what changes, where it goes, what it costs, and the way back (rule C3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from rearguard.filters.model import Filter
from rearguard.filters.platforms import Compiled
from rearguard.filters.prove.proof import Property
from rearguard.filters.render.plain import plain

__all__ = ["ticket"]

_FENCE = "```"


def ticket(given: Filter, compiled: Compiled, made: date) -> str:
    """Markdown. ``given`` is the policy's filter, of which the platform may say less."""
    return "\n".join(_lines(given, compiled, made)) + "\n"


def _lines(given: Filter, compiled: Compiled, made: date) -> Iterator[str]:
    written = compiled.written
    yield f"# Change: filter of the edge {plain(given.edge)} on {compiled.platform.title}"
    yield ""
    names = ", ".join(f"`{name}`" for name in written.files)
    yield f"Policy {given.policy_digest}, written {made}. Files: {names}."
    yield ""
    yield "## Why"
    yield ""
    drops = {rule.drop: rule for rule in given.rules if rule.drop is not None}
    for number, rule in sorted(drops.items()):
        yield f"- drop {number}: {plain(rule.basis, 400)} Review by {rule.review_by}."
    yield ""
    yield "## Where it goes"
    yield ""
    yield "| list | place | entries if written out | entries | hardware entries |"
    yield "|---|---|---|---|---|"
    for change in written.changes:
        yield (
            f"| {plain(change.name)} | {plain(change.place, 300)} | {change.before:,} | {change.after:,} "
            f"| {change.cost:,} |"
        )
    yield ""
    yield "After anti-spoofing and bogon denies, before the general permits. A range of ports counts as its cover."
    for change in written.changes:
        if change.difference:
            yield ""
            yield f"### Difference of {plain(change.name)}"
            yield ""
            yield f"{_FENCE}diff"
            yield from (line[:1] + plain(line[1:], 400) for line in change.difference)
            yield _FENCE
    yield ""
    yield "## Proof"
    yield ""
    yield "The text above was read back and compared with the policy for every packet there can be."
    yield ""
    for each in Property:
        yield f"- {each}: {'shown' if compiled.proof.state(each) else 'NOT shown'}"
    yield ""
    yield "## What this platform cannot match"
    yield ""
    if not compiled.residuals:
        yield "Nothing: all of the policy's filter is in the text."
    yield from (f"- {residual}" for residual in compiled.residuals)
    if given.left:
        yield ""
        yield "## Listed under drop and not dropped"
        yield ""
        for item in given.left:
            family = f" (IPv{item.family})" if item.family else ""
            place = f"{item.interface} toward {item.network}{family}, {', '.join(item.ports)}"
            yield f"- drop {item.drop}: {place}: {item.reason}"
    yield ""
    yield "## Expected hits"
    yield ""
    yield "Not known from the policy: run `rearguard filter replay` over recorded traffic."
    for title, commands in (("Apply", written.apply), ("Roll back", written.rollback)):
        yield ""
        yield f"## {title}"
        yield ""
        yield _FENCE
        yield from commands
        yield _FENCE
