"""Recall and precision from sampled flow records, against simulated days and against labelled scan captures.

    python -m benchmarks.accuracy_flows                      # Markdown for docs/accuracy.md; about two minutes
    python -m benchmarks.accuracy_flows --customers 5000     # smaller
    python -m benchmarks.accuracy_flows --every              # every single miss, not three of each reason

Each day is made by `rearguard simulate` and analysed by `rearguard analyze`, as a user would do it. What must be
found follows from the policy's thresholds and the truth of the whole traffic, not of what was sampled: a scan is
one that touched so many devices, seen or not. Exit code 1 when a controller was accused, or when something was
missed that could be seen and nothing explains it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.accuracy import DATA
from benchmarks.accuracy_labels import labelled
from benchmarks.flow_truth import COULD, Day, Judged, T, accused, judge
from benchmarks.wilson import share
from rearguard.detect.estimate import must_touch, needed

__all__ = ["Day", "Judged", "judge", "main"]

RATES = (1, 10, 100, 1_000)
SCENARIO = """\
hours: 1
ordinary: {sessions_per_customer: 300, visits_per_host: 60}
scanners: {count: 150, tries_per_hour: 1500, hours: 0.6}
outbreak:
  {begins: 0.1, doubling_minutes: 4, hosts: 300, tries_per_hour: 400, infected: 30, tries_per_second: 3}
floods: {count: 6, reflections: 6, minutes: 8, reflection_minutes: 8}
management: {foreign: 8}
"""


def simulated(folder: Path, rate: int, customers: int, seed: int, day: str = SCENARIO) -> Day:
    """Make a day and analyse it, both by the command line."""
    scenario, output = folder / "scenario.yaml", folder / f"{rate}.pcap"
    scenario.write_text(day)
    made = ["simulate", "--format", "netflow9", "--output", output, "--scenario", scenario, "--quiet"]
    rearguard(*made, "--customers", customers, "--sampling", rate, "--seed", seed)
    told = rearguard(
        "analyze", output, "--exports", "--policy", f"{output}.rearguard.yaml", "--json", "--quiet"
    )
    truth = json.loads(Path(f"{output}.truth.json").read_text())
    output.unlink()
    return Day(rate, truth, json.loads(told)["findings"])


def rearguard(*arguments: object) -> str:
    """Run one command line; its standard output."""
    run = subprocess.run(
        [sys.executable, "-c", "from rearguard.cli import main; main()", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return run.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy_flows", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of public captures")
    parser.add_argument("--every", action="store_true", help="list every miss, not three of each reason")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="rearguard-accuracy-") as scratch:
        days = [simulated(Path(scratch), rate, options.customers, options.seed) for rate in RATES]
    judged = [(day, judge(day)) for day in days]
    print("\n".join(table(judged)))
    print("\n".join(explanations(judged, sys.maxsize if options.every else 3)))
    right = not any(accused(day) or COULD in one.missed for day, ones in judged for one in ones)
    if options.data.is_dir():
        print("\n".join(labelled(options.data, rearguard)))
    return int(not right)


def table(judged: list[tuple[Day, list[Judged]]]) -> Iterator[str]:
    """Recall and precision with their 95 % intervals."""
    first = judged[0][0].truth
    yield (
        f"A day of {first['customers']:,} customers, {first['sessions']:,} conversations, NetFlow v9,"
        f" seed {first['seed']}."
    )
    yield ""
    yield "| 1 of | records | finding | to be found | recall | could be seen | recall of those | precision |"
    yield "|---:|---:|---|---:|---|---:|---|---|"
    for day, ones in judged:
        for one in ones:
            right = one.told - len(one.false)
            yield (
                f"| {day.rate:,} | {day.truth['records']:,} | {one.kind} | {one.wanted}"
                f" | {share(one.found, one.wanted)} | {one.visible} | {share(one.found_visible, one.visible)}"
                f" | {share(right, one.told)} |"
            )
    yield ""


def explanations(judged: list[tuple[Day, list[Judged]]], shown: int = 3) -> Iterator[str]:
    """Why something was missed, what was told without being there, and whether a controller was accused."""
    for day, ones in judged:
        least = needed(T.scan_targets, day.rate)
        touch = must_touch(day.rate, least)
        yield f"**1 of {day.rate:,}**: a scan must touch {touch:,} devices to be seen with 95 %."
        for one in ones:
            for why, who in sorted(one.missed.items()):
                some = "; ".join(who[:shown]) + (f"; and {len(who) - shown} more" if who[shown:] else "")
                yield f"- {one.kind}: {len(who)} missed, {why} ({some})"
            yield from (
                f"- {one.kind}: told of {who}, which the truth does not have" for who in sorted(one.false)
            )
        guilty = accused(day)
        yield f"- controllers accused: {', '.join(guilty) if guilty else 'none'}"
        yield ""


if __name__ == "__main__":
    sys.exit(main())
