"""Which column of a table is what: mappings, and how columns become records by one.

A field may be found in several columns; the first that has a value counts, record by record. What a mapping does
not name is unknown, never zero: without TCP flags a row knows none, without a rate its sampling is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rearguard.model.address import format_address
from rearguard.model.bits import TCP
from rearguard.sources.logs.addresses import addresses
from rearguard.sources.logs.convert import (
    ABSENT,
    BAD,
    GOOD,
    by_word,
    flags_of,
    integers,
    is_text,
    words,
)
from rearguard.sources.logs.moments import times
from rearguard.sources.logs.places import Places
from rearguard.sources.logs.records import UNSAID, WITH_PORTS, Records, Side, no_side
from rearguard.sources.logs.words import NO_EXPORTER, protocol, way
from rearguard.sources.observers import EGRESS

__all__ = ["FIELDS", "NEEDED", "ColumnMap", "build"]

FIELDS = (
    "start", "end", "duration", "src", "dst", "sport", "dport", "proto", "flags", "packets", "bytes", "payload",
    "flags_back", "packets_back", "bytes_back", "payload_back", "initiator", "sampling", "exporter", "ingress",
    "egress", "way",
)  # fmt: skip
"""What a column can be; the policy's ``columns`` uses the same names."""

NEEDED = ("src", "dst", "proto")
"""Without these a table is no table of flows."""

Columns = Mapping[str, Any]
Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """A mapping: for each field the columns that may have it, best first."""

    name: str
    fields: Mapping[str, tuple[str, ...]]
    time_unit: str | None = None
    """Of numbers: s, ms, us, ns; None: their size tells."""
    sampling: int = 0
    """The rate where no column tells one: 1 for tools that look at packets themselves, 0 unknown."""
    rate_from: str = "capture"
    """Whence that rate is known."""
    hexadecimal: bool = False
    """TCP flags are hexadecimal digits without a mark."""
    frame: int = 0
    """Bytes of link layer that its byte counts include, a packet."""
    numbered_way: tuple[int, ...] = (0, EGRESS)
    """What the numbers of ``way`` mean. 0 is "ingress" (IPFIX flowDirection) and also what is printed when nothing
    was told, so nothing is believed."""
    opened: Callable[[str], int | None] = field(default=lambda text: int(text) if text in "0123" else None)
    """Who opened, from the words of ``initiator``: the numbers of biflowDirection (RFC 5103)."""
    refine: Callable[[Records, Columns], None] | None = None
    """What this format alone tells, applied to records that are built."""
    extra: tuple[str, ...] = ()
    """Columns that ``refine`` looks at."""

    def columns(self) -> tuple[str, ...]:
        """All columns that it may use."""
        return tuple(
            dict.fromkeys([name for names in self.fields.values() for name in names] + [*self.extra])
        )


def build(
    mapping: ColumnMap, columns: Columns, record: Values, places: Places, *, raw: bool = False
) -> Records:
    """The records of equally long columns; those that make no flow are counted in ``skipped`` and left out.

    ``record`` are their numbers. ``raw``: addresses may be bytes.
    """
    n = len(record)
    read = _Reading(mapping, columns, n)
    src_hi, src_lo, src = read.address("src", raw)
    dst_hi, dst_lo, dst = read.address("dst", raw)
    proto, proto_state = read.word("proto", protocol)
    ported = np.isin(proto, WITH_PORTS)
    sport, sport_state = read.whole("sport", 0xFFFF, ported)
    dport, dport_state = read.whole("dport", 0xFFFF, ported)
    ts, end = read.span()
    tcp = proto == TCP
    there = read.side("", tcp, 1)
    back = read.side("_back", tcp, 0)
    initiator, _ = read.word("initiator", mapping.opened)
    told, _ = read.whole("sampling", 0xFFFF_FFFF, np.ones(n, np.bool_))
    repeated = read.repeats_header()
    no_flow = repeated | (proto_state != GOOD)
    no_addresses = ((src == ABSENT) | (dst == ABSENT)) & ~no_flow
    read.blame("src", src == BAD)
    read.blame("dst", dst == BAD)
    bad = read.bad & ~no_flow & ~no_addresses
    keep = ~(no_flow | no_addresses | bad)
    zeros = np.zeros(n, np.uint32)
    records = Records(
        record=record,
        ts=ts,
        end=np.maximum(ts, end),
        src_hi=src_hi,
        src_lo=src_lo,
        dst_hi=dst_hi,
        dst_lo=dst_lo,
        sport=sport,
        dport=dport,
        proto=proto.astype(np.uint8),
        there=there,
        back=back,
        initiator=np.where(initiator <= 2, initiator, UNSAID).astype(np.uint8),
        ports=(sport_state == GOOD) & (dport_state == GOOD),
        sampling=np.where(told > 0, told, mapping.sampling).astype(np.uint32),
        observer=zeros,
    )
    if mapping.refine is not None:
        mapping.refine(records, columns)
    if not keep.all():
        records = records.only(keep)
    for reason, mask in (("not-a-flow", no_flow), ("no-addresses", no_addresses), ("bad-line", bad)):
        records.skip(reason, int(mask.sum()))
    if bad.any():
        records.first_bad = read.told(int(np.argmax(bad)), record)
    rate_from = "record" if (told[keep] > 0).any() else mapping.rate_from
    records.observer = read.places(places, keep, records.sampling, rate_from)
    return records


