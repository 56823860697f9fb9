"""Suricata's eve.json: flow events, else netflow events, else alerts; every flow counts once.

Suricata can write the same flow as a ``flow`` event (both directions), as one ``netflow`` event for each direction
and, while it lasts, as any number of ``alert`` events. Which of them a file is read by is decided by what its
beginning holds, in this order: flow, netflow, alert. The others are then "same-flow": not lost, but told by another
event. Where alerts came first and a flow event follows, the file is read by flow events from there on, and a flow
that an alert already told is not counted again (the last ALERTED flows are remembered). An alert gives one row per
direction for the first alert of its flow; its counts are those of the moment.

Events of other types (dns, http, stats ...) are no flows. Counts include the Ethernet header. ``src_ip`` of a flow
event opened it (Suricata: "toserver"); where TCP was picked up in the middle (no SYN among the flags) that is a
guess and not taken.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rearguard.model.bits import SYN, TCP
from rearguard.sources.inputs import Input
from rearguard.sources.logs.choosing import choose
from rearguard.sources.logs.convert import integers, words
from rearguard.sources.logs.headers import first_objects, schema_of
from rearguard.sources.logs.lines import Lines
from rearguard.sources.logs.mapping import ColumnMap, Columns
from rearguard.sources.logs.places import Places
from rearguard.sources.logs.presets import ETHERNET
from rearguard.sources.logs.records import SOURCE, UNSAID, Records
from rearguard.sources.logs.source import LogSource
from rearguard.sources.logs.tables import JsonLines, Table
from rearguard.sources.logs.text import empty, records_of, text_source
from rearguard.sources.opening import Options
from rearguard.sources.window import Window

__all__ = ["ALERTED", "EVE", "SAME_FLOW", "open_eve"]

SAME_FLOW = "same-flow"
"""Why an event gave no row: another event tells the same flow."""

ALERTED = 65_536
"""Flows of alerts that are remembered, so that none of them counts twice."""

SNIFFED = 1 << 20
"""Bytes that are looked at to learn which events the file has."""

FLOW, NETFLOW, ALERT = "flow", "netflow", "alert"
KINDS = (FLOW, NETFLOW, ALERT)


def _refine(records: Records, columns: Columns) -> None:
    """Who opened, as far as it is certain; what an alert alone tells."""
    texts, index = words(columns["event_type"])
    kind = np.array([KINDS.index(text) if text in KINDS else -1 for text in texts] + [-1])[index]
    tcp = records.proto == TCP
    handshake = (records.there.flags | records.back.flags) & SYN != 0
    first = (kind == 0) & (~tcp | handshake)
    records.initiator = np.where(first, SOURCE, UNSAID).astype(np.uint8)
    alert = kind == 2
    texts, index = words(columns["direction"])
    to_client = np.array([text == "to_client" for text in texts] + [False])[index]
    told = np.array([text in ("to_client", "to_server") for text in texts] + [False])[index]
    counted = (records.there.packets > 0) | (records.back.packets > 0)
    bare = alert & ~(told & counted)
    # Without a direction nobody knows whose counts they are; the packet itself went from src to dst.
    for side, packets in ((records.there, 1), (records.back, 0)):
        side.packets = np.where(bare, packets, side.packets).astype(np.uint64)
        side.bytes = np.where(bare, 0, side.bytes).astype(np.uint64)
    # The packet of such an alert came from the server: its addresses are the other way round than the counts.
    _turn(records, alert & ~bare & to_client)


def _turn(records: Records, which: npt.NDArray[np.bool_]) -> None:
    """Swap the ends of some records, so that the counts of "toserver" go from src to dst."""
    for one, other in (("src_hi", "dst_hi"), ("src_lo", "dst_lo"), ("sport", "dport")):
        first, second = getattr(records, one), getattr(records, other)
        setattr(records, one, np.where(which, second, first))
        setattr(records, other, np.where(which, first, second))


EVE = ColumnMap(
    "suricata",
    {
        "start": ("flow.start", "netflow.start", "timestamp"),
        "end": ("flow.end", "netflow.end", "timestamp"),
        "src": ("src_ip",),
        "dst": ("dest_ip",),
        "sport": ("src_port",),
        "dport": ("dest_port",),
        "proto": ("proto",),
        "flags": ("tcp.tcp_flags_ts", "tcp.tcp_flags"),
        "packets": ("flow.pkts_toserver", "netflow.pkts"),
        "bytes": ("flow.bytes_toserver", "netflow.bytes"),
        "flags_back": ("tcp.tcp_flags_tc",),
        "packets_back": ("flow.pkts_toclient",),
        "bytes_back": ("flow.bytes_toclient",),
        "exporter": ("host", "host_name", "sensor_name"),
    },
    sampling=1,
    hexadecimal=True,
    frame=ETHERNET,
    refine=_refine,
    extra=("event_type", "direction"),
)

_TEXT, _NUMBER = pa.string(), pa.int64()
_WANTED: dict[str, Any] = {
    **dict.fromkeys(
        (
            "event_type",
            "timestamp",
            "src_ip",
            "dest_ip",
            "proto",
            "direction",
            "host",
            "host_name",
            "sensor_name",
        ),
        _TEXT,
    ),
    **dict.fromkeys(("flow_id", "src_port", "dest_port"), _NUMBER),
    "flow": pa.struct(
        [(name, _TEXT) for name in ("start", "end")]
        + [(name, _NUMBER) for name in ("pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient")]
    ),
    "netflow": pa.struct([("start", _TEXT), ("end", _TEXT), ("pkts", _NUMBER), ("bytes", _NUMBER)]),
    "tcp": pa.struct([(name, _TEXT) for name in ("tcp_flags", "tcp_flags_ts", "tcp_flags_tc")]),
}


def open_eve(inflow: Input, window: Window, uri: str, number: int, options: Options) -> LogSource:
    """Read an eve.json."""
    lines = Lines(window)
    objects = first_objects(lines.peek(SNIFFED), most=10_000)
    mapping, exporter = choose(list(_WANTED), uri, options.columns, EVE)
    places = Places("Suricata", exporter)
    parser = JsonLines(schema_of(objects, _WANTED))
    events = _Events({str(each.get("event_type")) for each in objects})

    def make(table: Table) -> Records:
        chosen, told, other = events.choose(table)
        if chosen is None:
            records = empty(mapping, places)
            records.skip("bad-line", table.bad)
        else:
            records = records_of(chosen, mapping, places)
        records.skip(SAME_FLOW, told)
        records.skip("not-a-flow", other)
        return records

    return text_source(uri, number, "suricata eve", inflow, lines, mapping, places, parser.table, make)


class _Events:
    """Which events of a file are read: at first by what its beginning has."""

    def __init__(self, begins: set[str]) -> None:
        self.kind = next((kind for kind in KINDS if kind in begins), FLOW)
        self._alerted: OrderedDict[int, None] = OrderedDict()

    def choose(self, table: Table) -> tuple[Table | None, int, int]:
        """The rows that are read, how many events tell the same flows, and how many are something else."""
        if not len(table.lines):
            return None, 0, 0
        texts, index = words(table.columns["event_type"])
        kind = np.array([KINDS.index(text) if text in KINDS else -1 for text in texts] + [-1])[index]
        if self.kind == ALERT:
            keep = self._by_alerts(table, kind)
        else:
            keep = kind == KINDS.index(self.kind)
            if self._alerted and keep.any():
                keep &= ~self._known(table, keep)
        told = int(((kind >= 0) & ~keep).sum())
        other = int((kind < 0).sum())
        if not keep.any():
            return None, told, other
        rows = pa.array(np.flatnonzero(keep))
        columns = {name: column.take(rows) for name, column in table.columns.items()}
        return Table(columns, table.lines[keep], table.bad, first_bad=table.first_bad), told, other

    def _by_alerts(self, table: Table, kind: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """The first alert of each flow, until there is a flow event: from there on flow events."""
        flows = np.flatnonzero(kind == 0)
        until = int(flows[0]) if flows.size else len(kind)
        keep = np.zeros(len(kind), np.bool_)
        ids, _ = integers(table.columns["flow_id"])
        for at in np.flatnonzero(kind[:until] == KINDS.index(ALERT)).tolist():
            keep[at] = self._remember(int(ids[at]))
        if flows.size:
            self.kind = FLOW
            later = kind == 0
            keep |= later & ~self._known(table, later)
        return keep

    def _remember(self, flow: int) -> bool:
        """Whether this flow is new; 0 is an alert without a flow, always new."""
        if flow == 0:
            return True
        if flow in self._alerted:
            self._alerted.move_to_end(flow)
            return False
        self._alerted[flow] = None
        if len(self._alerted) > ALERTED:
            self._alerted.popitem(last=False)
        return True

    def _known(self, table: Table, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Of some rows, those whose flow an alert told."""
        ids, _ = integers(table.columns["flow_id"])
        known = np.zeros(len(ids), np.bool_)
        for at in np.flatnonzero(which).tolist():
            known[at] = int(ids[at]) in self._alerted
        return known
