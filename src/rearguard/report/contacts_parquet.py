"""``contacts.parquet``: every judged contact, one row each, for whoever wants to ask something else.

Rows stream out of the judged view in batches and in its order: contacts of one client stand together, sorted by
server, port and protocol. So the file costs no memory, and the same analysis gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rearguard import __version__
from rearguard.contacts.view import RECORD_BITS
from rearguard.model.address import format_address, to_bytes16
from rearguard.report.escape import without_surrogates

if TYPE_CHECKING:
    from rearguard.report.analysis import Analysis

__all__ = ["BATCH", "schema", "write"]

BATCH = 8_192

_NONE = 255  # proof_rank_*: that side has no record
_NEVER = 2**63 - 1  # load_time_*: that side sent no payload

_TEXT_V4 = """CASE WHEN {side}_hi = 0 AND {side}_lo >> 32 = 65535
        THEN concat_ws('.', ({side}_lo >> 24) & 255, ({side}_lo >> 16) & 255,
                            ({side}_lo >> 8) & 255, {side}_lo & 255)
    END AS {side}_address"""

_QUERY = f"""
SELECT
    client_hi, client_lo, server_hi, server_lo,
    {_TEXT_V4.format(side="client")},
    {_TEXT_V4.format(side="server")},
    port, proto, interface, listener, target, certainty, direction, client_network, server_network,
    authorised, authorised_by, surveyor, exception, outcome, verified, dark, observers, sampling,
    packets_c, packets_s, bytes_c, bytes_s, payload_c, payload_s, tries,
    first, last, first_c, first_s, last_c, last_s,
    flags_c, flags_s, seen_c, seen_s, known, no_options, fp_mirai, fp_zmap, fp_masscan,
    CASE WHEN proof_rank_c < {_NONE} THEN proof_rec_c END AS proof_c,
    CASE WHEN proof_rank_s < {_NONE} THEN proof_rec_s END AS proof_s,
    CASE WHEN load_time_c < {_NEVER} THEN load_rec_c END AS load_c,
    CASE WHEN load_time_s < {_NEVER} THEN load_rec_s END AS load_s
