"""The portrait of a group of touches: counts, outcomes, fingerprints, a few peers and the records that prove it.

A detector decides which groups become findings and leaves a view ``members`` of their touches (with ``gid``,
``peer_hi`` and ``peer_lo``); two queries then draw all portraits together.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rearguard.detect.estimate import spread
from rearguard.detect.making import transport
from rearguard.detect.touches import OUTCOMES
from rearguard.model import bits
from rearguard.model.address import format_address
from rearguard.model.finding import Evidence, Peers

if TYPE_CHECKING:
    import duckdb

    from rearguard.detect.shape import Context

__all__ = ["Portrait", "draw", "rows"]

COUNTS_SQL = """
WITH peers AS (
    SELECT
        gid, peer_hi, peer_lo, bool_or(dark) AS dark, min(begun) AS begun,
        -- Of the peers that were sampled once there are many more; one that was sampled again is itself.
        CASE WHEN sum(packets_c + packets_s) > 1 THEN 1 ELSE max(rate) END::DOUBLE AS rate
    FROM members GROUP BY ALL
),
peer_counts AS (
    SELECT
        gid, count(*) AS peers, sum(rate) AS weight, sum(rate * rate) AS weight2,
        count(*) FILTER (dark) AS dark_peers,
        arg_min(
            {'hi': peer_hi, 'lo': peer_lo}, {'t': begun, 'hi': peer_hi, 'lo': peer_lo}, $sample
        ) AS sample
    FROM peers GROUP BY gid
),
totals AS (
    SELECT
        gid, count(*) AS contacts,
        sum(packets_c + packets_s)::UBIGINT AS packets, sum(bytes_c + bytes_s)::UBIGINT AS bytes,
        min(begun) AS first, max(last) AS last, sum(tries)::UBIGINT AS tries,
        list_sort(list(DISTINCT port)) AS ports, min(proto) AS proto,
        count(*) FILTER (result = 0) AS unknown, count(*) FILTER (result = 1) AS unanswered,
        count(*) FILTER (result = 2) AS refused, count(*) FILTER (result = 3) AS answered,
        count(*) FILTER (result = 4) AS conversed,
        sum(fp_mirai)::UBIGINT AS mirai, sum(fp_zmap)::UBIGINT AS zmap, sum(fp_masscan)::UBIGINT AS masscan,
        coalesce(bool_or(verified), false) AS verified,
        count(*) FILTER (bare) AS bare,
        count(*) FILTER (unproven AND result >= 3) AS identity_unknown,
        min(sampling) AS sampling_low, max(sampling) AS sampling_high,
        $surveyors AS surveyors, $exceptions AS exceptions,
        bool_and(surveyor IS NOT NULL) AS all_surveyor, bool_and(exception IS NOT NULL) AS all_exception
    FROM members
    GROUP BY gid
)
SELECT * FROM totals JOIN peer_counts USING (gid)
"""

EVIDENCE_SQL = """
SELECT gid, unnest(
    arg_min(
        {'client_hi': client_hi, 'client_lo': client_lo, 'server_hi': server_hi, 'server_lo': server_lo,
         'port': port, 'proto': proto, 'mirai': fp_mirai = tries AND tries > 0, 'answer': answer,
         'rank': CASE WHEN answer THEN rank_s ELSE rank_c END,
         'time': CASE WHEN answer THEN time_s ELSE time_c END,
         'rec': CASE WHEN answer THEN rec_s ELSE rec_c END,
         'far_port': CASE WHEN answer THEN port_s ELSE port_c END},
        {'rank': CASE WHEN answer THEN rank_s ELSE rank_c END,
         'plain': fp_mirai = 0,
         'time': CASE WHEN answer THEN time_s ELSE time_c END,
         'rec': CASE WHEN answer THEN rec_s ELSE rec_c END},
        $limit
    ),
    recursive := true
)
FROM (SELECT *, $answer AS answer FROM members)
WHERE least(rank_c, rank_s) < 255
GROUP BY gid
"""

ANSWER_SQL = {False: "rank_c = 255", True: "rank_s < 255"}
"""Whose packet proves a touch: the opener's unless it was not seen, or the listener's if it was."""

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


def draw(context: Context, *, by_listener: bool = False) -> dict[int, Portrait]:
    """All portraits of ``members`` by group number; ``by_listener``: that it answered is what is to be proven."""
    limits = context.policy.limits
    proofs: dict[int, list[Evidence]] = defaultdict(list)
    evidence_sql = EVIDENCE_SQL.replace("$limit", str(limits.evidence))
    for row in rows(context.con, evidence_sql.replace("$answer", ANSWER_SQL[by_listener])):
        proofs[row["gid"]].append(_evidence(row, context))
    counts_sql = COUNTS_SQL.replace("$sample", str(limits.peers_sample))
    for name in ("surveyor", "exception"):
        told = f"list_sort(list(DISTINCT {name}))" if context.overview.known else "NULL"
        counts_sql = counts_sql.replace(f"${name}s", told)
    counts = rows(context.con, counts_sql)
    certain = context.policy.thresholds.mirai_hits
    return {row["gid"]: _portrait(row, proofs[row["gid"]], certain) for row in counts}


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """The rows of a small result by column name."""
    answer: list[dict[str, Any]] = con.sql(sql).to_arrow_table().to_pylist()
    return answer


def _portrait(row: dict[str, Any], proofs: list[Evidence], certain: int) -> Portrait:
    estimate, interval = spread(row["peers"], row["weight"], row["weight2"])
    sample = tuple(format_address(peer["hi"], peer["lo"]) for peer in row["sample"])
    return Portrait(
        contacts=row["contacts"],
        packets=row["packets"],
        bytes=row["bytes"],
        first=row["first"],
        last=row["last"],
        tries=row["tries"],
        ports=tuple(row["ports"]),
        proto=row["proto"],
        outcomes={name: row[name] for name in OUTCOMES if row[name]},
        fingerprints=_fingerprints(row, certain),
        hits={name: row[name] for name in ("mirai", *_ALSO_BY_CHANCE) if row[name]},
        verified=row["verified"],
        bare=row["bare"],
        identity_unknown=row["identity_unknown"],
        dark=row["dark_peers"],
        sampling=(row["sampling_low"], row["sampling_high"]),
        surveyors=tuple(name for name in row["surveyors"] or () if name is not None),
        exceptions=tuple(text for text in row["exceptions"] or () if text is not None),
        all_surveyor=row["all_surveyor"],
        all_exception=row["all_exception"],
        seen=row["peers"],
        peers=Peers(estimate, interval, sample),
        evidence=tuple(sorted(proofs, key=lambda item: (item.time, item.source, item.record, item.dst))),
    )


def _fingerprints(row: dict[str, Any], certain: int) -> tuple[str, ...]:
    """Named only where certain: Mirai's property often enough; ZMap's and masscan's twice and in most SYNs."""
    found = ["mirai"] if row["mirai"] >= certain else []
    found += [
        name for name, least in _ALSO_BY_CHANCE.items() if row[name] >= least and 2 * row[name] > row["tries"]
    ]
    return tuple(found)


def _evidence(row: dict[str, Any], context: Context) -> Evidence:
    source, record = context.pointer(row["rec"])
    client = (format_address(row["client_hi"], row["client_lo"]), row["far_port"])
    server = (format_address(row["server_hi"], row["server_lo"]), row["port"])
    (src, sport), (dst, dport) = (server, client) if row["answer"] else (client, server)
    return Evidence(
        source=source,
        record=record,
        time=row["time"],
        proto=transport(row["proto"]),
        src=src,
        sport=sport,
        dst=dst,
        dport=dport,
        note=_note(row),
    )


def _note(row: dict[str, Any]) -> str:
    name = f"{transport(row['proto'])}/{row['port']}"
    tcp = row["proto"] == bits.TCP
    if row["answer"]:
        told = {0: "SYN+ACK from" if tcp else "reply from", 1: "refusal from"}
        return f"{told.get(row['rank'], 'packet from')} {name}"
    if row["rank"] != 0:
        return f"packet to {name}"
    if not tcp:
        return f"datagram to {name}"
    return "SYN, sequence equals destination" if row["mirai"] else f"SYN to {name}"
