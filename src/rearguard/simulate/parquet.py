"""Flow records as Parquet, one row a record, with the columns that Rearguard reads without being told.

Addresses are 16 bytes, IPv4 as ``::ffff:0:0/96``; times are ns since the epoch. What is nearly random (addresses,
client ports, times) is written without a dictionary.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rearguard.model.address import to_bytes16
from rearguard.simulate.envelope import exporter_address
from rearguard.simulate.meter import FLOW_TYPE

__all__ = ["COLUMNS", "ParquetFlows"]

COLUMNS = (
    "ts_ns", "end_ns", "src", "dst", "sport", "dport", "proto", "flags", "packets", "bytes", "sampling", "exporter",
    "ingress", "egress",
)  # fmt: skip
DICTIONARY = ["proto", "flags", "sampling", "exporter", "ingress", "egress"]
GROUP = 262_144
"""Rows that are collected before they are written."""


class ParquetFlows:
    """Rows in the order in which they leave."""

    def __init__(self, out: BinaryIO, exporters: int, rate: int) -> None:
        self._rate = rate
        self._names = pa.array([exporter_address(number) for number in range(exporters)])
        self._held: list[NDArray[np.void]] = []
        self._rows = 0
        self._writer = pq.ParquetWriter(
            out, self._table(np.zeros(0, FLOW_TYPE)).schema, compression="zstd", use_dictionary=DICTIONARY
        )

    def write(self, flows: NDArray[np.void]) -> None:
        """Collect rows until they make a group."""
        self._held.append(flows)
        self._rows += len(flows)
        if self._rows >= GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._table(np.concatenate(self._held)), row_group_size=1 << 20)
        self._held, self._rows = [], 0

    def _table(self, flows: NDArray[np.void]) -> pa.Table:
        columns = {
            "ts_ns": flows["first"],
            "end_ns": flows["last"],
            "src": _addresses(flows["src_hi"], flows["src_lo"]),
            "dst": _addresses(flows["dst_hi"], flows["dst_lo"]),
            **{name: flows[name] for name in ("sport", "dport", "proto", "flags", "packets", "bytes")},
            "sampling": np.full(len(flows), self._rate, np.uint32),
            "exporter": pa.DictionaryArray.from_arrays(flows["exporter"].astype(np.int8), self._names),
            "ingress": flows["ingress"].astype(np.uint32),
            "egress": flows["egress"].astype(np.uint32),
        }
        return pa.table(
            {
                name: column if isinstance(column, pa.Array) else np.ascontiguousarray(column)
                for name, column in columns.items()
            }
        )

    def close(self) -> None:
        """Write the rest and the footer."""
        self._flush()
        self._writer.close()


def _addresses(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> pa.Array:
    raw = to_bytes16(high, low).tobytes()
    return pa.Array.from_buffers(pa.binary(16), len(high), [None, pa.py_buffer(raw)])
