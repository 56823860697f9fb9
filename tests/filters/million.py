"""Time and memory of the replay over a million judged rows: ``python -m filters.million`` in ``tests/``."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from detect.million import make, memory, million
from rearguard.catalogue import load
from rearguard.detect import run
from rearguard.filters.border import border
from rearguard.policy import parse_policy

POLICY = """\
networks:
  customers: {prefixes: [198.51.100.0/24, 10.0.0.0/8, "2001:db8:c::/48"], managed: operator}
controllers:
  acs: {requests_from: [192.0.2.8/30], manages: [cwmp], enters_at: west}
drop:
  - {interfaces: [cwmp-cr], toward: [customers], basis: b, review_by: 2027-06-01}
never_block: [32.0.7.0/24]
"""


def judge(file: Path) -> None:
    """Replay, and print what it took."""
    made, rules = million(file), parse_policy(POLICY, load())
    findings = run(made, rules, load()).findings
    before, begun = memory(), time.perf_counter()
    answer = border(made, rules, load(), findings)
    assert answer.replay is not None
    print(
        f"{time.perf_counter() - begun:.2f} s, {memory() - before} MiB more than the {before} MiB before;"
        f" {answer.replay.initiations_dropped:,} dropped, {answer.replay.passed:,} passed,"
        f" {len(answer.replay.by_finding):,} findings; {answer.what_ifs[0].text}"
    )


def main() -> None:
    if len(sys.argv) > 1:
        judge(Path(sys.argv[1]))
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / "judged.parquet"
        make(file)
        subprocess.run([sys.executable, "-m", "filters.million", str(file)], check=True)


if __name__ == "__main__":
    main()
