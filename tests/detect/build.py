"""Judged views made by hand: one call a contact, with named defaults; times are seconds after a fixed start."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from rearguard.catalogue.attacks import Attacks
from rearguard.catalogue.catalogue import Catalogue, load
from rearguard.contacts.view import CENSUS_SQL, CROWD_SQL, INITIATIONS_SQL, JUDGED_SQL, SourceInfo, View
from rearguard.detect import Result, run_windows
from rearguard.dialogue.exchange import Exchange
from rearguard.model import bits
from rearguard.model.address import halves
from rearguard.policy.policy import Policy

SECOND = 1_000_000_000
START = 1_480_204_800 * SECOND  # 27 November 2016, 00:00 UTC
INTERFACE_OF = {
    ("tcp", 7547): "cwmp-cr",
    ("tcp", 30005): "cwmp-cr",
    ("tcp", 5555): "adb",
    ("tcp", 23): "telnet",
    ("tcp", 22): "ssh",
    ("udp", 1900): "ssdp",
    ("udp", 161): "snmp",
}
PROTOCOLS = {"tcp": bits.TCP, "udp": bits.UDP}
POLICY = {
    "networks": {
        "customers": {
            "prefixes": ["198.51.100.0/24", "10.0.0.0/8", "2001:db8:c::/48"],
            "managed": "operator",
        },
    }
}


def policy(**parts: Any) -> Policy:
    """A policy with one network, and ``thresholds`` or ``limits`` as given."""
    return Policy.model_validate(POLICY | parts, context={"known": load()})


def contact(
    client: str = "203.0.113.7",
    server: str = "198.51.100.20",
    port: int = 7547,
    proto: str = "tcp",
    *,
    at: float = 0.0,
    lasts: float = 0.0,
    outcome: str = "unanswered",
    tries: int = 1,
    **more: Any,
) -> dict[str, Any]:
    """One row of ``judged``. What follows from the outcome (flags, packets, proofs) is filled in."""
    number = PROTOCOLS[proto]
    begun = START + round(at * SECOND)
    ended = begun + round(lasts * SECOND)
    answers = outcome in {"refused", "answered", "conversed"}
    goes_on = outcome == "conversed"
    tcp = proto == "tcp"
    seen_c = (bits.SEEN_SYN if tcp else bits.SEEN_DATAGRAM) if tries else 0
    seen_s = 0
    if outcome == "refused":
        seen_s = bits.SEEN_RST
    elif answers:
        seen_s = bits.SEEN_SYNACK if tcp else bits.SEEN_DATAGRAM
    if goes_on:
        seen_c |= bits.SEEN_ACK | bits.SEEN_DATA
        seen_s |= bits.SEEN_DATA
    packets_c = tries + (3 if goes_on else 0)
    packets_s = (4 if goes_on else 1) if answers else 0
    own_c, own_s = _own(client), _own(server)
    row = {
        "client": client,
        "server": server,
        "port": port,
        "proto": number,
        "observers": 1,
        "sampling": 1,
        "interface": INTERFACE_OF.get((proto, port)),
        "listener": "device" if (proto, port) in INTERFACE_OF else None,
        "target": True,
        "certainty": "certain",
        "direction": {(False, True): "inbound", (True, False): "outbound", (True, True): "internal"}.get(
            (own_c, own_s), "transit"
        ),
        "client_network": "customers" if own_c else None,
        "server_network": "customers" if own_s else None,
        "authorised": False,
        "authorised_by": None,
        "surveyor": None,
        "exception": None,
        "outcome": outcome,
        "verified": goes_on and tcp,
        "dark": False,
        "packets_c": packets_c,
        "packets_s": packets_s,
        "bytes_c": packets_c * 60,
        "bytes_s": packets_s * 60,
        "payload_c": 100 if goes_on else 0,
        "payload_s": 200 if goes_on else 0,
        "first": begun,
        "last": ended,
        "first_c": begun if packets_c else None,
        "first_s": begun + 1000 if answers else None,
        "last_c": ended if packets_c else None,
        "last_s": ended + 1000 if answers else None,
        "proof_rank_c": 0 if tries else 255,
        "proof_time_c": begun,
        "proof_rec_c": 0,
        "proof_port_c": 40001,
        "proof_rank_s": (1 if outcome == "refused" else 0) if answers else 255,
        "proof_time_s": begun + 1000,
        "proof_rec_s": 0,
        "proof_port_s": 40001,
        "load_time_c": begun + 2000 if goes_on else None,
        "load_rec_c": 0,
        "load_port_c": 40001,
        "load_time_s": begun + 3000 if goes_on else None,
        "load_rec_s": 0,
        "load_port_s": 40001,
        "flags_c": bits.SYN | (bits.ACK if goes_on else 0) if tcp else 0,
        "flags_s": 0,
        "seen_c": seen_c,
        "seen_s": seen_s,
        "known": bits.KNOWN_PACKET,
        "tries": tries,
        "unacked": tries,
        "no_options": 0,
        "fp_mirai": 0,
        "fp_zmap": 0,
        "fp_masscan": 0,
    }
    unknown = more.keys() - row.keys()
    assert not unknown, unknown
    return row | more


def devices(count: int, first: int = 0) -> list[str]:
    """That many own IPv4 addresses, one after the other."""
    base = int(ipaddress.IPv4Address("10.0.0.0")) + first
    return [str(ipaddress.IPv4Address(base + index)) for index in range(count)]


def strangers(count: int, step: int = 256) -> list[str]:
    """That many foreign IPv4 addresses, by default each in its own /24."""
    base = int(ipaddress.IPv4Address("32.0.0.9"))
    return [str(ipaddress.IPv4Address(base + index * step)) for index in range(count)]


def sketch(items: Iterable[int]) -> bytes:
    """A HyperLogLog of numbers, 64 registers."""
    values = np.fromiter(items, dtype=np.uint64)
    mixed = mix(values)
    registers = np.zeros(64, np.uint8)
    rest = (mixed >> np.uint64(6)).astype(np.float64)
    rank = (58 - np.floor(np.log2(np.maximum(rest, 1)))).astype(np.uint8)
    np.maximum.at(registers, (mixed & np.uint64(63)).astype(np.int64), rank)
    return registers.tobytes()


def mix(values: np.ndarray[Any, np.dtype[np.uint64]]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """A 64-bit finaliser (splitmix64)."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


