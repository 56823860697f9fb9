"""NetFlow version 9 (RFC 3954) and IPFIX (RFC 7011) datagrams: templates, sampling options, data.

Both describe their records in templates, one for IPv4 and one for IPv6; every datagram carries one set of one of
them, so records of a kind wait together. Templates, options template and the options record with the sampling rate
come first, and again every five minutes. Each exporter has an observation domain (source id) of its own. Version 9
tells the rate by a sampler's number that each record names (fields 48 to 50), IPFIX of the whole observation domain
(elements 304 to 306: one packet taken, N - 1 left out). What sequence numbers count differs, too: datagrams in
version 9, data records in IPFIX.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rearguard.model.bits import FIN, RST
from rearguard.simulate.envelope import ENVELOPE, Datagrams, seal
from rearguard.simulate.line import pick
from rearguard.simulate.netflow5 import BOOTED

__all__ = ["IPFIX", "NETFLOW9", "Dialect", "Templated"]

V4, V6, OPTIONS = 256, 257, 258
"""Template numbers."""
REFRESH = 300 * 1_000_000_000
SAMPLER = 1

Value = Callable[[NDArray[np.void], int], Any]
"""Of flows (and the time of the routers' start, ms), what a field of the record is."""
Column = tuple[int, str, Value]
"""Number of the information element, numpy code, value."""


def _of(name: str) -> Value:
    return lambda flows, _: flows[name]


def _since_start(name: str) -> Value:
    return lambda flows, booted: (flows[name] // 1_000_000 - booted) & 0xFFFF_FFFF


def _milliseconds(name: str) -> Value:
    return lambda flows, _: flows[name] // 1_000_000


def _v4(name: str) -> Value:
    return lambda flows, _: flows[name] & np.uint64(0xFFFF_FFFF)


def _v6(side: str) -> Value:
    return lambda flows, _: np.stack([flows[f"{side}_hi"], flows[f"{side}_lo"]], axis=1)


def _zero(_flows: NDArray[np.void], _booted: int) -> int:
    return 0


def _sampler(_flows: NDArray[np.void], _booted: int) -> int:
    return SAMPLER


def _end_reason(flows: NDArray[np.void], _booted: int) -> NDArray[np.int64]:
    """flowEndReason: 3 end of flow, 1 idle timeout; 2 active timeout, when it leaves before either."""
    ended = flows["flags"] & (FIN | RST) != 0
    quiet = flows["leaves"] - flows["last"] >= 1_000_000_000
    return np.where(ended & quiet, 3, np.where(quiet, 1, 2))


_ENDS: tuple[Column, ...] = (
    (7, ">u2", _of("sport")),
    (11, ">u2", _of("dport")),
    (4, "u1", _of("proto")),
    (6, "u1", _of("flags")),
)
_SOURCES: tuple[tuple[Column, ...], tuple[Column, ...]] = (
    ((8, ">u4", _v4("src_lo")), (12, ">u4", _v4("dst_lo"))),
    ((27, "2>u8", _v6("src")), (28, "2>u8", _v6("dst"))),
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What version 9 and IPFIX differ in."""

    version: int
    port: int
    header: tuple[tuple[str, str], ...]
    template_set: int
    options_set: int
    columns: tuple[Column, ...]
    sampling: tuple[tuple[int, int], ...]
    """Elements of the options record behind the scope, with their lengths."""


NETFLOW9 = Dialect(
    version=9,
    port=2055,
    header=(("nf_version", ">u2"), ("nf_count", ">u2"), ("uptime", ">u4"), ("secs", ">u4"), ("sequence", ">u4"),
            ("domain", ">u4")),
    template_set=0,
    options_set=1,
    columns=(
        *_ENDS,
        (10, ">u2", _of("ingress")),
        (14, ">u2", _of("egress")),
        (2, ">u4", _of("packets")),
        (1, ">u4", _of("bytes")),
        (22, ">u4", _since_start("first")),
        (21, ">u4", _since_start("last")),
        (61, "u1", _zero),
        (48, "u1", _sampler),
    ),
    sampling=((48, 1), (49, 1), (50, 4)),
)  # fmt: skip
IPFIX = Dialect(
    version=10,
    port=4739,
    header=(
        ("nf_version", ">u2"),
        ("nf_length", ">u2"),
        ("secs", ">u4"),
        ("sequence", ">u4"),
        ("domain", ">u4"),
    ),
    template_set=2,
    options_set=3,
    columns=(
        *_ENDS,
        (10, ">u4", _of("ingress")),
        (14, ">u4", _of("egress")),
        (2, ">u8", _of("packets")),
        (1, ">u8", _of("bytes")),
        (152, ">u8", _milliseconds("first")),
        (153, ">u8", _milliseconds("last")),
        (61, "u1", _zero),
        (136, "u1", _end_reason),
    ),
    sampling=((304, 2), (305, 4), (306, 4)),
)


class Templated:
    """Rows in the order in which they leave, written as a capture of datagrams of one dialect."""

    def __init__(self, out: BinaryIO, dialect: Dialect, exporters: int, rate: int, start: int) -> None:
        self._datagrams = Datagrams(out)
        self._dialect = dialect
        self._rate = rate
        self._booted = start // 1_000_000 - BOOTED
        self._sequence = [0] * exporters
        self._told = [start - REFRESH] * exporters
        self._columns = {V4: (*_SOURCES[0], *dialect.columns), V6: (*_SOURCES[1], *dialect.columns)}
        self._types = {number: _layout(dialect, columns) for number, columns in self._columns.items()}

    def write(self, flows: NDArray[np.void]) -> None:
        """Templates where they are due, then datagrams of each exporter and address family."""
        six = flows["src_hi"] != 0
        for exporter in range(len(self._sequence)):
            mine = flows["exporter"] == exporter
            if not mine.any():
                continue
            self._tell(int(flows["leaves"][mine][0]), exporter)
            sets = [
                _Sets(number, pick(flows, np.flatnonzero(chosen)), self._types[number])
                for number, chosen in ((V4, mine & ~six), (V6, mine & six))
            ]
            for one, before in zip(sets, self._in_order(sets, exporter), strict=True):
                if len(one.held):
                    self._export(one, before, exporter)
        self._datagrams.flush()

    def _in_order(self, sets: list[_Sets], exporter: int) -> list[NDArray[np.int64]]:
        """The sequence number of every datagram: the two kinds take turns as their times do."""
        order = np.argsort(np.concatenate([one.times for one in sets]), kind="stable")
        counted = np.concatenate(
            [one.held if self._dialect is IPFIX else np.ones_like(one.held) for one in sets]
        )[order]
        before = np.zeros(len(order), np.int64)
        before[order] = self._sequence[exporter] + np.cumsum(counted) - counted
        self._sequence[exporter] += int(counted.sum())
        return np.split(before, [len(sets[0].held)])

    def _export(self, one: _Sets, before: NDArray[np.int64], exporter: int) -> None:
        flows, held, times, number = one.flows, one.held, one.times, one.number
        kind = self._types[number]
        records = kind["records"].shape[0]
        record = kind["records"].base
        count = len(held)
        made = np.zeros(count, kind)
        body = np.zeros(count * records, record)
        for element, _, value in self._columns[number]:
            body[str(element)][: len(flows)] = value(flows, self._booted)
        made["records"] = body.reshape(count, records)
        made["set"] = number
        made["set_length"] = 4 + held * record.itemsize
        size = sum(np.dtype(code).itemsize for _, code in self._dialect.header)
        payload = size + 4 + held * record.itemsize
        self._head(made, payload, held, times, before, exporter)
        seal(made, payload, times, exporter, self._dialect.port)
        self._datagrams.put(made, payload, times)

    def _head(
        self,
        made: NDArray[np.void],
        payload: NDArray[np.int64],
        held: NDArray[np.int64],
        times: NDArray[np.int64],
        before: NDArray[np.int64],
        exporter: int,
    ) -> None:
        """Export headers. Version 9 has whole seconds only, so its uptime is that of the second."""
        seconds = times // 1_000_000_000
        made["nf_version"] = self._dialect.version
        made["secs"] = seconds
        made["sequence"] = before & 0xFFFF_FFFF
        made["domain"] = exporter + 1
        if self._dialect is IPFIX:
            made["nf_length"] = payload
        else:
            made["nf_count"] = held
            made["uptime"] = (seconds * 1_000 - self._booted) & 0xFFFF_FFFF

    def _tell(self, now: int, exporter: int) -> None:
        """A datagram with both templates, the options template and the options record, where it is due."""
        if now - self._told[exporter] < REFRESH:
            return
        self._told[exporter] = now
        sets = _templates(self._dialect, self._columns) + _options(self._dialect, self._rate, exporter + 1)
        made = np.zeros(1, np.dtype([*ENVELOPE, *self._dialect.header, ("sets", f"V{len(sets)}")]))
        made["sets"] = np.void(sets)
        payload = np.array([sum(np.dtype(code).itemsize for _, code in self._dialect.header) + len(sets)])
        times, before = np.array([now]), np.array([self._sequence[exporter]])
        self._head(made, payload, np.array([4]), times, before, exporter)
        self._sequence[exporter] += 1  # one datagram in version 9, one data record (the options) in IPFIX
        seal(made, payload, times, exporter, self._dialect.port)
        self._datagrams.put(made, payload, times)

    def close(self) -> None:
        """Nothing is held back."""


class _Sets:
    """Flows of one exporter and family, cut into sets: how many records each has, and when it is sent."""

    def __init__(self, number: int, flows: NDArray[np.void], kind: np.dtype[np.void]) -> None:
        most = kind["records"].shape[0]
        self.number, self.flows = number, flows
        self.held = np.minimum(most, len(flows) - most * np.arange(-(-len(flows) // most)))
        self.times = flows["leaves"][np.cumsum(self.held) - 1]


def _layout(dialect: Dialect, columns: tuple[Column, ...]) -> np.dtype[np.void]:
    """A datagram full of records: as many as fit into 1,400 bytes."""
    record = np.dtype([(str(element), ">u8", (2,)) if code == "2>u8" else (str(element), code)
                       for element, code, _ in columns])  # fmt: skip
    return np.dtype(
        [
            *ENVELOPE,
            *dialect.header,
            ("set", ">u2"),
            ("set_length", ">u2"),
            ("records", record, (1_360 // record.itemsize,)),
        ]
    )


def _size(code: str) -> int:
    return 16 if code == "2>u8" else np.dtype(code).itemsize


def _templates(dialect: Dialect, columns: dict[int, tuple[Column, ...]]) -> bytes:
    body = b""
    for number, fields in columns.items():
        body += struct.pack(">HH", number, len(fields))
        body += b"".join(struct.pack(">HH", element, _size(code)) for element, code, _ in fields)
    return struct.pack(">HH", dialect.template_set, 4 + len(body)) + body


def _options(dialect: Dialect, rate: int, domain: int) -> bytes:
    """The options template and its one record; version 9's scope is the system, IPFIX's the observation domain."""
    fields = b"".join(struct.pack(">HH", *field) for field in dialect.sampling)
    if dialect is IPFIX:
        head = struct.pack(">HHH", OPTIONS, 1 + len(dialect.sampling), 1) + struct.pack(">HH", 149, 4)
        record = struct.pack(">IHII", domain, 1, 1, rate - 1)
    else:
        head = struct.pack(">HHH", OPTIONS, 4, len(fields)) + struct.pack(">HH", 1, 4)
        record = struct.pack(">IBBI", 0, SAMPLER, 2, rate)
    return _set(dialect.options_set, head + fields) + _set(OPTIONS, record)


def _set(number: int, body: bytes) -> bytes:
    """A set padded to four bytes (RFC 3954 section 5.2, RFC 7011 section 3.3.1)."""
    body += b"\0" * (-len(body) % 4)
    return struct.pack(">HH", number, 4 + len(body)) + body
