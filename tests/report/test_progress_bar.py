"""Standard output is for what was asked for: DuckDB draws nothing on it, also where there is no script."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
from pathlib import Path
from rearguard.catalogue import load
from rearguard.policy import policy_from_flags
from rearguard.report.run import _connect
con = _connect(Path("."), policy_from_flags(("198.51.100.0/24",), (), (), None, load()))
print(con.execute("SELECT current_setting('enable_progress_bar')").fetchall())
"""


def test_duckdb_draws_no_progress_bar() -> None:
    """Code without a file is what it takes for somebody at a prompt."""
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True)
    assert done.stdout == "[(False,)]\n"
