"""The generated captures of a benchmark, kept in one folder for as long as the generator is the same."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generate import START, generate
from benchmarks.measure import MeasureError, note, warm

__all__ = ["Capture", "Library", "size_name"]

_GENERATOR = ("conversations", "frames", "generate", "mix", "render", "truth", "worst")


@dataclass(frozen=True, slots=True)
class Capture:
    """A generated file and the truth about it."""

    path: Path
    size: int
    truth: Mapping[str, object]

    @property
    def gigabytes(self) -> float:
        """The size in units of 10^9 bytes."""
        return self.size / 1e9


def size_name(size: int) -> str:
    """``400M`` for 400,000,000."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "K")):
        if size >= unit and size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)


class Library:
    """Captures by shape, size, seed and start; each is generated when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        here = Path(__file__).parent
        sources = b"".join((here / f"{name}.py").read_bytes() for name in _GENERATOR)
        self._version = hashlib.sha256(sources).hexdigest()[:8]

    def capture(self, shape: str, size: int, seed: int = 1, start: int = START) -> Capture:
        """The capture, with its file read once so that it lies in the page cache."""
        name = f"{shape}-{size_name(size)}-seed{seed}-{start}"
        path = self.folder / f"{name}-{self._version}.pcap"
        truth = path.with_suffix(".json")
        if not (path.exists() and truth.exists()):
            self._generate(name, path, truth, shape, size, seed, start)
        warm(path)
        return Capture(path, path.stat().st_size, json.loads(truth.read_text()))

    def _generate(
        self, name: str, path: Path, truth: Path, shape: str, size: int, seed: int, start: int
    ) -> None:
        for stale in self.folder.glob(f"{name}-????????.*"):
            stale.unlink()
        free = shutil.disk_usage(self.folder).free
        if free < 2 * size:
            raise MeasureError(
                f"{self.folder}: {free / 1e9:.0f} GB free, too little for a capture of {size / 1e9:.1f} GB"
            )
        note(f"generating {path.name}")
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            content = generate(shape, size, seed, start, file)
            # While gigabytes wait to be written, whoever writes, a spill for one, is made to wait with them.
            os.fsync(file.fileno())
        truth.write_text(json.dumps(content) + "\n")
        part.rename(path)
