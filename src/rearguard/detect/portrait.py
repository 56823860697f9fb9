"""The portrait of a group of touches: counts, outcomes, fingerprints, a few peers and the records that prove it.

A detector decides which groups become findings and says what touches they have (:class:`.members.Members`), or
leaves a view ``members`` of them (with ``gid``, ``peer_hi`` and ``peer_lo``); one pass then draws all portraits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.detect.estimate import spread
from rearguard.detect.making import transport
from rearguard.detect.members import Known
from rearguard.detect.queried import OfQuery
from rearguard.detect.tally import Tally
from rearguard.detect.tally_rows import by_name, leading
from rearguard.detect.touches import OUTCOMES
from rearguard.model import bits
from rearguard.model.address import format_address
from rearguard.model.finding import Evidence, Peers

if TYPE_CHECKING:
    import duckdb

    from rearguard.detect.members import Members
    from rearguard.detect.shape import Context

__all__ = ["Portrait", "draw", "rows"]

HELD = 131_072
"""Rows up to which a group whose peers came in another order is sorted here, not by a second query (6 MB)."""

_ALSO_BY_CHANCE = {"zmap": 2, "masscan": 2}
"""A 16-bit identification fits by chance once in 65,536 packets: two, and most of the source's SYNs."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """What all touches of one group come to; ``peers`` with the interval that sampling leaves (rule B14)."""

    contacts: int
    packets: int
    bytes: int
    first: int
    last: int
    tries: int
    ports: tuple[int, ...]
    proto: int
    outcomes: dict[str, int]
    fingerprints: tuple[str, ...]
    hits: dict[str, int]
    """Packets with a tool's mark, also where they are too few to name the tool."""
    verified: bool
    bare: int
    identity_unknown: int
    dark: int
    sampling: tuple[int, int]
    surveyors: tuple[str, ...]
    exceptions: tuple[str, ...]
    all_surveyor: bool
    all_exception: bool
    seen: int
    peers: Peers
    evidence: tuple[Evidence, ...]

    @property
    def answered(self) -> int:
        """Contacts that got a SYN+ACK, a UDP reply or more."""
        return self.outcomes.get("answered", 0) + self.outcomes.get("conversed", 0)


def draw(
    context: Context, numbers: Iterable[int], members: Members | None = None, *, by_listener: bool = False
) -> dict[int, Portrait]:
    """The portraits of those groups that ``members`` has touches of, without it the view of that name; ``numbers``:
    every ``gid`` that occurs in it, the groups' places in ascending order.

    ``by_listener``: that it answered is what is to be proven.
    """
    limits = context.policy.limits
    gids = np.array(sorted({*numbers}), np.int64)
    given = members or OfQuery(context.con, gids, by_listener)
    tally = Tally.of(len(gids), limits.peers_sample, limits.evidence)
    held: list[npt.NDArray[Any]] | None = []
    for rows in given.batches():
        some = tally.add(rows, hashed=given.hashed)
        if held is not None:
            held.append(some)
            if sum(map(len, held)) > HELD:
                held = None
    broken = tally.close()
    if len(broken):
        tally.forget(broken)
        for some in given.sorted_peers(context.con, broken) if held is None else _sorted(held, broken):
            tally.again(some)
        tally.close()
    known = given.known() if context.overview.known else Known()
    return _portraits(tally, gids, known, context)


