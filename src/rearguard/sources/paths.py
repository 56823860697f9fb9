"""From what the user typed to a list of inputs in the order of their time."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rearguard.model.errors import InputError, UsageError
from rearguard.sources.inputs import STDIN
from rearguard.sources.opening import Options, open_source

__all__ = ["expand", "first_time", "order"]

Refused = Callable[[str, InputError], None]
PEEK = 512 * 1024
"""Bytes of a file that are looked at for its first packet."""


def expand(
    arguments: Sequence[str],
    options: Options | None = None,
    refused: Refused = lambda uri, error: None,
) -> list[str]:
    """The inputs that files, folders, globs and "-" stand for, each once, in the order of the arguments.

    A folder stands for all that can be read in it and below, sorted by path, told from other files by their
    content; ``refused`` is told of the others, and why. What is named itself is taken as it is, so that a wrong
    file is an error and not silence. Raises UsageError.
    """
    found: dict[str, str] = {}
    for argument in arguments:
        for uri in _expand_one(argument, options, refused):
            found.setdefault(uri if uri == STDIN else os.path.realpath(uri), uri)
    return list(found.values())


def _expand_one(argument: str, options: Options | None, refused: Refused) -> list[str]:
    if argument == STDIN:
        return [STDIN]
    path = Path(argument)
    if path.is_dir():
        return _folder(path, options, refused)
    if path.exists():
        _check_readable(path)
        return [argument]
    if glob.has_magic(argument):
        matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - the pattern may be absolute
        if not matches:
            raise UsageError(f"no file matches {argument}", remedy="check the pattern and the folder")
        return [uri for match in matches for uri in _expand_one(match, options, refused)]
    raise UsageError(f"{argument} does not exist", remedy="check the path")


def _folder(folder: Path, options: Options | None, refused: Refused) -> list[str]:
    inputs = [str(file) for file in _files(folder) if _can_be_read(file, options, refused)]
    if not inputs:
        raise UsageError(
            f"there is no capture and no file of flows in the folder {folder}",
            remedy="rearguard analyze --help lists what can be read; name a file itself to be told more",
        )
    return inputs


def _files(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise UsageError(
            f"{error.filename} cannot be read: {error.strerror}", remedy="check the permissions"
        ) from error

    found = []
    for parent, _, names in os.walk(folder, onerror=refuse):
        found += [Path(parent) / name for name in names]
    for file in sorted(found):
        if file.is_file():
            _check_readable(file)
            yield file


def _check_readable(path: Path) -> None:
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path} cannot be read", remedy="check the permissions")


def _can_be_read(file: Path, options: Options | None, refused: Refused) -> bool:
    try:
        open_source(str(file), window=PEEK, options=options).close()
    except InputError as error:
        refused(str(file), error)
        return False
    return True


def first_time(uri: str, options: Options | None = None) -> int | None:
    """The time of the first record, ns; None where there is none, or where looking would take it (a pipe)."""
    if not Path(uri).is_file():
        return None
    try:
        with open_source(uri, window=PEEK, options=options) as source:
            return source.first_time()
    except InputError:
        return None


def order(uris: Sequence[str], options: Options | None = None) -> list[str]:
    """The same inputs by the time of their first record; those without one, and pipes, come last."""

    def key(uri: str) -> tuple[bool, int]:
        time = first_time(uri, options)
        return time is None, time or 0

    return sorted(uris, key=key) if len(uris) > 1 else list(uris)
