"""A change for a router: the candidate, the way back, and the commands with which it reverts itself.

The *candidate* is the proven text with the commands that bind it to interfaces; the *rollback* is for later, when
the router's own timer (:mod:`rearguard.filters.apply.manners`) has long been confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rearguard.filters.apply.manners import MANNERS, Manner, Rollout
from rearguard.filters.model import Filter
from rearguard.filters.platforms import Compiled
from rearguard.filters.render import junos_write
from rearguard.model.errors import Place, UsageError

__all__ = ["MANNERS", "Manner", "Rollout", "rollout"]

_LINK = re.compile(r"[A-Za-z0-9][A-Za-z0-9/._:-]{0,62}")
_LIST = re.compile(r"^(?:ip access-list(?: extended)?|ipv[46] access-list) \S+$", re.MULTILINE)
_FLAT = {
    "nokia-srl": ("set / ", "delete / "),
    "nokia-sros": ("/configure", "delete "),
    "huawei-vrp": ("traffic ", "interface ", "undo ", " "),
    "vyos": ("set ", "delete "),
}
"""How commands that configure begin, among those that commit them, where a text is a list of commands."""
_JUNOS_BIND = re.compile(r"set interfaces (\S+) unit (\d+) family (\S+) filter (\S+) (\S+)")


def rollout(given: Filter, compiled: Compiled, stem: str, existing: str | None) -> Rollout:
    """Candidate and rollback of a proven filter.

    ``UsageError``: the platform has no timer that is known here, or the policy names no interfaces.
    """
    name = compiled.platform.name
    if name not in MANNERS:
        raise UsageError(
            f"no sequence that takes a change back by itself is known for {compiled.platform.title}",
            remedy="write the text with `rearguard filter compile`; apply knows nftables, "
            + ", ".join(MANNERS),
        )
    if not given.outside:
        raise UsageError(
            f"the policy does not say at which interfaces of the edge {given.edge} the filter is bound",
            remedy=f"name them: edges: {{{given.edge}: {{outside: [...]}}}}",
        )
    for link in given.outside:
        if not _LINK.fullmatch(link):
            raise UsageError(
                f"{link!r} cannot stand in a router's configuration",
                remedy="write the interface's name as the router does",
                place=Place(key=f"edges.{given.edge}.outside"),
            )
    written = compiled.written
    text = "".join(written.files.values())
    extension = next(iter(written.files)).partition(".")[2]
    make = {"junos": _junos, "routeros": _routeros}.get(name, _flat if name in _FLAT else _cisco)
    return make(
        given.outside, text, written.apply, written.rollback, f"{stem}-{name}", f".{extension}", existing
    )


def _cisco(
    links: Sequence[str],
    text: str,
    apply: Sequence[str],
    back: Sequence[str],
    stem: str,
    end: str,
    existing: str | None,
) -> Rollout:
    """Lists that are replaced under their own names are emptied first: one commit does both."""
    binds = "".join(f"interface {link}\n" + "".join(f" {line}\n" for line in apply) for link in links)
    freed = "".join(f" {line}\n" for line in back if not line.startswith("load the list"))
    unbinds = "".join(f"interface {link}\n{freed}" for link in links) if freed else ""
    if stem.endswith(("cisco-ios", "cisco-nxos")):  # their lists have new names each time
        return Rollout(stem, text + binds, unbinds, end)
    emptied = "".join(f"no {heading}\n" for heading in _LIST.findall(text))
    restored = "" if existing is None else f"{emptied}{existing.rstrip()}\n"
    return Rollout(stem, emptied + text + binds, unbinds + restored, end)


def _junos(
    links: Sequence[str],
    text: str,
    apply: Sequence[str],
    back: Sequence[str],
    stem: str,
    end: str,
    existing: str | None,
) -> Rollout:
    """Filters in force keep their names, so only those that are new are bound; what was in force is loaded back."""
    binds = [found.groups() for line in apply if (found := _JUNOS_BIND.fullmatch(line))]
    undo = tuple(
        f"delete interfaces {link} unit {unit} family {family} filter {way}"
        for link, unit, family, way, _ in binds
    )
    candidate = text + "".join(f"{line}\n" for line in _bound(binds))
    if existing is None:
        return Rollout(stem, candidate, "".join(f"{line}\n" for line in undo), end)
    return Rollout(stem, candidate, junos_write.put_back(existing), end, releases=undo)


def _bound(binds: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The ``interfaces`` block; nothing when no filter is bound."""
    if not binds:
        return
    yield "interfaces {"
    for link in dict.fromkeys(each[:2] for each in binds):
        here = [each[2:] for each in binds if each[:2] == link]
        yield from (f"    {link[0]} {{", f"        unit {link[1]} {{")
        for family in dict.fromkeys(family for family, _, _ in here):
            yield from (f"            family {family} {{", "                filter {")
            yield from (f"                    {way} {label};" for each, way, label in here if each == family)
            yield from ("                }", "            }")
        yield from ("        }", "    }")
    yield "}"


def _routeros(
    links: Sequence[str],
    text: str,
    apply: Sequence[str],
    back: Sequence[str],
    stem: str,
    end: str,
    existing: str | None,
) -> Rollout:
    jumps = []
    commands = [line for line in apply if not line.startswith("/import")]
    for change, first in zip(commands[::2], commands[1::2], strict=True):
        add = first.partition(" (the first time")[0]
        adds = "; ".join(add.replace("-interface=INTERFACE", f"-interface={link}") for link in links)
        find = change.partition("[")[2].partition("]")[0]
        path = change.partition(" set ")[0]
        jumps.append(f":if ([:len [{path} {find}]] = 0) do={{{adds}}} else={{{change}}}")
    return Rollout(stem, text, "".join(f"{line}\n" for line in back), end, tuple(jumps))


def _flat(
    links: Sequence[str],
    text: str,
    apply: Sequence[str],
    back: Sequence[str],
    stem: str,
    end: str,
    existing: str | None,
) -> Rollout:
    """The text is a list of commands already, and those that bind it name the interfaces."""
    begin = next(begin for name, begin in _FLAT.items() if stem.endswith(name))
    binds, undo = (
        "".join(f"{line}\n" for line in lines if line.startswith(begin)) for lines in (apply, back)
    )
    return Rollout(stem, text + binds, undo, end)
