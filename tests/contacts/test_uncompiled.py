"""The kernels say the same as plain Python; what only the compiler makes right (or wrong) would show here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CAPTURES = [
    "zeek__zeek/testing/btest/Traces/mixed-vlan-mpls.pcap",
    "zeek__zeek/testing/btest/Traces/snmp/snmpv1_get.pcap",
    "OISF__suricata-verify/tests/bug-6207-1/input.pcap",
    "arkime__arkime/tests/pcap/v6-http.pcap",
]


def uncompiled(project: Path, captures: list[Path]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.contacts.uncompiled", *map(str, captures)],
        check=False,  # what went wrong is shown below
        cwd=project,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.corpus
def test_uncompiled_kernels_agree_with_the_reference(project: Path, corpus: Path) -> None:
    told = uncompiled(project, [corpus / name for name in CAPTURES])
    assert int(told.split()[0]) > 5
