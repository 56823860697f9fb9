"""How kernels are compiled, where the machine code is kept, and how they read bytes.

Every kernel of Rearguard is made with :func:`kernel`: ``numba.njit`` without the interpreter lock, with
bounds checks (its input is hostile) and, where a private folder can be written, with the machine code kept
on disk. Importing this module imports numba, so only kernel modules may import it, and only traffic commands
those.

Reading bytes: ``b[0] << 8 | b[1]`` on a uint8 array is right compiled and wrong interpreted, and a negative
index wraps around past the bounds check. The loads below widen first and refuse what lies outside; they are
the only way in which a kernel looks into a buffer.

The cache has one folder for each state of the sources that a kernel can call (its own package's, those of the
packages around it, and ``model``): numba itself looks at the file of the outermost function only and would keep
stale code.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numba.core.config
import numpy as np
import numpy.typing as npt

__all__ = ["Buffer", "be16", "be32", "be64", "inlined", "kernel", "le16", "le32", "load", "u8", "wide"]

Buffer = npt.NDArray[np.uint8]
KEPT = 7 * 86_400
"""Seconds for which machine code of an earlier version is kept."""

F = TypeVar("F", bound=Callable[..., object])


@functools.cache
def cache_folder(room: Path) -> Path | None:
    """Where machine code of the kernels in folder ``room`` is kept; None where nothing private can be
    written.

    ``NUMBA_CACHE_DIR`` is honoured as the parent, else it is the user's cache folder. A folder that others
    may write to is refused: who can write there could make us run his code.
    """
    parent = os.environ.get("NUMBA_CACHE_DIR")
    if parent is None:
        import platformdirs

        parent = str(Path(platformdirs.user_cache_dir("rearguard")) / "numba")
    state = hashlib.sha256()
    for file in sorted(file for folder in _callable_from(room) for file in folder.glob("*.py")):
        info = file.stat()
        state.update(f"{file}\0{info.st_size}\0{info.st_mtime_ns}\0".encode())
    folder = Path(parent) / f"{room.name}-{state.hexdigest()[:16]}"
    try:
        if not folder.exists():
            _forget(Path(parent), room.name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        info = folder.stat()
        private = info.st_uid == os.geteuid() and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    except OSError:
        return None
    return folder if private and os.access(folder, os.W_OK | os.X_OK) else None


def _callable_from(room: Path) -> set[Path]:
    """The folders whose kernels those of ``room`` may call."""
    found = {room, Path(__file__).parent}
    around = room.parent
    while around.name != "rearguard" and (around / "__init__.py").exists():
        found.add(around)
        around = around.parent
    return found


def _forget(parent: Path, room: str) -> None:
    """Remove machine code of earlier states of a room that nobody has added to for a while."""
    for old in parent.glob(f"{room}-{'[0-9a-f]' * 16}"):
        if time.time() - old.stat().st_mtime > KEPT:
            shutil.rmtree(old, ignore_errors=True)


def _compiled(function: F, *, boundscheck: bool, forceinline: bool) -> F:
    folder = cache_folder(Path(function.__code__.co_filename).parent)
    if folder is not None:
        vars(numba.core.config)["CACHE_DIR"] = str(folder)
    options: dict[str, Any] = {
        "nogil": True,
        "boundscheck": boundscheck,
        "forceinline": forceinline,
        "cache": folder is not None,
        # Kernels allocate nothing, so their arrays need no reference counts (a fifth of the decoder's time).
        "_nrt": False,
    }
    made: F = numba.njit(**options)(function)
    return made


def kernel(function: F) -> F:
    """Compile at the first call, with bounds checks; ``NUMBA_DISABLE_JIT=1`` leaves it plain Python."""
    return _compiled(function, boundscheck=True, forceinline=False)


def inlined(function: F) -> F:
    """A kernel small or hot enough to be put in the place of each call: an array is seven words."""
    return _compiled(function, boundscheck=True, forceinline=True)


def load(function: F) -> F:
    """Compile a load, which checks once for all the bytes that it takes instead of once for each."""
    return _compiled(function, boundscheck=False, forceinline=True)


@load
def wide(value: Any) -> int:
    """An element of any integer array as the signed 64-bit number that kernels reckon in."""
    return int(np.int64(value))


@load
def u8(b: Buffer, at: int) -> int:
    """One byte."""
    if at < 0 or at >= b.size:
        raise IndexError("load outside the buffer")
    return int(np.int64(b[at]))


@load
def be16(b: Buffer, at: int) -> int:
    """Two bytes, most significant first."""
    if at < 0 or at + 2 > b.size:
        raise IndexError("load outside the buffer")
    return int(np.int64(b[at]) << 8 | np.int64(b[at + 1]))


@load
def be32(b: Buffer, at: int) -> int:
    """Four bytes, most significant first."""
    if at < 0 or at + 4 > b.size:
        raise IndexError("load outside the buffer")
    return int(
        np.int64(b[at]) << 24 | np.int64(b[at + 1]) << 16 | np.int64(b[at + 2]) << 8 | np.int64(b[at + 3])
    )


@load
def be64(b: Buffer, at: int) -> np.uint64:
    """Eight bytes, most significant first, unsigned."""
    if at < 0 or at + 8 > b.size:
        raise IndexError("load outside the buffer")
    return np.uint64(be32(b, at)) << np.uint64(32) | np.uint64(be32(b, at + 4))


@load
def le16(b: Buffer, at: int) -> int:
    """Two bytes, least significant first."""
    if at < 0 or at + 2 > b.size:
        raise IndexError("load outside the buffer")
    return int(np.int64(b[at + 1]) << 8 | np.int64(b[at]))


@load
def le32(b: Buffer, at: int) -> int:
    """Four bytes, least significant first."""
    if at < 0 or at + 4 > b.size:
        raise IndexError("load outside the buffer")
    return int(
        np.int64(b[at + 3]) << 24 | np.int64(b[at + 2]) << 16 | np.int64(b[at + 1]) << 8 | np.int64(b[at])
    )
