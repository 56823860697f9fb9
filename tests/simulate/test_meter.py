"""Flows are made of sampled packets, as a router makes them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rearguard.simulate import read
from rearguard.simulate.conversations import SHAPES, number
from rearguard.simulate.day import Day
from rearguard.simulate.ledger import COUNT_TYPE
from rearguard.simulate.meter import FLOW_TYPE, meter
from rearguard.simulate.packets import PACKET_TYPE, spread
from rearguard.simulate.sessions import SESSION_TYPE
from rearguard.simulate.tables import tables
from rearguard.simulate.walk import SETTING_TYPE, choose, lengths

from .reference import flows_of, packets_of

SECOND = 1_000_000_000
FIN, SYN, RST, ACK = 1, 2, 4, 16


def setting(every=1, active=60.0, inactive=15.0, inbound_only=0, six=1, exporters=1):
    made = np.zeros(1, SETTING_TYPE)[0]
    made["every"], made["exporters"], made["six"] = every, exporters, six
    made["active"], made["inactive"] = round(active * SECOND), round(inactive * SECOND)
    made["inbound_only"] = inbound_only
    return made


def run(kernel, kind, sessions, chosen, chosen_setting, room=200_000):
    """All rows that a kernel makes, with the counters of one entry."""
    table, counts = tables(), np.zeros(1, COUNT_TYPE)
    counts["first"], counts["bucket"] = np.iinfo(np.int64).max, -1
    ports = np.zeros((2, 65_536, 4), np.int64)
    ends = np.cumsum(lengths(sessions, table.kinds))
    out, rows, at, place = np.zeros(room, kind), [], 0, 0
    while at < len(sessions):
        at, place, made = kernel(
            sessions, ends, chosen, table.rows, table.kinds, chosen_setting, out, counts, ports, at, place
        )
        rows.append(out[:made].copy())
    return np.concatenate(rows), counts[0], ports


def some_sessions(count, seed):
    """Sessions of every kind, some over IPv6, from either side."""
    rng = np.random.default_rng(seed)
    made = np.zeros(count, SESSION_TYPE)
    made["kind"] = rng.integers(0, len(SHAPES), count)
    made["start"] = 1_768_435_200 * SECOND + rng.integers(0, 10**9, count) * 1_000
    made["trip"] = rng.integers(8_000, 120_000, count) * 1_000
    made["loops"] = rng.integers(0, 12, count)
    made["client_hi"] = np.where(rng.random(count) < 0.3, 0x20010DB8 << 32, 0)
    made["server_hi"] = made["client_hi"]
    made["client_lo"], made["server_lo"] = np.arange(count) + 1, np.arange(count) + 10**6
    made["cport"], made["sport"] = rng.integers(1_024, 65_536, count), rng.integers(1, 65_536, count)
    made["client_side"] = rng.integers(1, 3, count)
    made["server_side"] = 3 - made["client_side"]
    made["device"] = -1
    return made


@pytest.mark.parametrize("every", [1, 2, 10, 100])
@pytest.mark.parametrize(("active", "inactive"), [(60.0, 15.0), (0.2, 0.05), (1e6, 1e6)])
def test_flows_equal_those_of_a_cache_that_sees_every_packet(every, active, inactive):
    sessions = some_sessions(400, seed=every)
    total = int(lengths(sessions, tables().kinds).sum())
    chosen = choose(total, every, np.random.default_rng(7))
    flows, count, _ = run(meter, FLOW_TYPE, sessions, chosen, setting(every, active, inactive))
    expected = flows_of(
        sessions,
        None if every == 1 else set(chosen.tolist()),
        round(active * SECOND),
        round(inactive * SECOND),
    )
    made = [
        (
            int(f["src_lo"]),
            int(f["first"]),
            int(f["last"]),
            int(f["packets"]),
            int(f["bytes"]),
            int(f["flags"]),
        )
        for f in flows
    ]
    wanted = [
        (int(sessions[s]["client_lo" if up else "server_lo"]), f.first, f.last, f.packets, f.octets, f.flags)
        for s, up, f in expected
    ]
    assert sorted(made) == sorted(wanted)
    assert count["sessions"] == len(sessions)
    assert count["observed"] == len({s for s, up, _ in expected if up})
    opened = {s for s, up, f in expected if up and (f.flags & SYN or not f.flags)}
    assert count["opened"] == len({s for s in opened if not _name(sessions[s]).startswith("echo")})
    assert count["packets"] == sum(f.packets for _, up, f in expected if up)
    assert count["proofs"] == sum(
        not up and f.packets == 1 and (f.flags == SYN | ACK or SHAPES[_name(sessions[s])].head[0][2] == "")
        for s, up, f in expected
    )


def test_a_record_leaves_after_the_timeout_that_ended_it():
    sessions = some_sessions(600, seed=3)
    flows, _, _ = run(meter, FLOW_TYPE, sessions, choose(0, 1, np.random.default_rng(0)), setting(active=0.3))
    ended = flows["flags"] & (FIN | RST) != 0
    waits = flows["leaves"] - flows["last"]
    by_time = flows["leaves"] - flows["first"] == round(0.3 * SECOND)
    assert by_time.any()
    assert (by_time | np.where(ended, waits == SECOND, waits == 15 * SECOND)).all()


def test_packets_of_captures_are_the_same_packets():
    sessions = some_sessions(300, seed=5)
    packets, count, ports = run(
        spread, PACKET_TYPE, sessions, choose(0, 1, np.random.default_rng(0)), setting()
    )
    expected = [p for n, s in enumerate(sessions) for p in packets_of(s, n)]
    assert [int(t) for t in packets["leaves"]] == [p.time for p in expected]
    assert [int(t) for t in packets["flags"]] == [p.flags for p in expected]
    _, of_flows, flow_ports = run(
        meter, FLOW_TYPE, sessions, choose(0, 1, np.random.default_rng(0)), setting()
    )
    assert count["packets"] == of_flows["packets"]
    assert (ports[:, :, (0, 1, 3)] == flow_ports[:, :, (0, 1, 3)]).all()


def test_sequence_numbers_of_a_conversation_are_those_of_tcp():
    """Every segment begins where the sender's last one ended, and acknowledges what the other has sent."""
    sessions = some_sessions(300, seed=6)
    packets, _, _ = run(spread, PACKET_TYPE, sessions, choose(0, 1, np.random.default_rng(0)), setting())
    expected = [p for n, s in enumerate(sessions) for p in packets_of(s, n)]
    following: dict[tuple[int, bool], int] = {}
    checked = 0
    for packet, slow in zip(packets, expected, strict=True):
        kind = _name(sessions[slow.session])
        if packet["proto"] != 6 or kind.startswith(("echo", "peer-gone", "probe-twice")) or slow.flags & RST:
            continue
        mine, other = following.get((slow.session, slow.up)), following.get((slow.session, not slow.up))
        if not slow.flags & SYN:
            assert mine == packet["seq"], kind
            assert other == packet["ack"], kind
            checked += 1
        header = 20 + 12 * int(packet["options"])
        used = int(packet["octets"]) - header + bool(slow.flags & (SYN | FIN))
        following[slow.session, slow.up] = (int(packet["seq"]) + used) & 0xFFFFFFFF
    assert checked > 1_000


