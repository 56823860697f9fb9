"""What nfdump says of a file, record by record, beside what the reader says of it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rearguard.sources import open_source
from rearguard.sources.nfcapd.reader import NfcapdSource

__all__ = ["Seen", "compare", "nfdump_flows", "read", "totals"]

FLAGS = "FSRPAUEC"
MAPPED = 0xFFFF_0000_0000
NAMES = ("ts", "end", "src_hi", "src_lo", "dst_hi", "dst_lo", "sport", "dport", "proto", "flags", "packets",
"bytes",
         "sampling", "observer", "record", "known", "why", "pay_wire")  # fmt: skip
UNUSED = ("ttl", "doff", "frag", "seq", "ack", "ipid", "win", "pay_off", "pay_len")


@dataclass(frozen=True)
class Seen:
    """A flow as both can tell it; counts as nfcapd wrote them, multiplied by the sampling rate."""

    record: int
    first: int
    last: int
    src: str
    dst: str
    sport: int
    dport: int
    proto: int
    flags: int
    packets: int
    bytes: int
    ingress: int
    egress: int
    out: bool


def _address(high: int, low: int) -> str:
    if high == 0 and low >> 32 == 0xFFFF:
        return str(ipaddress.IPv4Address(low & 0xFFFF_FFFF))
    return str(ipaddress.IPv6Address(high << 64 | low))


def rows(source: NfcapdSource) -> Iterator[dict[str, int]]:
    """The rows of a source as dicts; what no flow tells is 0."""
    for chunk in source.chunks():
        for name in UNUSED:
            assert not chunk.column(name).any(), name
        columns = [chunk.column(name).tolist() for name in NAMES]
        for values in zip(*columns, strict=True):
            yield dict(zip(NAMES, values, strict=True))


def read(path: Path) -> tuple[list[dict[str, int]], NfcapdSource]:
    """All rows of a file, and the source after it was read."""
    with open_source(str(path)) as source:
        assert isinstance(source, NfcapdSource)
        return list(rows(source)), source


def _ours(path: Path) -> tuple[list[Seen], NfcapdSource]:
    found, source = read(path)
    flows = []
    for row in found:
        rate = max(row["sampling"], 1)
        observer = source.observers[row["observer"]]
        flows.append(
            Seen(row["record"], row["ts"] // 1_000_000, row["end"] // 1_000_000,
                 _address(row["src_hi"], row["src_lo"]), _address(row["dst_hi"], row["dst_lo"]),
                 row["sport"], row["dport"], row["proto"], row["flags"], row["packets"] * rate, row["bytes"] * rate,
                 observer.ingress, observer.egress, observer.way == "out")
        )  # fmt: skip
    return flows, source


def _time(text: str) -> int:
    moment = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    return round(moment.timestamp() * 1000)


def nfdump_flows(program: str, path: Path) -> list[dict[str, Any]]:
    """``nfdump -o json``."""
    done = subprocess.run(
        [program, "-r", str(path), "-o", "json"],
        capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"},
    )  # fmt: skip
    if "No matching flows" in done.stdout:
        return []
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _theirs(entry: dict[str, Any], record: int) -> Seen:
    flags = sum(1 << FLAGS.index(letter) for letter in entry.get("tcp_flags", "").replace(".", ""))
    first = _time(entry["first"])
    return Seen(
        record, first, max(first, _time(entry["last"])),
        entry.get("src4_addr") or str(ipaddress.ip_address(entry["src6_addr"])),
        entry.get("dst4_addr") or str(ipaddress.ip_address(entry["dst6_addr"])),
        entry.get("src_port", 0), entry.get("dst_port", 0), entry["proto"], flags,
        entry["in_packets"], entry["in_bytes"],
        entry.get("input_snmp", 0), entry.get("output_snmp", 0), entry.get("direction", 0) == 1,
    )  # fmt: skip


def totals(flows: list[Seen]) -> dict[str, Counter[Any]]:
    """Flows by port, by source and by interface."""
    return {
        "port": Counter((one.proto, one.dport) for one in flows),
        "source": Counter(one.src for one in flows),
        "interface": Counter(one.ingress for one in flows),
    }


def compare(program: str, path: Path) -> NfcapdSource:
    """Every flow with all its fields, and the sums, against nfdump's; prints both."""
    entries = nfdump_flows(program, path)
    theirs = [
        _theirs(entry, record)
        for record, entry in enumerate(entries, 1)
        if entry["type"] == "FLOW" and (entry["in_packets"] or entry["in_bytes"])
    ]
    ours, source = _ours(path)
    mine, other = totals(ours), totals(theirs)
    for what in mine:
        most, theirs_most = mine[what].most_common(3), other[what].most_common(3)
        print(f"{path.name}: flows by {what}: rearguard {most}, nfdump {theirs_most}")
    print(
        f"{path.name}: packets: rearguard {sum(o.packets for o in ours)}, nfdump {sum(t.packets for t in theirs)}"
    )
    assert mine == other
    assert ours == theirs
    assert source.tally.records == len(entries)
    assert Counter(number for number in (entry["export_sysid"] for entry in entries)).total() == sum(
        one.records for one in source.exporters
    )
    return source
