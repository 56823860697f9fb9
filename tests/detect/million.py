"""Time and memory of all detectors over a million judged rows: ``python -m detect.million`` in ``tests/``."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from detect.build import SECOND, START, contact, policy, view
from rearguard.catalogue.catalogue import load
from rearguard.contacts.view import CENSUS_SQL, CROWD_SQL, INITIATIONS_SQL, SourceInfo, View
from rearguard.detect import run

ROWS = 1_000_000

SPREAD_SQL = f"""
INSERT INTO judged
SELECT one.* REPLACE (
    (281470681743360 + 536870912 + hash(i) % CASE WHEN i % 3 = 0 THEN 400 ELSE 100000 END)::UBIGINT AS client_lo,
    (281470681743360 + 167772160 + hash(i + 7) % 200000)::UBIGINT AS server_lo,
    {START} + i * {86400 * SECOND // ROWS} AS first,
    {START} + i * {86400 * SECOND // ROWS} AS first_c,
    {START} + i * {86400 * SECOND // ROWS} AS last,
    {START} + i * {86400 * SECOND // ROWS} AS last_c,
    CASE WHEN i % 5 = 0 THEN NULL WHEN i % 5 = 1 THEN 'telnet' ELSE 'cwmp-cr' END AS interface,
    CASE WHEN i % 5 = 0 THEN 445 WHEN i % 5 = 1 THEN 23 ELSE 7547 END AS port,
    CASE WHEN i % 49 = 0 THEN 'answered' ELSE 'unanswered' END AS outcome,
    CASE WHEN i % 49 = 0 THEN 2 ELSE 0 END AS seen_s,
    CASE WHEN i % 49 = 0 THEN 1 ELSE 0 END AS packets_s,
    (i + 2)::UBIGINT AS proof_rec_c
)
FROM one, range({ROWS}) numbers(i)
"""


def make(file: Path) -> None:
    """A day with a million contacts: 400 scanners, 100,000 sources of a few, 200,000 devices."""
    con = view([contact()]).con
    con.execute("CREATE TABLE one AS SELECT * FROM judged; DELETE FROM judged")
    con.execute(SPREAD_SQL)
    con.execute(f"COPY judged TO '{file}' (FORMAT parquet, COMPRESSION lz4)")


def million(file: Path) -> View:
    """A view of the file, as a large input leaves it."""
    con = duckdb.connect(
        config={"threads": 2, "memory_limit": "256MiB", "preserve_insertion_order": False,
                "temp_directory": str(file.parent / "spill")}
    )  # fmt: skip
    con.execute(f"CREATE VIEW judged AS SELECT * FROM read_parquet('{file}')")
    con.execute(CENSUS_SQL)
    con.execute(CROWD_SQL)
    con.execute(INITIATIONS_SQL)
    source = SourceInfo("made.pcap", "pcap", ROWS, 0, {}, START, START + 86400 * SECOND)
    return View(con, (source,), ("made",))


def judge(file: Path) -> None:
    """Conclude, and print what it took."""
    made, rules, catalogue = million(file), policy(), load()
    made.con.execute("SELECT count(*) FROM judged").fetchall()
    before = memory()
    begun, used = time.perf_counter(), time.process_time()
    result = run(made, rules, catalogue)
    print(
        f"{time.perf_counter() - begun:.2f} s ({time.process_time() - used:.2f} s of CPU),"
        f" {memory() - before} MiB more than the {before} MiB before; {len(result.findings):,} findings;"
        f" {'; '.join(result.approximations)}"
    )


def memory() -> int:
    """The highest resident memory of this program so far, MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main() -> None:
    if len(sys.argv) > 1:
        judge(Path(sys.argv[1]))
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / "judged.parquet"
        make(file)
        subprocess.run([sys.executable, "-m", "detect.million", str(file)], check=True)


if __name__ == "__main__":
    main()
