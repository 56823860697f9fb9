"""The book of exporters: who was heard, how well, and the sampling rates that they told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rearguard.model.address import format_address
from rearguard.model.compiled import Buffer
from rearguard.sources.exports.headers import header_domain
from rearguard.sources.exports.measures import BY_INTERFACE, BY_SAMPLER, rate_key
from rearguard.sources.exports.sampling import Told
from rearguard.sources.exports.sequence import digest
from rearguard.sources.exports.tables import (
    ADDRESS_HI,
    ADDRESS_LO,
    BOOT_TIME,
    DATAGRAMS,
    DOMAIN,
    EXPECTED,
    EXPORTER,
    INTERFACES,
    LAST,
    LOST,
    OPTION_RATE,
    RATE_CHANGES,
    RATE_LEAST,
    RATE_MOST,
    RATE_SINCE,
    RATES,
    RECORD_RATE,
    RECORDS,
    VERSION,
    WITHOUT_TEMPLATE,
    exporter_slot,
    pair_slot,
)
from rearguard.sources.exports.times import LATEST
from rearguard.sources.reader import Exporter

__all__ = ["Book"]

KINDS = {1: "NetFlow v1", 5: "NetFlow v5", 7: "NetFlow v7", 9: "NetFlow v9", 10: "IPFIX"}
UNITS = {9: "datagrams"}
RATES_EACH = 1_024
"""Samplers and interfaces of one exporter."""
VALID = 600_000_000_000
"""Time (ns) for which a set of templates or options that changed nothing is passed over unread."""


@dataclass(slots=True)
class _Rates:
    """The sampling rates that an exporter told: the last one, their span, how often one took another's place."""

    last: int
    least: int
    most: int
    changes: int = 0
    since: int = 0


class Book:
    """The exporters of one decoder, in the order in which they were heard first."""

    def __init__(self) -> None:
        self.known: list[Exporter] = []
        """Their names; the counts are those of the last :meth:`exporters`."""
        self._whole: dict[int, int] = {}
        self._samplers: dict[int, dict[tuple[int, int], int]] = {}
        self._rates = 0
        self._told: dict[int, _Rates] = {}

    def admit(self, state: Any, b: Buffer, datagrams: Any, i: int) -> None:
        """Take in the exporter of datagram ``i``, which is not known yet; the caller knows that there is room."""
        off = int(datagrams.off[i])
        version = int(b[off]) << 8 | int(b[off + 1])
        domain = int(header_domain(b, off, version))
        hi, lo = int(np.int64(datagrams.src_hi[i])), int(np.int64(datagrams.src_lo[i]))
        number = len(self.known)
        slot = exporter_slot(state.exporters, state.exporter_slots, hi, lo, domain, version)
        columns = [ADDRESS_HI, ADDRESS_LO, DOMAIN, VERSION, EXPECTED, LAST]
        state.exporters[number, columns] = hi, lo, domain, version, -1, -1
        state.exporter_slots[slot] = number + 1
        high, low = int(datagrams.src_hi[i]), int(datagrams.src_lo[i])
        address = format_address(high, low) if high or low else ""
        unit = UNITS.get(version, "records")
        self.known.append(Exporter(address, domain, KINDS[version], lost_unit=unit))

    def exporters(self, state: Any) -> Sequence[Exporter]:
        """The exporters with their counts up to now."""
        for e, (exporter, row) in enumerate(zip(self.known, state.exporters.tolist(), strict=False)):
            exporter.datagrams = row[DATAGRAMS]
            exporter.records = row[RECORDS]
            exporter.lost = row[LOST]
            exporter.without_template = row[WITHOUT_TEMPLATE]
            told = self._told.get(e) or _Rates(
                row[RECORD_RATE], row[RATE_LEAST], row[RATE_MOST], row[RATE_CHANGES], row[RATE_SINCE]
            )
            exporter.rate, exporter.rate_least, exporter.rate_most = told.last, told.least, told.most
            exporter.rate_since = told.since if told.changes == 1 else None
            exporter.rate_from = "options" if e in self._told else "record" if told.last else ""
        return self.known

    def remember(self, state: Any, body: bytes, time: int, *, changed: bool) -> None:
        """Note that a set of templates or options is known now. What changed something makes all earlier ones of
        the exporter worth another look."""
        e = int(state.cursor[EXPORTER])
        if changed:
            state.known_sets[e] = 0
        of = digest(np.frombuffer(bytearray(body), np.uint8), 0, len(body))
        place = int(np.argmin(state.known_until[e] * (state.known_sets[e] != 0)))
        state.known_sets[e, place] = of
        state.known_until[e, place] = time + VALID

    def take(self, state: Any, e: int, told: Sequence[Told], time: int) -> bool:
        """Put what options told at ``time`` (ns) into the tables; whether anything is new."""
        changed = False
        for one in told:
            if one.boot and 0 < one.boot * 1_000_000 < LATEST:
                changed |= int(state.exporters[e, BOOT_TIME]) != one.boot * 1_000_000
                state.exporters[e, BOOT_TIME] = one.boot * 1_000_000
            if one.rate:
                known = self._told.setdefault(e, _Rates(one.rate, one.rate, one.rate))
                known.last = one.rate
                known.least, known.most = min(known.least, one.rate), max(known.most, one.rate)
                changed |= self._take_rate(state, e, one, time)
        return changed

    def told(self, state: Any, e: int) -> tuple[Told, ...]:
        """What options told of an exporter, as far as it still holds."""
        boot = int(state.exporters[e, BOOT_TIME]) // 1_000_000
        whole = [Told(self._whole.get(e, 0), boot=boot)] if e in self._whole or boot else []
        single = [
            Told(rate, sampler=number) if by == BY_SAMPLER else Told(rate, interface=number)
            for (by, number), rate in self._samplers.get(e, {}).items()
        ]
        return (*whole, *single)

    def _take_rate(self, state: Any, e: int, one: Told, time: int) -> bool:
        if one.sampler is None and one.interface is None:
            before = self._whole.get(e)
            changed = before != one.rate
            self._whole[e] = one.rate
        else:
            by, number = (BY_INTERFACE, one.interface) if one.sampler is None else (BY_SAMPLER, one.sampler)
            mine = self._samplers.setdefault(e, {})
            key = by, int(number or 0) & 0xFFFF_FFFF
            before = mine.get(key)
            changed = before != one.rate
            if key not in mine and (len(mine) >= RATES_EACH or self._rates >= RATES):
                return False
            self._rates += key not in mine
            mine[key] = one.rate
            slot = pair_slot(state.rate_keys, rate_key(e, *key))
            state.rate_keys[slot], state.rates[slot] = rate_key(e, *key), one.rate
            state.exporters[e, INTERFACES] |= by == BY_INTERFACE
        if changed and before is not None:
            self._told[e].changes += 1
            self._told[e].since = time
        state.exporters[e, OPTION_RATE] = self._whole.get(e) or self._common(e)
        return changed

    def _common(self, e: int) -> int:
        """The rate of all samplers, for records that name none; 0 when they differ."""
        rates = {rate for (by, _), rate in self._samplers.get(e, {}).items() if by == BY_SAMPLER}
        return rates.pop() if len(rates) == 1 else 0
