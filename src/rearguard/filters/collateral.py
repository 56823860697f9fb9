"""What a plan drops, and what of it is collateral: judged on every record in the guarded boxes (rule C6).

A guarded box holds more than attacks: replies to customers' own clients whose source port happens to be
guarded, visitors of services that customers run themselves, controllers. What of that is dropped is counted
here; what the input does not show is counted as unjudged, or said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rearguard.filters.verdicts import PLAN
from rearguard.model.bits import SEEN_ACK, SEEN_DATA, SEEN_DATAGRAM, SEEN_SYN, SEEN_SYNACK

if TYPE_CHECKING:
    import duckdb

__all__ = ["Collateral", "collateral_of", "notes_of", "unseen_replies"]


_TOOK_PART = SEEN_SYN | SEEN_SYNACK | SEEN_ACK | SEEN_DATA | SEEN_DATAGRAM


@dataclass(frozen=True, slots=True)
class Collateral:
    """What one plan drops, beside what it is for. Contacts, unless said otherwise."""

    initiations: int = 0
    contacts: int = 0
    remotes: int = 0
    devices: int = 0
    authorised: int = 0
    """Authorised initiations that would be dropped."""
    at_home: int = 0
    """Initiations of controllers that enter inside: not at this filter, and no permit if they were."""
    services: int = 0
    """Visitors of what may be customers' own services."""
    replies: int = 0
    """Contacts that are no initiation, with packets that would be dropped: above all replies to own clients."""
    unasked: int = 0
    """The same, but nobody asked for these packets: answers to what somebody else sent with a forged address."""
    packets: int = 0
    """Packets of services and replies that would be dropped."""
    unjudged: int = 0
    surveyors: int = 0
    exceptions: int = 0
    internal: int = 0
    sampled: int = 0


_COLLATERAL_SQL = f"""
WITH hits AS (
    SELECT
        c.plan, j.*, CASE WHEN c.by_port THEN packets_c ELSE unacked END AS lost,
        target AND NOT coalesce(authorised, false) AND initiations > 0 AND NOT guest AS meant,
        target AND coalesce(authorised, false) AND initiations > 0 AS allowed,
        authorised_by IN (FROM plan_home) AS at_home,
        -- An address that never sends, or only refuses, had no part in what it was sent.
        NOT target AND NOT dark AND (packets_s = 0 OR seen_s & {_TOOK_PART} <> 0) AS asked
    FROM plan_contacts j
    JOIN plan_cells c ON c.network = j.server_network AND c.six = j.six AND c.proto = j.proto AND c.port = j.port
    WHERE j.direction IN ('inbound', 'internal') AND NOT j.untouchable AND NOT j.permitted
),
entering AS (SELECT * FROM hits WHERE direction = 'inbound'),
crowds AS (
    SELECT c.plan, sum(tries)::BIGINT AS initiations, sum(clients)::BIGINT AS contacts
    FROM (SELECT *, NOT (server_hi = 0 AND server_lo >> 32 = 65535) AS six FROM crowd
          WHERE direction = 'inbound' AND interface IS NOT NULL) k
    JOIN plan_cells c ON c.network = k.network AND c.six = k.six AND c.proto = k.proto AND c.port = k.port
    GROUP BY c.plan
),
counted AS (
    SELECT
        plan,
        coalesce(sum(initiations) FILTER (meant), 0)::BIGINT AS initiations,
        count(*) FILTER (meant) AS contacts,
        coalesce(sum(initiations) FILTER (allowed AND NOT coalesce(at_home, false)), 0)::BIGINT AS authorised,
        coalesce(sum(initiations) FILTER (allowed AND at_home), 0)::BIGINT AS at_home,
        count(*) FILTER (target AND guest AND NOT coalesce(authorised, false) AND lost > 0) AS services,
        count(*) FILTER (asked AND lost > 0) AS replies,
        count(*) FILTER (NOT target AND NOT asked AND lost > 0) AS unasked,
        coalesce(sum(lost) FILTER (asked OR (target AND guest AND NOT coalesce(authorised, false))), 0)::BIGINT
            AS packets,
        count(*) FILTER (asked AND lost IS NULL) AS unjudged,
        coalesce(sum(initiations) FILTER (meant AND surveyor IS NOT NULL), 0)::BIGINT AS surveyors,
        coalesce(sum(initiations) FILTER (meant AND exception IS NOT NULL), 0)::BIGINT AS exceptions,
        count(*) FILTER (sampling <> 1) AS sampled
    FROM entering
    GROUP BY plan
),
remotes AS (
    SELECT plan, count(*) AS remotes
    FROM (SELECT DISTINCT plan, client_hi, client_lo FROM entering WHERE meant) GROUP BY plan
),
devices AS (
    SELECT plan, count(*) AS devices
    FROM (SELECT DISTINCT plan, server_hi, server_lo FROM entering WHERE meant) GROUP BY plan
),
within AS (
    SELECT plan, count(*) AS internal FROM hits WHERE direction = 'internal' AND initiations > 0 GROUP BY plan
)
SELECT
    plan, coalesce(counted.initiations, 0) + coalesce(crowds.initiations, 0) AS initiations,
    coalesce(counted.contacts, 0) + coalesce(crowds.contacts, 0) AS contacts,
    coalesce(remotes, 0) + coalesce(crowds.contacts, 0) AS remotes,
    devices, counted.* EXCLUDE (plan, initiations, contacts), internal
FROM (SELECT DISTINCT plan FROM plan_cells)
LEFT JOIN counted USING (plan) LEFT JOIN remotes USING (plan) LEFT JOIN devices USING (plan)
LEFT JOIN crowds USING (plan) LEFT JOIN within USING (plan)
"""

