"""The kernel's own word on our table, and the one way in which it is changed.

Everything goes through the program ``nft``, in the network namespace of this process. Only the table
``inet rearguard`` is read or written; ``flush ruleset`` is never used.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rearguard.filters.render.nftables import TABLE
from rearguard.model.errors import RearguardError

__all__ = ["TABLE", "KernelError", "Listing", "Nft", "find_nft"]

PATIENCE = 120  # seconds for one call; 100,000 prefixes need about one
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]{0,127}")
_ABSENT = "No such file or directory"
_COUNTED = frozenset({"handle", "packets", "bytes"})


class KernelError(RearguardError):
    """``nft`` refused, or said what cannot be understood."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects of the table, as ``nft -j list table`` tells them; ``()``: there is no table."""

    objects: tuple[tuple[str, Mapping[str, Any]], ...]
    """(kind, value) in the kernel's order."""

    def __bool__(self) -> bool:
        return bool(self.objects)

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """All objects of a kind."""
        return [value for name, value in self.objects if name == kind]

    def names(self, kind: str) -> list[str]:
        """Names of all objects of a kind. ``KernelError``: one cannot stand in a command."""
        found = [str(value["name"]) for value in self.of(kind)]
        for name in found:
            if not _NAME.fullmatch(name):
                raise KernelError(
                    f"the table {TABLE} holds a {kind} called {name!r}, which cannot be written in a command",
                    remedy=f"remove it by its handle: nft -a list table {TABLE}",
                )
        return found

    def counters(self) -> dict[str, tuple[int, int]]:
        """(packets, bytes) by counter."""
        return {
            str(value["name"]): (int(value["packets"]), int(value["bytes"])) for value in self.of("counter")
        }

    def content(self) -> str:
        """What decides over packets, as text that is equal for equal tables: no handles, no counts.

        Counters that are only declared are left out: they are kept when rules go. Of a table's flags it counts
        whether there are any: nft 1.0.6 writes what happens to lie in memory where JSON should name them.
        """
        chains = {name: [_bare(value)] for name, value in self._named("chain")}
        for value in self.of("rule"):
            chains.setdefault(str(value["chain"]), []).append(_bare(value))
        rest = [
            (kind, _bare(value) if kind != "table" else _bare(value) | {"flags": "flags" in value})
            for kind, value in self.objects
            if kind not in ("chain", "rule", "counter", "metainfo")
        ]
        rest.sort(key=lambda item: (item[0], str(item[1].get("name"))))
        return json.dumps([rest, sorted(chains.items())], sort_keys=True)

    def _named(self, kind: str) -> list[tuple[str, Mapping[str, Any]]]:
        return [(str(value["name"]), value) for value in self.of(kind)]


def _bare(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key not in _COUNTED}


@dataclass(frozen=True, slots=True)
class Nft:
    """The program. All methods raise ``KernelError`` with what it said."""

    path: str

    def listing(self) -> Listing:
        """The table as it is now; false when there is none."""
        done = self._run(["-j", "list", "table", *TABLE.split()])
        if done.returncode and _ABSENT in done.stderr:
            return Listing(())
        _checked(done, "the table cannot be read")
        try:
            items = json.loads(done.stdout)["nftables"]
            return Listing(tuple(next(iter(item.items())) for item in items))
        except (ValueError, KeyError, TypeError, StopIteration) as error:
            raise KernelError(f"nft tells the table in a way that is not understood: {error!r}") from error

    def text(self) -> str | None:
        """The table as a text that can be loaded, without counts; None when there is none."""
        done = self._run(["-s", "list", "table", *TABLE.split()])
        if done.returncode and _ABSENT in done.stderr:
            return None
        _checked(done, "the table cannot be read")
        return done.stdout

    def check(self, text: str) -> None:
        """The kernel's own check of a transaction; nothing is changed."""
        _checked(self._run(["-c", "-f", "-"], text), "the kernel refuses this filter; nothing was changed")

    def load(self, text: str) -> None:
        """One transaction: all of it or nothing."""
        _checked(self._run(["-f", "-"], text), "the kernel refused this filter; nothing was changed")

    def _run(self, arguments: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [self.path, *arguments],
                input=text,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=PATIENCE,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise KernelError(
                f"nft could not be run: {error}", remedy="look whether it works by hand"
            ) from error


def find_nft() -> Nft:
    """``KernelError``: it is not installed, or this is not root."""
    if os.geteuid() != 0:
        raise KernelError(
            "only root may read and change the kernel's filter", remedy="run the same command with sudo"
        )
    path = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")
    if path is None:
        raise KernelError("nft is not installed", remedy="install the package nftables")
    return Nft(str(Path(path).absolute()))


def _checked(done: subprocess.CompletedProcess[str], problem: str) -> None:
    if done.returncode:
        said = " ".join(done.stderr.split())[:300]
        raise KernelError(f"{problem}: {said or f'nft ended with {done.returncode}'}")
