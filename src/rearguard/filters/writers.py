"""How the dialects other than Cisco's are written: text, what changes, and the commands either way."""

from __future__ import annotations

from datetime import date

from rearguard.filters.budget import hardware_cost, naive_lines
from rearguard.filters.lines import AccessList
from rearguard.filters.model import Filter
from rearguard.filters.parse import huawei_vrp as read_vrp
from rearguard.filters.parse import iptables as read_iptables
from rearguard.filters.parse import junos as read_junos
from rearguard.filters.parse import nftables as read_nftables
from rearguard.filters.parse import nokia_srl as read_srl
from rearguard.filters.parse import nokia_sros as read_sros
from rearguard.filters.parse import routeros as read_routeros
from rearguard.filters.parse import vyos as read_vyos
from rearguard.filters.render import (
    huawei_vrp,
    iptables,
    junos,
    junos_write,
    nftables,
    nokia_srl,
    nokia_sros,
    routeros,
    vyos,
)
from rearguard.filters.render.cisco_write import Existing
from rearguard.filters.render.flat import rules_of
from rearguard.filters.render.written import Change, Written

__all__ = [
    "write_huawei_vrp",
    "write_iptables",
    "write_junos",
    "write_nftables",
    "write_nokia_srl",
    "write_nokia_sros",
    "write_routeros",
    "write_vyos",
]


def write_nftables(
    given: Filter, stem: str, head: list[str], made: date, existing: Existing | None
) -> Written:
    """A table of its own."""
    file = f"{stem}.nft"
    text = nftables.render(given, made=made, file=file)
    bound = "" if "define outside" in text else "-D outside=INTERFACE "
    changes = _changes(
        given, read_nftables.parse(text, file), "in a table of its own, before the usual chains"
    )
    return Written(
        {file: text}, changes, (f"nft {bound}-f {file}",), (f"nft delete table {nftables.TABLE}",), ()
    )


def write_iptables(
    given: Filter, stem: str, head: list[str], made: date, existing: Existing | None
) -> Written:
    """Chains of their own, and sets of addresses."""
    files = iptables.files_of(given, stem, head)
    apply = [f"ipset restore < {stem}.ipset"]
    apply += [f"iptables-restore -n < {stem}.v4", f"ip6tables-restore -n < {stem}.v6"]
    hooks = iptables.hooks(given)
    back = [line.split(" || ")[0].replace(" -C ", " -D ") for line in hooks]
    changes = _changes(given, read_iptables.parse(files), "in chains of its own, called first by FORWARD")
    return Written(files, changes, (*apply, *hooks), tuple(back))


def write_junos(given: Filter, stem: str, head: list[str], made: date, existing: Existing | None) -> Written:
    """Filters that are replaced as a whole; our terms in those that are in force."""
    file = f"{stem}.conf"
    if existing is not None:
        return junos_write.merged(given, head, file, existing)
    text = junos.text_of(given, head)
    binds = junos.bindings(given)
    changes = _changes(
        given, read_junos.parse(text, file), "alone: the interface carries no filter for this family yet"
    )
    apply = (f"load replace {file}", *binds, "commit check", "commit confirmed 5", "commit")
    back = (*(f"delete {line.removeprefix('set ')}" for line in binds), "commit")
    return Written({file: text}, changes, apply, back)


def write_routeros(
    given: Filter, stem: str, head: list[str], made: date, existing: Existing | None
) -> Written:
    """Chains of their own."""
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


def write_vyos(given: Filter, stem: str, head: list[str], made: date, existing: Existing | None) -> Written:
    """Chains of their own."""
    file = f"{stem}.vyos"
    text = vyos.text_of(given, head)
    lead = vyos.hooks(given, text)
    away = dict.fromkeys(" ".join(line.split()[1:7]) for line in lead)
    place = f"in a chain of its own, called first by forward; rules 1 to {len(away)} there must be free"
    changes = _changes(given, read_vyos.parse(text, file), place)
    apply = ("configure", f"(the commands of {file})", *lead, "commit-confirm 5", "confirm")
    back = ("configure", *(f"delete {rule}" for rule in away), "commit")
    return Written({file: text}, changes, apply, back)


def write_nokia_srl(
    given: Filter, stem: str, head: list[str], made: date, existing: Existing | None
) -> Written:
    """Filters of the candidate mode."""
    file = f"{stem}.srl"
    text = nokia_srl.text_of(given, head)
    binds = nokia_srl.hooks(given, text)
    changes = _changes(given, read_srl.parse(text, file), "alone: the interface carries no filter yet")
    apply = ("enter candidate", f"(the commands of {file})", *binds, "commit validate", "commit now")
    back = ("enter candidate", *(line.replace("set", "delete", 1) for line in binds), "commit now")
    return Written({file: text}, changes, apply, back)


def write_nokia_sros(
    given: Filter, stem: str, head: list[str], made: date, existing: Existing | None
) -> Written:
    """MD-CLI commands."""
    file = f"{stem}.sros"
    text = nokia_sros.text_of(given, head)
    changes = _changes(given, read_sros.parse(text, file), "alone: the interface carries no filter yet")
    apply = (
        "edit-config exclusive",
        "(once, where the router has none: /configure filter md-auto-id filter-id-range start 60000 end 65535)",
        f"(the commands of {file})",
        *nokia_sros.hooks(given, text),
        "validate",
        "commit",
    )
    back = ("edit-config exclusive", "/configure", *nokia_sros.releases(given, text), "commit")
    return Written({file: text}, changes, apply, back)


def write_huawei_vrp(
    given: Filter, stem: str, head: list[str], made: date, existing: Existing | None
) -> Written:
    """Access lists; the traffic policy that leads into them is part of the commands."""
    file = f"{stem}.vrp"
    text = huawei_vrp.text_of(given, head)
    place = "alone: the interface carries no traffic policy in that direction yet"
    changes = _changes(given, read_vrp.parse(text, file), place)
    apply = ("system-view", f"(the commands of {file})", *huawei_vrp.hooks(given, text), "commit")
    back = ("system-view", *huawei_vrp.releases(given, text), "commit")
    return Written({file: text}, changes, apply, back)


def _changes(given: Filter, lists: tuple[AccessList, ...], place: str) -> tuple[Change, ...]:
    found = []
    for each in lists:
        rules = rules_of(given, each.attachment, each.family)
        before = sum(naive_lines(rule) for rule in rules)
        after = len({line.number for line in each.lines})
        if each.view in ("", "fragmented"):
            found.append(Change(each.name, place, before, after, hardware_cost(each)))
    return tuple(found)
