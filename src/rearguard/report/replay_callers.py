"""Controllers that a filter would cut, strangers that behave like controllers, and entries that let them pass."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rearguard.contacts.suggest_controllers import DEVICES, REACHED_RATE, TALK_RATE
from rearguard.filters.compile import edges
from rearguard.model.address import from_halves
from rearguard.model.bits import TCP

if TYPE_CHECKING:
    import duckdb

    from rearguard.catalogue import Catalogue
    from rearguard.report.analysis import Analysis

__all__ = ["Caller", "Entry", "callers", "missing", "suggested", "transport"]

MOST = 1000
"""Rows of each list."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A source that opens toward devices through one interface, and what came of it."""

    address: str
    by: str
    """Whose right it has, by the policy; empty: nobody's."""
    interface: str
    transport: str
    port: int
    network: str
    devices: int
    answered: int
    refused: int
    conversed: int
    initiations: int
    drops: tuple[str, ...]
    """By which it would be cut: the policy's filter (the empty name), or drops that are considered."""
    at_home: bool
    """The policy says that it enters inside: dropped only if its packets come in from outside after all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What to write into the policy, under ``controllers``."""

    name: str
    yaml: str
    why: str


_CALLS_SQL = """
SELECT
    j.client_hi, j.client_lo, coalesce(j.authorised_by, ''), j.interface, j.proto, j.port, j.server_network,
    count(*), count(*) FILTER (j.outcome IN ('answered', 'conversed')), count(*) FILTER (j.outcome = 'refused'),
    count(*) FILTER (j.outcome = 'conversed'), sum(j.initiations)::BIGINT,
    c.plans, coalesce(bool_and(j.authorised_by IN (FROM plan_home)), false)
FROM plan_contacts j
JOIN (SELECT network, six, proto, port, list_sort(list(DISTINCT plan)) AS plans FROM plan_cells GROUP BY ALL) c
    ON c.network = j.server_network AND c.six = j.six AND c.proto = j.proto AND c.port = j.port
WHERE j.direction = 'inbound' AND j.target AND j.initiations > 0 AND NOT j.untouchable AND NOT j.permitted
    AND coalesce(j.authorised, false) = $authorised AND j.interface IS NOT NULL AND j.surveyor IS NULL
    AND ($authorised OR NOT j.guest)
GROUP BY ALL
HAVING $authorised OR (
    count(*) >= $devices
    AND sum(j.fp_mirai + j.fp_zmap + j.fp_masscan) * 2 < sum(j.initiations)
    AND count(*) FILTER (j.outcome IN ('answered', 'conversed')) >= $devices
    AND count(*) FILTER (j.outcome IN ('answered', 'conversed', 'refused')) >= $reached * count(*)
    AND count(*) FILTER (j.outcome = 'conversed')
        >= $talk * count(*) FILTER (j.outcome IN ('answered', 'conversed'))
)
ORDER BY 12 DESC, 1, 2, 4, 6 LIMIT $most
"""
"""Sources toward guarded cells, of the policy's filter or of a drop that is considered (rules B2, C2)."""


def callers(con: duckdb.DuckDBPyConnection, *, authorised: bool) -> Iterator[Caller]:
    """Those that the policy authorises and a filter would cut; or strangers that behave like controllers.

    :func:`rearguard.filters.verdicts.laid_out` must hold.
    """
    wanted = {
        "authorised": authorised,
        "devices": DEVICES,
        "reached": REACHED_RATE,
        "talk": TALK_RATE,
        "most": MOST,
    }
    for row in con.execute(_CALLS_SQL, wanted).fetchall():
        (
            hi,
            lo,
            by,
            interface,
            proto,
            port,
            network,
            devices,
            answered,
            refused,
            conversed,
            tries,
            drops,
            home,
        ) = row
        yield Caller(
            address=str(from_halves(hi, lo)),
            by=by,
            interface=interface,
            transport=transport(proto),
            port=port,
            network=network,
            devices=devices,
            answered=answered,
            refused=refused,
            conversed=conversed,
            initiations=tries,
            drops=tuple(drops),
            at_home=home,
        )


def transport(proto: int) -> str:
    """``tcp`` or ``udp``."""
    return "tcp" if proto == TCP else "udp"


def missing(analysis: Analysis, cut: Sequence[Caller]) -> Iterator[Entry]:
    """The policy's own entries, each with the edge where it enters: what stands there now is replaced by it."""
    policy = analysis.policy
    where = edges(policy)
    for name in dict.fromkeys(
        name for each in cut for name in each.by.split(", ") if name in policy.controllers
    ):
        entry = policy.controllers[name]
        lines = [
            f"{role}: [{', '.join(map(_quoted, prefixes.texts()))}]"
            for role, prefixes in (("requests_from", entry.requests_from), ("sessions_at", entry.sessions_at))
            if prefixes
        ]
        lines += [f"manages: [{', '.join(_named(entry.manages, analysis.catalogue))}]"]
        lines += [f"enters_at: {where[0]}" + (f"  # or {', '.join(where[1:])}" if where[1:] else "")]
        yield Entry(
            name,
            f"controllers:\n  {name}:\n" + "".join(f"    {line}\n" for line in lines),
            f"in place of the entry {name} that is there: its packets come in from outside",
        )


def _named(interfaces: Collection[str], catalogue: Catalogue) -> list[str]:
    """The fewest names that say the same: families where all of their members are there."""
    families = [
        family
        for family in catalogue.families
        if {each.id for each in catalogue.family(family)} <= set(interfaces)
    ]
    rest = set(interfaces) - {each.id for family in families for each in catalogue.family(family)}
    return sorted({*families, *rest})


def suggested(analysis: Analysis, lookalikes: Sequence[Caller]) -> Iterator[Entry]:
    """Never a permit by itself (rule B2): a worm on an open fleet is answered as well."""
    where = edges(analysis.policy)[0]
    managed: dict[str, set[str]] = {}
    for each in lookalikes:
        entry = analysis.catalogue.get(each.interface)
        managed.setdefault(each.address, set()).add("cwmp" if entry.id == "cwmp-cr" else entry.id)
    for number, (address, interfaces) in enumerate(managed.items(), 1):
        prefix = _quoted(f"{address}/{128 if ':' in address else 32}")
        yield Entry(
            f"unsure-{number}",
            f"controllers:\n  unsure-{number}:\n    requests_from: [{prefix}]\n"
            f"    manages: [{', '.join(sorted(interfaces))}]\n    enters_at: {where}\n",
            f"only if {address} is yours",
        )


def _quoted(prefix: str) -> str:
    """YAML would read the colons of IPv6 as keys."""
    return f'"{prefix}"' if ":" in prefix else prefix
