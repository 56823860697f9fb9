"""Scans of captures that others labelled: what their labels name, what Rearguard names, and why it differs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.wilson import share

__all__ = ["LABELS", "Label", "labelled"]


@dataclass(frozen=True, slots=True)
class Label:
    """One capture: our networks in it, the sources its label names, and why one of them may be missed."""

    file: str
    networks: tuple[str, ...]
    scanners: frozenset[str]
    whence: str
    if_missed: str


_SIMPLE = "ncsa__bro-simple-scan/testing/"
LABELS = (
    Label(
        "initconf__scan-NG/scan-1433.pcap",
        ("128.3.0.0/16", "131.243.0.0/16"),
        frozenset({"122.224.112.162"}),
        "the repository's name for it: one source, 7,307 addresses",
        "",
    ),
    Label(
        "initconf__scan-NG/test-for-accurate-scan-summary.pcap",
        ("128.3.0.0/16", "131.243.0.0/16"),
        frozenset({"122.224.112.162"}),
        "the test's summary: one scanner of 500 addresses; 89 sources of 99 telnet SYNs are none",
        "",
    ),
    Label(
        f"{_SIMPLE}pcaps/445_scan.pcap",
        (),
        frozenset({"176.192.150.3"}),
        f"{_SIMPLE}Baseline/tests.test_445_scan.notice.log",
        "nine devices on a port outside the catalogue: the label asks for nine, the random walk for nine failures",
    ),
    Label(
        f"{_SIMPLE}pcaps/port_scan.pcap",
        ("192.168.2.0/24",),
        frozenset({"192.168.2.154"}),
        f"{_SIMPLE}Baseline/tests.test_port_scan.notice.log",
        "the label's threshold is five ports of one device, scan_ports is 10",
    ),
    Label(
        f"{_SIMPLE}pcaps/scan_with_zero_windows.pcap",
        ("10.0.0.0/24",),
        frozenset({"10.0.0.1"}),
        f"{_SIMPLE}Baseline/tests.test_port_scan_with_zero_windows.notice.log",
        "",
    ),
)


def labelled(data: Path, rearguard: Callable[..., str]) -> Iterator[str]:
    """Recall and precision over all labels, each miss with its reason."""
    yield "## Labelled captures"
    yield ""
    yield "| capture | label | named by the label | found | |"
    yield "|---|---|---|---|---|"
    hits = wanted = told = 0
    reasons = []
    for label in LABELS:
        networks = [part for network in label.networks for part in ("--network", network)]
        found = json.loads(rearguard("analyze", data / label.file, *networks, "--json", "--quiet"))[
            "findings"
        ]
        sources = {one["subject"]["address"] for one in found if one["kind"] == "scan"}
        missed, false = label.scanners - sources, sources - label.scanners
        hits, wanted, told = (
            hits + len(label.scanners & sources),
            wanted + len(label.scanners),
            told + len(sources),
        )
        word = "right" if not missed and not false else "differs"
        yield (
            f"| `{label.file}` | {label.whence} | {', '.join(sorted(label.scanners))}"
            f" | {', '.join(sorted(sources)) or 'nothing'} | {word} |"
        )
        reasons += [
            f"- `{label.file}`: {one} missed: {label.if_missed or 'NOT EXPLAINED'}" for one in sorted(missed)
        ]
        reasons += [f"- `{label.file}`: {one} told, which the label does not name" for one in sorted(false)]
    yield ""
    yield f"Recall {share(hits, wanted)}, precision {share(hits, told)}."
    yield from reasons
