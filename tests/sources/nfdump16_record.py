"""Record the genuine files of nfdump 1.6 anew: ``python -m sources.nfdump16_record BIN data/nfdump16``.

To be run in ``tests/``; ``BIN`` holds the programs of nfdump 1.6 (``data/README.md`` says whence). Each collector
listens on loopback for the second that its datagrams take. What nfdump 1.6 prints of each file is kept beside it.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner

from rearguard.cli import root as rearguard

from . import exports_build as b
from . import sflow_build as s
from .containers import read
from .nfdump16 import FORMAT

PORT = 29_955
LAB = Path(__file__).resolve().parents[2] / "lab" / "incident.pcapng"

Sent = tuple[str, bytes]
"""Of which loopback address a datagram comes, and itself."""

SIX: tuple[b.Field, ...] = (
    (0, 27, 16), (0, 28, 16), (0, 4, 1), (0, 7, 2), (0, 11, 2), (0, 2, 8), (0, 1, 8), (0, 6, 1), (0, 22, 4),
    (0, 21, 4), (0, 10, 4), (0, 14, 4), (0, 61, 1), (0, 62, 16), (0, 9, 1), (0, 13, 1), (0, 16, 4), (0, 17, 4),
    (0, 5, 1), (0, 55, 1), (0, 58, 2), (0, 59, 2),
)  # fmt: skip
"""IPv6 with 64-bit counters, directions, next hop, prefix lengths, AS numbers and VLANs."""
OUT: tuple[b.Field, ...] = (
    *b.PAIR, *b.COUNTS, (0, 22, 4), (0, 21, 4), (0, 24, 4), (0, 23, 4), (0, 10, 2), (0, 14, 2), (0, 15, 4),
    (0, 56, 6), (0, 80, 6), (0, 70, 3), (0, 71, 3),
)  # fmt: skip
"""IPv4 with the counters behind the router, MAC addresses and MPLS labels."""
SMALL: tuple[b.Field, ...] = (*b.PAIR, (0, 2, 4), (0, 1, 4), (0, 22, 4), (0, 21, 4), (0, 6, 1))
NAT: tuple[b.Field, ...] = (
    (0, 8, 4), (0, 12, 4), (0, 7, 2), (0, 11, 2), (0, 225, 4), (0, 226, 4), (0, 227, 2), (0, 228, 2), (0, 4, 1),
    (0, 230, 1), (0, 323, 8),
)  # fmt: skip


def _six(k: int) -> bytes:
    ends = bytes.fromhex("20010db800050000000000000000000120010db8000c000000000000000000") + bytes([k])
    proto, dport, flags = ((6, 23, 0x1B), (17, 7547, 0), (58, 128 << 8, 0))[k % 3]
    octets = (1 << 33) + k if k == 4 else 60 * (1 + k)
    head = ends + struct.pack(">BHHQQB", proto, 5000 + k, dport, 1 + k, octets, flags)
    more = struct.pack(">IIIIB", 40_000 + k, 41_000 + 7 * k, 70_000 + k, 9, k & 1)
    return head + more + bytes(16) + struct.pack(">BBIIBBHH", 48, 56, 65_001, 70_001, 8, 4, 100, 200)


def _out(k: int) -> bytes:
    macs = bytes.fromhex("02005e000101 02005e000201") + bytes.fromhex("000011 000021")
    return (
        b.pair(src=0x0A000002 + k, sport=40_000 + k) + b.counts(1 + k, 60 + 60 * k)
        + struct.pack(">IIIIHHI", 42_000, 42_000 + k, k, 44 * k, 1, 2, 0xC0000201) + macs
    )  # fmt: skip


def _small(k: int) -> bytes:
    return (
        b.pair(dst=0xC6336400 + k, sport=1024 + k)
        + b.counts(2 + k, 80)
        + struct.pack(">IIB", 45_000, 45_010, 2)
    )


def by_hand() -> list[Sent]:
    """NetFlow v9 of three exporters; the second is sampled, the third logs address translations."""
    nat = struct.pack(
        ">IIHHIIHHBBQ", 0x0A000001, 0xC0000201, 1, 2, 0xC0000209, 0xC0000201, 3, 4, 6, 1, b.NOW * 1000
    )
    rate = (
        b.options(9, 300, ((0, 1, 4),), ((0, 34, 4), (0, 35, 1))),
        b.a_set(300, struct.pack(">IIBxxx", 0, 250, 1)),
    )
    few = b"".join(map(_small, range(3)))
    one, two, three = "127.0.1.1", "127.0.1.2", "127.0.1.3"
    return [
        (one, b.v9(b.template(9, 256, SIX), b.a_set(256, b"".join(map(_six, range(9)))))),
        (two, b.v9(*rate, b.template(9, 256, SMALL), b.a_set(256, b"".join(map(_small, range(40)))), source=7)),
        (one, b.v9(b.template(9, 257, OUT), b.a_set(257, b"".join(map(_out, range(12)))), sequence=1)),
        (three, b.v9(b.template(9, 258, NAT), b.a_set(258, nat), source=9)),
        (three, b.v9(b.template(9, 256, SMALL), b.a_set(256, few), sequence=4, source=9)),
    ]  # fmt: skip


def simulated(form: str, folder: Path, address: str) -> list[Sent]:
    """The first datagrams of ``rearguard simulate``, sampled 1:100; each keeps its address's last byte."""
    path = folder / f"{form}.pcap"
    command = ["simulate", "--format", form, "--customers", "40", "--hours", "1", "--seed", "5"]
    done = CliRunner().invoke(rearguard, [*command, "--sampling", "100", "--quiet", "--output", str(path)])
    assert done.exit_code == 0, done.output
    return [(address + str(one.data[29]), one.data[42:]) for one in read(path.read_bytes()).records[:5]]


