"""The samples of ``rearguard warm``: every format opens, nothing in them is refused, one path each is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearguard.contacts.warming import flow_samples, sample_pcap, sample_pcapng
from rearguard.sources import Options, open_source

SAMPLES = {"warm.pcap": sample_pcap(), "warm.pcapng": sample_pcapng(), **flow_samples()}
OTHERS = {"option-record": 2}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_give_flows_without_loss(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(SAMPLES[name])
    with open_source(str(file), options=Options(exports=name == "warm.exports")) as source:
        ports = [port for chunk in source.chunks() for port in chunk.column("dport").tolist()]
        skipped = {reason: count for reason, count in source.tally.skipped.items() if count}
    assert ports.count(7547) >= 1
    assert source.tally.damaged is None
    assert skipped == (OTHERS if name == "warm.exports" else {})


def test_the_sample_of_exports_speaks_every_language(tmp_path: Path) -> None:
    file = tmp_path / "exports"
    file.write_bytes(flow_samples()["warm.exports"])
    with open_source(str(file), options=Options(exports=True)) as source:
        assert sum(chunk.n for chunk in source.chunks()) == 5  # one of them in fragments
        kinds = {each.kind for each in source.exporters}
    assert kinds == {"NetFlow v5", "NetFlow v9", "IPFIX", "sFlow v5"}
