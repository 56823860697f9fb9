"""Generate captures of any size, the same for the same seed, in flat memory.

python -m benchmarks.generate --shape mix --bytes 1G --seed 1 --output mix.pcap --truth mix.json
python -m benchmarks.generate --shape mix --bytes 16G | rearguard analyze - ...
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from benchmarks.frames import FILE_HEADER, Batch
from benchmarks.mix import CONTROLLERS, Mix
from benchmarks.worst import random_ports, syn_flood

__all__ = ["CONTROLLER_PREFIX", "OWN_PREFIXES", "SHAPES", "START", "generate", "main", "parse_size"]

SHAPES = ("mix", "syn-flood", "random-ports")
START = 1_768_435_200
"""2026-01-15T00:00:00Z, the time of the first packets."""
OWN_PREFIXES = ("10.64.0.0/14", "2001:db8:c::/48")
CONTROLLER_PREFIX = "198.51.100.8/30"

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


@dataclass(slots=True)
class _Written:
    bytes: int = 0
    records: int = 0


def parse_size(text: str) -> int:
    """``400M`` as a number of bytes; K, M and G are powers of ten."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 5M, 400M or 1G")
    return int(match[1]) * _UNITS[match[2]]


def generate(shape: str, size: int, seed: int, start: int, out: BinaryIO) -> dict[str, object]:
    """Write at most ``size`` bytes of whole records to ``out`` and return the truth about them."""
    mix = Mix(seed, start * 1_000_000) if shape == "mix" else None
    batches = mix.batches() if mix else _worst(shape, seed, start * 1_000_000)
    out.write(FILE_HEADER)
    written = _Written(bytes=len(FILE_HEADER))
    for batch in batches:
        fitting = int(batch.ends.searchsorted(size - written.bytes, side="right"))
        length = int(batch.ends[fitting - 1]) if fitting else 0
        out.write(batch.data[:length].data)
        written.bytes += length
        written.records += fitting
        if mix and batch.packets is not None:
            mix.truth.add(batch.packets[:fitting])
        if fitting < len(batch.ends):
            break
    return {
        "shape": shape,
        "seed": seed,
        "bytes": written.bytes,
        "records": written.records,
        "networks": list(OWN_PREFIXES),
        "controllers": [
            ".".join(str(byte) for byte in address.to_bytes(4, "big")) for address in CONTROLLERS
        ],
        **(mix.truth.as_json() if mix else {"scanners": [], "answering_devices": {}}),
    }


def _worst(shape: str, seed: int, start_us: int) -> Iterator[Batch]:
    return (syn_flood if shape == "syn-flood" else random_ports)(seed, start_us)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__.split("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="mix")
    parser.add_argument("--bytes", type=parse_size, default="1G", dest="size")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--start", type=int, default=START, help="time of the first packets, seconds since 1970"
    )
    parser.add_argument("--output", default="-", help="a file, or - for standard output")
    parser.add_argument("--truth", type=Path, help="write here, as JSON, what the capture contains")
    options = parser.parse_args(arguments)
    try:
        if options.output == "-":
            with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as pipe:
                truth = generate(options.shape, options.size, options.seed, options.start, pipe)
        else:
            with Path(options.output).open("wb") as file:
                truth = generate(options.shape, options.size, options.seed, options.start, file)
    except BrokenPipeError:
        return 1
    if options.truth:
        options.truth.write_text(json.dumps(truth, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
