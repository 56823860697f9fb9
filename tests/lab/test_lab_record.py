"""The lab can be played again: the script makes the same incident anew and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 and os.environ.get("CI") != "true", reason="network namespaces need root"
    ),
]
PROGRAMS = ("ip", "nft", "tcpdump", "ethtool", "busybox", "dnsmasq", "curl", "zmap", "nmap")


def namespaces_of(pid: int) -> list[str]:
    shown = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    return [line for line in shown.splitlines() if line.startswith(f"rearguard-lab-{pid}-")]


@pytest.fixture(scope="module")
def recording(project: Path, tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh recording; its namespaces and its time are checked on the way."""
    for name in PROGRAMS:
        tool(name)
    folder = tmp_path_factory.mktemp("recording")
    begun = time.monotonic()
    command = [str(project / "lab" / "record.sh"), str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        _, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    assert time.monotonic() - begun < 120
    assert namespaces_of(process.pid) == []
    return folder


def test_a_new_recording_passes_the_tests_of_the_old(
    recording: Path, tool: Callable[[str], str], project: Path
) -> None:
    tool("tshark")
    assert {path.name for path in recording.iterdir()} == {"incident.pcapng", "truth.json", "rearguard.yaml"}
    names = ("test_lab_truth.py", "test_lab_findings.py")
    command = [sys.executable, "-m", "pytest", *(f"tests/lab/{name}" for name in names)]
    environment = {**os.environ, "REARGUARD_LAB": str(recording)}
    done = subprocess.run(
        command, check=False, cwd=project, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout


def test_the_same_findings_are_expected_from_every_recording(project: Path, recording: Path) -> None:
    """Who must be found, and as what, is the scenes' doing and not the clock's."""

    def expected(folder: Path) -> list[tuple[str, ...]]:
        findings = json.loads((folder / "truth.json").read_text())["expected_findings"]
        names = ("kind", "subject", "interface", "direction", "contacts", "required")
        return sorted(tuple(str(item[name]) for name in names) for item in findings)

    assert expected(recording) == expected(project / "lab")


def test_an_interrupted_recording_removes_its_namespaces(
    project: Path, tool: Callable[[str], str], tmp_path: Path
) -> None:
    for name in PROGRAMS:
        tool(name)
    command = [str(project / "lab" / "record.sh"), str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 20
        while len(namespaces_of(process.pid)) < 10 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(namespaces_of(process.pid)) >= 10
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode != 0
    assert namespaces_of(process.pid) == []
    assert list(tmp_path.iterdir()) == []
