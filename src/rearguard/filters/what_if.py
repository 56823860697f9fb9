"""What a drop would have done, for each interface that is attacked and not dropped: to look before one decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from rearguard.filters.guarded import FIRST_SHARED, Cell, guard
from rearguard.policy import Drop

if TYPE_CHECKING:
    import duckdb

    from rearguard.catalogue import Catalogue
    from rearguard.filters.collateral import Collateral
    from rearguard.policy import Policy

__all__ = ["WhatIf", "attacked", "plans", "what_ifs"]

_ATTACKED_SQL = """
SELECT DISTINCT interface FROM judged
WHERE direction = 'inbound' AND target AND NOT coalesce(authorised, false) AND interface IS NOT NULL
    AND listener = 'device'
UNION
SELECT DISTINCT interface FROM crowd WHERE direction = 'inbound' AND interface IS NOT NULL
ORDER BY interface
"""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The effect of one more drop, toward all networks, on those ports of an interface that are not guarded yet."""

    interface: str
    initiations_dropped: int
    remotes: int
    devices: int
    authorised_dropped: int
    collateral_dropped: int
    """Contacts."""
    needs_consent: bool
    """Some of its ports are UDP ports from 1024 up: the policy must say ``accept_collateral`` (rule C1)."""
    text: str
    breaks: str
    """What the catalogue says of such a drop."""

    def to_json(self) -> dict[str, Any]:
        """As ``findings.json`` has it, under ``filter.what_ifs``."""
        return asdict(self)


def attacked(con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The interfaces that strangers tried from outside."""
    return tuple(name for (name,) in con.execute(_ATTACKED_SQL).fetchall())


def plans(
    policy: Policy, catalogue: Catalogue, interfaces: Iterable[str], guarded: Iterable[Cell]
) -> dict[str, tuple[Cell, ...]]:
    """For each interface what its drop would guard beside ``guarded``, UDP included."""
    known = {(cell.network, cell.family, cell.port) for cell in guarded}
    found = {}
    for interface in interfaces:
        drop = Drop.model_construct(
            interfaces=frozenset({interface}),
            toward=policy.network_names,
            mode="new-only",
            accept_collateral=True,
            basis="what if",
            review_by=date.max,
        )
        more = guard(policy, catalogue, [drop]).cells
        cells = tuple(cell for cell in more if (cell.network, cell.family, cell.port) not in known)
        if cells:
            found[interface] = cells
    return found


def what_ifs(
    catalogue: Catalogue, cells: Mapping[str, tuple[Cell, ...]], counts: Mapping[str, Collateral]
) -> tuple[WhatIf, ...]:
    """Those that would stop something, the most first."""
    found = [
        _what_if(name, cells[name], counts[name], catalogue.get(name).collateral)
        for name in cells
        if counts[name].initiations
    ]
    return tuple(sorted(found, key=lambda item: (-item.initiations_dropped, item.interface)))


def _what_if(name: str, cells: tuple[Cell, ...], counts: Collateral, breaks: str) -> WhatIf:
    consent = any(cell.port.transport == "udp" and cell.port.number >= FIRST_SHARED for cell in cells)
    cut = counts.services + counts.replies
    text = (
        f"Dropping {name} would have stopped {_many(counts.initiations, 'initiation')} by"
        f" {_many(counts.remotes, 'stranger')} toward {_many(counts.devices, 'device')}"
    )
    text += f" and cut {_many(counts.authorised, 'authorised initiation')}" if counts.authorised else ""
    text += (
        f"; {_many(cut, 'contact')} of customers' own would have been hit"
        if cut
        else "; nothing else was hit"
    )
    text += ". It needs accept_collateral" if consent else ""
    text += (
        f". {_many(counts.at_home, 'initiation')} of controllers that enter inside would not be affected"
        if counts.at_home
        else ""
    )
    return WhatIf(
        name,
        counts.initiations,
        counts.remotes,
        counts.devices,
        counts.authorised,
        cut,
        consent,
        f"{text}.",
        breaks,
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
