"""Time and memory of all detectors over a million judged rows: ``python -m detect.million`` in ``tests/``."""

from __future__ import annotations

import resource
import time

from detect.build import SECOND, START, contact, policy, view
from rearguard.catalogue.catalogue import load
from rearguard.contacts.view import View
from rearguard.detect import Context, run
from rearguard.detect.run import detectors, ordered

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


def million() -> View:
    """A day with a million contacts: 400 scanners, 100,000 sources of a few, 200,000 devices."""
    made = view([contact()])
    made.con.execute("SET memory_limit = '256MB'")
    made.con.execute("SET preserve_insertion_order = false")
    made.con.execute("CREATE TABLE one AS SELECT * FROM judged; DELETE FROM judged")
    made.con.execute(SPREAD_SQL)
    made.con.execute("DROP TABLE one")
    return made


def main() -> None:
    made, rules, catalogue = million(), policy(), load()
    print(f"before: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")
    for detector in ordered(detectors()):
        begun = time.perf_counter()
        state = detector.fold(None, made)
        folded = time.perf_counter()
        context = Context(made.con, rules, catalogue, made.pointer, made.span)
        found = detector.conclude(state, context)
        ended = time.perf_counter()
        print(
            f"{detector.kind:20} fold {folded - begun:5.2f} s, conclude {ended - folded:5.2f} s,"
            f" {len(found.findings):,} findings, {found.omitted:,} more,"
            f" {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB"
        )
    begun, used = time.perf_counter(), time.process_time()
    result = run(made, rules, catalogue)
    print(
        f"all: {time.perf_counter() - begun:.2f} s ({time.process_time() - used:.2f} s of CPU),"
        f" {len(result.findings):,} findings"
    )


if __name__ == "__main__":
    main()
