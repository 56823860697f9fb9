"""Measure what decoding a record of an export datagram costs, here, in the `netflow` package, and in nfcapd.

    python -m benchmarks.datagrams                    # 600,000 records of each version
    python -m benchmarks.datagrams --records 60000    # an impression
    python -m benchmarks.datagrams --only sflow       # of one version

Of sFlow a record is a sample with the first 128 bytes of a packet; the collector is sfcapd, and the `netflow`
package does not know it.

Processor time a record, of one run, so that ratios mean something. The `netflow` package gets a part of the
datagrams, as it is slow. The collectors cannot be given a file: they listen on loopback, and their whole processor
time counts, with receiving datagrams from the kernel and writing their file; what they did not receive is said.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measure import MeasureError, note
from rearguard.model.chunk import Chunk
from rearguard.sources.exports import Decoder, new_datagrams
from rearguard.sources.reader import Tally
from rearguard.sources.sflow.decoder import Decoder as SflowDecoder

__all__ = ["main"]

NOW = 1_700_000_000
FIELDS = (
    (8, 4), (12, 4), (15, 4), (10, 4), (14, 4), (2, 4), (1, 4), (22, 4), (21, 4), (7, 2), (11, 2), (4, 1), (6, 1),
    (5, 1), (61, 1), (16, 4), (17, 4), (9, 1), (13, 1),
)  # fmt: skip
"""What a router of today exports: element and length, in NetFlow v9 and IPFIX alike."""
RECORD = struct.Struct(">" + "".join({1: "B", 2: "H", 4: "I"}[length] for _, length in FIELDS))
SFLOW = 0
"""In place of a version of NetFlow."""
EACH = {5: 30, 9: 24, 10: 24, SFLOW: 7}
NAMES = {5: "NetFlow v5", 9: "NetFlow v9", 10: "IPFIX", SFLOW: "sFlow v5"}
CHOICES = {"v5": 5, "v9": 9, "ipfix": 10, "sflow": SFLOW}
COLLECTORS = {SFLOW: "sfcapd"}
"""Of the others it is nfcapd."""
HEADER = 128
"""Bytes of a packet in a sample of sFlow, as agents are usually set."""
TEMPLATE_EVERY = 20
"""Datagrams after which the template is sent again, as routers are usually set."""
SLOW_SHARE = 20
"""The `netflow` package gets one in so many."""
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Result:
    """Nanoseconds of processor time a record; None where a program is missing."""

    version: int
    ours: float
    package: float | None
    collector: float | None
    missed: int
    """Records that the collector did not receive."""


def make_datagrams(version: int, records: int) -> list[bytes]:
    """Datagrams with that many records or a few more, the same ones each time."""
    draw = random.Random(version)
    each = EACH[version]
    if version == SFLOW:
        return [_sflow(number, each, draw) for number in range(-(-records // each))]
    template = struct.pack(">HH", 256, len(FIELDS)) + b"".join(struct.pack(">HH", *field) for field in FIELDS)
    learned = struct.pack(">HH", 2 if version == 10 else 0, 4 + len(template)) + template
    made = []
    for number in range(-(-records // each)):
        body = b"".join(_record(version, draw) for _ in range(each))
        if version == 5:
            made.append(struct.pack(">HHIIIIHH", 5, each, 90_000, NOW, 0, number * each, 0, 0) + body)
            continue
        sets = struct.pack(">HH", 256, 4 + len(body)) + body
        if number % TEMPLATE_EVERY == 0:
            sets = learned + sets
        if version == 9:
            made.append(struct.pack(">HHIIII", 9, each, 90_000, NOW, number, 0) + sets)
        else:
            made.append(struct.pack(">HHIII", 10, 16 + len(sets), NOW, number * each, 0) + sets)
    return made


def _record(version: int, draw: random.Random) -> bytes:
    src, dst, sport = draw.getrandbits(32), draw.getrandbits(32), draw.randrange(1024, 65_536)
    interfaces = draw.randrange(1, 9), draw.randrange(1, 9)
    if version == 5:
        start = struct.pack(">IIIHHIIIIHH", src, dst, 0, *interfaces, 3, 180, 50_000, 60_000, sport, 7547)
        return start + bytes((0, 2, 6)) + bytes(9)
    return RECORD.pack(src, dst, 0, *interfaces, 3, 180, 50_000, 60_000, sport, 7547, 6, 2, *([0] * 6))


def _sflow(number: int, each: int, draw: random.Random) -> bytes:
    """A datagram of one agent with flow samples of one of its interfaces, 1 in 1,000 packets."""
    head = struct.pack(">IIIIIII", 5, 1, 0xC0000201, 0, number + 1, 3_600_000, each)
    return head + b"".join(_sample(number * each + k + 1, draw) for k in range(each))


def _sample(number: int, draw: random.Random) -> bytes:
    """A flow sample with a raw header of Ethernet, IPv4 and TCP."""
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 1480, number & 0xFFFF, 0, 60, 6, 0)
    ip += struct.pack(">II", draw.getrandbits(32), draw.getrandbits(32))
    tcp = struct.pack(">HHIIBBHHH", draw.randrange(1024, 65_536), 7547, number, 1, 0x50, 0x18, 8_192, 0, 0)
    frame = (bytes.fromhex("02005e000101 02005e000201 0800") + ip + tcp).ljust(HEADER, b"x")
    raw = struct.pack(">IIIIII", 1, 16 + HEADER, 1, 1_498, 4, HEADER) + frame
    body = struct.pack(">IIIIIIII", number, 3, 1_000, number * 1_000 & 0xFFFF_FFFF, 0, 3, 7, 1) + raw
    return struct.pack(">II", 1, len(body)) + body


def measure_ours(datagrams: list[bytes], version: int) -> float:
    """Nanoseconds a record, the best of some rounds; the first compiles."""
    buffer = np.frombuffer(bytearray(b"".join(datagrams)), np.uint8)
    n = len(datagrams)
    table = new_datagrams(n)
    table.len[:] = [len(one) for one in datagrams]
    table.off[1:] = np.cumsum(table.len[:-1])
    table.time[:] = NOW * 1_000_000_000 + np.arange(n)
    chunk = Chunk()
    make = SflowDecoder if version == SFLOW else Decoder
    best = float("inf")
    for _ in range(ROUNDS):
        decoder, tally, at = make(), Tally(), 0
        start = time.process_time_ns()
        while at < n:
            at, _rows = decoder.feed(buffer, table, at, n, chunk.rows, 0, tally)
        best = min(best, (time.process_time_ns() - start) / tally.records)
    if tally.records != n * EACH[version]:
        raise MeasureError(f"we found {tally.records} records")
    return best


def measure_package(datagrams: list[bytes], version: int) -> float | None:
    """Nanoseconds a record of the `netflow` package; None where it is not installed, and for sFlow."""
    if version == SFLOW:
        return None
    try:
        from netflow import parse_packet
    except ImportError:
        return None
    templates: dict[str, dict[int, object]] = {"netflow": {}, "ipfix": {}}
    some = datagrams[: max(1, len(datagrams) // SLOW_SHARE)]
    records = 0
    start = time.process_time_ns()
    for datagram in some:
        records += len(parse_packet(datagram, templates).flows)
    spent = time.process_time_ns() - start
    if records != len(some) * EACH[version]:
        raise MeasureError(f"the netflow package found {records} records")
    return spent / records


def measure_collector(datagrams: list[bytes], version: int) -> tuple[float | None, int]:
    """Nanoseconds a record of the collector, and how many it missed; None where it is not installed."""
    name = COLLECTORS.get(version, "nfcapd")
    program, reader = shutil.which(name), shutil.which("nfdump")
    if program is None or reader is None:
        return None, 0
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [program, "-w", folder, "-b", "127.0.0.1", "-p", str(port), "-t", "3600", "-B", "33554432"]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _send(datagrams, port)
        finally:
            running.terminate()
            _, _, usage = os.wait4(running.pid, 0)
            running.returncode = 0
        shown = subprocess.run(
            [reader, "-R", folder, "-I"], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    received = re.search(r"^Flows:\s*(\d+)", shown, re.MULTILINE)
    if received is None or not int(received[1]):
        raise MeasureError(f"{name} received nothing")
    records = int(received[1])
    return (usage.ru_utime + usage.ru_stime) * 1e9 / records, len(datagrams) * EACH[version] - records


def _send(datagrams: list[bytes], port: int) -> None:
    """At a pace that the collector keeps."""
    deadline = time.monotonic() + 10
    while f":{port:04X}" not in Path("/proc/net/udp").read_text():
        if time.monotonic() > deadline:
            raise MeasureError("the collector does not listen")
        time.sleep(0.02)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for number, datagram in enumerate(datagrams):
            out.sendto(datagram, ("127.0.0.1", port))
            if number % 100 == 99:
                time.sleep(0.005)
    time.sleep(0.5)


def run(records: int, versions: Iterable[int] = EACH) -> list[Result]:
    """One result a version."""
    results = []
    for version in versions:
        note(f"{NAMES[version]}: {records:,} records")
        datagrams = make_datagrams(version, records)
        collector, missed = measure_collector(datagrams, version)
        results.append(
            Result(
                version,
                measure_ours(datagrams, version),
                measure_package(datagrams, version),
                collector,
                missed,
            )
        )
    return results


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=600_000)
    parser.add_argument("--only", choices=CHOICES, help="one version")
    arguments = parser.parse_args()
    results = run(arguments.records, [CHOICES[arguments.only]] if arguments.only else EACH)
    print(
        "| format | rearguard, ns a record | M records/s | `netflow` package | times | nfcapd, sfcapd | times |"
    )
    print("|---|---|---|---|---|---|---|")
    for one in results:
        cells = [NAMES[one.version], f"{one.ours:.0f}", f"{1000 / one.ours:.1f}"]
        for other in (one.package, one.collector):
            cells += ["-", "-"] if other is None else [f"{other:.0f}", f"{other / one.ours:.1f}"]
        print("| " + " | ".join(cells) + " |")
        if one.missed:
            print(f"{NAMES[one.version]}: {one.missed:,} records were not received", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