def of_lab() -> list[Sent]:
    """sFlow of every 80th packet of the lab's capture."""
    samples = s.sampled(read(LAB.read_bytes()).records, 80)
    return [("127.0.1.9", one.data[42:]) for one in read(samples).records]


def collect(program: Path, options: Sequence[str], sent: Sequence[Sent], target: Path) -> None:
    """One run of a collector; its file becomes ``target``."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(program), "-l", folder, "-b", "127.0.0.1", "-p", str(PORT), "-t", "3600", *options]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.7)
            for address, payload in sent:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                    out.bind((address, 0))
                    out.sendto(payload, ("127.0.0.1", PORT))
                time.sleep(0.02)
            time.sleep(0.5)
        finally:
            running.terminate()
            running.wait(20)
        (made,) = Path(folder).glob("nfcapd.2*")
        target.write_bytes(made.read_bytes())


def main() -> None:
    """Make all files."""
    programs, folder = Path(sys.argv[1]), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as place:
        exports = [
            one
            for number, form in enumerate(("netflow5", "netflow9", "ipfix"), 2)
            for one in simulated(form, Path(place), f"127.0.{number}.")
        ]
    hand, everything = by_hand(), ["-T", "all"]
    collect(programs / "nfcapd", everything, hand, folder / "plain")
    collect(programs / "nfcapd", ["-z", *everything], hand, folder / "lzo")
    collect(programs / "nfcapd", ["-y"], exports, folder / "lz4")
    collect(programs / "sfcapd", ["-j"], of_lab(), folder / "bzip2")
    for path in sorted(one for one in folder.iterdir() if "." not in one.name):
        shown = subprocess.run(
            [programs / "nfdump", "-r", path, "-6", "-N", "-q", "-o", FORMAT],
            capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"},
        )  # fmt: skip
        lines = [
            ",".join(each.strip() for each in line.split(","))
            for line in shown.stdout.splitlines()
            if line.strip()
        ]
        path.with_suffix(".txt").write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main()
