"""What a plan drops, and what of it is collateral: judged on every record in the guarded boxes (rule C6).

A guarded box holds more than attacks: replies to customers' own clients whose source port happens to be
guarded, visitors of services that customers run themselves, controllers. What of that is dropped is counted
here; what the input does not show is counted as unjudged, or said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


_MEANT = "target AND NOT coalesce(authorised, false) AND initiations > 0 AND NOT guest"
_CELLS = (
    "plan_cells c ON c.network = j.server_network AND c.six = j.six AND c.proto = j.proto AND c.port = j.port"
)

_CELLS_SQL = "SELECT plan, number, by_port, network, six, proto, port FROM plan_cells"

_ALIKE_SQL = f"""
SELECT
    server_network, six, proto, port, direction = 'inbound' AS entering, authorised_by, {_MEANT} AS meant,
    target AND coalesce(authorised, false) AND initiations > 0 AS allowed,
    target AND guest AND NOT coalesce(authorised, false) AS visiting,
    NOT target AS reply,
    -- An address that never sends, or only refuses, had no part in what it was sent.
    NOT dark AND (packets_s = 0 OR seen_s & {_TOOK_PART} <> 0) AS took_part,
    surveyor IS NOT NULL AS surveyed, exception IS NOT NULL AS excepted,
    count(*) AS contacts, sum(initiations) AS initiations,
    count(*) FILTER (initiations > 0) AS initiating, count(*) FILTER (sampling <> 1) AS sampled,
    count(*) FILTER (packets_c > 0) AS with_packets, sum(packets_c) AS packets,
    count(*) FILTER (unacked > 0) AS with_unacked, coalesce(sum(unacked), 0) AS unacked,
    count(*) FILTER (unacked IS NULL) AS untold
FROM plan_contacts
WHERE direction IN ('inbound', 'internal') AND NOT untouchable AND NOT permitted
GROUP BY ALL
"""
"""Contacts that are alike together: few rows, so what is asked of all is not asked again for each plan."""

_CROWDS_SQL = """
SELECT c.plan, sum(tries)::BIGINT, sum(clients)::BIGINT
FROM (SELECT *, NOT (server_hi = 0 AND server_lo >> 32 = 65535) AS six FROM crowd
      WHERE direction = 'inbound' AND interface IS NOT NULL) k
JOIN plan_cells c ON c.network = k.network AND c.six = k.six AND c.proto = k.proto AND c.port = k.port
GROUP BY c.plan
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
    cells: dict[tuple[Any, ...], list[tuple[str, bool]]] = {}
    numbers: dict[str, int] = {}
    for plan, number, by_port, *place in con.execute(_CELLS_SQL).fetchall():
        numbers[plan] = number
        cells.setdefault(tuple(place), []).append((plan, by_port))
    home = {name for (name,) in con.execute("FROM plan_home").fetchall()}
    found: dict[str, Counter[str]] = {plan: Counter() for plan in numbers}
    answer = con.execute(_ALIKE_SQL)
    names = [column[0] for column in answer.description]
    for network, six, proto, port, *row in answer.fetchall():
        for plan, by_port in cells.get((network, six, proto, port), ()):
            _count(found[plan], dict(zip(names[4:], row, strict=True)), by_port, home)
    if any(counts["contacts"] for counts in found.values()):
        addresses = _addresses(con, max(numbers.values()) + 1)
        for plan, number in numbers.items():
            found[plan]["remotes"], found[plan]["devices"] = addresses[number]
    for plan, tries, clients in con.execute(_CROWDS_SQL).fetchall():
        found[plan].update(initiations=tries, contacts=clients, remotes=clients)
    return {plan: Collateral(**counts) for plan, counts in found.items()}


def _count(counts: Counter[str], alike: dict[str, Any], by_port: bool, home: Container[str]) -> None:
    """Add contacts that are alike, which a cell of the plan guards."""
    initiations = alike["initiations"]
    if not alike["entering"]:
        counts["internal"] += alike["initiating"]
        return
    counts["sampled"] += alike["sampled"]
    if alike["meant"]:
        counts["initiations"] += initiations
        counts["contacts"] += alike["contacts"]
        counts["surveyors"] += initiations if alike["surveyed"] else 0
        counts["exceptions"] += initiations if alike["excepted"] else 0
    if alike["allowed"]:
        counts["at_home" if alike["authorised_by"] in home else "authorised"] += initiations
    losing, lost = alike["with_unacked"], alike["unacked"]
    if by_port:
        losing, lost = alike["with_packets"], alike["packets"]
    if alike["visiting"]:
        counts["services"] += losing
    elif alike["reply"]:
        counts["replies" if alike["took_part"] else "unasked"] += losing
    if alike["visiting"] or (alike["reply"] and alike["took_part"]):
        counts["packets"] += lost
    if alike["reply"] and alike["took_part"] and not by_port:
        counts["unjudged"] += alike["untold"]


def _addresses(con: duckdb.DuckDBPyConnection, plans: int) -> list[tuple[int, int]]:
    """By number of the plan, the different remotes and devices of initiations that would be dropped."""
    from rearguard.contacts.different import different

    return different(
        con, plans, "c.number",
        f"plan_contacts j JOIN {_CELLS}"
        f" WHERE j.direction = 'inbound' AND NOT j.untouchable AND NOT j.permitted AND {_MEANT}",
    )  # fmt: skip


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
