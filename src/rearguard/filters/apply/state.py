"""What is remembered between commands: a folder that only its owner can read, and a lock on it.

======================  ======================================================================================
``lock``                held (flock) by whoever changes the table or the folder; the kernel frees it at death
``waiting.json``        a filter is in force and not confirmed; taking this file away is what decides
``confirmed.json``      the filter that was confirmed last
``confirmed.nft``       its text, for the unit that loads it after a restart
``timer.json``          the process that takes it back
``last.json``           what happened last, for ``filter status``
``timer.log``           what the timer could not say elsewhere
======================  ======================================================================================

A file is replaced by renaming a complete new one, so a reader never sees half of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rearguard.model.errors import Place, RearguardError, UsageError

__all__ = ["BOOT_FILE", "DEFAULT", "LOG_FILE", "State", "boot_clock", "boot_id", "now_text"]

DEFAULT = "/var/lib/rearguard"
BOOT_FILE = "confirmed.nft"
LOG_FILE = "timer.log"
_PATIENCE = 150.0
"""Seconds to wait for the lock: longer than one call of nft may take."""
_LARGEST = 256 << 20


class State:
    """The folder. ``UsageError``: it is not ours alone, or cannot be used."""

    def __init__(self, folder: str, *, make: bool) -> None:
        self.folder = Path(folder).absolute()
        try:
            if make:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not make and not os.path.lexists(self.folder):
                return
            found = self.folder.lstat()
        except OSError as error:
            raise self._unusable(f"it cannot be used: {error.strerror}") from error
        if not stat.S_ISDIR(found.st_mode):
            raise self._unusable("it is no folder")
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise self._unusable(
                "others may read or write it, and what stands in it is loaded into the kernel",
                "chown it to root and chmod it to 700, or name another one with --state-dir",
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes table or folder meanwhile. ``RearguardError``: somebody else keeps on doing so."""
        descriptor = os.open(
            self.folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            until = time.monotonic() + _PATIENCE
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                if time.monotonic() > until:
                    raise RearguardError(
                        "another change of the filter does not come to an end",
                        remedy=f"look who holds {self.folder / 'lock'}: fuser {self.folder / 'lock'}",
                    )
                time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)

    def read(self, name: str) -> dict[str, Any] | None:
        """``waiting``, ``timer``, ``confirmed`` or ``last``; None when there is none."""
        file = self.folder / f"{name}.json"
        try:
            with file.open("rb") as stream:
                value = json.loads(stream.read(_LARGEST))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RearguardError(
                f"it cannot be read: {error}",
                remedy=f"move {file} away; what is in force is told by nft list table inet rearguard",
                place=Place(file=str(file)),
            ) from error
        if not isinstance(value, dict):
            raise RearguardError(
                "it holds no record", remedy=f"move {file} away", place=Place(file=str(file))
            )
        return value

    def sign(self, name: str) -> tuple[int, int] | None:
        """Changes whenever the record is replaced; None when there is none."""
        try:
            found = (self.folder / f"{name}.json").stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Replace a record."""
        self.write_text(f"{name}.json", json.dumps(value, indent=1) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Replace a file; it is on the disk when this returns."""
        draft = self.folder / f".{name}.new"
        draft.unlink(missing_ok=True)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.rename(self.folder / name)
        self._sync()

    def forget(self, name: str) -> None:
        """Take a record away."""
        (self.folder / f"{name}.json").unlink(missing_ok=True)
        self._sync()

    def _sync(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _unusable(self, problem: str, remedy: str = "name another one with --state-dir") -> UsageError:
        return UsageError(problem, remedy=remedy, place=Place(file=str(self.folder)))


def boot_clock() -> float:
    """Seconds since the machine started: no step of the wall clock moves a deadline, and sleep counts."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Which start of the machine this is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def now_text() -> str:
    """The time, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
