"""How long the lessons take: start, search, article, exports.

    python -m benchmarks.lessons

Targets: `rearguard lessons` starts in 0.5 s, a search answers in 50 ms once the index stands. Exit code 1 when
one was missed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from rearguard.lessons import load
from rearguard.lessons.article import build, edition_of, render
from rearguard.lessons.export import export
from rearguard.lessons.figures import figures
from rearguard.lessons.search import index

__all__ = ["main"]

START_TARGET, SEARCH_TARGET = 0.5, 0.05
QUERIES = (
    "firmware update unsigned",
    "CVE-2014-9222",
    "telnet default password factory login camera",
    "ETSI EN 303 645 5.6-1",
    "spedport rompagger misfortun cokie",
    "who may manage what from where and what can a border stop " * 6,
    "zzzz qqqq xxxx wwww",
)


def main() -> int:
    """Print a line for each measurement."""
    command = [sys.executable, "-c", "from rearguard.cli import main; main()", "lessons"]
    start = best(lambda: subprocess.run(command, capture_output=True, check=True), 7)
    print(f"`rearguard lessons`, process to process: best of 7 {start:.3f} s (target {START_TARGET} s)")
    knowledge = load()
    print(f"figures ({len(figures(knowledge))}): {best(lambda: figures(knowledge), 5) * 1e3:.1f} ms")
    print(f"index: {best(lambda: index(knowledge), 5) * 1e3:.1f} ms, once")
    known = index(knowledge)
    times = [best(partial(known.search, query), 5) for query in QUERIES]
    middle, worst = statistics.median(times), max(times)
    print(
        f"search, {len(QUERIES)} queries: median {middle * 1e3:.2f} ms, worst {worst * 1e3:.2f} ms (target 50 ms)"
    )
    edition = edition_of(knowledge)
    document = build(knowledge, edition)
    print(f"article, built: {best(lambda: build(knowledge, edition), 3) * 1e3:.0f} ms")
    for form in ("html", "md", "pdf"):
        size = len(render(document, form))
        print(f"article, {form}: {best(partial(render, document, form), 2) * 1e3:.0f} ms, {size:,} bytes")
    for form in ("stix", "misp", "json", "csv"):
        took = best(partial(export, knowledge, form, edition.day), 2)
        print(f"export, {form}: {took * 1e3:.0f} ms")
    return 0 if start <= START_TARGET and worst <= SEARCH_TARGET else 1


def best(run: Callable[[], object], times: int) -> float:
    """Seconds of the quickest run: what others do on the machine only ever adds."""

    def once() -> float:
        begun = time.perf_counter()
        run()
        return time.perf_counter() - begun

    return min(once() for _ in range(times))


if __name__ == "__main__":
    sys.exit(main())
