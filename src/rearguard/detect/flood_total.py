"""What a flood adds up to: the contacts that are listed, and the sources that are only counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rearguard.detect.making import transport
from rearguard.detect.portrait import Portrait
from rearguard.model.address import format_address
from rearguard.model.finding import Evidence, Peers

if TYPE_CHECKING:
    from rearguard.detect.shape import Context

__all__ = ["Total"]


@dataclass(frozen=True, slots=True)
class Total:
    """A portrait and a crowd together."""

    peers: Peers
    contacts: int
    packets: int
    bytes: int
    first: int
    last: int
    proto: int
    ports: tuple[int, ...]
    outcomes: dict[str, int]
    fingerprints: tuple[str, ...]
    muted: bool
    """Only sources that the policy knows and accepts."""
    evidence: tuple[Evidence, ...]

    @classmethod
    def of(cls, portrait: Portrait | None, crowd: dict[str, Any] | None, context: Context) -> Total:
        """At least one of both; ``crowd`` is a row of the flood's query over the counted sources."""
        if portrait is None:
            assert crowd is not None
            count, low = crowd["clients"], crowd["most"]
            return cls(
                Peers(count, (low, count)),
                count,
                crowd["packets"],
                crowd["bytes"],
                crowd["first"],
                crowd["last"],
                crowd["proto"],
                tuple(crowd["ports"]),
                {"unanswered": count},
                (),
                False,
                tuple(_evidence(proof, context) for proof in crowd["proofs"]),
            )
        muted = portrait.all_surveyor or portrait.all_exception
        alone = cls(
            portrait.peers,
            portrait.contacts,
            portrait.packets,
            portrait.bytes,
            portrait.first,
            portrait.last,
            portrait.proto,
            portrait.ports,
            portrait.outcomes,
            portrait.fingerprints,
            muted,
            portrait.evidence,
        )
        if crowd is None:
            return alone
        counted = cls.of(None, crowd, context)
        low, high = portrait.peers.interval
        outcomes = dict(portrait.outcomes)
        outcomes["unanswered"] = outcomes.get("unanswered", 0) + counted.contacts
        return cls(
            Peers(
                portrait.peers.count + counted.peers.count,
                (low + counted.peers.interval[0], high + counted.peers.interval[1]),
                portrait.peers.sample,
            ),
            alone.contacts + counted.contacts,
            alone.packets + counted.packets,
            alone.bytes + counted.bytes,
            min(alone.first, counted.first),
            max(alone.last, counted.last),
            min(alone.proto, counted.proto),
            tuple(sorted({*alone.ports, *counted.ports})),
            outcomes,
            alone.fingerprints,
            False,
            (alone.evidence + counted.evidence)[: context.policy.limits.evidence],
        )


def _evidence(proof: dict[str, Any], context: Context) -> Evidence:
    source, record = context.pointer(proof["rec"])
    name = f"{transport(proof['proto'])}/{proof['port']}"
    return Evidence(
        source,
        record,
        proof["time"],
        transport(proof["proto"]),
        format_address(proof["client_hi"], proof["client_lo"]),
        proof["far_port"],
        format_address(proof["server_hi"], proof["server_lo"]),
        proof["port"],
        f"SYN to {name}" if proof["proto"] == 6 else f"datagram to {name}",
    )
