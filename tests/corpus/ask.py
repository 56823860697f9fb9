"""Questions to a real capture: what we conclude, and what tshark says of the frames that prove it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rearguard.report.progress import Silent
from rearguard.report.run import analyze

__all__ = ["Finding", "assert_frames_prove", "fields", "findings"]

Finding = dict[str, Any]


def findings(capture: Path, *networks: str) -> list[Finding]:
    """What the main job concludes, as ``findings.json`` has it."""
    done = analyze(
        [str(capture)],
        policy_file=None,
        networks=networks,
        controllers=(),
        drops=(),
        workers=1,
        progress=Silent(),
    )
    return [item.to_json() for item in done.findings]


def fields(tool: Callable[[str], str], capture: Path, which: str, *names: str) -> list[list[str]]:
    """What tshark says of the frames that ``which`` chooses."""
    wanted = [part for name in names for part in ("-e", name)]
    command = [tool("tshark"), "-n", "-r", str(capture), "-Y", which, "-T", "fields", *wanted]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return [line.split("\t") for line in done.stdout.splitlines()]


def assert_frames_prove(tool: Callable[[str], str], capture: Path, finding: Finding) -> None:
    """Each record number is a frame with exactly the 5-tuple that the evidence tells."""
    assert finding["evidence"]
    told = {
        item["record"]: [item["src"], item["dst"], str(item["sport"]), str(item["dport"])]
        for item in finding["evidence"]
    }
    which = f"frame.number in {{{', '.join(map(str, told))}}}"
    proto = finding["transport"]
    names = ("frame.number", "ip.src", "ip.dst", f"{proto}.srcport", f"{proto}.dstport")
    assert {int(number): rest for number, *rest in fields(tool, capture, which, *names)} == told
