"""What tshark says of each frame, reduced to the row that the rules of docs/decoding.md claim.

tshark's ``frame.protocols`` names the headers in order; fields that occur once a header come as lists.
Walking the names and taking the next value of each list gives the headers back, one after the other.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

LISTS = {
    "ip": ("ip.src", "ip.dst", "ip.proto", "ip.ttl", "ip.id", "ip.len", "ip.flags.mf", "ip.frag_offset"),
    "ipv6": ("ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.plen", "ipv6.nxt"),
    "ipv6.fraghdr": ("ipv6.fraghdr.offset", "ipv6.fraghdr.more", "ipv6.fraghdr.ident", "ipv6.fraghdr.nxt"),
    "tcp": (
        "tcp.srcport",
        "tcp.dstport",
        "tcp.flags",
        "tcp.seq",
        "tcp.ack",
        "tcp.hdr_len",
        "tcp.window_size_value",
        "tcp.len",
    ),
    "udp": ("udp.srcport", "udp.dstport", "udp.length"),
    "icmp": ("icmp.type",),
    "icmpv6": ("icmpv6.type",),
    "ipv6.hopopts": ("ipv6.hopopts.nxt",),
    "ipv6.dstopts": ("ipv6.dstopts.nxt",),
    "ipv6.routing": ("ipv6.routing.nxt",),
    "ah": ("ah.next_header",),
    "mipv6": ("mip6.proto",),
}
SINGLE = ("frame.number", "frame.time_epoch", "frame.protocols", "ip.opt.type")
OPTIONS = (
    "tcp.relative_sequence_numbers:FALSE",
    "tcp.desegment_tcp_streams:FALSE",
    "tcp.analyze_sequence_numbers:FALSE",
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
)
NETWORK = ("ip", "ipv6")
CHAIN = ("ipv6.fraghdr", "ipv6.hopopts", "ipv6.dstopts", "ipv6.routing", "ah", "mipv6")


@dataclass
class Header:
    """One header: its name in ``frame.protocols`` and its fields; a value that tshark did not give is
    absent."""

    name: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass
class Frame:
    """One frame as tshark sees it."""

    capture: Path
    number: int
    time: int
    protocols: list[str]
    options: list[str]
    """Types of all IPv4 options."""
    headers: list[Header]
    uneven: bool
    """A header's name and its fields do not come in equal numbers: tshark stopped inside a header."""


