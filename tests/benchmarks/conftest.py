"""The benchmarks lie beside the package, not in it; their tests generate small captures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SIZE = 5_000_000

# The package is installed, the benchmarks are not: they are found beside it, however pytest was started.
sys.path.insert(0, str(ROOT))


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated capture and the truth that was written beside it."""

    path: Path
    truth: dict[str, Any]


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Generated]:
    """``generated("mix")`` is a capture of 5 MB of that shape, made by the command line, once."""
    folder = tmp_path_factory.mktemp("generated")

    def of(shape: str) -> Generated:
        path, truth = folder / f"{shape}.pcap", folder / f"{shape}.json"
        if not path.exists():
            words = ["--shape", shape, "--bytes", str(SIZE), "--output", str(path), "--truth", str(truth)]
            subprocess.run([sys.executable, "-m", "benchmarks.generate", *words], cwd=ROOT, check=True)
        return Generated(path, json.loads(truth.read_text()))

    return of
