"""How each router takes a change on probation, and what is written for it: the steps one by one.

Theory. Routers have a timer of their own that takes a change back unless it is confirmed, and it works when the
session that made the change dies. What it is called, in what it counts and what must be set up before differs; the
table :data:`MANNERS` says it, each with the vendor's text. NX-OS has none: its scheduler rolls back to a checkpoint
instead, unless it is told not to. MikroTik's counts nothing, and VyOS' restarts the router if it is not told to
reload.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rearguard.model.errors import UsageError

__all__ = ["MANNERS", "Manner", "Rollout"]


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
    releases: tuple[str, ...] | None = None
    """Junos: the commands that follow a rollback which is a configuration; None: it is commands itself."""

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
    load = "set" if it.releases is None else "replace"
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
        f"# Later: load {load} /var/tmp/{it.stem}-rollback{it.extension}",
        *(f"#   {line}" for line in (*(it.releases or ()), "show | compare", "commit")),
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


def _nxos(it: Rollout, seconds: int) -> list[str]:
    file = f"{it.stem}{it.extension}"
    return [
        "# NX-OS has no commit that waits for a confirmation: what takes the change back is its scheduler.",
        "# The scheduler logs in as whoever makes the job; a user of a AAA server gives it his password first:",
        "#   scheduler aaa-authentication username NAME password PASSWORD",
        "configure terminal",
        "feature scheduler",
        "scheduler job name rearguard-back",
        "rollback running-config checkpoint rearguard",
        "end-job",
        "end",
        "checkpoint rearguard",
        "# Try the way back now: nothing has changed, so nothing may happen.",
        "rollback running-config checkpoint rearguard",
        f"# The time is what `show clock` says, and {seconds // 60} min more.",
        "configure terminal",
        "scheduler schedule name rearguard-back",
        "job name rearguard-back",
        "time start YYYY:MM:DD:HH:MM",
        "end",
        "show scheduler schedule",
        "# Only if the schedule is there, with that time:",
        "configure session rearguard",
        f"# Paste {file} here; a session takes one interface, each further one gets its own. Then:",
        "verify",
        "commit",
        f"# Within {seconds // 60} min, from a new session, if everything works:",
        "configure terminal",
        "no scheduler schedule name rearguard-back",
        "no scheduler job name rearguard-back",
        "end",
        "copy running-config startup-config",
        "# If not, at once: rollback running-config checkpoint rearguard",
        f"# Later: copy bootflash:{it.stem}-rollback{it.extension} running-config",
    ]


def _srl(it: Rollout, seconds: int) -> list[str]:
    return [
        "enter candidate exclusive",
        f"# Paste {it.stem}{it.extension} here. Then:",
        "diff",
        "commit validate",
        f"commit confirmed timeout {seconds}",
        f"# Within {seconds} s, from a new session, if everything works:",
        "tools system configuration confirmed-accept",
        "save startup",
        "# If not, at once: tools system configuration confirmed-reject",
        f"# Later: enter candidate exclusive, {it.stem}-rollback{it.extension}, diff, commit now",
    ]


def _sros(it: Rollout, seconds: int) -> list[str]:
    return [
        "# Filters of the MD-CLI get their numbers from a range, which a router may not have yet:",
        "#   /configure filter md-auto-id filter-id-range start 60000 end 65535",
        "edit-config exclusive",
        f"# Paste {it.stem}{it.extension} here. Then:",
        "/configure",
        "compare",
        "validate",
        f"commit confirmed {seconds // 60}",
        "# Stay in this session: its end takes the change back too. Look from another one.",
        f"# Within {seconds // 60} min, if everything works:",
        "commit confirmed accept",
        "/admin save",
        "# If not, at once: commit confirmed cancel",
        f"# Later: edit-config exclusive, {it.stem}-rollback{it.extension}, compare, commit",
    ]


def _vrp(it: Rollout, seconds: int) -> list[str]:
    return [
        "# In the two-phase mode, which system-view enters (not `system-view immediately`):",
        "system-view",
        f"# Paste {it.stem}{it.extension} here. Then:",
        "display configuration candidate",
        f"commit trial {seconds}",
        "# Nothing else can be changed until it ends. Look from another session.",
        f"# Within {seconds} s, if everything works:",
        "commit",
        "return",
        "save",
        "# If not, at once: abort trial",
        f"# Later: system-view, {it.stem}-rollback{it.extension}, commit",
    ]


def _vyos(it: Rollout, seconds: int) -> list[str]:
    return [
        "configure",
        "# Unconfirmed, VyOS restarts with what was saved last, and forwards nothing meanwhile; a version that",
        "# knows this command goes back without a restart:",
        "set system config-management commit-confirm action reload",
        "commit",
        "save",
        f"# Paste {it.stem}{it.extension} here. Then:",
        "compare",
        f"commit-confirm {seconds // 60}",
        f"# Within {seconds // 60} min, if everything works:",
        "confirm",
        "save",
        "# If not: wait; the router goes back by itself.",
        f"# Later: configure, {it.stem}-rollback{it.extension}, compare, commit, save",
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
    "cisco-nxos": Manner(
        _nxos,
        60,
        24 * 3600,
        120,
        "Cisco Nexus 9000 NX-OS System Management Configuration Guide: Rollback, the Scheduler, Session Manager",
    ),
    "nokia-srl": Manner(
        _srl,
        1,
        3600,
        60,
        "Nokia SR Linux Configuration Basics Guide, Configuration management, commit confirmed",
    ),
    "nokia-sros": Manner(
        _sros, 60, 168 * 60, 60, "Nokia 7x50 MD-CLI User Guide, Edit configuration, commit confirmed"
    ),
    "huawei-vrp": Manner(
        _vrp, 1, 65535, 60, "Huawei NetEngine 8000 F1A Command Reference, commit (trial), abort trial"
    ),
    "vyos": Manner(_vyos, 60, 24 * 3600, 60, "VyOS User Guide, Command Line Interface, commit-confirm"),
    "routeros": Manner(_mikrotik, 0, 0, 0, "MikroTik RouterOS Manual, Console, Safe Mode"),
}
"""By platform: how it takes a change back by itself."""
