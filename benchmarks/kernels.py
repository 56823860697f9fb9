"""Print what each kernel of one reading worker costs, in nanoseconds of thread time a record.

python -m benchmarks.kernels capture.pcap
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rearguard.catalogue import load
from rearguard.contacts import reading, reducer
from rearguard.contacts.guarding import build_guard
from rearguard.contacts.spill import PartitionedSpill
from rearguard.policy import policy_from_flags
from rearguard.sources import source
from rearguard.sources.pcap import Pcap
from rearguard.sources.window import Window

__all__ = ["main"]

NETWORKS = ("10.64.0.0/14", "2001:db8:c::/48")
WATCHED: tuple[tuple[Any, str], ...] = (
    (Window, "_read"),
    (Pcap, "walk"),
    (source, "decode_frames"),
    (reducer, "place_rows"),
    (reducer.Reducer, "_set_lanes"),
    (reducer, "reduce_contacts"),
    (reducer, "find_cells"),
    (reducer, "count_cells"),
    (reducer, "note_hosts"),
    (PartitionedSpill, "add"),
)


def watched(function: Callable[..., Any], name: str, seconds: dict[str, float]) -> Callable[..., Any]:
    """The function, with its thread time added to ``seconds[name]``."""

    def run(*arguments: Any, **more: Any) -> Any:
        start = time.thread_time()
        try:
            return function(*arguments, **more)
        finally:
            seconds[name] = seconds.get(name, 0.0) + time.thread_time() - start

    return run


def main() -> None:
    """Read the capture once to compile and warm, then once more to measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture")
    capture = parser.parse_args().capture
    catalogue = load()
    guard = build_guard(policy_from_flags(NETWORKS, (), (), None, catalogue), catalogue)
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        reading.read([capture], guard, Path(folder), workers=1).partials.close()
        for owner, name in WATCHED:
            setattr(owner, name, watched(getattr(owner, name), name, seconds))
        done = reading.read([capture], guard, Path(folder), workers=1)
        done.partials.close()
    records = max(1, done.sources[0].records)
    for _, name in WATCHED:
        print(f"{name:<16} {seconds.get(name, 0.0) / records * 1e9:7.0f} ns a record")


if __name__ == "__main__":
    main()
