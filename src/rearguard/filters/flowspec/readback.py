"""Ask a receiver what it holds, where it can be asked: GoBGP's API, BIRD's control socket."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rearguard.filters.flowspec.compiled import FlowRoute
from rearguard.filters.flowspec.components import FlowError
from rearguard.filters.flowspec.received import Held, compared, from_bird, from_gobgp
from rearguard.model.errors import UsageError

__all__ = ["Asked", "Readers", "asked_of", "differs"]

_PATIENCE = 10.0
_LARGEST = 64 << 20
_GOBGP = re.compile(r"gobgp:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?")
_BIRD = re.compile(r"bird:(/\S+)")
_PORT = "50051"
"""GoBGP's default port of the API."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How a receiver is asked."""

    program: str
    commands: tuple[tuple[int, tuple[str, ...]], ...]
    """Family (0: both) and command."""


class Readers:
    """The receivers that can be asked, by name."""

    def __init__(self, specs: Mapping[str, str], speaker: str) -> None:
        self._asked = {name: asked_of(text) for name, text in specs.items()}
        self._speaker = speaker
        self._doubted: set[str] = set()

    def sees(self, name: str) -> bool:
        """Whether it can be asked, and held what was meant when it was last asked in earnest."""
        return name in self._asked and name not in self._doubted

    def doubt(self, name: str) -> None:
        """It holds something else; it is not waited for any more."""
        self._doubted.add(name)

    def look(self, name: str, routes: Sequence[FlowRoute]) -> tuple[str, ...]:
        """How what it holds differs; empty also where it cannot be asked."""
        return differs(self._asked[name], routes, self._speaker) if name in self._asked else ()

    def words(self, name: str, routes: Sequence[FlowRoute], when: str, told: Sequence[str]) -> str | None:
        """What is said of it; None where it cannot be asked."""
        if name not in self._asked:
            return None
        state = "as meant" if not told else f"different: {'; '.join(told[:5])}"
        return f"{self._asked[name].program}, {len(routes)} rules {when}: {state}"


def asked_of(text: str) -> Asked:
    """From ``gobgp:HOST[:PORT]`` or ``bird:/path/of/the/socket``.

    ``UsageError``: it is neither, or the program is not installed here.
    """
    if found := _GOBGP.fullmatch(text):
        host, port = found[1].strip("[]"), found[2] or _PORT
        head = (_program("gobgp"), "-u", host, "-p", port, "global", "rib", "-j", "-a")
        return Asked("gobgp", tuple((family, (*head, f"ipv{family}-flowspec")) for family in (4, 6)))
    if found := _BIRD.fullmatch(text):
        return Asked(
            "bird", ((0, (_program("birdc"), "-s", found[1], "show", "route", "all", "table", "all")),)
        )
    raise UsageError(
        f"{text!r} does not say how a peer is asked",
        remedy="write gobgp:HOST[:PORT] or bird:/path/of/bird.ctl",
    )


def differs(asked: Asked, routes: Sequence[FlowRoute], speaker: str) -> tuple[str, ...]:
    """In words, how what the receiver has from us differs from these routes; empty: not at all."""
    told: list[str] = []
    for family, command in asked.commands:
        meant = [route for route in routes if family in (0, route.family)]
        try:
            told += compared(meant, _held(asked.program, family, _said(command), speaker))
        except FlowError as error:
            told.append(error.problem)
    return tuple(told)


def _held(program: str, family: int, text: str, speaker: str) -> Held:
    return from_bird(text, speaker) if program == "bird" else from_gobgp(text, family, speaker)


def _said(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=_PATIENCE, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FlowError(f"{command[0]} does not answer: {error}") from None
    text = done.stdout[:_LARGEST].decode(errors="replace")
    if done.returncode:
        raise FlowError(f"{command[0]} fails: {(done.stderr.decode(errors='replace') or text).strip()[:300]}")
    return text


def _program(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if path is None:
        raise UsageError(
            f"{name} is not installed, and is needed to ask the peer", remedy="leave out --read-back"
        )
    return path
