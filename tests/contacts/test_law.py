"""The one law: every split, order and interleaving of the input gives the same facts and the same findings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contacts import reference
from tests.contacts.rows import DEVICE, SECOND, Row, numbered, packet, rows_of
from tests.contacts.run import ONE, SMALL, Conclusion, concluded, facts, policy_with
from tests.contacts.strategies import SIZES, arranged, row_lists, shuffled

from rearguard.contacts import settle, tables
from rearguard.model.bits import ACK
from rearguard.policy import Policy
from rearguard.sources import open_source

OBSERVERS = 1024
GROUPS = {
    "one observer": [0] * OBSERVERS,
    "three, of which two are one": [0, 1, 1] + [0] * (OBSERVERS - 3),
    "all apart": [0, 1, 2] + [0] * (OBSERVERS - 3),
}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_split_order_and_interleaving_folds_to_the_same_facts(data: st.DataObject) -> None:
    rows = data.draw(row_lists())
    parts = data.draw(arranged(rows))
    sizes = data.draw(st.lists(st.sampled_from(SIZES[1:]), min_size=1, max_size=3))
    mixed = np.array(data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=20)))
    found = facts(parts, sizes=sizes, shuffle=mixed)
    assert found.contacts == reference.contacts(rows, ONE)
    assert found.census == reference.census(rows, ONE)
    assert found.hosts == reference.hosts(rows, ONE)


@pytest.mark.parametrize("groups", GROUPS)
@settings(max_examples=8, deadline=None)
@given(st.data())
def test_any_split_order_and_spilling_judges_the_same(groups: str, data: st.DataObject) -> None:
    rows = data.draw(row_lists())
    expected = concluded([[rows]], [SIZES[3]], GROUPS[groups], detecting=False)
    parts = data.draw(arranged(rows))
    sizes = data.draw(st.lists(st.sampled_from(SIZES), min_size=1, max_size=3))
    assert concluded(parts, sizes, GROUPS[groups], detecting=False) == expected


@pytest.mark.parametrize("groups", GROUPS)
def test_any_split_order_and_spilling_finds_the_same(groups: str) -> None:
    rng = np.random.default_rng(len(groups))
    rows = numbered([row | {"observer": k} for row in incident() for k in range(3) if rng.random() < 0.6])
    expected = concluded([[rows]], [SIZES[3]], GROUPS[groups])
    assert len(expected.findings) > 5
    assert concluded(shuffled(rows, rng, workers=3, size=20), SIZES[:3], GROUPS[groups]) == expected


def test_tables_in_memory_and_in_a_file_conclude_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = numbered(incident())
    policy = policy_with(limits={"lone_clients": 5})
    expected = concluded([[rows]], policy=policy)
    monkeypatch.setattr(tables, "HELD", 1)
    monkeypatch.setattr(settle, "BATCH", 7)
    assert concluded([[rows]], policy=policy) == expected


def incident() -> list[Row]:
    """A little of everything that detectors conclude from, so that comparing findings compares something."""
    rows: list[Row] = []
    for k in range(8):  # a scan that two devices answer, one refuses and the others ignore
        there = packet(dst=f"198.51.100.{20 + k}:7547", at=k, seq=0xC6336414 + k, doff=5)
        rows.append(there)
        if k < 3:
            rows.append(back(there, "SA" if k < 2 else "RA", at=k + 0.1))
        if k < 2:
            rows += [
                there | {"flags": ACK, "pay_wire": 90 * turn, "ts": there["ts"] + SECOND} for turn in (0, 1)
            ]
    for k in range(6):  # a device that scans outward
        rows.append(packet(f"{DEVICE}:50001", f"203.0.{k}.9:23", at=70 + k, doff=5))
    for k in range(30):  # a reflector
        ask = packet("203.0.113.99:4000", f"{DEVICE}:1900", proto="udp", at=20 + k / 50, payload=20)
        rows += [
            ask,
            packet(f"{DEVICE}:1900", "203.0.113.99:4000", proto="udp", at=20.1 + k / 50, payload=900),
        ]
    for k in range(12):  # spoofed sources, each seen once
        rows.append(packet(f"100.64.{k}.{k}:4000", f"{DEVICE}:23", at=30 + k / 10))
    return rows


def back(row: Row, flags: str, at: float) -> Row:
    """The answer to a packet."""
    turned = packet(flags=flags, at=at, seq=0 if "R" in flags else 77)
    for one, other in (("src", "dst"), ("dst", "src")):
        turned |= {f"{one}_hi": row[f"{other}_hi"], f"{one}_lo": row[f"{other}_lo"]}
    return turned | {"sport": row["dport"], "dport": row["sport"], "proto": row["proto"]}


def test_the_incident_of_these_tests_makes_findings() -> None:
    kinds = {finding["kind"] for finding in concluded([[numbered(incident())]]).findings}
    assert kinds >= {"scan", "exposed-device", "compromised-device", "reflector"}


def test_which_observer_is_which_number_changes_nothing() -> None:
    """Numbers are given in the order in which threads first meet an observer."""
    rows = numbered([row | {"observer": k} for row in incident() for k in (0, 1)])
    turned = [row | {"observer": 1 - row["observer"]} for row in rows]
    for groups in ([0, 0], [0, 1]):
        expected = concluded([[rows]], groups=groups, detecting=False)
        assert concluded([[turned]], groups=groups[::-1], detecting=False) == expected


CAPTURES = {
    "initconf__scan-NG/test-for-accurate-scan-summary.pcap": ["128.3.0.0/16", "131.243.0.0/16"],
    "OISF__suricata-verify/tests/output-eve-ftp-data/input.pcap": ["192.168.0.0/24"],
    "zeek__zeek/testing/btest/Traces/mixed-vlan-mpls.pcap": ["10.0.0.0/8"],
}


@pytest.mark.corpus
@pytest.mark.parametrize("name", CAPTURES)
def test_captures_conclude_the_same_however_they_are_split(name: str, corpus: Path) -> None:
    networks = {"ours": {"prefixes": CAPTURES[name]}}
    same_however_split(corpus / name, policy_with(networks=networks), turns=1)


def test_the_lab_concludes_the_same_however_it_is_split(project: Path) -> None:
    conclusion = same_however_split(project / "lab" / "incident.pcapng", policy_with(thresholds={}), turns=1)
    assert conclusion.findings


def same_however_split(path: Path, policy: Policy, turns: int) -> Conclusion:
    with open_source(str(path)) as source:
        rows = [row for chunk in source.chunks() for row in rows_of(chunk)]
    apart = [*range(64), *[0] * (OBSERVERS - 64)]
    expected = concluded([[rows]], [SIZES[3]], apart, policy)
    rng = np.random.default_rng(7)
    for turn in range(turns):
        parts = shuffled(rows, rng, workers=2 + turn, size=[400, 3000][turn])
        assert concluded(parts, [SIZES[turn * 2], SMALL], apart, policy) == expected
    assert expected.judged
    return expected
