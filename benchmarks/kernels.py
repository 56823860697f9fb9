"""Print what each kernel of one reading worker costs, in nanoseconds of thread time a record.

    python -m benchmarks.kernels capture.pcap
    python -m benchmarks.kernels nfcapd.202611221700            # any file of flows
    python -m benchmarks.kernels exports.pcap --exports         # a capture of NetFlow, IPFIX or sFlow

A record is a packet, a flow or a sample. Kernels that were not called are left out; one that is no longer where it
was is named on the terminal's error stream.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.generate import CONTROLLER_PREFIX, OWN_PREFIXES
from rearguard.catalogue import load
from rearguard.contacts import reading
from rearguard.contacts.guarding import build_guard, controllers_guard
from rearguard.policy import policy_from_flags
from rearguard.report.listening import Listening
from rearguard.sources import Options

__all__ = ["main"]

ALL = "one worker in all"
WATCHED = (
    "sources.window:Window._read",
    "sources.pcap:Pcap.walk",
    "sources.pcapng:Pcapng.walk",
    "sources.source:decode_frames",
    "sources.exports_capture:gather",
    "sources.exports.decoder:walk",
    "sources.ipfix_file:walk_messages",
    "sources.sflow.decoder:walk",
    "sources.sflow.decoder:decode_frames",
    "sources.nfcapd.unpack:Unpacker.unpack",
    "sources.nfcapd.reader:decode_elements",
    "sources.nfcapd.reader:decode_mapped",
    "sources.logs.tables:JsonLines.table",
    "sources.logs.tables:Delimited.table",
    "sources.logs.text:build",
    "sources.logs.parquet:build",
    "contacts.reducer:screen",
    "contacts.lanes:RowLanes.assign",
    "contacts.reducer:reduce_contacts",
    "contacts.reducer:note_tries",
    "contacts.reducer:count_waiting",
    "contacts.reducer:note_hosts",
    "contacts.reducer:note_initiations",
    "dialogue.collector:pick",
    "dialogue.collector:collect",
    "contacts.spill:Spill.add",
    "contacts.spill:PartitionedSpill.add",
)
"""Module and name, as the caller looks it up; none of them calls another one."""


def watched(function: Callable[..., Any], name: str, seconds: dict[str, float]) -> Callable[..., Any]:
    """The function, with its thread time added to ``seconds[name]``."""

    def run(*arguments: Any, **more: Any) -> Any:
        start = time.thread_time()
        try:
            return function(*arguments, **more)
        finally:
            seconds[name] = seconds.get(name, 0.0) + time.thread_time() - start

    return run


def watch(seconds: dict[str, float]) -> list[str]:
    """Put a watch on every kernel of :data:`WATCHED`; the names that are not there any more."""
    missing = []
    for name in WATCHED:
        module, _, path = name.partition(":")
        owner: Any = import_module(f"rearguard.{module}")
        *outer, last = path.split(".")
        for each in outer:
            owner = getattr(owner, each, None)
        if getattr(owner, last, None) is None:
            missing.append(name)
        else:
            setattr(owner, last, watched(getattr(owner, last), name, seconds))
    return missing


def main() -> None:
    """Read the file once to compile and warm, then once more to measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", help="a capture, or a file of flows")
    parser.add_argument("--exports", action="store_true", help="the capture carries flow exports")
    arguments = parser.parse_args()
    options = Options(exports=arguments.exports)
    catalogue = load()
    policy = policy_from_flags(OWN_PREFIXES, (CONTROLLER_PREFIX,), (), None, catalogue)
    guard = build_guard(policy, catalogue)
    seconds: dict[str, float] = {}

    def read_all(folder: str, listening: Listening) -> reading.Reading:
        return reading.read(
            [arguments.file], guard, Path(folder), workers=1, listen=listening.begin, options=options
        )

    with tempfile.TemporaryDirectory() as folder:
        listening = Listening(guard, controllers_guard(policy), Path(folder))
        read_all(folder, listening).partials.close()
        for name in watch(seconds):
            print(f"{name} is no longer there; see WATCHED", file=sys.stderr)
        reading._do = watched(reading._do, ALL, seconds)
        done = read_all(folder, listening)
        done.partials.close()
        listening.close()
    records = max(1, done.sources[0].records)
    seconds["what no kernel claims"] = 2 * seconds[ALL] - sum(seconds.values())
    print(f"{done.sources[0].format}, {records:,} records\n")
    print("| kernel | ns a record |\n|---|---|")
    for name, spent in seconds.items():
        print(f"| {name} | {spent / records * 1e9:.1f} |")


if __name__ == "__main__":
    main()