def _sorted(held: list[npt.NDArray[Any]], broken: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[Any]]:
    """What tells the peers of some groups, by group and peer."""
    rows = np.concatenate(held)
    found = rows.take(np.flatnonzero(np.isin(rows["place"], broken)))
    yield found.take(np.lexsort((found["peer_lo"], found["peer_hi"], found["place"])))


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """The rows of a small result by column name. (A relation would be planned twice.)"""
    result = con.execute(sql)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _portraits(
    tally: Tally, gids: npt.NDArray[np.int64], known: Known, context: Context
) -> dict[int, Portrait]:
    certain = context.policy.thresholds.mirai_hits
    lines = zip(
        gids.tolist(),
        by_name(tally.totals),
        by_name(tally.peers),
        leading(tally.sample, tally.peers["sampled"]),
        leading(tally.proofs, tally.totals["proofs"]),
        strict=True,
    )
    return {
        gid: _portrait(
            total | peers,
            tally.ports(place),
            sample,
            [_evidence(proof, context) for proof in proven],
            tuple(sorted(known.surveyors.get(place, ()))),
            tuple(sorted(known.exceptions.get(place, ()))),
            certain,
        )
        for place, (gid, total, peers, sample, proven) in enumerate(lines)
        if total["contacts"]
    }


def _portrait(
    row: dict[str, Any],
    ports: tuple[int, ...],
    sample: list[tuple[int, int, int]],
    proofs: list[Evidence],
    surveyors: tuple[str, ...],
    exceptions: tuple[str, ...],
    certain: int,
) -> Portrait:
    estimate, interval = spread(row["peers"], row["weight"], row["weight2"])
    results = zip(OUTCOMES, row["results"], strict=True)
    return Portrait(
        contacts=row["contacts"],
        packets=row["packets"],
        bytes=row["bytes"],
        first=row["first"],
        last=row["last"],
        tries=row["tries"],
        ports=ports,
        proto=row["proto"],
        outcomes={name: count for name, count in results if count},
        fingerprints=_fingerprints(row, certain),
        hits={name: row[name] for name in ("mirai", *_ALSO_BY_CHANCE) if row[name]},
        verified=bool(row["verified"]),
        bare=row["bare"],
        identity_unknown=row["unproven"],
        dark=row["dark"],
        sampling=(row["sampling_low"], row["sampling_high"]),
        surveyors=surveyors,
        exceptions=exceptions,
        all_surveyor=row["surveyors"] == row["contacts"],
        all_exception=row["exceptions"] == row["contacts"],
        seen=row["peers"],
        peers=Peers(estimate, interval, tuple(format_address(high, low) for _, high, low in sample)),
        evidence=tuple(sorted(proofs, key=lambda item: (item.time, item.source, item.record, item.dst))),
    )


def _fingerprints(row: dict[str, Any], certain: int) -> tuple[str, ...]:
    """Named only where certain: Mirai's property often enough; ZMap's and masscan's twice and in most SYNs."""
    found = ["mirai"] if row["mirai"] >= certain else []
    found += [
        name for name, least in _ALSO_BY_CHANCE.items() if row[name] >= least and 2 * row[name] > row["tries"]
    ]
    return tuple(found)


def _evidence(proof: tuple[int, ...], context: Context) -> Evidence:
    """``proof`` is a row of :data:`rearguard.detect.tally_rows.PROOF`."""
    client_hi, client_lo, server_hi, server_lo, time, rec, port, far_port, proto, rank, _, mirai, answer = (
        proof
    )
    source, record = context.pointer(rec)
    client = (format_address(client_hi, client_lo), far_port)
    server = (format_address(server_hi, server_lo), port)
    (src, sport), (dst, dport) = (server, client) if answer else (client, server)
    return Evidence(
        source=source,
        record=record,
        time=time,
        proto=transport(proto),
        src=src,
        sport=sport,
        dst=dst,
        dport=dport,
        note=_note(proto, port, rank, bool(answer), bool(mirai)),
    )


def _note(proto: int, port: int, rank: int, answer: bool, mirai: bool) -> str:
    name = f"{transport(proto)}/{port}"
    tcp = proto == bits.TCP
    if answer:
        told = {0: "SYN+ACK from" if tcp else "reply from", 1: "refusal from"}
        return f"{told.get(rank, 'packet from')} {name}"
    if rank != 0:
        return f"packet to {name}"
    if not tcp:
        return f"datagram to {name}"
    return "SYN, sequence equals destination" if mirai else f"SYN to {name}"
