"""Measure the analysis of nfcapd archives against nfdump, and print one table.

    python -m benchmarks.flows                     # 20 and 40 M flows, LZ4 and LZO: 6 GB in bench-data/
    python -m benchmarks.flows --flows 1000000     # 1 and 2 M: an impression

Slopes are seconds per further 10 M flows between an archive and one twice as large, so that fixed costs neither
hide nor flatter. On the archive with few flows on management ports nfdump only reads and filters, with its
output thrown away; on the one where most are there it also finds the distinct pairs, and awk counts what a scan
is known by. Exit code 1 when a target was missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.flow_archive import COMPRESSIONS, SHARES, Archive, write_archive
from benchmarks.measure import Cost, MeasureError, best, note, shell, warm
from benchmarks.rows import Row, at_least, at_most, fact, failed, format_table
from benchmarks.subject import LIMIT, Subject

__all__ = ["main"]

FLOWS = 20_000_000
UNIT = 10_000_000
MIB = 1 << 20
FILTER = "proto tcp and dst port 7547"
PIPE = (
    "nfdump -R {files} -q -A srcip,dstip -o 'fmt:%sa %da' '{filter}'"
    " | awk '{{n[$1]++}} END {{for (a in n) if (n[a] >= 25) print a, n[a]}}' > /dev/null"
)
FASTER = 5.0
"""How many times the pipeline of nfdump and awk may take what we take."""


@dataclass(frozen=True, slots=True)
class Slope:
    """The cost of the larger archive, and of 10 M further flows."""

    seconds: float
    processor: float
    memory: int
    """Sum of the peaks of all processes on the larger archive, bytes."""

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.seconds:.2f} s, processor {self.processor:.2f} s; {self.memory / MIB:.0f} MiB"


def _slope(small: Archive, large: Archive, measure: Callable[[Archive], Cost]) -> Slope:
    first, second = measure(small), measure(large)
    scale = UNIT / (large.flows - small.flows)
    return Slope((second.wall - first.wall) * scale, (second.cpu - first.cpu) * scale, second.total_rss)


def _range(archive: Archive) -> str:
    """What nfdump calls a sequence of files."""
    return f"{archive.files[0]}:{archive.files[-1].name}"


def _rearguard(subject: Subject, workers: int) -> Callable[[Archive], Cost]:
    def measure(archive: Archive) -> Cost:
        names = [str(path) for path in archive.files]
        return best(subject.command(names, "--json", "--workers", str(workers)), limit=LIMIT)

    return measure


def _filter(archive: Archive) -> Cost:
    return best(["nfdump", "-R", _range(archive), "-o", "null", FILTER], limit=LIMIT)


def _pipe(archive: Archive) -> Cost:
    return shell(PIPE.format(files=_range(archive), filter=FILTER), limit=LIMIT)


def _rows(subject: Subject, folder: Path, shape: str, compression: str, flows: int) -> Iterator[Row]:
    what = f"{shape}, {compression}"
    large = write_archive(folder / f"flows-{shape}-{compression}", shape, 2 * flows, compression)
    small = large.part(flows)
    for path in large.files:
        warm(path)
    _rearguard(subject, 1)(small)  # the kernels of this format are compiled, once and for all
    ours = {}
    for workers in (1, 2):
        ours[workers] = _slope(small, large, _rearguard(subject, workers))
        yield fact(
            f"{what}: rearguard, {workers} worker{'s' if workers > 1 else ''}, per 10 M flows",
            ours[workers].text,
        )
    if shape == "rare":
        theirs = _slope(small, large, _filter)
        yield fact(f"{what}: nfdump read and filter, per 10 M flows", theirs.text)
        ratio = ours[2].seconds / theirs.seconds
        yield at_most(f"{what}: rearguard with 2 workers / nfdump read and filter", ratio, 1.0, "x")
        return
    theirs = _slope(small, large, _pipe)
    yield fact(f"{what}: nfdump -A | awk, per 10 M flows", theirs.text)
    yield at_least(
        f"{what}: nfdump -A | awk / rearguard with 2 workers", theirs.seconds / ours[2].seconds, FASTER, "x"
    )
    yield at_most(
        f"{what}: memory of rearguard / of nfdump and awk", ours[2].memory / theirs.memory, 1.0, "x"
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flows", description=__doc__.split("\n")[0])
    parser.add_argument("--flows", type=int, default=FLOWS, help="flows of the smaller archive")
    parser.add_argument("--folder", type=Path, default=Path("bench-data"), help="where archives are kept")
    parser.add_argument("--shapes", nargs="+", choices=SHARES, default=list(SHARES))
    parser.add_argument("--compressions", nargs="+", choices=COMPRESSIONS, default=["lz4", "lzo"])
    parser.add_argument("--rows", type=Path, help="write the rows here too, as JSON")
    options = parser.parse_args(arguments)
    subject = Subject(options.folder.resolve())
    rows: list[Row] = []
    for shape in options.shapes:
        for compression in options.compressions:
            try:
                for row in _rows(subject, options.folder, shape, compression, options.flows):
                    note(f"{row.what}: {row.measured}, target {row.target}: {row.verdict}")
                    rows.append(row)
            except MeasureError as failure:
                note(str(failure))
                rows.append(failed(f"{shape}, {compression}", " ".join(str(failure).split())))
    print(format_table(rows))
    if options.rows:
        options.rows.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return int(any(row.holds is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