@pytest.mark.parametrize("every", [10, 100, 1_000])
def test_every_packet_has_the_same_chance(every):
    """The number of chosen packets and of chosen neighbours are within five standard deviations of the binomial."""
    total = 2_000_000
    chosen = choose(total, every, np.random.default_rng(11))
    assert (np.diff(chosen) > 0).all()
    assert chosen[0] >= 0
    assert chosen[-1] < total
    for seen, tries, chance in (
        (len(chosen), total, 1 / every),
        (int((np.diff(chosen) == 1).sum()), total - 1, 1 / every**2),
        (int((chosen < total // 3).sum()), total // 3, 1 / every),
    ):
        assert abs(seen - tries * chance) < 5 * math.sqrt(tries * chance * (1 - chance)) + 1


def test_a_sampled_session_shows_mostly_one_packet_without_syn():
    """Rule B2: at 1:100 a session of n packets shows its SYN with chance 1/100, some packet with about n/100."""
    sessions = np.repeat(some_sessions(1, seed=1), 20_000)
    sessions["kind"] = number("session-tls")
    size = int(lengths(sessions[:1], tables().kinds)[0])
    chosen = choose(size * len(sessions), 100, np.random.default_rng(2))
    flows, count, _ = run(meter, FLOW_TYPE, sessions, chosen, setting(100))
    up = flows["flags"] & SYN != 0
    lone_syn = int((flows["flags"] == SYN).sum())
    assert (flows["packets"] == 1).mean() > 0.9
    assert abs(lone_syn - 200) < 5 * math.sqrt(200)
    assert up.mean() < 0.12
    assert count["sessions"] == 20_000


def test_one_way_export_shows_what_enters_from_outside_only():
    sessions = some_sessions(500, seed=9)
    nothing = choose(0, 1, np.random.default_rng(0))
    flows, _, _ = run(meter, FLOW_TYPE, sessions, nothing, setting(inbound_only=1))
    both, _, _ = run(meter, FLOW_TYPE, sessions, nothing, setting())
    assert set(flows["ingress"].tolist()) == {1}
    assert len(flows) == int((both["ingress"] == 1).sum())


def test_a_small_room_changes_nothing():
    sessions = some_sessions(200, seed=4)
    chosen = choose(int(lengths(sessions, tables().kinds).sum()), 3, np.random.default_rng(1))
    large, _, _ = run(meter, FLOW_TYPE, sessions, chosen, setting(3))
    small, _, _ = run(meter, FLOW_TYPE, sessions, chosen, setting(3), room=400)
    assert (large == small).all()


def test_nobody_searches_an_address_twice():
    """The counters of the ledger stand for sets, because targets come from permutations."""
    day = Day(read(None, customers=60, hours=6.0, scanners={"tries_per_hour": 400}), seed=3)
    targets: dict[int, list[tuple[int, int]]] = {}
    searching = {
        place for place, e in enumerate(day.stage.ledger.entries) if e.kind in {"scanner", "surveyor", "worm"}
    }
    for _, sessions in day.windows():
        for session in sessions[np.isin(sessions["actor"], list(searching))]:
            targets.setdefault(int(session["actor"]), []).append(
                (int(session["server_hi"]), int(session["server_lo"]))
            )
    assert len(targets) > 50
    assert all(len(set(seen)) == len(seen) for seen in targets.values())


def _name(session):
    return list(SHAPES)[session["kind"]]