FROM judged
"""

_TIMES = ("first", "last", "first_c", "first_s", "last_c", "last_s")
_POINTERS = ("proof_c", "proof_s", "load_c", "load_s")
_ADDRESS = pa.binary(16)
_TIME = pa.timestamp("ns", tz="UTC")
_NAME = pa.dictionary(pa.int32(), pa.string())

_MANY = frozenset(
    {
        "client", "server", "client_address", "server_address",
        *_TIMES,
        *(f"{name}_record" for name in _POINTERS),
    }
)  # fmt: skip
"""Columns in which hardly a value occurs twice: a dictionary of them would cost time and space."""

_COLUMNS: tuple[tuple[str, Any, str], ...] = (
    ("client", _ADDRESS, "who opened: 16 bytes, big-endian, IPv4 as ::ffff:0:0/96"),
    ("server", _ADDRESS, "who listens, likewise"),
    ("client_address", pa.string(), "client, readable"),
    ("server_address", pa.string(), "server, readable"),
    ("port", pa.uint16(), "the listener's port"),
    ("proto", pa.uint8(), "IP protocol number"),
    ("interface", pa.string(), "management interface of the catalogue; null: none"),
    ("listener", pa.string(), "device or controller"),
    ("target", pa.bool_(), "false: incidental, the port is the client's own"),
    ("certainty", pa.string(), "of the roles: certain, likely or unsure"),
    ("direction", pa.string(), "inbound, outbound, internal or transit"),
    ("client_network", pa.string(), "the policy's name; null outside"),
    ("server_network", pa.string(), "the policy's name; null outside"),
    ("authorised", pa.bool_(), "the policy lets this client use this interface of this server"),
    ("authorised_by", pa.string(), "by whose right"),
    ("surveyor", pa.string(), "the known research scanner"),
    ("exception", pa.string(), "the reason of the policy's exception"),
    ("outcome", pa.string(), "unanswered, refused, answered, conversed or unknown"),
    ("verified", pa.bool_(), "the client completed a handshake"),
    ("dark", pa.bool_(), "the server address was never seen sending"),
    ("observers", pa.uint32(), "at how many places it was seen; the largest count holds"),
    ("sampling", pa.uint32(), "one of how many packets was taken; 0 unknown; nothing here is scaled"),
    ("packets_c", pa.uint64(), "packets from the client"),
    ("packets_s", pa.uint64(), "packets from the server"),
    ("bytes_c", pa.uint64(), "IP bytes from the client"),
    ("bytes_s", pa.uint64(), "IP bytes from the server"),
    ("payload_c", pa.uint64(), "transport payload bytes from the client"),
    ("payload_s", pa.uint64(), "transport payload bytes from the server"),
    ("tries", pa.uint64(), "SYNs without ACK, or datagrams to the port"),
    ("first", _TIME, "first record of both sides"),
    ("last", _TIME, "last record of both sides"),
    ("first_c", _TIME, "first record from the client"),
    ("first_s", _TIME, "first record from the server"),
    ("last_c", _TIME, "last record from the client"),
    ("last_s", _TIME, "last record from the server"),
    ("flags_c", pa.uint8(), "TCP flags from the client, OR-ed"),
    ("flags_s", pa.uint8(), "TCP flags from the server, OR-ed"),
    ("seen_c", pa.uint16(), "kinds of packets from the client, bits"),
    ("seen_s", pa.uint16(), "kinds of packets from the server, bits"),
    ("known", pa.uint32(), "what the source can tell, bits"),
    ("no_options", pa.uint64(), "SYNs without TCP options"),
    ("fp_mirai", pa.uint64(), "SYNs whose sequence number is the IPv4 destination"),
    ("fp_zmap", pa.uint64(), "SYNs with IPv4 identification 54321"),
    ("fp_masscan", pa.uint64(), "SYNs with identification dst ^ port ^ seq"),
    ("proof_c_source", _NAME, "file of the client's record that proves the contact"),
    ("proof_c_record", pa.uint64(), "its number in that file, from 1"),
    ("proof_s_source", _NAME, "file of the server's record that proves the outcome"),
    ("proof_s_record", pa.uint64(), "its number in that file, from 1"),
    ("load_c_source", _NAME, "file of the client's first record with payload"),
    ("load_c_record", pa.uint64(), "its number in that file, from 1"),
    ("load_s_source", _NAME, "file of the server's first record with payload"),
    ("load_s_record", pa.uint64(), "its number in that file, from 1"),
)


def schema() -> pa.Schema:
    """The columns of the file, each with its meaning as metadata ``doc``."""
    return pa.schema([pa.field(name, kind, metadata={"doc": doc}) for name, kind, doc in _COLUMNS])


def write(analysis: Analysis, path: Path) -> int:
    """Write the file (zstd) and return how many contacts it holds."""
    columns = schema().with_metadata({"rearguard": __version__, "policy": analysis.policy.digest})
    places = _places(analysis)
    rows = 0
    con = analysis.view.con
    con.execute("SET preserve_insertion_order = true")
    reader = con.sql(_QUERY).to_arrow_reader(BATCH)
    few = [field.name for field in columns if field.name not in _MANY]
    with pq.ParquetWriter(path, columns, compression="zstd", use_dictionary=few) as writer:
        for batch in _ahead(reader):
            writer.write_batch(_batch(batch, columns, places), row_group_size=BATCH)
            rows += batch.num_rows
    return rows


def _ahead(reader: Any) -> Iterator[Any]:
    """Each batch while another thread already asks for the next one: the query runs while the file is written."""
    with ThreadPoolExecutor(1) as asking:
        following = asking.submit(next, reader, None)
        while (batch := following.result()) is not None:
            following = asking.submit(next, reader, None)
            yield batch


class Places(NamedTuple):
    """By source number of a record pointer: which file, and how many of its records came before."""

    uris: Any
    source: Any
    before: Any


def _places(analysis: Analysis) -> Places:
    spans = analysis.view.spans or tuple((number, 0) for number in range(len(analysis.sources)))
    return Places(
        pa.array([without_surrogates(item.uri) for item in analysis.sources], pa.string()),
        np.array([source for source, _ in spans] or [0], dtype=np.int32),
        np.array([before for _, before in spans] or [0], dtype=np.uint64),
    )


def _batch(batch: Any, columns: pa.Schema, places: Places) -> Any:
    made: dict[str, Any] = {}
    for side in ("client", "server"):
        high = batch.column(f"{side}_hi").to_numpy()
        low = batch.column(f"{side}_lo").to_numpy()
        made[side] = pa.Array.from_buffers(
            _ADDRESS, len(high), [None, pa.py_buffer(to_bytes16(high, low).tobytes())]
        )
        made[f"{side}_address"] = _texts(batch.column(f"{side}_address"), high, low)
    for name in _TIMES:
        made[name] = batch.column(name).cast(pa.timestamp("ns")).cast(_TIME)
    for name in _POINTERS:
        made[f"{name}_source"], made[f"{name}_record"] = _pointer(batch.column(name), places)
    return pa.record_batch(
        [
            made[field.name] if field.name in made else batch.column(field.name).cast(field.type)
            for field in columns
        ],
        schema=columns,
    )


def _texts(ipv4: Any, high: Any, low: Any) -> Any:
    """Readable addresses: IPv4 came out of the query, the rest is written here, each distinct one once."""
    if ipv4.null_count == 0:
        return ipv4.cast(pa.string())
    missing = ipv4.is_null().to_numpy(zero_copy_only=False)
    pairs, back = np.unique(np.stack([high[missing], low[missing]], axis=1), axis=0, return_inverse=True)
    known = np.array([format_address(first, second) for first, second in pairs], dtype=object)
    texts = ipv4.to_numpy(zero_copy_only=False).astype(object)
    texts[missing] = known[back.reshape(-1)]
    return pa.array(texts, pa.string())


def _pointer(pointers: Any, places: Places) -> tuple[Any, Any]:
    """Source name and record number of record pointers; null stays null."""
    absent = pointers.is_null().to_numpy(zero_copy_only=False)
    numbers = pointers.fill_null(0).to_numpy()
    span = (numbers >> np.uint64(RECORD_BITS)).astype(np.int64)
    record = (numbers & np.uint64((1 << RECORD_BITS) - 1)) + places.before[span]
    source = pa.array(places.source[span], pa.int32(), mask=absent)
    return pa.DictionaryArray.from_arrays(source, places.uris), pa.array(record, pa.uint64(), mask=absent)
