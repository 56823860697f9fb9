"""The decoder of NetFlow v1, v5, v7, v9 and IPFIX: datagrams in, rows out, with what it must remember between them.

It opens no file and no socket: a capture, an IPFIX file and the live collector feed it alike. An exporter is an
address with an observation domain and a version, without the port: exporters behind one translated address that
share a domain are one to us, as they are to nfcapd, and one that sends from another port after a restart stays the
same.

Theory: :func:`~rearguard.sources.exports.walk.walk` decodes until it meets what changes what is remembered. That is
done here, and the walk goes on. When a template comes, the data that waited for it is decoded before anything else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rearguard.model.compiled import Buffer
from rearguard.sources.exports.book import Book
from rearguard.sources.exports.carried import Carried, Key, Known
from rearguard.sources.exports.data import read_set
from rearguard.sources.exports.held import Held, HeldSet
from rearguard.sources.exports.plan import DATA
from rearguard.sources.exports.sampling import read_options
from rearguard.sources.exports.steps import count_records
from rearguard.sources.exports.store import Templates
from rearguard.sources.exports.tables import (
    ADDRESS_HI,
    ADDRESS_LO,
    ADDRESSLESS,
    AT,
    BAD_DATAGRAM,
    BAD_FLOW_RECORD,
    DOMAIN,
    EXPORTED,
    EXPORTER,
    HELD_FULL,
    INSIDE,
    KIND,
    NO_TEMPLATE,
    OPTION_RECORD,
    RECORD,
    RECORDS,
    SKIPS,
    SPEAKS,
    UP,
    UPTO,
    VERSION,
    WITHOUT_TEMPLATE,
    new_state,
    pair_slot,
    template_key,
)
from rearguard.sources.exports.templates import read_templates
from rearguard.sources.exports.walk import DONE, FULL, NEW_EXPORTER, TEMPLATES, TOLD, walk
from rearguard.sources.observers import observers
from rearguard.sources.reader import Exporter, Observer, Tally

__all__ = ["Bounds", "Decoder"]

SECOND = 1_000_000_000
EVERY = 10 * SECOND
"""How often it is looked for what is too old."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is remembered of what anybody may have sent."""

    templates: int = 8_192
    """In all."""
    templates_each: int = 256
    """Of one exporter."""
    template_age: int = 86_400 * SECOND
    """Time (ns) after which a template that was neither sent nor used is forgotten."""
    held: int = 16 * 1024 * 1024
    """Bytes of data that waits for its template."""
    held_each: int = 2 * 1024 * 1024
    held_age: int = 1_800 * SECOND
    """Time (ns) after which such data is given up: exporters repeat their templates within minutes."""


