"""The texts of filters that commands read and write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rearguard.model.errors import InputError, Place, UsageError

__all__ = ["read_text", "write_files"]

LARGEST = 64 << 20
"""Bytes of a filter's text that are read."""


def read_text(file: str) -> str:
    """``InputError``: it cannot be read, or is too large to be a filter."""
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise InputError(
            f"the file cannot be read: {error.strerror}", remedy="look at its name", place=Place(file=file)
        ) from None
    if len(data) > LARGEST:
        raise InputError(
            f"the file has more than {LARGEST:,} bytes", remedy="give a filter's text", place=Place(file=file)
        )
    return data.decode(errors="replace")


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """By name; the folder is made. ``UsageError``: one cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the files cannot be written: {error.strerror}",
            remedy="name a place where you may write with --output",
            place=Place(file=str(folder)),
        ) from None