def census(minute: int, port: int, sources: Iterable[int], **more: Any) -> dict[str, Any]:
    """One row of ``census``; ``sources`` are numbers of /24s, each tries once unless told otherwise."""
    chosen = list(sources)
    row = {
        "minute": START // (60 * SECOND) + minute,
        "port": port,
        "proto": bits.TCP,
        "direction": bits.INBOUND,
        "sampling": 1,
        "packets": len(chosen),
        "bytes": len(chosen) * 60,
        "tries": len(chosen),
        "sources": sketch(chosen),
        "targets": sketch(range(max(1, len(chosen)))),
    }
    return row | more


def view(
    contacts: Iterable[dict[str, Any]] = (),
    minutes: Iterable[dict[str, Any]] = (),
    crowd: Iterable[dict[str, Any]] = (),
    *,
    exchanges: Iterable[Exchange] = (),
    initiations: Iterable[dict[str, Any]] = (),
    first_record: int = 1,
    span: float | None = None,
) -> View:
    """A view of these rows; records are numbered in order, client's packet first."""
    con = duckdb.connect(config={"threads": 2})
    con.execute(JUDGED_SQL)
    con.execute(CENSUS_SQL)
    con.execute(CROWD_SQL)
    con.execute(INITIATIONS_SQL)
    rows = [_halved(row) for row in contacts]
    for index, row in enumerate(rows):
        record = first_record + index * 2
        row["proof_rec_c"] = row["proof_rec_c"] or record
        row["proof_rec_s"] = row["proof_rec_s"] or record + 1
    times = [START, START] if span is None else [START, START + round(span * SECOND)]
    times += [time for row in rows for time in (row["first"], row["last"])]
    minute_rows = list(minutes)
    times += [row["minute"] * 60 * SECOND for row in minute_rows]
    _insert(con, "judged", rows)
    _insert(con, "census", minute_rows)
    _insert(con, "crowd", [_halved(row) for row in crowd])
    _insert(con, "initiations", [_halved(row) for row in initiations])
    said = tuple(exchanges)
    times += [time for one in said for time in (one.first, one.last)]
    source = SourceInfo("made.pcap", "pcap", len(rows), 0, {}, min(times), max(times))
    return View(con, (source,), ("made",), exchanges=said)


def detect(
    *rows: dict[str, Any],
    contacts: Iterable[dict[str, Any]] = (),
    minutes: Iterable[dict[str, Any]] = (),
    crowd: Iterable[dict[str, Any]] = (),
    exchanges: Iterable[Exchange] = (),
    initiations: Iterable[dict[str, Any]] = (),
    given: Policy | None = None,
    catalogue: Catalogue | None = None,
    attacks: Attacks | None = None,
    span: float | None = None,
) -> Result:
    """All findings of these rows."""
    made = view([*rows, *contacts], minutes, crowd, exchanges=exchanges, initiations=initiations, span=span)
    return run_windows(
        [made], given or policy(), catalogue or load(), attacks=attacks, today=date(2026, 11, 22)
    )


def _own(address: str) -> bool:
    return any(
        ipaddress.ip_address(address) in ipaddress.ip_network(prefix)
        for prefix in POLICY["networks"]["customers"]["prefixes"]
    )


def _halved(row: dict[str, Any]) -> dict[str, Any]:
    row = dict(row)
    for side in ("client", "server"):
        if side in row:
            row[f"{side}_hi"], row[f"{side}_lo"] = halves(ipaddress.ip_address(row.pop(side)))
    return row


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    types = {name: kind for name, kind, *_ in con.execute(f"DESCRIBE {table}").fetchall()}
    arrow = {"UBIGINT": pa.uint64(), "BIGINT": pa.int64(), "VARCHAR": pa.string(), "BOOLEAN": pa.bool_()}
    arrow |= {"USMALLINT": pa.uint16(), "UTINYINT": pa.uint8(), "UINTEGER": pa.uint32(), "BLOB": pa.binary()}
    batch = pa.table({name: pa.array([row[name] for row in rows], arrow[types[name]]) for name in types})
    con.register("batch", batch)
    con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM batch")
    con.unregister("batch")


def of(result: Result, kind: str) -> list[Any]:
    """The findings of one kind."""
    return [finding for finding in result.findings if finding.kind == kind]


def kinds(result: Result) -> list[str]:
    """The kinds of all findings, sorted."""
    return sorted(str(finding.kind) for finding in result.findings)
