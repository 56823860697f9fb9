"""What tshark's "follow stream" says of a capture."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.dialogue.run import LISTED

GAP = re.compile(rb"\[\d+ bytes missing in capture file\]")
"""What tshark puts in the place of bytes that it has not seen; what comes behind it is not compared."""
WHOLE_PACKETS_ONLY = ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]
PORTS = {port for proto, port in LISTED if proto == 6}


@dataclass(frozen=True)
class Followed:
    """One TCP stream: the two ends as tshark names them, and the bytes that each sent."""

    ends: tuple[str, str]
    sent: tuple[bytes, bytes]


def followed(program: str, capture: Path) -> list[Followed]:
    """Every TCP stream with a listed port that carries payload."""
    numbers = subprocess.run(
        [program, "-n", "-r", str(capture), "-Y", "tcp && !icmp && !icmpv6", "-T", "fields"]
        + [part for name in ("tcp.stream", "tcp.srcport", "tcp.dstport") for part in ("-e", name)],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    streams = set()
    for line in numbers.splitlines():
        stream, *ports = line.split("\t")
        if stream.isdigit() and any(int(port) in PORTS for port in ports if port.isdigit()):
            streams.add(int(stream))
    if not streams:
        return []
    command = [program, "-n", "-r", str(capture), "-q", *WHOLE_PACKETS_ONLY]
    for stream in sorted(streams):
        command += ["-z", f"follow,tcp,raw,{stream}"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = [_parsed(block) for block in text.split("Follow: tcp,raw")[1:]]
    return [one for one in found if any(one.sent)]


def _parsed(block: str) -> Followed:
    ends = ["", ""]
    sent = [b"", b""]
    for line in block.splitlines():
        for node in (0, 1):
            if line.startswith(f"Node {node}: "):
                ends[node] = line.partition(": ")[2]
        if line.strip() and all(c in "0123456789abcdef" for c in line.strip()):
            sent[line.startswith("\t")] += bytes.fromhex(line.strip())
    upto = [GAP.split(side)[0] for side in sent]
    return Followed((ends[0], ends[1]), (upto[0], upto[1]))
