"""The platforms that a filter can be written for, and how each one's text is written and read back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date

from rearguard.filters.budget import check_budget, hardware_cost, naive_lines
from rearguard.filters.lines import AccessList
from rearguard.filters.model import Filter
from rearguard.filters.parse import cisco as read_cisco
from rearguard.filters.parse import iptables as read_iptables
from rearguard.filters.parse import junos as read_junos
from rearguard.filters.parse import nftables as read_nftables
from rearguard.filters.parse import nokia_srl as read_srl
from rearguard.filters.parse import routeros as read_routeros
from rearguard.filters.parse import vyos as read_vyos
from rearguard.filters.prove.proof import Proof, prove
from rearguard.filters.render import (
    arista_eos,
    cisco_ios,
    cisco_nxos,
    cisco_xr,
    iptables,
    junos,
    nftables,
    nokia_srl,
    routeros,
    vyos,
)
from rearguard.filters.render.cisco import Dialect
from rearguard.filters.render.cisco_write import Existing
from rearguard.filters.render.cisco_write import write as write_cisco
from rearguard.filters.render.flat import rules_of
from rearguard.filters.render.written import Change, Written
from rearguard.filters.residual import Ability, Residual, adapted
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
    """What the platform says of the policy's filter."""
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
    in_force = None
    if existing is not None:
        in_force = Existing("\n".join(existing.values()), platform.read(existing))
    head = _head(given, platform, residuals, made)
    written = platform.write(said, f"{stem}-{platform.name}", head, made, in_force)
    lists = platform.read(written.files)
    proof = prove(said, lists, in_force.lists if in_force else None, residuals)
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


def _nftables(given: Filter, stem: str, head: list[str], made: date, existing: Existing | None) -> Written:
    file = f"{stem}.nft"
    text = nftables.render(given, made=made, file=file)
    bound = "" if "define outside" in text else "-D outside=INTERFACE "
    changes = _changes(
        given, read_nftables.parse(text, file), "in a table of its own, before the usual chains"
    )
    return Written(
        {file: text}, changes, (f"nft {bound}-f {file}",), (f"nft delete table {nftables.TABLE}",), ()
    )


def _iptables(given: Filter, stem: str, head: list[str], made: date, existing: Existing | None) -> Written:
    files = iptables.files_of(given, stem, head)
    apply = [f"ipset restore < {stem}.ipset"]
    apply += [f"iptables-restore -n < {stem}.v4", f"ip6tables-restore -n < {stem}.v6"]
    hooks = iptables.hooks(given)
    back = [line.split(" || ")[0].replace(" -C ", " -D ") for line in hooks]
    changes = _changes(given, read_iptables.parse(files), "in chains of its own, called first by FORWARD")
    return Written(files, changes, (*apply, *hooks), tuple(back))


def _junos(given: Filter, stem: str, head: list[str], made: date, existing: Existing | None) -> Written:
    file = f"{stem}.conf"
    text = junos.text_of(given, head)
    binds = junos.bindings(given)
    changes = _changes(
        given, read_junos.parse(text, file), "alone, or its terms in front of the general ones"
    )
    apply = (f"load replace {file}", *binds, "commit check", "commit confirmed 5", "commit")
    back = (*(f"delete {line.removeprefix('set ')}" for line in binds), "commit")
    return Written({file: text}, changes, apply, back)


def _routeros(given: Filter, stem: str, head: list[str], made: date, existing: Existing | None) -> Written:
    file = f"{stem}.rsc"
    text = routeros.text_of(given, head)
    apply = [f"/import {file}"]
    back = []
    for name in routeros.chain_names(text):
        path = "/ip" if "-v4-" in name else "/ipv6"
        way = "out" if "-leaving-" in name else "in"
        mark = name.rsplit("-", 1)[0]
        apply += [
            f"{path} firewall filter set [find comment={mark}] jump-target={name}",
            f"{path} firewall filter add chain=forward {way}-interface=INTERFACE action=jump jump-target={name} "
            f"comment={mark} place-before=0 (the first time only, for each interface that faces the outside)",
        ]
        back.append(f"{path} firewall filter disable [find comment={mark}]")
    changes = _changes(
        given, read_routeros.parse(text, file), "in a chain of its own, called first by forward"
    )
    return Written({file: text}, changes, tuple(apply), tuple(back))


def _vyos(given: Filter, stem: str, head: list[str], made: date, existing: Existing | None) -> Written:
    file = f"{stem}.vyos"
    text = vyos.text_of(given, head)
    lead = vyos.hooks(given, text)
    away = dict.fromkeys(" ".join(line.split()[1:7]) for line in lead)
    place = f"in a chain of its own, called first by forward; rules 1 to {len(away)} there must be free"
    changes = _changes(given, read_vyos.parse(text, file), place)
    apply = ("configure", f"(the commands of {file})", *lead, "commit-confirm 5", "confirm")
    back = ("configure", *(f"delete {rule}" for rule in away), "commit")
    return Written({file: text}, changes, apply, back)


def _nokia_srl(given: Filter, stem: str, head: list[str], made: date, existing: Existing | None) -> Written:
    file = f"{stem}.srl"
    text = nokia_srl.text_of(given, head)
    binds = nokia_srl.hooks(given, text)
    changes = _changes(given, read_srl.parse(text, file), "alone: the interface carries no filter yet")
    apply = ("enter candidate", f"(the commands of {file})", *binds, "commit validate", "commit now")
    back = ("enter candidate", *(line.replace("set", "delete", 1) for line in binds), "commit now")
    return Written({file: text}, changes, apply, back)


def _changes(given: Filter, lists: tuple[AccessList, ...], place: str) -> tuple[Change, ...]:
    found = []
    for each in lists:
        rules = rules_of(given, each.attachment, each.family)
        before = sum(naive_lines(rule) for rule in rules)
        after = len({line.number for line in each.lines})
        if each.view != "whole":
            found.append(Change(each.name, place, before, after, hardware_cost(each)))
    return tuple(found)


_ALL = (
    Platform("nftables", "nftables", Ability(), _nftables, _one(read_nftables.parse), software=True),
    Platform("iptables", "iptables", iptables.ABILITY, _iptables, read_iptables.parse, software=True),
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
    Platform("junos", "Junos", junos.ABILITY, _junos, _one(read_junos.parse)),
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
        "routeros", "MikroTik RouterOS", routeros.ABILITY, _routeros, _one(read_routeros.parse), software=True
    ),
    Platform("nokia-srl", "Nokia SR Linux", nokia_srl.ABILITY, _nokia_srl, _one(read_srl.parse)),
    Platform("vyos", "VyOS", vyos.ABILITY, _vyos, _one(read_vyos.parse), software=True),
)
PLATFORMS: Mapping[str, Platform] = {each.name: each for each in _ALL}
"""By the name that ``--platform`` takes."""
