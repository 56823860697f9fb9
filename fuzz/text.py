"""Fuzzed: flow files through the door that everybody uses: logs and tables of text, and nfcapd's files.

The format is told by the content. Whatever comes, it is an error of ours with a place, or rows whose counts add up.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np

from rearguard.contacts.warming import flow_samples
from rearguard.model.errors import InputError
from rearguard.policy.columns import ColumnRule
from rearguard.sources import Options, open_source
from rearguard.sources.frames import REASONS
from rearguard.sources.reader import FLOW_REASONS
from sources import nfcapd_build as n

__all__ = ["NFCAPD_SEEDS", "TEXT_SEEDS", "nfcapd", "text"]

RULE = ColumnRule.model_validate(
    {"match": "*", "fields": {"src": "a", "dst": "b", "proto": "c", "start": ["d", "e"], "packets": "f"}}
)
WINDOWS = (64, 4_096, 1 << 16)
ROWS = 200_000
"""More than this does not come from 20,000 bytes, but from a packed input that fuzzing unpacks for ever."""


def text(data: bytes) -> None:
    """The first byte chooses the size of the window and whether the policy names the columns."""
    if data:
        columns = (("edge", RULE),) if data[0] % 2 else ()
        _open(data[1:], WINDOWS[data[0] % len(WINDOWS)], Options(columns=columns))


def nfcapd(data: bytes) -> None:
    """A whole file."""
    _open(data, WINDOWS[len(data) % len(WINDOWS)], Options())


def _open(data: bytes, window: int, options: Options) -> None:
    path = Path(tempfile.gettempdir()) / f"rearguard-fuzz-flows-{os.getpid()}"
    path.write_bytes(data)
    try:
        source = open_source(str(path), window=window, options=options)
    except InputError as error:
        if error.place.file != str(path) or not error.remedy:
            raise
        return
    with source:
        rows = 0
        source.first_time()
        for chunk in source.chunks():
            rows += chunk.n
            assert 0 < chunk.n <= len(chunk.rows)
            assert (chunk.column("end") >= chunk.column("ts")).all()
            assert (chunk.column("observer") < max(1, len(source.observers))).all()
            if rows > ROWS:
                return
        tally = source.tally
        assert tally.rows == rows
        assert set(tally.skipped) <= {*FLOW_REASONS, *REASONS}
        assert all(isinstance(count, (int, np.integer)) and count >= 0 for count in tally.skipped.values())
        assert (tally.first is None) == (tally.last is None)


ZEEK = (
    b"#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state"
    b"\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n"
    b"1.5\t203.0.113.7\t40001\t198.51.100.20\t7547\ttcp\tSF\tShADadFf\t5\t300\t4\t200\n"
    b"2.5\t2001:db8::7\t40001\t2001:db8::20\t7547\ttcp\tS0\tS\t1\t40\t0\t0\n"
)
EVE = {
    "timestamp": "2024-05-01T10:10:00.000001+0200", "flow_id": 1, "event_type": "flow", "src_ip": "203.0.113.7",
    "src_port": 40001, "dest_ip": "198.51.100.20", "dest_port": 7547, "proto": "TCP",
    "flow": {"pkts_toserver": 1, "pkts_toclient": 1, "bytes_toserver": 60, "bytes_toclient": 60,
             "start": "2024-05-01T10:00:00.000001+0200", "end": "2024-05-01T10:00:01.000001+0200"},
    "tcp": {"tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "1b"},
}  # fmt: skip
GOFLOW2 = {
    "time_received_ns": 1_700_000_000_000_000_000, "sampler_address": "192.0.2.1", "src_addr": "203.0.113.7",
    "dst_addr": "198.51.100.20", "proto": "TCP", "src_port": 40001, "dst_port": 7547, "bytes": 40, "packets": 1,
    "tcp_flags": 2, "sampling_rate": 100,
}  # fmt: skip

TEXT_SEEDS = [
    b"\x00" + ZEEK,
    b"\x02" + ZEEK + ZEEK,
    *(b"\x00" + json.dumps(one).encode() + b"\n" for one in (EVE, EVE | {"event_type": "alert"}, GOFLOW2)),
    b'\x00{"ts": 1.5, "id.orig_h": "203.0.113.7", "id.resp_h": "198.51.100.20", "proto": "udp", "_path": "conn"}\n',
    b"\x00" + flow_samples()["warm.csv"] + b"Summary\nflows,1\n",
    b"\x00StartTime,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,SrcPkts,DstPkts,SrcBytes,DstBytes,State\n"
    b"1.5,tcp,203.0.113.7,1, ->,198.51.100.20,7547,1,1,60,60,S_SA\n",
    b'\x01\xef\xbb\xbfa;b;c;d;e;f\r\n"203.0.113.7";198.51.100.20;6;2024-05-01 10:00:00;;1\r\n',
    b'\x01{"a": "203.0.113.7", "b": "198.51.100.20", "c": 17, "d": 1700000000.5, "f": "1"}\n[]\n',
]
"""Where it starts from."""

NFCAPD_SEEDS = [
    flow_samples()["warm.nfcapd1"],
    *(
        n.file_v2([n.Block([n.exporter(1, "192.0.2.1", 3), n.flow_v2(n.Flow(exporter=1))])], packed, order)
        for packed in n.COMPRESSIONS
        for order in "<>"
    ),
    n.file_v1([n.Block([n.extension_map(0, [4, 14]), n.flow_v1(n.Flow(), [4, 14])])], "lzo"),
]
"""The same, of nfcapd: both layouts, all compressions and byte orders."""
