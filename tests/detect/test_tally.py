"""The tally counts what plain Python counts with sets and sorted lists, whatever the order and the batches; and a
portrait is the same wherever the peers that came out of order were sorted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.build import contact, detect
from rearguard.detect import looking, portrait, queried
from rearguard.detect.tally import Tally, narrowed
from rearguard.detect.tally_rows import (
    ANSWER,
    BARE,
    DARK,
    EXCEPTION,
    MEMBER,
    NO_RANK,
    NO_RESULT,
    SURVEYOR,
    UNPROVEN,
    VERIFIED,
)

GROUPS, SAMPLED, PROVEN = 4, 3, 2
LARGEST = (1 << 64) - 1
SMALL = st.integers(0, 3)
COUNTS = st.sampled_from([0, 1, 2, 7, 1 << 40])

Row = dict[str, int]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "place": st.integers(0, GROUPS - 1),
            **dict.fromkeys(
                ("peer_hi", "peer_lo", "client_hi", "client_lo", "server_hi", "server_lo"), SMALL
            ),
            "begun": st.integers(-5, 5),
            "last": st.integers(-5, 9),
            **dict.fromkeys(("packets", "bytes", "tries", "mirai", "zmap", "masscan"), COUNTS),
            "time": st.integers(0, 4),
            "rate": st.sampled_from([1, 2, 1000]),
            "sampling": st.sampled_from([0, 1, 1000]),
            "port": st.sampled_from([0, 23, *range(7540, 7555), 65_535]),
            "far_port": st.integers(0, 65_535),
            "proto": st.sampled_from([6, 17]),
            "result": st.sampled_from([0, 1, 2, 3, 4, NO_RESULT]),
            "rank": st.sampled_from([0, 1, 2, NO_RANK]),
            "marks": st.integers(0, 127),
        }
    ),
    max_size=60,
)


def table(rows: list[Row]) -> npt.NDArray[Any]:
    made = np.zeros(len(rows), MEMBER)
    for at, row in enumerate(rows):
        for name, value in row.items():
            made[at][name] = value
        made[at]["rec"] = at + 1  # a record belongs to one contact
    return made


def tallied(rows: npt.NDArray[Any], cuts: list[int]) -> Tally:
    """In batches; what came out of order again, sorted, in batches too."""
    tally = Tally.of(GROUPS, SAMPLED, PROVEN)
    for part in np.split(rows, sorted(cut for cut in cuts if cut < len(rows))):
        tally.add(part.copy())
    broken = tally.close()
    tally.forget(broken)
    again = narrowed(rows[np.isin(rows["place"], broken)])
    again = again[np.lexsort((again["peer_lo"], again["peer_hi"], again["place"]))]
    for part in np.split(again, sorted(cut for cut in cuts if cut < len(again))):
        tally.again(part.copy())
    assert not len(tally.close())
    return tally


def counted(rows: npt.NDArray[Any], place: int) -> dict[str, Any]:
    """One group by hand."""
    some = [{name: row[name].item() for name in MEMBER.names or ()} for row in rows[rows["place"] == place]]

    def total(name: str) -> int:
        return sum(row[name] for row in some)

    def marked(bit: int) -> int:
        return sum(row["marks"] & bit != 0 for row in some)

    peers = []
    for peer in sorted({(row["peer_hi"], row["peer_lo"]) for row in some}):
        of = [row for row in some if (row["peer_hi"], row["peer_lo"]) == peer]
        heard = sum(row["packets"] for row in of)
        peers.append(
            (
                min(row["begun"] for row in of),
                *peer,
                1 if heard > 1 else max(row["rate"] for row in of),
                any(row["marks"] & DARK for row in of),
            )
        )
    proofs = sorted(
        (row for row in some if row["rank"] != NO_RANK),
        key=lambda row: (row["rank"], row["mirai"] == 0, row["time"], row["rec"]),
    )
    return {
        "contacts": len(some),
        **{name: total(name) for name in ("packets", "bytes", "tries", "mirai", "zmap", "masscan")},
        "first": min((row["begun"] for row in some), default=None),
        "last": max((row["last"] for row in some), default=None),
        "results": [sum(row["result"] == result for row in some) for result in range(5)],
        "bare": marked(BARE),
        "unproven": marked(UNPROVEN),
        "surveyors": marked(SURVEYOR),
        "exceptions": marked(EXCEPTION),
        "verified": bool(marked(VERIFIED)),
        "sampling": (
            min((row["sampling"] for row in some), default=None),
            max((row["sampling"] for row in some), default=None),
        ),
        "proto": min((row["proto"] for row in some), default=None),
        "ports": tuple(sorted({row["port"] for row in some})),
        "peers": len(peers),
        "dark": sum(peer[4] for peer in peers),
        "weight": sum(peer[3] for peer in peers),
        "weight2": sum(peer[3] ** 2 for peer in peers),
        "sample": [peer[:3] for peer in sorted(peers)][:SAMPLED],
        "proofs": [
            (
                row["rec"],
                row["port"],
                row["far_port"],
                row["client_lo"],
                row["server_lo"],
                row["tries"] > 0 and row["mirai"] == row["tries"],
                row["marks"] & ANSWER != 0,
            )
            for row in proofs[:PROVEN]
        ],
    }


def held(tally: Tally, place: int) -> dict[str, Any]:
    """The same of the tally."""
    total, peers = tally.totals[place], tally.peers[place]
    some = bool(total["contacts"])
    names = ("contacts", "packets", "bytes", "tries", "mirai", "zmap", "masscan")
    return {
        **{name: int(total[name]) for name in names},
        "first": int(total["first"]) if some else None,
        "last": int(total["last"]) if some else None,
        "results": total["results"].tolist(),
        **{name: int(total[name]) for name in ("bare", "unproven", "surveyors", "exceptions")},
        "verified": bool(total["verified"]),
        "sampling": (int(total["sampling_low"]), int(total["sampling_high"])) if some else (None, None),
        "proto": int(total["proto"]) if some else None,
        "ports": tally.ports(place),
        **{name: int(peers[name]) for name in ("peers", "dark", "weight", "weight2")},
        "sample": tally.sample[place, : peers["sampled"]].tolist(),
        "proofs": [
            (
                int(proof["rec"]),
                int(proof["port"]),
                int(proof["far_port"]),
                int(proof["client_lo"]),
                int(proof["server_lo"]),
                bool(proof["mirai"]),
                bool(proof["answer"]),
            )
            for proof in tally.proofs[place, : total["proofs"]]
        ],
    }


@settings(max_examples=80, deadline=None)
@given(ROWS, st.lists(st.integers(0, 60), max_size=4), st.booleans())
def test_a_tally_is_what_counting_by_hand_finds(rows: list[Row], cuts: list[int], in_order: bool) -> None:
    if in_order:
        rows = sorted(rows, key=lambda row: (row["peer_hi"], row["peer_lo"]))
    made = table(rows)
    tally = tallied(made, cuts)
    for place in range(GROUPS):
        assert held(tally, place) == counted(made, place)


def test_peers_in_order_are_counted_in_one_pass() -> None:
    rows = table([{"place": 1, "peer_lo": peer, "packets": 1, "rate": 1} for peer in (3, 3, 5, 9, 9)])
    tally = Tally.of(GROUPS, SAMPLED, PROVEN)
    tally.add(rows)
    assert not len(tally.close())
    assert tally.peers["peers"].tolist() == [0, 3, 0, 0]


def test_a_group_whose_peers_come_again_is_named_and_the_others_are_not() -> None:
    rows = [
        {"place": place, "peer_lo": peer, "packets": 1, "rate": 1} for place, peer in ((0, 1), (1, 2), (1, 1))
    ]
    tally = Tally.of(GROUPS, SAMPLED, PROVEN)
    tally.add(table(rows))
    assert tally.close().tolist() == [1]


def test_forged_counters_stop_at_the_largest_number() -> None:
    rows = table([{"place": 0, "packets": LARGEST, "bytes": LARGEST - 1, "rate": 1}] * 2)
    tally = tallied(rows, [])
    assert (int(tally.totals["packets"][0]), int(tally.totals["bytes"][0])) == (LARGEST, LARGEST)
    assert tally.peers["weight"].tolist() == [1, 0, 0, 0]


def test_all_ports_of_a_sweep_are_told() -> None:
    rows = table([{"place": 2, "port": port, "rate": 1} for port in range(65_535, -1, -1)])
    assert tallied(rows, [9, 1000]).ports(2) == tuple(range(65_536))


@pytest.mark.parametrize("most", [0, portrait.HELD])
@pytest.mark.parametrize("batch", [7, queried.BATCH])
def test_peers_are_the_same_sorted_here_or_by_the_database(
    monkeypatch: pytest.MonkeyPatch, most: int, batch: int
) -> None:
    """A source of several addresses in one IPv6 /64 comes to the same devices once with each."""
    made = [
        contact(f"2001:db8:1::{client}", f"2001:db8:c:{k}::1", at=100 * client + k, dark=client == 1)
        for client in (3, 1, 2)
        for k in range(40)
    ]
    made += [contact(f"203.0.113.{k}", port=7547, at=k, outcome="answered") for k in (9, 3, 7)]
    monkeypatch.setattr(portrait, "HELD", most)
    monkeypatch.setattr(queried, "BATCH", batch)
    monkeypatch.setattr(looking, "BATCH", batch)
    found = {finding.kind: finding for finding in detect(*made).findings}
    scan, exposed = found["scan"], found["exposed-device"]
    assert (scan.contacts, scan.peers.count, scan.details["dark_devices"]) == (120, 40, 40)
    assert scan.peers.sample[:2] == ("2001:db8:c::1", "2001:db8:c:1::1")
    assert exposed.peers.sample == ("203.0.113.3", "203.0.113.7", "203.0.113.9")
