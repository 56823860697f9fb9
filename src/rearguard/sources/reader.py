"""What every source is to the rest of the program: chunks, a tally, observers and, of flows, exporters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from rearguard.model.chunk import Chunk
from rearguard.sources.frames import DAMAGE, REASONS
from rearguard.sources.inputs import Progress

__all__ = ["FLOW_DAMAGE", "FLOW_REASONS", "Exporter", "Observer", "Reader", "Span", "Tally"]

FLOW_REASONS = (
    "empty-flow",
    "nat-event",
    "event",
    "no-addresses",
    "no-template",
    "bad-flow-record",
    "bad-datagram",
    "bad-block",
    "unknown-version",
    "not-an-export",
    "option-record",
    "counter-sample",
    "bad-line",
    "not-a-flow",
    "same-flow",
    "duplicate-datagram",
    "exporter-limit",
    "template-limit",
)
"""Why something in a flow source gave no row: a record that counts nothing; a log of an address translation; of
another event; a record without IP addresses; data whose template never came; a record that cannot be right; a
datagram, a block or a line that cannot be read; a version nobody knows; a UDP payload that is no export; and what
is no flow by its nature: options, counters, other lines of a log; and what tells a flow that another line tells
better; a datagram that came twice; and an
exporter or a template beyond the most that are kept."""

FLOW_DAMAGE = frozenset(
    {
        "no-template",
        "bad-flow-record",
        "bad-datagram",
        "bad-block",
        "unknown-version",
        "bad-line",
        "exporter-limit",
        "template-limit",
    }
)
"""Of these, the ones that mean "part of the input could not be read"."""


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a file: the records that begin at byte ``start`` or later and before byte ``end``."""

    start: int
    end: int


@dataclass(slots=True)
class Tally:
    """What was read so far.

    Of packets, ``records`` is the sum of ``rows`` and of the values of ``skipped``; of flows it is what the
    exporters exported as flow records, while a biflow has two rows and ``skipped`` counts other things too.
    """

    records: int = 0
    rows: int = 0
    bytes: int = 0
    """Bytes of the (decompressed) stream, up to the present place."""
    skipped: dict[str, int] = field(default_factory=dict)
    first: int | None = None
    """Earliest time of a row, ns; rows without a time (simple packet blocks of pcapng) do not count."""
    last: int | None = None
    damaged: str | None = None
    """Why reading ended before the end, or what else could not be read, in one sentence."""
    first_bad: str = ""
    """The first line or record of a table that could not be read, and which of its fields; "" for none."""

    @classmethod
    def of_packets(cls) -> Tally:
        """A tally that names every reason of the packet decoder, also those that never occurred."""
        return cls(skipped=dict.fromkeys(REASONS, 0))

    def skip(self, reason: str, count: int = 1) -> None:
        """Count what gave no row; ``reason`` is one of FLOW_REASONS or of the packet decoder's REASONS."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count

    def spans(self, first: int, last: int) -> None:
        """Take in times of rows, ns."""
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)

    @property
    def complete(self) -> bool:
        """Whether all of the input could be read (what networks themselves garble does not count against
        it)."""
        return self.damaged is None and not any(self.skipped.get(reason) for reason in DAMAGE | FLOW_DAMAGE)


@dataclass(frozen=True, slots=True)
class Observer:
    """Where rows were seen: an interface of a capture (``name``), or an exporter with the interfaces that it
    tells (SNMP ifIndex, 0 unknown) and the way of its observation: "in" (as packets entered ``ingress``), "out"
    (as they left by ``egress``), "" (not told)."""

    name: str = ""
    exporter: str = ""
    ingress: int = 0
    egress: int = 0
    way: str = ""


@dataclass(slots=True)
class Exporter:
    """One exporter's observation domain in one source, and how well it was heard."""

    address: str
    """IP address as text; "" when the source does not tell."""
    domain: int = 0
    """Observation domain (IPFIX), source id (NetFlow v9), engine (v5), sub-agent (sFlow)."""
    kind: str = ""
    """What it speaks: "NetFlow v5", "IPFIX", "sFlow v5" ..."""
    datagrams: int = 0
    records: int = 0
    lost: int = 0
    """What its sequence numbers say is missing, in ``lost_unit``."""
    lost_unit: str = "datagrams"
    """"datagrams" | "records" | "samples": what the sequence number counts (RFC 3954 section 5.1, RFC 7011
    section 3.1, sFlow v5)."""
    without_template: int = 0
    """Data sets that were dropped because no template for them came."""
    rate: int = 0
    """Its sampling rate, 1:N, as last told; 0 unknown."""
    rate_from: str = ""
    """"options" | "record": whence the rate is known."""
    rate_least: int = 0
    """The smallest rate that it told in this source; 0 where it told none."""
    rate_most: int = 0
    rate_since: int | None = None
    """When its rate became the present one, ns, if it changed once; None where it never did, and where several
    rates take turns (samplers, interfaces)."""

    @property
    def name(self) -> str:
        """How the exporter is called in observers, policies and reports; "" when it is not known who it is."""
        return self.address


class Reader(Protocol):
    """One input, read once. Use as a context manager; iterate over :meth:`chunks`.

    The rest of the program asks for nothing else, whatever the format.
    """

    uri: str
    number: int
    format: str
    compression: str
    tally: Tally

    @property
    def observers(self) -> Sequence[Observer]:
        """What the rows' ``observer`` points to; it may grow while the input is read, and only at its end."""

    @property
    def exporters(self) -> Sequence[Exporter]:
        """The exporters of flows; none for packets."""

    @property
    def progress(self) -> Progress:
        """How much of the file, as it lies on the disk, was consumed."""

    def chunks(self) -> Iterator[Chunk]:
        """The rows. A chunk, its columns and its buffer are valid until the next one is asked for."""

    def first_time(self) -> int | None:
        """About when the input begins, ns, to put files in order; asked before :meth:`chunks`."""

    def close(self) -> None:
        """Release what is held."""

    def __enter__(self) -> Reader: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