class Decoder:
    """Feed it datagrams in the order in which they came; see :meth:`feed`."""

    def __init__(self, bounds: Bounds | None = None, carried: Carried | None = None) -> None:
        """``carried``: what earlier files of the run handed on, and what this one adds to it."""
        bounds = bounds or Bounds()
        self._templates = Templates(
            new_state(bounds.templates), bounds.templates, bounds.templates_each, bounds.template_age
        )
        self._held = Held(bounds.held, bounds.held_each, bounds.held_age)
        self._ready: deque[tuple[int, HeldSet]] = deque()
        """Data sets whose template (its id before each) came, to be decoded next."""
        self._inside = 0
        """Where in the first of them to go on, because the chunk was full."""
        self._book = Book()
        self._observers: list[Observer] = []
        self._looked = 0
        self._carried = carried

    @property
    def exporters(self) -> Sequence[Exporter]:
        """The exporters that were heard, with their counts up to now; each stays at its place."""
        return self._book.exporters(self._state)

    @property
    def observers(self) -> Sequence[Observer]:
        """What the rows' ``observer`` points to."""
        return observers(self._state.observers, self._book.known, self._observers)

    @property
    def _state(self) -> Any:
        return self._templates.state

    def feed(
        self, buffer: Buffer, datagrams: Any, start: int, n: int, rows: Any, row: int, tally: Tally
    ) -> tuple[int, int]:
        """Decode datagrams ``start`` to ``n - 1`` into ``rows`` from ``row`` on; count records, rows, times and
        what gave no row in ``tally``. Returns the next datagram and the next row.

        When the first is below ``n`` the chunk is full: give a new one, and the same datagram first (part of it may
        be decoded already; where its bytes lie in the buffer may have changed). Never raises for what is in the
        datagrams.
        """
        cursor = self._state.cursor
        before, first = int(cursor[RECORD]), row
        if start < n:
            self._expire(int(datagrams.time[n - 1]))
        while True:
            row = self._decode_ready(rows, row)
            if self._ready:
                break
            status, start, row = walk(buffer, datagrams, start, n, self._state, rows, row)
            if status in (DONE, FULL):
                break
            if status == NEW_EXPORTER:
                self._admit(buffer, datagrams, start)
            else:
                self._mind(status, buffer, datagrams, start)
        tally.records += int(cursor[RECORD]) - before
        tally.rows += row - first
        if row > first:
            tally.spans(int(rows["ts"][first:row].min()), int(rows["ts"][first:row].max()))
        self._count(tally)
        return start, row

    def finish(self, tally: Tally) -> None:
        """No more will come: count the data sets that never got their template, hand on what is known."""
        self._drop(self._held.give_up())
        self._count(tally)
        if self._carried is not None:
            for e in range(len(self._book.known)):
                self._carried.put(self._key(e), Known(self._templates.of(e), self._book.told(self._state, e)))

    def _admit(self, buffer: Buffer, datagrams: Any, i: int) -> None:
        """Take in a new exporter, with what an earlier file said of it."""
        self._book.admit(self._state, buffer, datagrams, i)
        if self._carried is not None:
            e = len(self._book.known) - 1
            known = self._carried.get(self._key(e), int(datagrams.time[i]))
            for template, time in known.templates:
                self._templates.learn(e, template, time)
            self._book.take(self._state, e, known.told, int(datagrams.time[i]))

    def _key(self, e: int) -> Key:
        hi, lo, domain, version = self._state.exporters[e, [ADDRESS_HI, ADDRESS_LO, DOMAIN, VERSION]].tolist()
        return hi, lo, domain, version

    def _mind(self, status: int, buffer: Buffer, datagrams: Any, i: int) -> None:
        """Do with the set at the cursor what the walk cannot, and put the cursor behind it."""
        cursor = self._state.cursor
        begin = int(datagrams.off[i]) + int(cursor[AT])
        length = min(int(buffer[begin + 2]) << 8 | int(buffer[begin + 3]), int(cursor[UPTO] - cursor[AT]))
        body = buffer[begin : begin + length].tobytes()
        time = int(datagrams.time[i])
        if status == TEMPLATES:
            self._learn(body, time)
        elif status == TOLD:
            self._listen(body, time)
        else:
            self._hold(body, time)
        cursor[AT] += length

    def _learn(self, body: bytes, time: int) -> None:
        state = self._state
        e = int(state.cursor[EXPORTER])
        templates, whole = read_templates(int(state.cursor[SPEAKS]), body)
        changed = False
        for template in templates:
            if not self._templates.learn(e, template, time):
                continue
            changed = True
            if template.fields:
                self._ready.extend((template.id, one) for one in self._held.take(e, template.id))
                self._state.exporters[:, HELD_FULL] = 0
        self._book.remember(self._state, body, time, changed=changed)
        if not whole:
            self._state.skipped[BAD_DATAGRAM] += 1

    def _hold(self, body: bytes, time: int) -> None:
        state = self._state
        cursor = state.cursor
        e = int(cursor[EXPORTER])
        one = HeldSet(e, int(cursor[SPEAKS]), int(cursor[EXPORTED]), int(cursor[UP]), time, body[4:])
        if not self._held.hold(int.from_bytes(body[:2], "big"), one):
            state.exporters[e, HELD_FULL] = 1
            self._drop({e: 1})

    def _drop(self, sets: dict[int, int]) -> None:
        """Count data sets that nobody can read any more."""
        for e, count in sets.items():
            self._state.exporters[e, WITHOUT_TEMPLATE] += count
            self._state.skipped[NO_TEMPLATE] += count

    def _listen(self, body: bytes, time: int) -> None:
        e = int(self._state.cursor[EXPORTER])
        template = self._templates.get(e, int.from_bytes(body[:2], "big"))
        changed = False
        if template is not None:
            changed = self._book.take(self._state, e, read_options(template, body[4:]), time)
        self._book.remember(self._state, body, time, changed=changed)

    def _decode_ready(self, rows: Any, row: int) -> int:
        """Decode the sets whose template has come, until the chunk is full. Returns the next row."""
        if not self._ready:
            return row
        cursor = self._state.cursor
        present = cursor.copy()
        while self._ready:
            number, one = self._ready[0]
            cursor[[EXPORTER, SPEAKS, EXPORTED, UP, INSIDE]] = (
                one.exporter,
                one.version,
                one.exported,
                one.up,
                self._inside,
            )
            row, done = self._decode_held(number, one, rows, row)
            self._inside = int(cursor[INSIDE])
            if not done:
                break
            self._ready.popleft()
        present[RECORD] = cursor[RECORD]
        cursor[:] = present
        return row

    def _decode_held(self, number: int, one: HeldSet, rows: Any, row: int) -> tuple[int, bool]:
        state = self._state
        template = self._templates.get(one.exporter, number)
        if template is None:  # another one took its place at once
            self._drop({one.exporter: 1})
            return row, True
        plan = int(state.template_plans[pair_slot(state.template_keys, template_key(one.exporter, number))])
        body = np.frombuffer(bytearray(one.body), np.uint8)
        if state.plans[plan, KIND] == DATA:
            return read_set(body, 0, body.size, plan, state, rows, row)
        records = count_records(body, 0, body.size, state, plan)
        if records < 0:
            state.skipped[BAD_FLOW_RECORD] += 1
            records = 0
        if template.options:
            state.skipped[OPTION_RECORD] += records
            self._book.take(state, one.exporter, read_options(template, one.body), one.time)
        else:
            state.skipped[ADDRESSLESS] += records
            state.cursor[RECORD] += records
            state.exporters[one.exporter, RECORDS] += records
        return row, True

    def _expire(self, now: int) -> None:
        """Now and then forget what is too old."""
        if 0 <= now - self._looked < EVERY:
            return
        self._looked = now
        self._templates.expire(now)
        dropped = self._held.expire(now)
        if dropped:
            self._drop(dropped)
            self._state.exporters[:, HELD_FULL] = 0

    def _count(self, tally: Tally) -> None:
        skipped = self._state.skipped
        for reason, count in zip(SKIPS, skipped.tolist(), strict=True):
            tally.skip(reason, count)
        skipped[:] = 0
