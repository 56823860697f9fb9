"""Archives of nfcapd files of any size, written as nfdump 1.7 writes them, the same for the same seed, streamed.

Each file has a million flows of two border routers, one in ten IPv6, in blocks of about one MiB, compressed by
nfdump itself. ``rare`` is ordinary traffic with 2 % of the flows on management ports; ``heavy`` is an outbreak:
80 % of the flows are probes of them.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.frames import OWN_V4, OWN_V4_BITS
from benchmarks.generate import START

__all__ = ["SHARES", "Archive", "main", "write_archive"]

SHARES = {"rare": 0.02, "heavy": 0.80}
"""Share of the flows that are probes of management ports."""
PER_FILE = 1_000_000
PER_BLOCK = 8_192
V6_SHARE = 0.1
SECONDS = 300
"""Seconds of traffic in a file."""
SCANNERS = 2_000
AF_INET = 2
HEADER_SIZE = 40
EXPORTERS = (0xC0000201, 0xC0000202)

COMPRESSIONS = {"none": 0, "lzo": 1, "lz4": 3}
V3_RECORD, EXPORTER_RECORD = 11, 7
HEADER = [("type", "<u2"), ("size", "<u2"), ("elements", "<u2"), ("engine", "<u2"), ("exporter", "<u2"),
          ("flags", "u1"), ("version", "u1")]  # fmt: skip
GENERIC = [("e1", "<u2"), ("l1", "<u2"), ("first", "<u8"), ("last", "<u8"), ("received", "<u8"),
           ("packets", "<u8"), ("bytes", "<u8"), ("sport", "<u2"), ("dport", "<u2"), ("proto", "u1"),
           ("tcp", "u1"), ("forwarding", "u1"), ("tos", "u1")]  # fmt: skip
V4 = [("e2", "<u2"), ("l2", "<u2"), ("src", "<u4"), ("dst", "<u4")]
V6 = [("e2", "<u2"), ("l2", "<u2"), ("src_hi", "<u8"), ("src", "<u8"), ("dst_hi", "<u8"), ("dst", "<u8")]
REST = [("e4", "<u2"), ("l4", "<u2"), ("input", "<u4"), ("output", "<u4"), ("misc", "<u8"),
        ("e7", "<u2"), ("l7", "<u2"), ("as", "<u4", 2), ("e10", "<u2"), ("l10", "<u2"), ("hop", "<u4"),
        ("e12", "<u2"), ("l12", "<u2"), ("router", "<u4")]  # fmt: skip
RECORD_V4 = np.dtype([*HEADER, *GENERIC, *V4, *REST])
RECORD_V6 = np.dtype([*HEADER, *GENERIC, *V6, *REST])
V6_SOURCES, V6_OWN = 0x20010DB8_00050000, 0x20010DB8_000C0000
PORTS = np.array([7547, 7547, 7547, 23, 23, 8291, 37215, 4786], np.uint16)
SERVICES = np.array([443, 443, 443, 80, 53, 53, 123, 993], np.uint16)


@dataclass(frozen=True, slots=True)
class Archive:
    """The files in the order of their time, and how many flows they hold."""

    files: tuple[Path, ...]
    flows: int

    @property
    def bytes(self) -> int:
        """Their size."""
        return sum(path.stat().st_size for path in self.files)

    def part(self, flows: int) -> Archive:
        """The first files, which hold so many flows."""
        return Archive(self.files[: -(-flows // PER_FILE)], flows)


def write_archive(folder: Path, shape: str, flows: int, compression: str, seed: int = 1) -> Archive:
    """Write the files of an archive; those that are there already stay. Raises CalledProcessError when nfdump,
    which compresses them, fails."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, count in enumerate(_counts(flows)):
        rng = np.random.default_rng([seed, number, int(SHARES[shape] * 100)])
        path = folder / f"nfcapd.{20_260_115_0000 + number:012d}"
        if not path.exists():
            made = folder.with_name(folder.name + ".part")
            _write_file(made, rng, number, count, SHARES[shape])
            if compression != "none":
                words = ["nfdump", "-J", str(COMPRESSIONS[compression]), "-r", str(made)]
                subprocess.run(words, check=True, capture_output=True)
            made.rename(path)
        files.append(path)
    return Archive(tuple(files), flows)


def _counts(flows: int) -> Iterator[int]:
    while flows > 0:
        yield min(flows, PER_FILE)
        flows -= PER_FILE


