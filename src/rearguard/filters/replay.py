"""The same input against the filter: what it would have stopped, what it would have cut, what it cannot stop.

*Initiations* are SYNs and datagrams toward management interfaces by those who are not authorised. Every one of
them is either dropped or has one reason why it passes, so the figures add up. *Collateral* is what the filter drops
though it is no such initiation, judged on every record in the guarded boxes (rule C6). What the input does not
show is said, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rearguard.filters.attribution import attribute, beyond_border
from rearguard.filters.collateral import Collateral, notes_of, unseen_replies
from rearguard.filters.verdicts import DROPPED

if TYPE_CHECKING:
    import duckdb

    from rearguard.model.finding import Finding
    from rearguard.policy import Policy

__all__ = ["NotStoppable", "Replay", "not_stoppable", "replay"]

WHAT_CAN = {
    "internal": "isolation of customers from one another, a filter on the subscriber's line (RADIUS Filter-Id), "
    "or the access node: the packets never cross the border",
    "outbound": "cleaning or isolating the device, or a filter on the subscriber's line: a border filter guards "
    "own devices, not the rest of the world",
    "cloud-managed": "the cloud's own access controls, a manufacturer usage description (MUD, RFC 8520) at the "
    "home gateway, or a device fix: the device opens these sessions itself",
    "authorised-addresses": "protecting the controllers themselves and authenticating to the devices: whoever "
    "sits at an authorised address is let through",
    "shared-addresses": "a filter in the address translator or on the subscriber's line: behind a shared address "
    "a port number belongs to no one customer",
    "softwires": "a filter where the tunnel ends: at the border the packets are inside IPv6",
    "udp-from-1024": "accept_collateral in the policy, after a look at the what-if; or a device fix",
    "port-too-common": "naming the port under the network's ports in the policy",
    "not-listed": "listing the interface under drop, after a look at the what-if",
    "never-block": "taking the prefix out of never_block",
    "already-open": "closing the session at the device: the filter stops new ones",
}
"""What stops what this filter does not (rule C8)."""


@dataclass(frozen=True, slots=True)
class NotStoppable:
    """Unauthorised or uncontrollable contacts that this filter does not stop, why, and what can."""

    reason: str
    contacts: int
    initiations: int
    what_can: str

    def to_json(self) -> dict[str, Any]:
        """Plain values under the names of the fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Replay:
    """The answer. Initiations are packets, not scaled by sampling; ``collateral_dropped`` are contacts."""

    initiations_dropped: int
    passed: int
    contacts_dropped: int
    authorised_dropped: int
    collateral_dropped: int
    collateral_packets: int
    unjudged: int
    by_finding: Mapping[str, tuple[int, int]]
    """Initiations (dropped, passed) by finding id, for findings that rest on initiations."""
    not_stoppable: tuple[NotStoppable, ...]
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As ``findings.json`` has it, under ``filter.replay``."""
        return {
            "initiations_dropped": self.initiations_dropped,
            "passed": self.passed,
            "contacts_dropped": self.contacts_dropped,
            "authorised_dropped": self.authorised_dropped,
            "collateral_dropped": self.collateral_dropped,
            "collateral_packets": self.collateral_packets,
            "unjudged": self.unjudged,
            "by_finding": {
                name: {"dropped": dropped, "passed": passed}
                for name, (dropped, passed) in self.by_finding.items()
            },
            "not_stoppable": [item.to_json() for item in self.not_stoppable],
            "notes": list(self.notes),
        }


_FATES_SQL = """
SELECT fate, sum(contacts)::BIGINT, sum(initiations)::BIGINT
FROM plan_places
WHERE direction = 'inbound' AND interface IS NOT NULL AND NOT guest
GROUP BY fate
"""

_OTHERS_SQL = """
SELECT
    count(*) FILTER (direction = 'inbound' AND target AND authorised),
    coalesce(sum(initiations) FILTER (direction = 'inbound' AND target AND authorised), 0)::BIGINT,
    count(*) FILTER (direction = 'inbound' AND target AND NOT coalesce(authorised, false) AND was_open
        AND interface IS NOT NULL AND NOT guest),
    count(*) FILTER (direction = 'outbound' AND outcome IN ('answered', 'conversed')
        AND list_contains($clouds, client_network))
FROM plan_contacts
WHERE direction = 'outbound' OR (direction = 'inbound' AND target AND (authorised OR was_open))
"""


def replay(
    con: duckdb.DuckDBPyConnection, policy: Policy, findings: Sequence[Finding], counts: Collateral
) -> Replay:
    """What the filter, as laid out, would have done; ``counts`` are those of its plan."""
    by_finding, beyond = attribute(con, findings)
    fates = _fates(con)
    unseen = unseen_replies(con)
    dropped = fates.pop(DROPPED, (0, 0))
    passed = sum(initiations for _, initiations in [*fates.values(), *beyond.values()])
    return Replay(
        initiations_dropped=dropped[1],
        passed=passed,
        contacts_dropped=dropped[0],
        authorised_dropped=counts.authorised,
        collateral_dropped=counts.services + counts.replies,
        collateral_packets=counts.packets,
        unjudged=counts.unjudged + unseen,
        by_finding=by_finding,
        not_stoppable=_reasons(con, policy, findings, fates | beyond),
        notes=tuple(notes_of(counts, unseen)),
    )


def not_stoppable(
    con: duckdb.DuckDBPyConnection, policy: Policy, findings: Sequence[Finding]
) -> tuple[NotStoppable, ...]:
    """What no filter at this border would stop; for when the policy drops nothing."""
    return _reasons(con, policy, findings, beyond_border(con, findings))


def _fates(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    return {fate: (contacts, count) for fate, contacts, count in con.execute(_FATES_SQL).fetchall()}


def _reasons(
    con: duckdb.DuckDBPyConnection,
    policy: Policy,
    findings: Iterable[Finding],
    fates: Mapping[str, tuple[int, int]],
) -> tuple[NotStoppable, ...]:
    """The most contacts first."""
    clouds = [name for name, network in policy.networks.items() if network.managed == "vendor-cloud"]
    row = con.execute(_OTHERS_SQL, {"clouds": clouds}).fetchone()
    assert row is not None
    authorised, by_authorised, open_already, cloud = row
    foreign = sum(item.contacts for item in findings if item.kind == "unauthorised-controller")
    found = dict(fates)
    also = found.get("authorised-addresses", (0, 0))
    found["authorised-addresses"] = (also[0] + authorised, also[1] + by_authorised)
    found["already-open"] = (open_already, 0)
    found["cloud-managed"] = (cloud + foreign, 0)
    listed = [
        NotStoppable(reason, contacts, count, WHAT_CAN[reason])
        for reason, (contacts, count) in found.items()
        if contacts
    ]
    return tuple(sorted(listed, key=lambda item: (-item.contacts, item.reason)))
