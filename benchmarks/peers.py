"""The other programs that answer "which sources tried how many addresses on tcp/7547, and who answered".

    python -m benchmarks.peers mix.pcap mix.json

Each peer is a few commands, run one after another with warm files; its answer is compared with the truth that
the generator wrote. The floor is tcpdump, which only has to find the packets.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from benchmarks.generate import OWN_PREFIXES
from benchmarks.measure import Cost, MeasureError, note, shell, warm

__all__ = ["FLOOR_FILTER", "PEERS", "Peer", "Result", "floor_command", "main", "measure"]

FLOOR_FILTER = "port 7547 or port 23"
LIMIT = 1_800.0
"""Seconds after which a step is given up."""

_PER_SOURCE = "awk '{n[$%d]++} END {for (s in n) print n[s], s}'"
_TSHARK_FILTER = "tcp.port == 7547 && tcp.flags.syn == 1"


@dataclass(frozen=True, slots=True)
class Peer:
    """A program and its steps; ``{capture}`` is the file, everything else lies in the current folder.

    The steps leave ``tried`` and ``answered``: lines of a count and a source address.
    """

    name: str
    programs: tuple[str, ...]
    steps: Mapping[str, str]
    answers: bool = True
    """Whether it says who answered."""


PEERS: tuple[Peer, ...] = (
    Peer(
        "nfpcapd + nfdump -A + awk",
        ("nfpcapd", "nfdump", "awk"),
        {
            "nfpcapd": "mkdir flows; nfpcapd -r {capture} -w flows -t 3600",
            "nfdump, tried": "nfdump -q -R flows -A srcip,dstip -o 'fmt:%sa %da' "
            "'proto tcp and dst port 7547 and flags S and not flags A' | " + _PER_SOURCE % 1 + " > tried",
            "nfdump, answered": "nfdump -q -R flows -A srcip,dstip -o 'fmt:%sa %da' "
            "'proto tcp and src port 7547 and flags S and flags A' | " + _PER_SOURCE % 2 + " > answered",
        },
    ),
    Peer(
        "argus + racluster + awk",
        ("argus", "racluster", "awk"),
        {
            "argus": "argus -A -F /dev/null -r {capture} -w records",
            "racluster": "racluster -F /dev/null -nn -Z b -r records -m saddr daddr "
            "-s saddr daddr state -c ' ' - tcp and dst port 7547 > pairs",
            "awk": _PER_SOURCE % 1 + " pairs > tried; "
            "awk '$3 ~ /_S.*A/ {n[$1]++} END {for (s in n) print n[s], s}' pairs > answered",
        },
    ),
    Peer(
        "argus + radark",
        ("argus", "radark", "awk"),
        {
            "argus": "argus -A -F /dev/null -r {capture} -w records",
            "radark": f"radark -L {OWN_PREFIXES[0]} -R records -N 1 > report",
            "awk": "awk '$2 == \"scanned\" {print $3, $1}' report > tried",
        },
        answers=False,
    ),
    Peer(
        "tshark + sort",
        ("tshark", "sort", "awk"),
        {
            "tshark": f"tshark -r {{capture}} -Y '{_TSHARK_FILTER}' -T fields "
            "-e ip.src -e ip.dst -e tcp.flags.ack | sort -u > pairs",
            "awk": "awk '$3 ~ /^(0|False)$/ {n[$1]++} END {for (s in n) print n[s], s}' pairs > tried; "
            "awk '$3 ~ /^(1|True)$/ {n[$2]++} END {for (s in n) print n[s], s}' pairs > answered",
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a peer cost, and how its answer compares with the truth."""

    peer: str
    cost: Cost
    steps: Mapping[str, float]
    """Wall seconds a step."""
    wrong_tried: int
    """Scanning sources on tcp/7547 whose number of tried addresses differs from the truth."""
    wrong_answered: int | None
    """The same for the number of devices that answered; None for a peer that does not say."""
    accused_controllers: int
    """Own controllers in its list, with at least as many addresses as the slowest scanning source."""

    @property
    def same_answer(self) -> bool:
        """Whether it gave the whole answer, rightly."""
        return self.wrong_tried == 0 and self.wrong_answered == 0


def floor_command(capture: Path) -> list[str]:
    """tcpdump finding the packets of two ports, and throwing them away."""
    return ["tcpdump", "-r", str(capture), "-w", "/dev/null", FLOOR_FILTER]


def measure(peer: Peer, capture: Path, truth: Mapping[str, object]) -> Result:
    """Run a peer's steps in a folder of their own; raises MeasureError when a program is missing or fails."""
    for program in peer.programs:
        if shutil.which(program) is None:
            raise MeasureError(f"{program} is not installed")
    with tempfile.TemporaryDirectory(dir=capture.parent, prefix="peer-") as name:
        folder = Path(name)
        costs: dict[str, Cost] = {}
        for step, command in peer.steps.items():
            costs[step] = shell(
                command.replace("{capture}", quote(str(capture.resolve()))), limit=LIMIT, folder=folder
            )
            note(f"{peer.name}: {step} {costs[step].wall:.2f} s")
        tried = _counts(folder / "tried")
        answered = _counts(folder / "answered") if peer.answers else None
    return Result(
        peer.name,
        _sum(list(costs.values())),
        {step: cost.wall for step, cost in costs.items()},
        _wrong(tried, truth, "tried"),
        None if answered is None else _wrong(answered, truth, "answered"),
        _accused(tried, truth),
    )


def _sum(costs: list[Cost]) -> Cost:
    return Cost(
        sum(cost.wall for cost in costs),
        sum(cost.user for cost in costs),
        sum(cost.system for cost in costs),
        max(cost.main_rss for cost in costs),
        max(cost.largest_rss for cost in costs),
        max(cost.total_rss for cost in costs),
    )


def _counts(path: Path) -> dict[str, int]:
    return {source: int(count) for count, source in (line.split() for line in path.read_text().splitlines())}


def _scanners(truth: Mapping[str, object]) -> list[dict[str, object]]:
    scanners = truth["scanners"]
    assert isinstance(scanners, list)
    return [scanner for scanner in scanners if scanner["port"] == 7547]


def _wrong(counted: Mapping[str, int], truth: Mapping[str, object], what: str) -> int:
    return sum(counted.get(str(scanner["address"]), 0) != scanner[what] for scanner in _scanners(truth))


def _accused(tried: Mapping[str, int], truth: Mapping[str, object]) -> int:
    controllers, scanners = truth["controllers"], _scanners(truth)
    assert isinstance(controllers, list)
    least = min((int(str(scanner["tried"])) for scanner in scanners), default=1)
    return sum(tried.get(controller, 0) >= max(least, 1) for controller in controllers)


def main(arguments: list[str] | None = None) -> int:
    """The command line: a table of what each peer cost and whether its answer is right."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.split("\n")[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("truth", type=Path)
    options = parser.parse_args(arguments)
    truth = json.loads(options.truth.read_text())
    warm(options.capture)
    print(f"{'peer':<28}{'wall s':>8}{'CPU s':>8}{'RSS MB':>8}  answer")
    for peer in PEERS:
        try:
            result = measure(peer, options.capture, truth)
        except MeasureError as failure:
            print(f"{peer.name:<28}  {failure}")
            continue
        cost = result.cost
        print(
            f"{peer.name:<28}{cost.wall:>8.2f}{cost.cpu:>8.2f}{cost.largest_rss / 1e6:>8.0f}"
            f"  tried wrong for {result.wrong_tried}, answered wrong for {result.wrong_answered}, "
            f"controllers accused {result.accused_controllers}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