def _write_file(path: Path, rng: np.random.Generator, number: int, count: int, share: float) -> None:
    begin = (START + number * SECONDS) * 1000
    blocks = done = 0
    with path.open("wb") as file:
        file.write(bytes(HEADER_SIZE))
        body = b"".join(
            struct.pack("<HHIQQHHI", EXPORTER_RECORD, 32, 5, 0, ip, AF_INET, 1 + at, at)
            for at, ip in enumerate(EXPORTERS)
        )
        records = len(EXPORTERS)
        while done < count:
            part = min(PER_BLOCK, count - done)
            body += _flows(rng, begin + done * SECONDS * 1000 // count, part, share)
            file.write(_block(body, records + part))
            blocks += 1
            done += part
            body, records = b"", 0
        appendix = file.tell()
        ident = b"bench\0"
        stat = struct.pack("<18Q", count, *[0] * 14, begin, begin + SECONDS * 1000, 0)
        body = struct.pack("<HH", 0x8001, 4 + len(ident)) + ident
        file.write(_block(body + struct.pack("<HH", 0x8002, 4 + len(stat)) + stat, 2))
        file.seek(0)
        head = (0xA50C, 2, 0x01070100, begin // 1000, 0, 0, 1, 0, appendix, 0, blocks)
        file.write(struct.pack("<HHIqBBHIqII", *head))


def _block(body: bytes, records: int) -> bytes:
    return struct.pack("<IIHH", records, len(body), 3, 0) + body


def _flows(rng: np.random.Generator, begin: int, count: int, share: float) -> bytes:
    """The records of one block, IPv4 and IPv6 mixed."""
    own = (OWN_V4 | rng.integers(0, 1 << OWN_V4_BITS, count, np.uint32)).astype(np.uint64)
    probe = rng.random(count) < share
    inward = probe | (rng.random(count) < 0.5)
    scanner = np.minimum(rng.pareto(1.0, count) * 20, SCANNERS - 1).astype(np.uint64)
    remote = np.where(
        probe, (45 << 24) + scanner * 65_537 % (1 << 24), rng.integers(16 << 24, 200 << 24, count)
    )
    src, dst = np.where(inward, remote, own), np.where(inward, own, remote)
    ephemeral = rng.integers(32_768, 61_000, count)
    service = np.where(
        probe, PORTS[rng.integers(0, PORTS.size, count)], SERVICES[rng.integers(0, SERVICES.size, count)]
    )
    to_service = probe | ~inward
    values: dict[str, Any] = {
        "sport": np.where(to_service, ephemeral, service),
        "dport": np.where(to_service, service, ephemeral),
        "packets": np.where(probe, 1, 1 + rng.pareto(1.1, count) * 3).astype(np.uint64),
        "proto": np.where((service == 53) | (service == 123), 17, 6),
        "first": begin + rng.integers(0, 200, count),
        "exporter": 1 + (rng.integers(0, 2, count)),
        "input": 1 + rng.integers(0, 4, count),
        "output": 5 + rng.integers(0, 4, count),
    }  # fmt: skip
    values["bytes"] = np.where(probe, 44, values["packets"] * rng.integers(60, 900, count).astype(np.uint64))
    values["last"] = values["first"] + np.where(values["packets"] == 1, 0, rng.integers(0, 60_000, count))
    values["tcp"] = np.where(values["proto"] == 6, np.where(probe, 2, 0x1B), 0)
    four = np.zeros(count, RECORD_V4)
    six = np.zeros(count, RECORD_V6)
    for table in (four, six):
        table["type"], table["size"], table["elements"], table["version"] = V3_RECORD, table.itemsize, 6, 5
        for number, length in ((1, 52), (4, 20), (7, 12), (10, 8), (12, 8)):
            table[f"e{number}"], table[f"l{number}"] = number, length
        for name, value in values.items():
            table[name] = value
        table["received"] = values["last"] + 15_000
        table["src"], table["dst"], table["as"] = src, dst, (65_001, 65_002)
        table["router"] = np.asarray(EXPORTERS, np.uint32)[values["exporter"] - 1]
    four["e2"], four["l2"], six["e2"], six["l2"] = 2, 12, 3, 36
    six["src_hi"], six["dst_hi"] = np.where(inward, V6_SOURCES, V6_OWN), np.where(inward, V6_OWN, V6_SOURCES)
    return _interleave(four, six, rng.random(count) < V6_SHARE)


def _interleave(four: NDArray[Any], six: NDArray[Any], is_six: NDArray[np.bool_]) -> bytes:
    wide = np.zeros((len(four), six.itemsize), np.uint8)
    wide[:, : four.itemsize] = four.view(np.uint8).reshape(len(four), -1)
    wide[is_six] = six.view(np.uint8).reshape(len(six), -1)[is_six]
    length = np.where(is_six, six.itemsize, four.itemsize)
    return wide[np.arange(six.itemsize) < length[:, None]].tobytes()


def main(arguments: list[str] | None = None) -> int:
    """The command line: write one archive."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.flow_archive", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=SHARES, default="rare")
    parser.add_argument("--flows", type=int, default=1_000_000)
    parser.add_argument("--compression", choices=COMPRESSIONS, default="lz4")
    options = parser.parse_args(arguments)
    archive = write_archive(options.folder, options.shape, options.flows, options.compression)
    print(f"{archive.flows} flows, {archive.bytes} bytes, {len(archive.files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
