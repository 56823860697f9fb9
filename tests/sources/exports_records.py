"""The plain reference's records: what fields mean, one after the other, without tables and kernels."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field

from rearguard.model.bits import ACK, FIN, KNOWN_IPID, KNOWN_SEQ, RST, SYN, WHY_INITIATOR, WHY_RESPONDER
from rearguard.sources.flow import known_of, least_payload

__all__ = ["Key", "Records", "by_uptime", "mapped"]

REVERSE, CERT = 29_305, 6_871
BIG = (1 << 63) - 1
Key = tuple[int, int]

TIMES = (
    (156, 157, "ntp"),
    (154, 155, "ntp us"),
    (152, 153, 10**6),
    (158, 159, "delta"),
    (22, 21, "up"),
    (150, 151, 10**9),
)


@dataclass
class Records:
    """What records need of what was before them, and what they gave."""

    rows: list[dict[str, int]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    records: int = 0
    rates: dict[object, dict[tuple[str, int], int]] = field(default_factory=dict)
    boots: dict[object, int] = field(default_factory=dict)
    places: list[tuple[object, int, int, int]] = field(default_factory=list)
    """Observers in the order in which they come."""

    def option(self, record: list[tuple[Key, bytes]], scopes: int, who: object) -> None:
        """Read a record of options."""
        r = {key: int.from_bytes(value, "big") for key, value in reversed(record) if 0 < len(value) <= 8}
        scope = {key: int.from_bytes(value, "big") for key, value in record[:scopes] if 0 < len(value) <= 8}
        sizes = {key: len(value) for key, value in record}
        rate = 0
        if r.get((0, 305)) and (0, 306) in r:
            rate = round_half_up(r[0, 305] + r[0, 306], r[0, 305])
        elif r.get((0, 309)) and (0, 310) in r:
            rate = round_half_up(r[0, 310], r[0, 309])
        elif r.get((0, 34)):
            rate = r[0, 34]
        elif r.get((0, 50)):
            rate = r[0, 50]
        elif (0, 311) in r and sizes[0, 311] == 8:
            p = struct.unpack(">d", r[0, 311].to_bytes(8, "big"))[0]
            rate = round(1 / p) if 2**-32 < p <= 1 else 0
        mine = self.rates.setdefault(who, {})
        boot = r.get((0, 160), 0) * 10**6
        if 0 < boot < 1 << 62:
            self.boots[who] = boot
        if not rate:
            return
        rate = min(rate, 0xFFFF_FFFF)
        sampler = r.get((0, 302), r.get((0, 48)))
        interface = scope.get((-1, 2), scope.get((0, 10), scope.get((0, 14))))
        if sampler is not None:
            mine["sampler", sampler & 0xFFFF_FFFF] = rate
        elif interface is not None:
            mine["interface", interface & 0xFFFF_FFFF] = rate
        else:
            mine["all", 0] = rate

    def record(
        self, record: list[tuple[Key, bytes]], who: object, version: int, export: int, up: int
    ) -> None:
        """Make the rows of a flow record."""

        def n(*elements: int, enterprise: int = 0, sizes: tuple[int, ...] = tuple(range(1, 9))) -> int | None:
            for element in elements:
                for key, value in record:
                    if key == (enterprise, element) and len(value) in sizes:
                        return int.from_bytes(value, "big")
            return None

        four, six = (n(8, sizes=(4,)), n(12, sizes=(4,))), (n(27, sizes=(16,)), n(28, sizes=(16,)))
        is_four = None not in four
        if is_four and None not in six:
            ip = n(60) or 0
            is_four = ip == 4 or (ip != 6 and bool((four[0] or 0) | (four[1] or 0)))
        if is_four:
            src, dst = mapped(four[0] or 0), mapped(four[1] or 0)
            nowhere = not (four[0] or four[1])
        else:
            src, dst = six[0] or 0, six[1] or 0
            nowhere = not src >> 64 and not dst >> 64 and not (src | dst) & 0xFFFF_FFFF
        if nowhere:
            self.skipped["no-addresses"] += 1
            return
        there = (min(n(2, 86, 298, 24) or 0, BIG), min(n(1, 85, 231, 23) or 0, BIG))
        back = (
            min(_first(n(2, 86, enterprise=REVERSE), n(299)) or 0, BIG),
            min(_first(n(1, 85, enterprise=REVERSE), n(232)) or 0, BIG),
        )
        if not any(there + back):
            event = (
                "nat-event" if n(230) is not None else "event" if n(233, 40_005) is not None else "empty-flow"
            )
            self.skipped[event] += 1
            return
        start, end = self._times(n, who, version, export, up)
        way = {0: 1, 1: 2}.get(_first(n(61), 9), 0)
        place = self.place(who, n(10, 252) or 0, n(14, 253) or 0, way)
        rate = self._rate(n, who)
        elements = {key[1] for key, value in record if key[0] == 0 and 0 < len(value) <= 8}
        proto = n(4)
        if proto is None:
            proto = 6 if elements & {182, 183} and 4 not in elements else 0
            proto = 17 if not proto and elements & {180, 181} and 4 not in elements else proto
        proto &= 0xFF
        first = (n(14, enterprise=CERT) or 0) & (SYN | ACK | RST | FIN)
        if n(239) in (1, 2):
            opened = n(239)
        elif first in (SYN, SYN | ACK):
            opened = 1 if first == SYN else 2
        else:
            opened = 1 if elements & {231, 298} else 0
        sport, dport = n(7, 182, 180), n(11, 183, 181)
        ports = sport is not None and dport is not None
        sides = (
            (src, dst, sport or 0, dport or 0, there, (n(6), n(14, enterprise=CERT), n(15, enterprise=CERT)),
             n(1) is None and n(85) is None and n(231) is not None, n(184)),
            (dst, src, dport or 0, sport or 0, back,
             (n(6, enterprise=REVERSE), n(14 | 0x4000, enterprise=CERT), n(15 | 0x4000, enterprise=CERT)),
             n(1, 85, enterprise=REVERSE) is None, n(184, enterprise=REVERSE)),
        )  # fmt: skip
        for side, (a, b, p, q, (packets, octets), flags, payload, seq) in enumerate(sides):
            if not packets and not octets:
                continue
            if side:
                start = min(start + min(n(21, enterprise=CERT) or 0, 0xFFFF_FFFF) * 10**6, end)
            bits = 0
            for value in flags:
                bits |= (value or 0) & 0xFF
            why = 0
            if opened:
                why = WHY_INITIATOR if (opened == 1) == (side == 0) else WHY_RESPONDER
            self.row(
                start, end, a, b, p & 0xFFFF, q & 0xFFFF, proto, bits, packets, octets, rate, place,
                ports=ports, why=why, payload=min(octets, 0xFFFF_FFFF) if payload else None,
            )  # fmt: skip
            row = self.rows[-1]
            if proto == 6 and (seq or 0) & 0xFFFF_FFFF:
                row["seq"] = (seq or 0) & 0xFFFF_FFFF
                row["known"] |= KNOWN_SEQ
            if not side:
                row["ttl"] = (n(192) or 0) & 0xFF
                if (n(54) or 0) & 0xFFFF_FFFF:
                    row["ipid"] = (n(54) or 0) & 0xFFFF_FFFF
                    row["known"] |= KNOWN_IPID

    def _times(self, n, who: object, version: int, export: int, up: int) -> tuple[int, int]:  # type: ignore[no-untyped-def]
        def one(elements: list[tuple[int, object]]) -> int | None:
            for element, kind in elements:
                sizes = (8,) if kind in ("ntp", "ntp us") else (4,) if kind == "up" else tuple(range(1, 9))
                value = n(element, sizes=sizes)
                if value is None:
                    continue
                if kind == "up":
                    if version == 10:
                        boot = _absolute(10**6, n(160) or 0) or self.boots.get(who)
                        return by_uptime(export, (export - boot) // 10**6, value) if boot else None
                    return by_uptime(export, up, value)
                if kind == "delta":
                    found = _absolute(1_000, value)
                    return None if found is None else max(0, export - found)
                return _absolute(kind, value)
            return None

        start = one([(first, kind) for first, _, kind in TIMES])
        end = one([(last, kind) for _, last, kind in TIMES])
        if start is None and end is None:
            end = one([(325, "ntp"), (324, "ntp us"), (323, 10**6), (322, 10**9)])
            if end is None:
                end = export
                kinds = [
                    next(
                        (kind for pair in TIMES for kind in [pair[2]] if self._read(n, pair[side], kind)),
                        None,
                    )
                    for side in (0, 1)
                ]
                if kinds == ["up", "up"]:
                    start = max(0, end - max(0, (n(21, sizes=(4,)) or 0) - (n(22, sizes=(4,)) or 0)) * 10**6)
        lasted = 0
        if n(162) is not None:
            lasted = min(n(162), 0xFFFF_FFFF * 1_000) * 1_000
        elif n(161) is not None:
            lasted = min(n(161), 0xFFFF_FFFF * 1_000) * 10**6
        if start is None:
            start = max(0, end - lasted)
        elif end is None:
            end = start + lasted
        return start, max(start, end)

    @staticmethod
    def _read(n, element: int, kind: object) -> bool:  # type: ignore[no-untyped-def]
        sizes = (8,) if kind in ("ntp", "ntp us") else (4,) if kind == "up" else tuple(range(1, 9))
        return n(element, sizes=sizes) is not None

    def _rate(self, n, who: object) -> int:  # type: ignore[no-untyped-def]
        told = self.rates.get(who, {})
        rate = 0
        sampler = n(302, 48)
        if sampler is not None:
            rate = told.get(("sampler", sampler & 0xFFFF_FFFF), 0)
        if not rate:
            rate = told.get(("interface", (n(10, 252) or 0) & 0xFFFF_FFFF), 0)
        if not rate:
            rate = told.get(("all", 0), 0)
        if not rate:
            samplers = {value for (kind, _), value in told.items() if kind == "sampler"}
            rate = samplers.pop() if len(samplers) == 1 else 0
        if not rate:
            if n(34, 50) is not None:
                rate = min(n(34, 50), 0xFFFF_FFFF)
            elif n(305, 309) is not None and n(306, 310) is None:
                rate = 0
            elif n(305) is not None:
                some, rest = min(n(305), 0xFFFF_FFFF), min(_first(n(306), n(310), 0), 0xFFFF_FFFF)
                rate = round_half_up(some + rest, some) if some else 0
            elif n(309) is not None:
                some, rest = min(n(309), 0xFFFF_FFFF), min(_first(n(306), n(310), 0), 0xFFFF_FFFF)
                rate = (rest + some // 2) // some if some else 0
            elif n(311, sizes=(8,)) is not None:
                p = struct.unpack(">d", n(311, sizes=(8,)).to_bytes(8, "big"))[0]
                rate = int(1 / p + 0.5) if 2**-32 <= p <= 1 else 0
        return min(rate, 0xFFFF_FFFF)

    def place(self, who: object, ingress: int, egress: int, way: int) -> int:
        """The number of an observer."""
        place = (who, ingress & 0xFFFF_FFFF, egress & 0xFFFF_FFFF, way)
        if place not in self.places:
            self.places.append(place)
        return self.places.index(place)

    def row(
        self, start: int, end: int, src: int, dst: int, sport: int, dport: int, proto: int, flags: int,
        packets: int, octets: int, rate: int, place: int,
        *, ports: bool = True, why: int = 0, payload: int | None = None,
    ) -> None:  # fmt: skip
        """Put a row."""
        if proto in (1, 58):
            sport = dport = 0
        no_ports = proto in (6, 17) and not (ports and (sport or dport))
        v6 = src >> 32 != 0xFFFF
        if payload is None:
            payload = least_payload(proto, v6, packets, octets, flags)
        self.rows.append(
            {
                "ts": start, "end": end, "src_hi": src >> 64, "src_lo": src & (1 << 64) - 1,
                "dst_hi": dst >> 64, "dst_lo": dst & (1 << 64) - 1, "sport": sport, "dport": dport, "proto": proto,
                "flags": flags if proto == 6 else 0, "ttl": 0, "doff": 0, "frag": 0, "seq": 0, "ack": 0, "ipid": 0,
                "win": 0, "packets": packets, "bytes": octets, "pay_off": 0, "pay_len": 0, "pay_wire": payload,
                "sampling": rate, "observer": place, "record": self.records,
                "known": known_of(proto, flags, packets, bool(why)), "why": 1 | (4 if no_ports else 0) | why,
            }
        )  # fmt: skip


def round_half_up(total: int, part: int) -> int:
    """total / part, at least 1."""
    return max(1, (total + part // 2) // part)


def _first(*values: int | None) -> int:
    return next((value for value in values if value is not None), 0)


def mapped(address: int) -> int:
    """An IPv4 address in 128 bits."""
    return 0xFFFF << 32 | address


def by_uptime(export: int, up: int, value: int) -> int:
    """The time of an uptime."""
    before = (up - value) % (1 << 32)
    return max(0, export - (before if before < 1 << 31 else before - (1 << 32)) * 10**6)


def _absolute(kind: object, value: int) -> int | None:
    if value == 0:
        return None
    if isinstance(kind, int):
        return value * kind if value <= (1 << 62) // kind else None
    seconds, fraction = value >> 32, value & 0xFFFF_FFFF
    if kind == "ntp us":
        fraction &= ~0x7FF
    seconds = (seconds - 2_208_988_800) % (1 << 32)
    return seconds * 10**9 + (fraction * 10**9 >> 32) if seconds * 10**9 <= 1 << 62 else None
