"""The portrait of a group of touches: counts, outcomes, fingerprints, a few peers and the records that prove it.

A detector decides which groups become findings and leaves a view ``members`` of their touches (with ``gid``,
``peer_hi`` and ``peer_lo``); one pass over it then draws all portraits together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.detect import tally_rows as marks
from rearguard.detect.estimate import spread
from rearguard.detect.making import transport
from rearguard.detect.tally import Tally
from rearguard.detect.tally_rows import MEMBER, NO_RANK, NO_RESULT, PEER, by_name, leading
from rearguard.detect.touches import OUTCOMES
from rearguard.model import bits
from rearguard.model.address import format_address
from rearguard.model.finding import Evidence, Peers

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from rearguard.detect.shape import Context

__all__ = ["Portrait", "draw", "rows"]

MEMBERS_SQL = """
SELECT
    gid::BIGINT AS place, peer_hi, peer_lo, client_hi, client_lo, server_hi, server_lo, begun, last,
    (packets_c + packets_s)::UBIGINT AS packets, (bytes_c + bytes_s)::UBIGINT AS bytes, tries::UBIGINT AS tries,
    fp_mirai::UBIGINT AS mirai, fp_zmap::UBIGINT AS zmap, fp_masscan::UBIGINT AS masscan,
    coalesce(CASE WHEN {answer} THEN time_s ELSE time_c END, 0) AS time,
    coalesce(CASE WHEN {answer} THEN rec_s ELSE rec_c END, 0)::UBIGINT AS rec,
    rate::UINTEGER AS rate, sampling::UINTEGER AS sampling, port,
    coalesce(CASE WHEN {answer} THEN port_s ELSE port_c END, 0)::USMALLINT AS far_port,
    proto, coalesce(result, {no_result})::UTINYINT AS result,
    CASE WHEN {answer} THEN rank_s ELSE rank_c END AS rank,
    (
        CASE WHEN verified THEN {verified} ELSE 0 END + CASE WHEN dark THEN {dark} ELSE 0 END
        + CASE WHEN bare THEN {bare} ELSE 0 END + CASE WHEN unproven AND result >= 3 THEN {unproven} ELSE 0 END
        + CASE WHEN {answer} THEN {is_answer} ELSE 0 END + CASE WHEN surveyor IS NULL THEN 0 ELSE {surveyor} END
        + CASE WHEN exception IS NULL THEN 0 ELSE {exception} END
    )::UTINYINT AS marks
FROM members
"""

AGAIN_SQL = f"""
SELECT
    gid::BIGINT AS place, peer_hi, peer_lo, begun, (packets_c + packets_s)::UBIGINT AS packets,
    rate::UINTEGER AS rate, CASE WHEN dark THEN {marks.DARK} ELSE 0 END::UTINYINT AS marks
FROM members SEMI JOIN again USING (gid)
ORDER BY gid, peer_hi, peer_lo
"""

KNOWN_SQL = """
SELECT
    gid, list_sort(list(DISTINCT surveyor)) AS surveyors, list_sort(list(DISTINCT exception)) AS exceptions
FROM members
GROUP BY gid
"""

ANSWER_SQL = {False: f"rank_c = {NO_RANK}", True: f"rank_s < {NO_RANK}"}
"""Whose packet proves a touch: the opener's unless it was not seen, or the listener's if it was."""

_MARKS = {
    "verified": marks.VERIFIED,
    "dark": marks.DARK,
    "bare": marks.BARE,
    "unproven": marks.UNPROVEN,
    "is_answer": marks.ANSWER,
    "surveyor": marks.SURVEYOR,
    "exception": marks.EXCEPTION,
    "no_result": NO_RESULT,
}
"""What the query writes into ``marks``."""

BATCH = 16_384
"""Rows that are fetched at once."""
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


def draw(context: Context, numbers: Iterable[int], *, by_listener: bool = False) -> dict[int, Portrait]:
    """The portraits of those groups that ``members`` has touches of; ``numbers``: every ``gid`` that occurs in it.

    ``by_listener``: that it answered is what is to be proven.
    """
    limits = context.policy.limits
    gids = np.array(sorted({*numbers}), np.int64)
    tally = Tally.of(len(gids), limits.peers_sample, limits.evidence)
    sql = MEMBERS_SQL.format(answer=ANSWER_SQL[by_listener], **_MARKS)
    held: list[npt.NDArray[Any]] | None = []
    for batch in context.con.sql(sql).to_arrow_reader(BATCH):
        some = tally.add(_placed(batch, gids, MEMBER))
        if held is not None:
            held.append(some)
            if sum(map(len, held)) > HELD:
                held = None
    broken = tally.close()
    if len(broken):
        tally.forget(broken)
        for some in _sorted(context.con, gids, broken, held):
            tally.again(some)
        tally.close()
    known: dict[int, dict[str, Any]] = {}
    if context.overview.known:
        known = {row["gid"]: row for row in rows(context.con, KNOWN_SQL)}
    return _portraits(tally, gids, known, context)


def _placed(batch: pa.RecordBatch, gids: npt.NDArray[np.int64], kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Rows of this kind, each with the place of its group."""
    made = np.empty(batch.num_rows, kind)
    for name in kind.names or ():
        made[name] = batch.column(name).to_numpy()
    whole = gids[0] == 1 and gids[-1] == len(gids)  # no number is left out
    made["place"] = made["place"] - 1 if whole else np.searchsorted(gids, made["place"])
    return made


def _sorted(
    con: duckdb.DuckDBPyConnection,
    gids: npt.NDArray[np.int64],
    broken: npt.NDArray[np.int64],
    held: list[npt.NDArray[Any]] | None,
) -> Iterator[npt.NDArray[Any]]:
    """What tells the peers of some groups, by group and peer: sorted here where it is still ``held``, else by the
    database."""
    if held is not None:
        wanted = np.zeros(len(gids), np.bool_)
        wanted[broken] = True
        found = np.concatenate([part.take(np.flatnonzero(wanted[part["place"]])) for part in held])
        yield found.take(np.lexsort((found["peer_lo"], found["peer_hi"], found["place"])))
        return
    import pyarrow as pa

    con.register("again", pa.table({"gid": gids[broken].astype(np.int32)}))
    for batch in con.sql(AGAIN_SQL).to_arrow_reader(BATCH):
        yield _placed(batch, gids, PEER)
    con.unregister("again")


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """The rows of a small result by column name. (A relation would be planned twice.)"""
    result = con.execute(sql)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _portraits(
    tally: Tally, gids: npt.NDArray[np.int64], known: dict[int, dict[str, Any]], context: Context
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
            known.get(gid, {}),
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
    known: dict[str, Any],
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
        surveyors=tuple(name for name in known.get("surveyors") or () if name is not None),
        exceptions=tuple(text for text in known.get("exceptions") or () if text is not None),
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
