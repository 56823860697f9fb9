"""The kernels that judge and order contacts agree with plain numpy and with Python, on whatever rows."""

from __future__ import annotations

import ipaddress
from datetime import date
from typing import Any

import numpy as np
import pytest
from tests.contacts.judging import Reference, Words
from tests.contacts.run import policy_with

from rearguard.catalogue import load
from rearguard.contacts.judge import Judge
from rearguard.contacts.lone import pick_lone, table_size
from rearguard.contacts.mix import mix2
from rearguard.contacts.ranges import ranges_of
from rearguard.contacts.senders import is_sender, listen
from rearguard.contacts.single import NEVER_FIRST, NEVER_LAST, NO_RECORD, SINGLE, to_contacts
from rearguard.contacts.slices import KEY, order_of
from rearguard.model import bits
from rearguard.model.address import V4_MAPPED, halves
from rearguard.model.fields import CONTACT, HOST, dtype

TODAY = date(2026, 1, 15)
ADDRESSES = [
    halves(ipaddress.ip_address(text))
    for text in (
        "198.51.100.7", "198.51.100.20", "198.51.100.77", "203.0.113.5", "203.0.113.6", "192.0.2.9", "192.0.2.20",
        "224.0.0.251", "239.1.1.1", "240.0.0.1", "255.255.255.255", "10.1.1.1", "::1", "2001:db8:c::1",
        "2001:db8:c:1::9", "2001:db8:a::10", "2001:db8:ffff::1", "ff02::fb",
    )
]  # fmt: skip
PORTS = [7547, 7548, 23, 80, 5555, 161, 1900, 50505, 30005, 443]
GROUPS = 3

POLICY = policy_with(
    networks={
        "homes": {"prefixes": ["198.51.100.0/26", "2001:db8:c::/48"], "ports": {"cwmp-cr": ["tcp/50505"]}},
        "shops": {"prefixes": ["198.51.100.64/26"]},
    },
    controllers={
        "acs": {
            "requests_from": ["192.0.2.8/30", "2001:db8:a::10/128"],
            "sessions_at": ["192.0.2.20/32"],
            "manages": ["cwmp"],
        },
        "snmp": {"requests_from": ["192.0.2.9/32"], "manages": ["snmp"]},
    },
    surveyors={"census": {"prefixes": ["203.0.113.5/32"]}},
    exceptions=[
        {"subject": "203.0.113.0/24", "interfaces": ["telnet"], "reason": "ours", "expires": "2027-01-01"},
        {
            "subject": "198.51.100.20/32",
            "interfaces": ["telnet", "cwmp-cr"],
            "reason": "one",
            "expires": "2027-01-01",
        },
        {"subject": "203.0.113.6/32", "interfaces": ["telnet"], "reason": "over", "expires": "2025-01-01"},
    ],
)


def contacts(rng: np.random.Generator, count: int) -> Any:
    """Rows of few values, so that every rule is met often."""
    rows = np.zeros(count, dtype=dtype(CONTACT))
    for side in ("client", "server"):
        high, low = np.array([ADDRESSES[k] for k in rng.integers(0, len(ADDRESSES), count)], np.uint64).T
        rows[f"{side}_hi"], rows[f"{side}_lo"] = high, low
    rows["port"] = rng.choice(PORTS, count)
    rows["proto"] = rng.choice([bits.TCP, bits.UDP], count)
    rows["observer"] = rng.integers(0, GROUPS, count)
    rows["sampling"] = rng.choice([0, 1, 1, 100], count)
    for name in ("seen_c", "seen_s"):
        rows[name] = rng.integers(0, 512, count) & rng.integers(0, 512, count)
    for name, top in (
        ("role", 8),
        ("flags_c", 32),
        ("flags_s", 32),
        ("known", 128),
        ("sessions", 4),
        ("tries", 3),
    ):
        rows[name] = rng.integers(0, top, count)
    for name in ("packets", "bytes", "payload"):
        for side in "cs":
            rows[f"{name}_{side}"] = rng.integers(0, 3, count)
    for name in ("unacked", "no_options", "fp_mirai", "fp_zmap", "fp_masscan"):
        rows[name] = rng.integers(0, 3, count)
    for side in "cs":
        absent = rng.random(count) < 0.3
        rows[f"first_{side}"] = np.where(absent, NEVER_FIRST, rng.integers(-2, 5, count))
        rows[f"last_{side}"] = np.where(absent, NEVER_LAST, rng.integers(-2, 5, count))
        rows[f"proof_rank_{side}"] = rng.choice([0, 1, 1, 2, 255], count)
        for pointer in ("proof", "load"):
            none = rng.random(count) < 0.3
            rows[f"{pointer}_time_{side}"] = rng.integers(0, 4, count) * 700_000
            rows[f"{pointer}_rec_{side}"] = np.where(
                none, np.uint64(NO_RECORD), rng.integers(1, 9, count).astype("u8")
            )
            rows[f"{pointer}_port_{side}"] = rng.integers(0, 9, count)
    return rows


