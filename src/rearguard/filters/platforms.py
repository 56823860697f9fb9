"""The platforms that a filter can be written for, and how each one's text is written and read back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date

from rearguard.filters.budget import check_budget
from rearguard.filters.lines import AccessList
from rearguard.filters.model import Filter
from rearguard.filters.parse import cisco as read_cisco
from rearguard.filters.parse import huawei_vrp as read_vrp
from rearguard.filters.parse import iptables as read_iptables
from rearguard.filters.parse import junos as read_junos
from rearguard.filters.parse import nftables as read_nftables
from rearguard.filters.parse import nokia_srl as read_srl
from rearguard.filters.parse import nokia_sros as read_sros
from rearguard.filters.parse import routeros as read_routeros
from rearguard.filters.parse import vyos as read_vyos
from rearguard.filters.prove.proof import Proof, prove
from rearguard.filters.render import (
    arista_eos,
    cisco_ios,
    cisco_nxos,
    cisco_xr,
    huawei_vrp,
    iptables,
    junos,
    nftables,
    nokia_srl,
    nokia_sros,
    routeros,
    vyos,
)
from rearguard.filters.render.cisco import Dialect
from rearguard.filters.render.cisco_write import Existing
from rearguard.filters.render.cisco_write import write as write_cisco
from rearguard.filters.render.written import Written
from rearguard.filters.residual import Ability, Residual, adapted
from rearguard.filters.thin import thinned
from rearguard.filters.writers import (
    write_huawei_vrp,
    write_iptables,
    write_junos,
    write_nftables,
    write_nokia_srl,
    write_nokia_sros,
    write_routeros,
    write_vyos,
)
from rearguard.model.errors import UsageError

__all__ = ["PLATFORMS", "Compiled", "Platform", "Room", "compile_for", "platform_of"]

Files = Mapping[str, str]
Read = Callable[[Files], tuple[AccessList, ...]]
Write = Callable[[Filter, str, list[str], date, Existing | None], Written]


@dataclass(frozen=True, slots=True)
class Platform:
    """One dialect."""

    name: str
    title: str
    ability: Ability
    write: Write
    read: Read
    merges: bool = False
    """Whether a section can be put into a list that is in force; elsewhere our chains stand beside it."""
    software: bool = False
    """No hardware table bounds it."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many entries the router's table has."""

    entries: int
    table: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A filter for a platform, proven."""

    platform: Platform
    filter: Filter
    """What the platform says of the policy's filter, without what would change nothing."""
    written: Written
    proof: Proof
    residuals: tuple[Residual, ...]


def compile_for(
    given: Filter,
    platform: Platform,
    *,
    stem: str,
    made: date,
    accepted: Collection[str] = (),
    existing: Files | None = None,
    room: Room | None = None,
) -> Compiled:
    """Write the filter, read it back and prove it.

    ``UsageError``: the platform cannot say all of it, has no room for it, or no place in the list in force is
    right; also when the proof fails, which would be a defect of ours.
    """
    if existing is not None and not platform.merges:
        raise UsageError(
            f"{platform.title} has nothing to merge with: our rules stand beside those that are in force",
            remedy="leave out --existing"
            if platform.software
            else "put the terms in front of the general ones by hand, then run `rearguard filter prove --existing`",
        )
    said, residuals = adapted(given, platform.ability, accepted, platform.title)
    wary = platform.ability.wary
    said = thinned(said, wary)
    in_force = None
    if existing is not None:
        in_force = Existing("\n".join(existing.values()), platform.read(existing))
    head = _head(given, platform, residuals, made)
    written = platform.write(said, f"{stem}-{platform.name}", head, made, in_force)
    lists = platform.read(written.files)
    proof = prove(said, lists, in_force.lists if in_force else None, residuals, wary=wary)
    if not proof.holds:
        first = proof.witnesses[0].text if proof.witnesses else "the comparison was broken off"
        raise UsageError(
            f"the text for {platform.title} could not be proven: {first}",
            remedy="nothing was written; report this defect",
        )
    if room is not None:
        check_budget(lists, room.entries, room.table)
    return Compiled(platform, said, written, proof, residuals)


