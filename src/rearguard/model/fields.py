"""The field tables, written once: numpy layouts, Arrow schemas, fold SQL and the docs page derive from them.

A table is a tuple of :class:`Field`. ``merge`` says how two partial rows of one key become one; only what is
commutative and associative is allowed, which is why every split and order of the input gives the same
result. ``first`` means: of the pointers (rank, time, record) the smallest, its fellow columns with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "CENSUS",
    "CHUNK",
    "CONTACT",
    "HOST",
    "Element",
    "Field",
    "Merge",
    "arrow_schema",
    "dtype",
    "key_names",
]

Merge = Literal["key", "+", "|", "&", "min", "max", "first", "hll", ""]


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its numpy code, how partial rows merge, and what it means (with units)."""

    name: str
    code: str
    merge: Merge
    doc: str


CHUNK: tuple[Field, ...] = (
    Field("src_hi", "u8", "", "source address, high 64 bits"),
    Field("src_lo", "u8", "", "source address, low 64 bits; IPv4 as ::ffff:0:0/96"),
    Field("dst_hi", "u8", "", "destination address, high 64 bits"),
    Field("dst_lo", "u8", "", "destination address, low 64 bits"),
    Field("ts", "i8", "", "start of the record, ns since the epoch, UTC"),
    Field("sport", "u2", "", "source port, 0 where there is none"),
    Field("dport", "u2", "", "destination port, 0 where there is none"),
    Field("proto", "u1", "", "IP protocol number of the innermost decoded header"),
    Field("flags", "u1", "", "TCP flags (header byte 13); of a flow, OR-ed over its packets"),
    Field("why", "u1", "", "bits WHY_*: what kind of row this is"),
    Field("frag", "u1", "", "0 whole, 1 first fragment, 2 later fragment"),
    Field("known", "u4", "", "bits KNOWN_*: which fields this source can tell at all"),
    Field("pay_len", "u4", "", "captured transport payload, bytes"),
    Field("bytes", "u8", "", "IP length (header and payload), not scaled by sampling"),
    Field("end", "i8", "", "end of the record; a packet's equals ts"),
    Field("packets", "u8", "", "packets, not scaled by sampling"),
    Field("record", "u8", "", "number of the record in its source, from 1"),
    Field("sampling", "u4", "", "one of how many packets was taken; 0 unknown"),
    Field("observer", "u4", "", "index into the source's list of observers"),
    Field("pay_wire", "u4", "", "transport payload on the wire, bytes (more than captured when cut short)"),
    Field("pay_off", "u4", "", "where the transport payload begins in the source's buffer"),
    Field("seq", "u4", "", "TCP sequence number"),
    Field("ack", "u4", "", "TCP acknowledgement number"),
    Field("ipid", "u4", "", "IPv4 identification, or that of an IPv6 fragment header"),
    Field("win", "u2", "", "TCP window"),
    Field("ttl", "u1", "", "IPv4 TTL or IPv6 hop limit"),
    Field("doff", "u1", "", "TCP data offset in 32-bit words; 5 means no options"),
)
"""In the order in which they lie in memory: what every kernel asks of every row comes first, in 64 bytes."""

