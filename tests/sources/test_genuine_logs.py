"""What Suricata and pmacct themselves wrote of a part of the lab's capture, beside the packets (data/README.md)."""

from __future__ import annotations

from collections import Counter

import pytest

from rearguard.model.bits import TCP

from .lab_part import DATA, Conversations, Key, conversations, key_of, packets
from .log_rows import Row, read_log

MICROSECOND = 1_000
STRAY: Key = ("203.0.113.150", 80, "198.51.100.24", 7547, TCP)
UNTOLD = frozenset({STRAY, (*STRAY[2:4], *STRAY[:2], TCP)})
"""A SYN+ACK that nobody asked for, and the RST: Suricata keeps no state of it, and so no flags."""


@pytest.fixture(scope="module")
def seen() -> list[Row]:
    return packets()


def _family(rows: list[Row], family: str) -> Conversations:
    wanted = {"4": [False], "6": [True], "both": [False, True]}[family]
    return conversations([row for row in rows if (":" in row["src"]) in wanted])


def _sums(rows: list[Row]) -> tuple[Counter[Key], Counter[Key], Counter[Key]]:
    count, octets, flags = Counter[Key](), Counter[Key](), Counter[Key]()
    for row in rows:
        key = key_of(row)
        count[key] += row["packets"]
        octets[key] += row["bytes"]
        flags[key] |= row["flags"]
    return count, octets, flags


def _backwards(key: Key) -> Key:
    return key[2], key[3], key[0], key[1], key[4]


@pytest.mark.parametrize(
    ("name", "family", "records", "skipped"),
    [
        ("suricata/flow.json", "both", 57, {}),
        ("suricata/netflow.json", "6", 76, {}),
        ("suricata/all.json", "4", 18, {"same-flow": 55, "not-a-flow": 10}),
        ("pmacct/print.json", "both", 112, {}),
        ("pmacct/print.csv", "both", 194, {}),
    ],
)
def test_the_counts_are_those_of_the_packets(
    seen: list[Row], name: str, family: str, records: int, skipped: dict[str, int]
) -> None:
    rows, source = read_log(DATA / name)
    told = _family(seen, family)
    count, octets, flags = _sums(rows)
    print(f"{name}: packets {count.total()}, in the capture {told.packets.total()}; bytes {octets.total()},"
          f" in the capture {told.bytes.total()}")  # fmt: skip
    assert (count, octets) == (told.packets, told.bytes)
    blind = UNTOLD if name in ("suricata/flow.json", "suricata/all.json") else frozenset[Key]()
    assert not any(flags[key] for key in blind)
    assert {key: flags[key] for key in told.flags if key[4] == TCP and key not in blind} == {
        key: bits for key, bits in told.flags.items() if key[4] == TCP and key not in blind
    }
    assert (source.tally.records, source.tally.skipped) == (records, skipped)
    assert source.tally.complete


@pytest.mark.parametrize(("name", "family"), [("suricata/flow.json", "both"), ("suricata/all.json", "4")])
def test_the_times_of_suricatas_flows_are_those_of_their_packets(
    seen: list[Row], name: str, family: str
) -> None:
    told = _family(seen, family)
    for row in read_log(DATA / name)[0]:
        key = key_of(row)
        there, back = told.first[key], told.first.get(_backwards(key), told.first[key])
        ends = told.last[key], told.last.get(_backwards(key), told.last[key])
        start, end = min(there, back) // MICROSECOND, max(ends) // MICROSECOND
        # A single packet of one side stands at the beginning or at the end, and nowhere between.
        assert row["ts"] // MICROSECOND in (start, end)
        assert row["end"] // MICROSECOND in (start, end)
        assert row["ts"] <= row["end"]
    opened = [row for row in read_log(DATA / name)[0] if row["said"] == "opened"]
    assert all(row["ts"] // MICROSECOND == told.first[key_of(row)] // MICROSECOND for row in opened)


@pytest.mark.parametrize(("name", "family"), [("suricata/flow.json", "both"), ("suricata/all.json", "4")])
def test_who_opened_is_who_sent_the_first_packet(seen: list[Row], name: str, family: str) -> None:
    told = _family(seen, family)
    said = Counter[str]()
    for row in read_log(DATA / name)[0]:
        said[row["said"]] += 1
        if row["said"]:
            assert (row["said"] == "opened") == (key_of(row) in told.opened), key_of(row)
        assert row["said"] or key_of(row) in UNTOLD
    print(f"{name}: {dict(said)}")


def test_alerts_alone_count_each_flow_once_and_no_more_than_there_was(seen: list[Row]) -> None:
    rows, source = read_log(DATA / "suricata/alert.json")
    told = _family(seen, "4")
    count, _, _ = _sums(rows)
    assert count
    assert all(0 < packets <= told.packets[key] for key, packets in count.items())
    # The rules of data/suricata/test.rules: a SYN to port 7547, and an answer of the one telnet session.
    session = next(key for key in told.opened if key[3] == 23 and told.packets[key] > 2)
    alerted = {key for key in told.opened if key[3] == 7547} | {session}
    assert {key for key in count if key[3] in (23, 7547)} == alerted
    assert source.tally.skipped["not-a-flow"] == 10
