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

from benchmarks.generate import CONTROLLER_PREFIX, OWN_PREFIXES
from rearguard.catalogue import load
from rearguard.contacts import reading, reducer
from rearguard.contacts.guarding import build_guard, controllers_guard
from rearguard.contacts.spill import PartitionedSpill, Spill
from rearguard.dialogue import collector
from rearguard.policy import policy_from_flags
from rearguard.report.listening import Listening
from rearguard.sources import source
from rearguard.sources.pcap import Pcap
from rearguard.sources.window import Window

__all__ = ["main"]

ALL = "one worker in all"
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
    (reducer, "note_initiations"),
    (collector, "pick"),
    (collector, "collect"),
    (Spill, "add"),
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
    policy = policy_from_flags(OWN_PREFIXES, (CONTROLLER_PREFIX,), (), None, catalogue)
    guard = build_guard(policy, catalogue)
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        listening = Listening(guard, controllers_guard(policy), Path(folder))
        reading.read([capture], guard, Path(folder), workers=1, listen=listening.begin).partials.close()
        for owner, name in WATCHED:
            setattr(owner, name, watched(getattr(owner, name), f"{owner.__name__}.{name}", seconds))
        reading._do = watched(reading._do, ALL, seconds)
        done = reading.read([capture], guard, Path(folder), workers=1, listen=listening.begin)
        done.partials.close()
        listening.close()
    records = max(1, done.sources[0].records)
    seconds["what no kernel claims"] = 2 * seconds[ALL] - sum(seconds.values())
    for name, spent in seconds.items():
        print(f"{name.removeprefix('rearguard.'):<40} {spent / records * 1e9:7.1f} ns a record")


if __name__ == "__main__":
    main()