CONTACT: tuple[Field, ...] = (
    Field("client_hi", "u8", "key", "address of the side that opened, high 64 bits"),
    Field("client_lo", "u8", "key", "address of the side that opened, low 64 bits"),
    Field("server_hi", "u8", "key", "address of the listener, high 64 bits"),
    Field("server_lo", "u8", "key", "address of the listener, low 64 bits"),
    Field("port", "u2", "key", "the listener's port"),
    Field("proto", "u1", "key", "IP protocol number"),
    Field("observer", "u4", "key", "where it was seen (index into the run's observers)"),
    Field("sampling", "u4", "key", "sampling rate of the records, 0 unknown"),
    Field("packets_c", "u8", "+", "packets from the client, not scaled"),
    Field("packets_s", "u8", "+", "packets from the server"),
    Field("bytes_c", "u8", "+", "IP bytes from the client"),
    Field("bytes_s", "u8", "+", "IP bytes from the server"),
    Field("payload_c", "u8", "+", "transport payload bytes from the client"),
    Field("payload_s", "u8", "+", "transport payload bytes from the server"),
    Field("first_c", "i8", "min", "first packet from the client, ns; largest int64 when none"),
    Field("first_s", "i8", "min", "first packet from the server"),
    Field("last_c", "i8", "max", "last packet from the client, ns; smallest int64 when none"),
    Field("last_s", "i8", "max", "last packet from the server"),
    Field(
        "proof_rank_c",
        "u1",
        "first",
        "what the client's pointer shows: 0 SYN or datagram, 1 flow with SYN and ACK, 2 other, 255 none",
    ),
    Field("proof_time_c", "i8", "first", "time of that record"),
    Field("proof_rec_c", "u8", "first", "that record: source number * 2^40 + record number"),
    Field("proof_port_c", "u2", "first", "the client's port in that record"),
    Field(
        "proof_rank_s",
        "u1",
        "first",
        "0 SYN+ACK or datagram, 1 flow with SYN and ACK, RST or ICMP unreachable, 2 other, 255 none",
    ),
    Field("proof_time_s", "i8", "first", "time of that record"),
    Field("proof_rec_s", "u8", "first", "that record"),
    Field("proof_port_s", "u2", "first", "the client's port in that record"),
    Field("load_time_c", "i8", "first", "first record with payload from the client; largest int64 when none"),
    Field("load_rec_c", "u8", "first", "that record"),
    Field("load_port_c", "u2", "first", "the client's port in that record"),
    Field("load_time_s", "i8", "first", "first record with payload from the server"),
    Field("load_rec_s", "u8", "first", "that record"),
    Field("load_port_s", "u2", "first", "the client's port in that record"),
    Field("flags_c", "u1", "|", "TCP flags seen from the client, OR-ed"),
    Field("flags_s", "u1", "|", "TCP flags seen from the server, OR-ed"),
    Field("seen_c", "u2", "|", "bits SEEN_*: kinds of packets seen from the client"),
    Field("seen_s", "u2", "|", "bits SEEN_*: kinds of packets seen from the server"),
    Field("role", "u1", "|", "bits ROLE_*: why the server is held to be the listener"),
    Field("known", "u4", "&", "bits KNOWN_* that held for every record"),
    Field("tries", "u8", "+", "initiations: SYNs without ACK, or datagrams to the port"),
    Field(
        "sessions", "u4", "+", "flows from the client with SEEN_FLOW_SYN: initiations, if it was who opened"
    ),
    Field(
        "unacked",
        "u8",
        "+",
        "TCP packets from the client with neither ACK nor RST (rule C1)",
    ),
    Field("no_options", "u4", "+", "of the SYNs, those without TCP options"),
    Field("fp_mirai", "u4", "+", "of the SYNs, those whose sequence number is the IPv4 destination"),
    Field("fp_zmap", "u4", "+", "of the SYNs, those with IPv4 identification 54321"),
    Field("fp_masscan", "u4", "+", "of the SYNs, those with identification dst ^ port ^ seq (16 bits)"),
)

CENSUS: tuple[Field, ...] = (
    Field("minute", "i8", "key", "minutes since the epoch"),
    Field("port", "u2", "key", "destination port; 0 where there is none"),
    Field("proto", "u1", "key", "IP protocol number"),
    Field("direction", "u1", "key", "0 inbound, 1 outbound, 2 internal, 3 transit"),
    Field("observer", "u4", "key", "where it was seen"),
    Field("sampling", "u4", "key", "sampling rate of the records, 0 unknown"),
    Field("packets", "u8", "+", "packets of the records that tried"),
    Field("bytes", "u8", "+", "their IP bytes"),
    Field("tries", "u8", "+", "initial SYNs, or datagrams from a port that is not a service; never 0"),
    Field("sources", "64u1", "hll", "HyperLogLog of the /24 (v6: /48) that tried, 64 registers"),
    Field("targets", "64u1", "hll", "HyperLogLog of the addresses that were tried, 64 registers"),
)

HOST: tuple[Field, ...] = (
    Field("addr_hi", "u8", "key", "an own address that was seen sending, high 64 bits"),
    Field("addr_lo", "u8", "key", "low 64 bits"),
    Field("observer", "u4", "key", "where it was seen"),
    Field("first", "i8", "min", "first packet, ns"),
    Field("last", "i8", "max", "last packet, ns"),
    Field("packets", "u8", "+", "packets sent"),
)

_ARROW = {
    "i8": "int64",
    "u8": "uint64",
    "u4": "uint32",
    "u2": "uint16",
    "u1": "uint8",
}


class Element(np.void):  # type: ignore[misc]  # numpy's stubs call final what is not
    """One row, whose fields are attributes: what compiled code sees, for code that runs as plain Python.

    numpy's own record does not do: it hides fields named like its methods, ``flags`` among them.
    """

    def __getattribute__(self, name: str) -> Any:
        kind = super().__getattribute__("dtype")
        return self[name] if name in kind.names else super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


def dtype(table: tuple[Field, ...]) -> np.dtype[Any]:
    """The packed-and-aligned numpy record of a table; kernels see one row as one run of memory."""
    return np.dtype([(field.name, field.code) for field in _wide_first(table)], align=True)


def _wide_first(table: tuple[Field, ...]) -> list[Field]:
    """Order by width, so that alignment leaves no holes; the key's wide columns stay in front."""
    return sorted(table, key=lambda field: -np.dtype(field.code).alignment)


def key_names(table: tuple[Field, ...]) -> tuple[str, ...]:
    """The names of the key columns, in table order."""
    return tuple(field.name for field in table if field.merge == "key")


def arrow_schema(table: tuple[Field, ...]) -> pa.Schema:
    """The Arrow schema of a table; sketches are fixed-size binary."""
    import pyarrow as pa

    columns = []
    for field in table:
        if field.code in _ARROW:
            kind = getattr(pa, _ARROW[field.code])()
        else:
            kind = pa.binary(np.dtype(field.code).itemsize)
        columns.append(pa.field(field.name, kind, metadata={"doc": field.doc, "merge": field.merge}))
    return pa.schema(columns)