class _Reading:
    """The fields of one block of columns; ``bad`` marks the records of which one could not be read."""

    def __init__(self, mapping: ColumnMap, columns: Columns, n: int) -> None:
        self.mapping = mapping
        self.columns = columns
        self.n = n
        self.bad = np.zeros(n, np.bool_)
        self._blamed: list[tuple[str, Values]] = []

    def blame(self, name: str, wrong: Values) -> None:
        """Note the records whose field ``name`` cannot be read."""
        if wrong.any():
            self.bad |= wrong
            self._blamed.append((name, wrong))

    def told(self, row: int, record: Values) -> str:
        """What is wrong with a bad record, in words."""
        name = next(name for name, wrong in self._blamed if wrong[row])
        columns = [each for each in self.mapping.fields.get(name, ()) if each in self.columns]
        return f"record {int(record[row]):,}: {name} (column {', '.join(columns) or 'absent'}) cannot be read"

    def there(self, name: str) -> list[Any]:
        """The columns of a field that this block has."""
        return [self.columns[each] for each in self.mapping.fields.get(name, ()) if each in self.columns]

    def first(self, found: Sequence[tuple[Values, Values]], kind: Any) -> tuple[Values, Values]:
        """Of several columns, each record's first that has a value."""
        values, state = np.zeros(self.n, kind), np.full(self.n, ABSENT, np.uint8)
        for some, told in found:
            take = (state == ABSENT) & (told != ABSENT)
            values[take], state[take] = some[take], told[take]
        return values, state

    def whole(self, name: str, limit: int, where: Values) -> tuple[Values, Values]:
        """Whole numbers up to ``limit``; what is wrong counts only ``where`` the field means something."""
        values, state = self.first([integers(column) for column in self.there(name)], np.uint64)
        state[(state == GOOD) & (values > np.uint64(limit))] = BAD
        self.blame(name, where & (state == BAD))
        good = where & (state == GOOD)
        return np.where(good, values, np.uint64(0)), np.where(good, GOOD, ABSENT)

    def word(self, name: str, read: Callable[[str], int | None]) -> tuple[Values, Values]:
        """Looked-up words."""
        return self.first([by_word(column, read) for column in self.there(name)], np.int64)

    def address(self, name: str, raw: bool) -> tuple[Values, Values, Values]:
        """An address; of several columns (IPv4 and IPv6 apart) the first that has one."""
        high, low = np.zeros(self.n, np.uint64), np.zeros(self.n, np.uint64)
        state = np.full(self.n, ABSENT, np.uint8)
        for column in self.there(name):
            some_high, some_low, told = addresses(column, raw=raw)
            take = (state == ABSENT) & (told != ABSENT)
            high[take], low[take], state[take] = some_high[take], some_low[take], told[take]
        return high, low, state

    def span(self) -> tuple[Values, Values]:
        """Start and end; a mapping that names no time gives 0, a record that lacks a mapped one is bad."""
        unit = self.mapping.time_unit
        starts = self.there("start")
        ts, state = self.first([times(column, unit) for column in starts], np.int64)
        if self.mapping.fields.get("start"):
            self.blame("start", state != GOOD)
        end, end_state = self.first([times(column, unit) for column in self.there("end")], np.int64)
        length, length_state = self.first([times(column, "s") for column in self.there("duration")], np.int64)
        self.blame("end", end_state == BAD)
        self.blame("duration", length_state == BAD)
        reach = np.where((length >= 0) & (length < 2**62 - np.minimum(ts, 2**61)), length, 0)
        return ts, np.where(end_state == GOOD, end, ts + reach)

    def side(self, suffix: str, tcp: Values, packets: int) -> Side:
        """One direction; ``packets`` is how many there are when no column tells."""
        everywhere = np.ones(self.n, np.bool_)
        side = no_side(self.n)
        if self.there(f"packets{suffix}"):
            side.packets, _ = self.whole(f"packets{suffix}", 2**62, everywhere)
        else:
            side.packets[:] = packets
        octets, _ = self.whole(f"bytes{suffix}", 2**62, everywhere)
        headers = np.minimum(side.packets.astype(np.float64) * self.mapping.frame, octets).astype(np.uint64)
        side.bytes = octets - headers
        flags = self.there(f"flags{suffix}")
        if flags:
            found = [flags_of(column, hexadecimal=self.mapping.hexadecimal) for column in flags]
            values, state = self.first(found, np.uint8)
            side.flags = np.where(tcp & (state == GOOD), values, 0).astype(np.uint8)
        payload, told = self.whole(f"payload{suffix}", 2**62, everywhere)
        side.payload = np.where(told == GOOD, payload.astype(np.int64), -1)
        return side

    def repeats_header(self) -> Values:
        """Whether a row is the header again, as it is where files were put together."""
        name = next((each for each in self.mapping.fields["src"] if each in self.columns), None)
        if name is None or not is_text(self.columns[name].type):
            return np.zeros(self.n, np.bool_)
        same = pc.fill_null(pc.equal(pc.cast(self.columns[name], pa.binary()), name.encode()), False)
        return np.asarray(same.to_numpy(zero_copy_only=False))

    def places(self, places: Places, keep: Values, sampling: Values, rate_from: str) -> Values:
        """The observers of the records that are kept."""
        everywhere = np.ones(self.n, np.bool_)
        ingress, _ = self.whole("ingress", 2**63, everywhere)
        egress, _ = self.whole("egress", 2**63, everywhere)
        ways, state = self.word("way", self._way)
        names, index = self._exporters()
        way_of = np.where(state == GOOD, ways, 0)[keep].astype(np.uint8)
        return places.numbers(names, index[keep], ingress[keep], egress[keep], way_of, sampling, rate_from)

    def _way(self, text: str) -> int | None:
        numbers = self.mapping.numbered_way
        if text.isascii() and text.isdigit() and len(text) < 3:
            return numbers[int(text)] if int(text) < len(numbers) else 0
        return way(text)

    def _exporters(self) -> tuple[list[str], npt.NDArray[np.int64]]:
        """Names of the exporters, and which one each record has (-1: none)."""
        for column in self.there("exporter"):
            texts, index = words(_as_text(column))
            known = np.array([text not in NO_EXPORTER for text in texts] + [False])
            return [_plain(text) for text in texts], np.where(known[index], index, -1)
        return [], np.full(self.n, -1, np.int64)


def _as_text(column: Any) -> Any:
    """Addresses in bytes (as databases export them) as text, other columns as they are."""
    if not pa.types.is_fixed_size_binary(column.type):
        return column
    high, low, state = addresses(column, raw=True)
    texts = [
        format_address(one, other) if told == GOOD else None
        for one, other, told in zip(high.tolist(), low.tolist(), state.tolist(), strict=True)
    ]
    return pa.array(texts, pa.string())


def _plain(text: str) -> str:
    """An exporter's address as people write it: IPv4 without the IPv6 in front."""
    return text.removeprefix("::ffff:") if text.startswith("::ffff:") and "." in text else text