_UNSEEN_SQL = """
SELECT count(*)
FROM judged j
JOIN plan_cells c ON c.plan = $plan AND c.network = j.client_network AND c.proto = j.proto
    AND c.six = NOT (j.client_hi = 0 AND j.client_lo >> 32 = 65535) AND c.port = j.proof_port_c
WHERE j.direction = 'outbound' AND j.proto = 17 AND j.packets_s > 0
"""
"""Of two UDP ports that are both listed, a contact is kept for one: replies to the other are not in its box."""


def collateral_of(con: duckdb.DuckDBPyConnection) -> dict[str, Collateral]:
    """By plan; :func:`rearguard.filters.verdicts.laid_out` must hold."""
    answer = con.execute(_COLLATERAL_SQL)
    names = [column[0] for column in answer.description]
    found: dict[str, Collateral] = {}
    for row in answer.fetchall():
        plan, *counts = row
        found[plan] = Collateral(**{name: count or 0 for name, count in zip(names[1:], counts, strict=True)})
    return found


def unseen_replies(con: duckdb.DuckDBPyConnection) -> int:
    """Conversations whose replies the policy's filter would drop and that are in no guarded box."""
    row = con.execute(_UNSEEN_SQL, {"plan": PLAN}).fetchone()
    assert row is not None
    return int(row[0])


def notes_of(counts: Collateral, unseen: int) -> Iterator[str]:
    """What a reader must know to believe the figures."""
    if counts.authorised:
        yield (
            f"authorised initiations that would be dropped: {counts.authorised:,}. Give their controllers the edge"
            " where they enter"
        )
    if counts.at_home:
        yield (
            f"initiations of controllers that enter inside: {counts.at_home:,}. This filter never sees them; were"
            " they to come in from outside, they would be dropped: then give enters_at"
        )
    if counts.surveyors:
        yield (
            f"dropped initiations that are by known surveyors: {counts.surveyors:,}. Without them their reports say"
            " nothing about these devices any more (rule B3)"
        )
    if counts.exceptions:
        yield (
            f"dropped initiations that an exception covers: {counts.exceptions:,}. An exception is never a permit"
        )
    if counts.internal:
        yield (
            f"contacts between own addresses in the guarded boxes: {counts.internal:,}. Where such packets come in"
            " from outside their source is forged, and the filter drops them; the records do not tell"
        )
    if counts.unasked:
        yield (
            f"more contacts in the guarded boxes, of packets that nobody here asked for: {counts.unasked:,}. To"
            " drop them hits no one"
        )
    if counts.unjudged:
        yield (
            f"contacts in the guarded boxes that could not be judged: {counts.unjudged:,}. Their source tells no"
            " TCP flags"
        )
    if unseen:
        yield (
            f"UDP conversations of own clients from a guarded port: at least {unseen:,}. Their replies are"
            " collateral that is not in the count"
        )
    if counts.sampled:
        yield "the input is sampled: counts are what was seen, not scaled"
    yield "fragments that show no ports are in no contact: what the filter does to them is not counted here"