def hosts(rng: np.random.Generator, count: int) -> Any:
    rows = np.zeros(count, dtype=dtype(HOST))
    chosen = np.array([ADDRESSES[k] for k in rng.integers(3, len(ADDRESSES), count)], np.uint64)
    rows["addr_hi"], rows["addr_lo"] = chosen.T
    rows["observer"] = rng.integers(0, 2, count)
    rows["addr_hi"][:2], rows["addr_lo"][:2] = ADDRESSES[1]  # one of ours; its neighbours stay dark
    return rows


def listed(values: Any) -> list[Any]:
    if isinstance(values, Words):
        return [values.words[k] if k >= 0 else None for k in values.index]
    return list(values.tolist())


@pytest.mark.parametrize("seed", range(6))
def test_the_kernel_judges_as_numpy_does_column_by_column(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, heard = contacts(rng, 3000), hosts(rng, 9)
    heard_by = np.array([0, 1, 0], dtype=np.uint32)
    observers = rng.integers(1, 4, len(rows)).astype(np.uint32)
    order = rng.permutation(len(rows)).astype(np.int64)
    reference = Reference.build(POLICY, load(), heard, heard_by, TODAY)
    expected = reference.columns(rows[order], observers[order])
    judge = Judge.build(
        POLICY, load(), [heard[:4], heard[4:]], np.arange(2, dtype=np.uint32), heard_by, TODAY
    )
    found = judge.table(rows, order, observers)
    found.validate(full=True)
    assert found.column_names == list(expected)
    for name, values in expected.items():
        assert found.column(name).to_pylist() == listed(values), name
    several = {"outcome": 5, "certainty": 3, "direction": 4, "exception": 3, "surveyor": 2}
    several |= dict.fromkeys(("target", "authorised", "dark", "verified"), 2)
    assert {name: len(set(listed(expected[name]))) for name in several} == several


def test_nothing_is_judged_as_nothing() -> None:
    judge = Judge.build(POLICY, load(), [], np.zeros(1, np.uint32), np.zeros(1, np.uint32), TODAY)
    none = np.zeros(0, dtype=dtype(CONTACT))
    assert judge.table(none, np.zeros(0, np.int64), np.zeros(0, np.uint32)).num_rows == 0


@pytest.mark.parametrize("few", [True, False])
def test_senders_are_kept_however_many(few: bool) -> None:
    rng = np.random.default_rng(3)
    rows = np.zeros(50 if few else 30_000, dtype=dtype(HOST))
    rows["addr_lo"] = V4_MAPPED | rng.integers(0, 1 << 32, len(rows)).astype(np.uint64)
    rows["addr_hi"][::7] = 1 << 61
    networks = ranges_of(POLICY.network_table())
    heard, senders = listen([rows[:20], rows[20:]], np.zeros(1, np.uint32), networks, 2)
    v4 = {
        low for high, low in zip(rows["addr_hi"].tolist(), rows["addr_lo"].tolist(), strict=True) if high == 0
    }
    assert set(senders.tolist()) - {0} == v4
    assert all(is_sender(senders, np.uint64(low)) for low in sorted(v4)[:200])
    assert not is_sender(senders, np.uint64(1))
    inside = POLICY.network_table().lookup(rows["addr_hi"], rows["addr_lo"])
    assert heard.tolist() == [[bool((inside == label).any()) for label in range(2)]]


@pytest.mark.parametrize("kind", [SINGLE, dtype(CONTACT)])
@pytest.mark.parametrize("clients", [1, 3, 400])
def test_the_order_is_by_partition_then_by_key(kind: Any, clients: int) -> None:
    rng = np.random.default_rng(clients)
    rows = np.zeros(2_000, dtype=kind)
    known = contacts(rng, len(rows))
    some = rng.integers(0, clients, len(rows))
    for name in KEY:
        rows[name] = known[name][some] if name.startswith("client") else known[name]
    spread = rng.random(len(rows)) < 0.7  # a scan: neighbours that differ in their last bits
    rows["server_hi"][spread], rows["server_lo"][spread] = 0, V4_MAPPED | 0x0A40_0000
    rows["server_lo"][spread] += rng.integers(0, 1 << 13, int(spread.sum())).astype(np.uint64)
    with np.errstate(over="ignore"):
        ends = zip(rows["client_hi"], rows["client_lo"], strict=True)
        hashes = [int(mix2(high, low)) >> 56 for high, low in ends]
    expected = np.lexsort((*(rows[name] for name in reversed(KEY)), hashes))
    assert order_of(rows).tolist() == expected.tolist()


def test_singles_are_widened_field_by_field() -> None:
    rng = np.random.default_rng(1)
    singles = np.zeros(500, dtype=SINGLE)
    for name in SINGLE.names or ():
        singles[name] = rng.integers(0, 100, len(singles))
    singles["proto"] = rng.choice([bits.TCP, bits.UDP], len(singles))
    singles["lane"] = rng.integers(0, 2, len(singles))
    singles["payload"] *= rng.integers(0, 2, len(singles)).astype(np.uint16)
    observers, rates = np.array([4, 5], np.uint32), np.array([1, 100], np.uint32)
    rows = to_contacts(singles, observers, rates)
    for one, row in zip(singles, rows, strict=True):
        assert {name: row[name] for name in row.dtype.names} == widened(one, observers, rates)


def widened(one: Any, observers: Any, rates: Any) -> dict[str, Any]:
    """One packet of the client and nothing of the server, as the field table has it."""
    tcp, loaded = one["proto"] == bits.TCP, one["payload"] > 0
    out = dict.fromkeys((field.name for field in CONTACT), 0)
    out |= {name: one[name] for name in (*KEY, "known")}
    out |= {"observer": observers[one["lane"]], "sampling": rates[one["lane"]], "packets_c": 1, "tries": 1}
    out |= {"bytes_c": one["bytes"], "payload_c": one["payload"], "flags_c": one["flags"]}
    out |= {"first_c": one["time"], "last_c": one["time"], "first_s": NEVER_FIRST, "last_s": NEVER_LAST}
    out |= {"proof_time_c": one["time"], "proof_rec_c": one["rec"], "proof_port_c": one["client_port"]}
    out |= {"proof_rank_s": 255, "proof_time_s": NEVER_FIRST, "proof_rec_s": NO_RECORD}
    out |= {f"load_time_{side}": NEVER_FIRST for side in "cs"} | {
        f"load_rec_{side}": NO_RECORD for side in "cs"
    }
    if loaded:
        out |= {"load_time_c": one["time"], "load_rec_c": one["rec"], "load_port_c": one["client_port"]}
    out["seen_c"] = (bits.SEEN_SYN if tcp else bits.SEEN_DATAGRAM) | (bits.SEEN_DATA if loaded else 0)
    out["role"] = bits.ROLE_HANDSHAKE if tcp else bits.ROLE_BOTH if one["bits"] & 16 else bits.ROLE_PORT
    out["unacked"] = int(tcp and not one["flags"] & bits.RST)
    for name, bit in (("no_options", 8), ("fp_mirai", 1), ("fp_zmap", 2), ("fp_masscan", 4)):
        out[name] = int(one["bits"] & bit > 0)
    return out


@pytest.mark.parametrize("seed", range(4))
def test_lone_is_who_stands_once_among_the_singles_and_nowhere_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    singles, others = (rng.choice(200, size).astype(np.uint64) << np.uint64(19) for size in (150, 40))
    lone = np.zeros(len(singles), dtype=np.bool_)
    pick_lone(singles, others, np.zeros(table_size(190), dtype=np.int32), lone)
    known = [*singles.tolist(), *others.tolist()]
    assert lone.tolist() == [known.count(one) == 1 for one in singles.tolist()]
