"""Files that nfcapd and sfcapd of nfdump 1.6.22 wrote, beside what nfdump 1.6.22 printed of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rearguard.sources import Exporter

from .nfcapd_truth import _ours as ours
from .nfcapd_truth import totals
from .nfdump16 import exporters, told

FILES = Path(__file__).parent / "data" / "nfdump16"

Heard = tuple[str, int, str, int, int]
"""Address, domain, protocol, datagrams, records."""

BY_HAND = [
    ("127.0.1.1", 0, "NetFlow v9", 2, 21),
    ("127.0.1.2", 7, "NetFlow v9", 1, 40),
    ("127.0.1.3", 9, "NetFlow v9", 2, 4),
]
SIMULATED = [
    ("127.0.2.102", 1, "NetFlow v5", 3, 64),
    ("127.0.2.101", 0, "NetFlow v5", 2, 56),
    ("127.0.3.101", 1, "NetFlow v9", 3, 42),
    ("127.0.3.102", 2, "NetFlow v9", 2, 37),
    ("127.0.4.101", 1, "IPFIX", 2, 24),
    ("127.0.4.102", 2, "IPFIX", 3, 48),
]
"""As ``nfdump -E`` of 1.6.22 lists them."""


def _heard(found: Exporter) -> Heard:
    return found.address, found.domain, found.kind, found.datagrams, found.records


@pytest.mark.parametrize(
    ("name", "heard", "skipped"),
    [
        ("plain", BY_HAND, {"nat-event": 1}),
        ("lzo", BY_HAND, {"nat-event": 1}),
        ("lz4", SIMULATED, {}),
        ("bzip2", [("127.0.1.9", 0, "sFlow", 71, 71)], {}),
    ],
)
def test_every_flow_is_what_nfdump_1_6_says_it_is(
    name: str, heard: list[Heard], skipped: dict[str, int]
) -> None:
    lines = (FILES / f"{name}.txt").read_text().splitlines()
    theirs = told(lines)
    mine, source = ours(FILES / name)
    for what, counts in totals(theirs).items():
        print(f"{name}: flows by {what}: nfdump 1.6.22 {counts.most_common(3)},"
              f" rearguard {totals(mine)[what].most_common(3)}")  # fmt: skip
    assert totals(mine) == totals(theirs)
    assert mine == theirs
    assert source.tally.records == len(lines)
    assert source.tally.skipped == skipped
    assert source.tally.complete
    assert [_heard(one) for one in source.exporters] == heard
    assert {number: one.records for number, one in enumerate(source.exporters, 1)} == exporters(lines)


@pytest.mark.parametrize(
    ("name", "rates"),
    [("plain", {"127.0.1.2": 250}), ("lzo", {"127.0.1.2": 250}), ("bzip2", {"127.0.1.9": 80}),
     ("lz4", {f"127.0.{kind}.{exporter}": 100 for kind in (2, 3) for exporter in (101, 102)})],
)  # fmt: skip
def test_the_sampling_rates_are_those_that_were_exported(name: str, rates: dict[str, int]) -> None:
    """What nfcapd 1.6 writes of IPFIX exporters is not their rate, so it is read as unknown: see docs/flows.md."""
    _, source = ours(FILES / name)
    found: dict[str, Any] = {one.address: one.rate for one in source.exporters}
    assert {address: rate for address, rate in found.items() if rate} == rates