def frames(program: str, capture: Path) -> Iterator[Frame]:
    """Run tshark once over a capture."""
    names = [*SINGLE, *(name for group in LISTS.values() for name in group)]
    command = [program, "-n", "-r", str(capture), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"]
    for option in OPTIONS:
        command += ["-o", option]
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        cells = dict(zip(names, line.split("\t"), strict=True))
        yield _frame(capture, cells)


def _frame(capture: Path, cells: dict[str, str]) -> Frame:
    protocols = cells["frame.protocols"].split(":")
    lists = {
        name: cells[name].split(",") if cells[name] else [] for group in LISTS.values() for name in group
    }
    headers = []
    uneven = False
    for protocol in protocols:
        header = Header(protocol)
        for name in LISTS.get(protocol, ()):
            if lists[name]:
                header.values[name] = lists[name].pop(0)
        headers.append(header)
    for protocol in (*NETWORK, "tcp", "udp"):
        count = protocols.count(protocol)
        uneven |= any(
            len(cells[name].split(",") if cells[name] else []) != count for name in LISTS[protocol][:2]
        )
    seconds, _, fraction = cells["frame.time_epoch"].partition(".")
    time = 0
    if seconds:
        time = int(seconds) * 10**9 + int(fraction.ljust(9, "0")) * (-1 if seconds.startswith("-") else 1)
    options = cells["ip.opt.type"].split(",") if cells["ip.opt.type"] else []
    return Frame(capture, int(cells["frame.number"]), time, protocols, options, headers, uneven)


TUNNEL_VIA = {"gre", "erspan", "eth", "ethertype", "vlan", "ieee8021ad", "ppp", "llc", "mpls", "pppoes"}


def claimed(frame: Frame) -> dict[str, object] | None:
    """The row that should be made of a frame, by tshark's reading; None where it saw no IP header."""
    at = [i for i, header in enumerate(frame.headers) if header.name in NETWORK]
    if not at:
        return None
    level, tunnels, quoted = 0, 0, False
    while level + 1 < len(at):
        via = {header.name for header in frame.headers[at[level] + 1 : at[level + 1]]} - set(CHAIN)
        errors = [
            header.values.get(f"{header.name}.type")
            for header in frame.headers[at[level] + 1 : at[level + 1]]
            if header.name in ("icmp", "icmpv6")
        ]
        if errors:
            name = frame.headers[at[level]].name
            quoted = errors == (["3"] if name == "ip" else ["1"])
            level += quoted
            break
        if tunnels == 0 and (via <= TUNNEL_VIA or (via <= {"udp", "vxlan", *TUNNEL_VIA} and "vxlan" in via)):
            tunnels = 1
            level += 1
            continue
        break
    following = at[level + 1] if level + 1 < len(at) else len(frame.headers)
    row = _row(frame.headers[at[level]], frame.headers[at[level] + 1 : following])
    if quoted:
        row["bytes"] = _row(frame.headers[at[level - 1]], [])["bytes"]
        row.pop("pay_wire", None)
    row["quoted"] = quoted
    row["ts"] = frame.time
    return row


def _row(network: Header, rest: list[Header]) -> dict[str, object]:
    v = network.values
    row: dict[str, object] = {}
    if network.name == "ip":
        offset, more = int(v.get("ip.frag_offset", 0)), v.get("ip.flags.mf") in ("1", "True")
        row |= {
            "src": f"::ffff:{IPv4Address(v['ip.src'])}" if "ip.src" in v else None,
            "dst": f"::ffff:{IPv4Address(v['ip.dst'])}" if "ip.dst" in v else None,
            "proto": int(v["ip.proto"]) if "ip.proto" in v else None,
            "ttl": int(v["ip.ttl"]) if "ip.ttl" in v else None,
            "ipid": int(v["ip.id"], 16) if "ip.id" in v else None,
            "bytes": int(v["ip.len"]) if "ip.len" in v else None,
            "frag": 2 if offset else 1 if more else 0,
        }
    else:
        row |= {
            "src": str(IPv6Address(v["ipv6.src"])) if "ipv6.src" in v else None,
            "dst": str(IPv6Address(v["ipv6.dst"])) if "ipv6.dst" in v else None,
            "proto": int(v["ipv6.nxt"]) if "ipv6.nxt" in v else None,
            "ttl": int(v["ipv6.hlim"]) if "ipv6.hlim" in v else None,
            "bytes": int(v["ipv6.plen"]) + 40 if "ipv6.plen" in v else None,
            "ipid": 0,
            "frag": 0,
        }
    row |= {"sport": 0, "dport": 0}
    for header in rest:
        v = header.values
        if header.name in CHAIN and row["frag"] != 2:
            row["proto"] = int(v.get(LISTS[header.name][-1], "-1"))
        if header.name == "ipv6.fraghdr" and "ipv6.fraghdr.ident" in v:
            more = v["ipv6.fraghdr.more"] in ("1", "True")
            row["frag"] = 2 if int(v["ipv6.fraghdr.offset"]) else 1 if more else 0
            row["ipid"] = int(v["ipv6.fraghdr.ident"], 16)
        if header.name in ("tcp", "udp"):
            row |= _ports(header)
            break
        if header.name not in CHAIN:
            break
    return row


def _ports(header: Header) -> dict[str, object]:
    v = header.values
    row: dict[str, object] = {}
    for name, key in ((f"{header.name}.srcport", "sport"), (f"{header.name}.dstport", "dport")):
        if name in v:
            row[key] = int(v[name])
    for name, key in (
        ("tcp.seq", "seq"),
        ("tcp.ack", "ack"),
        ("tcp.window_size_value", "win"),
        ("tcp.len", "pay_wire"),
    ):
        if name in v:
            row[key] = int(v[name])
    if "tcp.flags" in v:
        row["flags"] = int(v["tcp.flags"], 16) & 0xFF
    if "tcp.hdr_len" in v:
        row["doff"] = int(v["tcp.hdr_len"]) // 4
    if "udp.length" in v:
        row["pay_wire"] = int(v["udp.length"]) - 8
    return row
