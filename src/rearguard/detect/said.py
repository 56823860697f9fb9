"""The figures of a group of exchanges: what a portrait is for contacts.

Times, peers, outcomes and evidence come from what was said, so a finding about an attack begins with the attack and
not with the scan before it. Packets and bytes are those of the contacts that the exchanges belong to; where no
contact was kept (the session's port is no management port, or the initiator is authorised), the packets that prove
it are counted and no bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING, TypeVar

from rearguard.detect.making import transport
from rearguard.detect.portrait import rows
from rearguard.detect.touches import OUTCOMES
from rearguard.model import bits
from rearguard.model.address import format_address, from_halves
from rearguard.model.finding import Evidence, Peers, Severity

if TYPE_CHECKING:
    from rearguard.detect.shape import Context
    from rearguard.detect.voices import End, Voice
    from rearguard.dialogue.exchange import Exchange, Proof

__all__ = ["Said", "Traffic", "accepted", "outcome_of", "point", "say", "traffic", "worst_first"]

Case = TypeVar("Case")

TRAFFIC_SQL = """
SELECT
    gid, sum(packets_c + packets_s)::UBIGINT AS packets, sum(bytes_c + bytes_s)::UBIGINT AS bytes,
    bool_and(exception IS NOT NULL) AS excepted, bool_and(lan) AS home
FROM picks JOIN touches USING (client_hi, client_lo, server_hi, server_lo, port, proto)
GROUP BY gid
"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the contacts of a group add up to."""

    packets: int
    bytes: int
    excepted: bool
    """An exception of the policy covers each of them."""
    home: bool
    """Each is the use of a home network (see :mod:`rearguard.detect.touches`)."""


@dataclass(frozen=True, slots=True)
class Said:
    """Figures of one group, as :func:`~rearguard.detect.making.make` wants them."""

    peers: Peers
    contacts: int
    packets: int
    bytes: int
    first: int
    last: int
    proto: int
    ports: tuple[int, ...]
    outcomes: dict[str, int]
    evidence: tuple[Evidence, ...]
    verified: bool
    """A TCP handshake was seen, so the client's address is no forgery (rule B4)."""
    excepted: bool
    fingerprints: tuple[str, ...] = ()


def say(
    voices: Sequence[Voice],
    peers: Iterable[End],
    evidence: Iterable[Evidence],
    moved: Traffic | None,
    context: Context,
) -> Said:
    """The figures of these voices (at least one), whose other side is ``peers``, proven by ``evidence``."""
    limits = context.policy.limits
    others = list(dict.fromkeys(peers))
    outcomes: dict[tuple[int, ...], int] = {}
    for voice in voices:
        outcomes[voice.contact] = max(outcomes.get(voice.contact, 0), outcome_of(voice.exchange))
    counted = Counter(outcomes.values())
    shown = sorted(dict.fromkeys(evidence), key=lambda one: (one.time, one.source, one.record, one.dst))
    return Said(
        peers=Peers(
            len(others),
            (len(others),) * 2,
            tuple(format_address(*one) for one in others[: limits.peers_sample]),
        ),
        contacts=len(outcomes),
        packets=moved.packets if moved is not None else len({(one.source, one.record) for one in shown}),
        bytes=moved.bytes if moved is not None else 0,
        first=min(voice.exchange.first for voice in voices),
        last=max(voice.exchange.last for voice in voices),
        proto=min(voice.exchange.proto for voice in voices),
        ports=tuple(sorted({voice.exchange.port for voice in voices})),
        outcomes={name: counted[place] for place, name in enumerate(OUTCOMES) if counted[place]},
        evidence=tuple(shown[: limits.evidence]),
        verified=any(voice.exchange.proto == bits.TCP and voice.exchange.complete for voice in voices),
        excepted=moved is not None and moved.excepted,
    )


def outcome_of(exchange: Exchange) -> int:
    """The place in ``OUTCOMES``: payload both ways, only a handshake, a lone datagram, or not to be told."""
    if exchange.answered is not None and exchange.asked is not None:
        return OUTCOMES.index("conversed")
    if exchange.answered is not None or (exchange.proto == bits.TCP and exchange.complete):
        return OUTCOMES.index("answered")
    return OUTCOMES.index("unknown" if exchange.proto == bits.TCP else "unanswered")


def traffic(groups: Sequence[Sequence[Voice]], context: Context) -> dict[int, Traffic]:
    """What the unauthorised contacts of each group moved, by its place; absent where no contact was kept."""
    import pyarrow as pa

    picks = sorted({(gid, *voice.contact) for gid, group in enumerate(groups) for voice in group})
    if not picks:
        return {}
    columns = list(zip(*picks, strict=True))
    kinds = (pa.int32(), pa.uint64(), pa.uint64(), pa.uint64(), pa.uint64(), pa.uint16(), pa.uint8())
    names = ("gid", "client_hi", "client_lo", "server_hi", "server_lo", "port", "proto")
    table = pa.table(
        {name: pa.array(column, kind) for name, column, kind in zip(names, columns, kinds, strict=True)}
    )
    context.con.register("picks", table)
    found = {
        row["gid"]: Traffic(row["packets"], row["bytes"], row["excepted"], row["home"])
        for row in rows(context.con, TRAFFIC_SQL)
    }
    context.con.unregister("picks")
    return found


def point(exchange: Exchange, proof: Proof, note: str, context: Context) -> Evidence:
    """The packet that shows it, with its 5-tuple; ``note`` says what is to be seen there."""
    source, record = context.pointer(proof.rec)
    client = format_address(exchange.client_hi, exchange.client_lo), exchange.client_port
    server = format_address(exchange.server_hi, exchange.server_lo), exchange.port
    (src, sport), (dst, dport) = (server, client) if proof.from_server else (client, server)
    return Evidence(source, record, proof.ts, transport(exchange.proto), src, sport, dst, dport, note)


def accepted(subject: End, others: Iterable[End], interface: str, context: Context) -> bool:
    """Whether exceptions of the policy cover the subject on the interface today, or all of the other side."""
    if not context.policy.exceptions:
        return False
    return _exempt(subject, interface, context) or all(
        _exempt(other, interface, context) for other in dict.fromkeys(others)
    )


def _exempt(end: End, interface: str, context: Context) -> bool:
    return context.policy.exemption(from_halves(*end), interface, context.today) is not None


def worst_first(
    cases: Iterable[Case], rank: Callable[[Case], tuple[Severity, int, str]], context: Context
) -> list[Case]:
    """As many as are listed of a kind. ``rank``: severity, contacts, and an id that decides between equals."""

    def order(case: Case) -> tuple[int, int, str]:
        severity, contacts, name = rank(case)
        return -severity.rank, -contacts, name

    return nsmallest(context.policy.limits.findings_per_kind, cases, key=order)