def platform_of(name: str) -> Platform:
    """A platform by name. ``UsageError``: there is none."""
    if name not in PLATFORMS:
        raise UsageError(f"there is no platform {name!r}", remedy=f"the names are {', '.join(PLATFORMS)}")
    return PLATFORMS[name]


def _head(given: Filter, platform: Platform, residuals: tuple[Residual, ...], made: date) -> list[str]:
    lines = [f"Rearguard: the filter of the edge {given.edge}, for {platform.title}"]
    lines += [f"policy {given.policy_digest}, written {made}"]
    drops = {rule.drop: rule for rule in given.rules if rule.drop is not None}
    lines += [
        f"drop {number}: {rule.basis}, review by {rule.review_by}" for number, rule in sorted(drops.items())
    ]
    lines += [f"residual {each.name} (IPv{each.family})" for each in residuals]
    lines += [
        f"left out: drop {each.drop} {each.interface} toward {each.network}, {', '.join(each.ports)}: {each.reason}"
        for each in given.left
    ]
    return lines


def _one(parse: Callable[[str, str], tuple[AccessList, ...]]) -> Read:
    def read(files: Files) -> tuple[AccessList, ...]:
        return tuple(each for file, text in files.items() for each in parse(text, file))

    return read


def _undiscovered(text: str, file: str) -> tuple[AccessList, ...]:
    return read_cisco.parse(text, file, discovery=False)


def _cisco(dialect: Dialect, *, discovery: bool = True) -> Write:
    def write(given: Filter, stem: str, head: list[str], made: date, existing: Existing | None) -> Written:
        return write_cisco(given, dialect, head, f"{stem}.acl", existing, discovery)

    return write


_ALL = (
    Platform(
        "nftables", "nftables", nftables.ABILITY, write_nftables, _one(read_nftables.parse), software=True
    ),
    Platform("iptables", "iptables", iptables.ABILITY, write_iptables, read_iptables.parse, software=True),
    Platform(
        "cisco-ios",
        "Cisco IOS",
        cisco_ios.ABILITY,
        _cisco(cisco_ios.DIALECT),
        _one(read_cisco.parse),
        merges=True,
    ),
    Platform(
        "cisco-xr",
        "Cisco IOS XR",
        cisco_xr.ABILITY,
        _cisco(cisco_xr.DIALECT),
        _one(read_cisco.parse),
        merges=True,
    ),
    Platform("junos", "Junos", junos.ABILITY, write_junos, _one(read_junos.parse), merges=True),
    Platform(
        "cisco-nxos",
        "Cisco NX-OS",
        cisco_nxos.ABILITY,
        _cisco(cisco_nxos.DIALECT, discovery=False),
        _one(_undiscovered),
        merges=True,
    ),
    Platform(
        "arista-eos",
        "Arista EOS",
        arista_eos.ABILITY,
        _cisco(arista_eos.DIALECT, discovery=False),
        _one(_undiscovered),
        merges=True,
    ),
    Platform(
        "routeros",
        "MikroTik RouterOS",
        routeros.ABILITY,
        write_routeros,
        _one(read_routeros.parse),
        software=True,
    ),
    Platform("nokia-srl", "Nokia SR Linux", nokia_srl.ABILITY, write_nokia_srl, _one(read_srl.parse)),
    Platform("nokia-sros", "Nokia SR OS", nokia_sros.ABILITY, write_nokia_sros, _one(read_sros.parse)),
    Platform("huawei-vrp", "Huawei VRP", huawei_vrp.ABILITY, write_huawei_vrp, _one(read_vrp.parse)),
    Platform("vyos", "VyOS", vyos.ABILITY, write_vyos, _one(read_vyos.parse), software=True),
)
PLATFORMS: Mapping[str, Platform] = {each.name: each for each in _ALL}
"""By the name that ``--platform`` takes."""
