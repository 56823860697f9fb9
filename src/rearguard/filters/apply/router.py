"""A change for a router: the candidate, the way back, and the commands with which it reverts itself.

Theory. Routers have a timer of their own that takes a change back unless it is confirmed, and it works when the
session that made the change dies. What it is called, in what it counts and what must be set up before differs; the
table :data:`MANNERS` says it, each with the vendor's text. The *candidate* is the proven text with the commands
that bind it to interfaces; the *rollback* is for later, when the timer has long been confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rearguard.filters.model import Filter
from rearguard.filters.platforms import Compiled
from rearguard.model.errors import Place, UsageError

__all__ = ["MANNERS", "Manner", "Rollout", "rollout"]

_LINK = re.compile(r"[A-Za-z][A-Za-z0-9/._:-]{0,62}")
_LIST = re.compile(r"^(?:ip access-list(?: extended)?|ipv[46] access-list) \S+$", re.MULTILINE)
_JUNOS_BIND = re.compile(r"set interfaces \S+ unit 0 family (\S+) filter (\S+) (\S+)")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a platform takes a change on probation."""

    steps: Callable[[Rollout, int], Sequence[str]]
    unit: int
    """Seconds in which its timer counts; 0: the timer cannot be set."""
    most: int
    least: int
    source: str
    """Where the vendor says so."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """What is written for one edge."""

    stem: str
    candidate: str
    rollback: str
    extension: str
    jumps: tuple[str, ...] = ()
    """RouterOS: what puts the imported chains in force."""

    @property
    def files(self) -> Mapping[str, str]:
        """Candidate and rollback by name."""
        return {
            f"{self.stem}{self.extension}": self.candidate,
            f"{self.stem}-rollback{self.extension}": self.rollback,
        }

    def commands(self, platform: str, seconds: int) -> str:
        """The exact sequence. ``UsageError``: the platform's timer cannot be set to that."""
        manner = MANNERS[platform]
        _timed(platform, manner, seconds)
        return "\n".join([*manner.steps(self, seconds), "", f"# {manner.source}"]) + "\n"


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
    make = {"junos": _junos, "routeros": _routeros}.get(name, _cisco)
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
    if stem.endswith("cisco-ios"):  # its lists have new names each time
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
    binds = list(dict.fromkeys(found.groups() for line in apply if (found := _JUNOS_BIND.fullmatch(line))))
    lines = ["interfaces {"]
    undo = []
    for link in links:
        name, _, unit = link.partition(".")
        lines += [f"    {name} {{", f"        unit {unit or 0} {{"]
        for family in dict.fromkeys(family for family, _, _ in binds):
            chosen = [(way, label) for each, way, label in binds if each == family]
            lines += [f"            family {family} {{", "                filter {"]
            lines += [f"                    {way} {label};" for way, label in chosen]
            lines += ["                }", "            }"]
            undo += [
                f"delete interfaces {name} unit {unit or 0} family {family} filter {way}" for way, _ in chosen
            ]
        lines += ["        }", "    }"]
    return Rollout(stem, text + "\n".join([*lines, "}"]) + "\n", "\n".join(undo) + "\n", end)


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


def _timed(platform: str, manner: Manner, seconds: int) -> None:
    if not manner.unit:
        return
    if seconds % manner.unit or not manner.least <= seconds <= manner.most:
        counts = "whole minutes" if manner.unit == 60 else "seconds"
        raise UsageError(
            f"{platform} takes a change back after {counts}, from {manner.least} s to {manner.most} s",
            remedy="choose such a time with --confirm-within",
        )


def _ios(it: Rollout, seconds: int) -> list[str]:
    return [
        "# The timer needs the archive: `show archive` must not say that it is not enabled. If it does:",
        "#   configure terminal",
        "#   archive",
        "#   path flash:archive",
        "#   end",
        f"# Copy {it.stem}{it.extension} to flash: first. Then:",
        f"configure terminal revert timer {seconds // 60}",
        "end",
        f"copy flash:{it.stem}{it.extension} running-config",
        "show ip access-lists",
        "show ipv6 access-list",
        f"# From a new session, within {seconds // 60} min, if everything works:",
        "configure confirm",
        "write memory",
        "# If not, at once: configure revert now",
        f"# Later: copy flash:{it.stem}-rollback{it.extension} running-config",
    ]


def _xr(it: Rollout, seconds: int) -> list[str]:
    return [
        f"# Copy {it.stem}{it.extension} to disk0: first. Then:",
        "configure exclusive",
        f"load disk0:{it.stem}{it.extension}",
        "show commit changes diff",
        f"commit confirmed {seconds}",
        f"# Within {seconds} s, if everything works, in the same configuration session:",
        "commit",
        "# If not: wait; the router goes back by itself.",
        f"# Later: load disk0:{it.stem}-rollback{it.extension}, show commit changes diff, commit",
    ]


def _junos_steps(it: Rollout, seconds: int) -> list[str]:
    return [
        f"# Copy {it.stem}{it.extension} to /var/tmp first. Then:",
        "configure exclusive",
        f"load replace /var/tmp/{it.stem}{it.extension}",
        "show | compare",
        "commit check",
        f"commit confirmed {seconds // 60}",
        f"# Within {seconds // 60} min, if everything works:",
        "commit",
        "# If not, at once: rollback 1, then commit",
        f"# Later: load set /var/tmp/{it.stem}-rollback{it.extension}, show | compare, commit",
    ]


def _eos(it: Rollout, seconds: int) -> list[str]:
    hours, rest = divmod(seconds, 3600)
    return [
        "configure session rearguard",
        f"# Paste {it.stem}{it.extension} here. Then:",
        "show session-config diffs",
        f"commit timer {hours:02}:{rest // 60:02}:{rest % 60:02}",
        f"# Within {seconds} s, from a new session, if everything works:",
        "configure session rearguard commit",
        "write memory",
        "# If not, at once: configure session rearguard abort",
        f"# Later: the same with {it.stem}-rollback{it.extension}",
    ]


def _mikrotik(it: Rollout, seconds: int) -> list[str]:
    return [
        "# The chains come first: nothing leads into them yet, so nothing changes.",
        f"/import {it.stem}{it.extension}",
        "# Safe mode takes back what follows when this session dies (its TCP connection times out in 9 minutes;",
        "# the time cannot be set). It remembers 100 changes, so only what puts the chains in force is in it.",
        "# Press Ctrl+X.",
        *it.jumps,
        "# If everything works, from a new session: press Ctrl+X here. If not: Ctrl+D here takes it back.",
        f"# Later: /import {it.stem}-rollback{it.extension}",
    ]


_CISCO = "Cisco IOS XE System Management Configuration Guide, Configuration Rollback Confirmed Change"
MANNERS: Mapping[str, Manner] = {
    "cisco-ios": Manner(_ios, 60, 120 * 60, 60, _CISCO),
    "cisco-xr": Manner(
        _xr, 1, 65535, 30, "Cisco IOS XR System Management Command Reference, commit (confirmed)"
    ),
    "junos": Manner(
        _junos_steps, 60, 65535 * 60, 60, "Juniper, Junos CLI User Guide, commit (confirmed), load (replace)"
    ),
    "arista-eos": Manner(
        _eos,
        1,
        24 * 3600 - 1,
        1,
        "Arista EOS User Manual, Configure Session (commit timer); a session lives 24 h",
    ),
    "routeros": Manner(_mikrotik, 0, 0, 0, "MikroTik RouterOS Manual, Console, Safe Mode"),
}
"""By platform: how it takes a change back by itself."""
