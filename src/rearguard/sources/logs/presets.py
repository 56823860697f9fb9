"""The columns of tools that operators already have, recognised by their names.

Sources: goflow2's ``flow.proto`` (JSON keys are its field names) and its sample mapping; the primitives of pmacct's
CONFIG-KEYS; the headers that nfdump 1.6 and 1.7 print (``output_csv.c``, ``output_csv_fast.c``); Akvorado's
ClickHouse schema (``definition.go``); ra(1). ``rearguard`` are the names of this program's own chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from rearguard.model.bits import TCP
from rearguard.sources.logs.convert import letters, words
from rearguard.sources.logs.mapping import NEEDED, ColumnMap, Columns
from rearguard.sources.logs.records import DESTINATION, SOURCE, UNSAID, Records
from rearguard.sources.observers import EGRESS, INGRESS

__all__ = ["ETHERNET", "NAMES", "PRESETS", "Preset", "preset_of"]

ETHERNET = 14
"""Bytes of an Ethernet header, which argus and Suricata count with every packet."""


def _names(**fields: str) -> Mapping[str, tuple[str, ...]]:
    return {field: tuple(text.split()) for field, text in fields.items()}


@dataclass(frozen=True, slots=True)
class Preset:
    """A mapping and the columns that only this tool has together."""

    map: ColumnMap
    signs: tuple[frozenset[str], ...]

    def fits(self, columns: frozenset[str]) -> bool:
        """Whether a table with these columns is this tool's, and has what a flow needs."""
        return any(sign <= columns for sign in self.signs) and all(
            any(name in columns for name in self.map.fields[field]) for field in NEEDED
        )


def _argus_opened(text: str) -> int:
    """ra(1): the arrow points away from who opened; "?": the direction is unknown."""
    if "?" in text:
        return UNSAID
    return SOURCE if ">" in text else DESTINATION if "<" in text else UNSAID


def _argus(records: Records, columns: Columns) -> None:
    """TCP flags of both sides as ``ra -Z b`` prints them in the state, and no payload where argus kept none."""
    for side in (records.there, records.back):
        side.payload[side.payload == 0] = -1
    state = columns.get("State")
    if state is None:
        return
    texts, index = words(state)
    pairs = np.zeros((len(texts) + 1, 2), np.uint8)
    for at, text in enumerate(texts):
        there, mark, back = text.partition("_")
        first, second = letters(there), letters(back)
        if mark and first is not None and second is not None:
            pairs[at] = first, second
    tcp = records.proto == TCP
    records.there.flags = np.where(tcp, pairs[index, 0], 0).astype(np.uint8)
    records.back.flags = np.where(tcp, pairs[index, 1], 0).astype(np.uint8)


def _sets(*texts: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(text.split()) for text in texts)


_GOFLOW2 = Preset(
    ColumnMap(
        "goflow2",
        _names(
            start="time_flow_start_ns time_received_ns",
            end="time_flow_end_ns",
            src="src_addr",
            dst="dst_addr",
            sport="src_port",
            dport="dst_port",
            proto="proto",
            flags="tcp_flags",
            packets="packets",
            bytes="bytes",
            initiator="bi_flow_direction",
            sampling="sampling_rate",
            exporter="sampler_address",
            ingress="in_if",
            egress="out_if",
            way="flow_direction",
        ),
    ),
    _sets(
        "src_addr dst_addr sampler_address",
        "src_addr dst_addr time_received_ns",
        "src_addr dst_addr etype proto",
    ),
)

_PMACCT = Preset(
    ColumnMap(
        "pmacct",
        _names(
            start="timestamp_start timestamp_arrival stamp_inserted TIMESTAMP_START STAMP_INSERTED",
            end="timestamp_end stamp_updated TIMESTAMP_END STAMP_UPDATED",
            src="ip_src SRC_IP src_host",
            dst="ip_dst DST_IP dst_host",
            sport="port_src SRC_PORT src_port",
            dport="port_dst DST_PORT dst_port",
            proto="ip_proto PROTOCOL proto",
            flags="tcp_flags TCP_FLAGS",
            packets="packets PACKETS",
            bytes="bytes BYTES",
            sampling="sampling_rate SAMPLING_RATE",
            exporter="peer_ip_src PEER_SRC_IP",
            ingress="iface_in IN_IFACE",
            egress="iface_out OUT_IFACE",
            way="sampling_direction SAMPLING_DIRECTION",
        ),
    ),
    _sets("ip_src ip_dst ip_proto", "SRC_IP DST_IP PROTOCOL"),
)

_NFDUMP = Preset(
    ColumnMap(
        "nfdump",
        _names(
            start="ts firstSeen",
            end="te lastSeen",
            duration="td duration",
            src="sa srcAddr",
            dst="da dstAddr",
            sport="sp srcPort",
            dport="dp dstPort",
            proto="pr proto",
            flags="flg flags",
            packets="ipkt packets",
            bytes="ibyt bytes",
            packets_back="opkt",
            bytes_back="obyt",
            exporter="ra",
            ingress="in input",
            egress="out output",
            way="dir",
        ),
    ),
    _sets("ts te sa da sp dp pr", "firstSeen srcAddr dstAddr srcPort dstPort proto"),
)

_AKVORADO = Preset(
    ColumnMap(
        "akvorado",
        _names(
            start="TimeReceived",
            src="SrcAddr",
            dst="DstAddr",
            sport="SrcPort",
            dport="DstPort",
            proto="Proto",
            flags="TCPFlags",
            packets="Packets",
            bytes="Bytes",
            sampling="SamplingRate",
            exporter="ExporterAddress ExporterName",
            way="FlowDirection",
        ),
        numbered_way=(0, INGRESS, EGRESS),
    ),
    _sets("TimeReceived SrcAddr DstAddr Proto"),
)

_ARGUS = Preset(
    ColumnMap(
        "argus",
        _names(
            start="StartTime SrcStartTime",
            end="LastTime SrcLastTime",
            duration="Dur RunTime",
            src="SrcAddr",
            dst="DstAddr",
            sport="Sport",
            dport="Dport",
            proto="Proto",
            packets="SrcPkts",
            bytes="SrcBytes",
            payload="SAppBytes",
            packets_back="DstPkts",
            bytes_back="DstBytes",
            payload_back="DAppBytes",
            initiator="Dir",
        ),
        sampling=1,
        frame=ETHERNET,
        opened=_argus_opened,
        refine=_argus,
        extra=("State",),
    ),
    _sets("StartTime SrcAddr DstAddr Dir SrcPkts DstPkts"),
)

_OWN = Preset(
    ColumnMap(
        "rearguard",
        _names(
            start="ts_ns ts",
            end="end_ns end",
            src="src",
            dst="dst",
            sport="sport",
            dport="dport",
            proto="proto",
            flags="flags",
            packets="packets",
            bytes="bytes",
            initiator="initiator",
            sampling="sampling",
            exporter="exporter",
            ingress="ingress",
            egress="egress",
        ),
    ),
    _sets("ts_ns src dst proto", "ts src dst sport dport proto packets bytes"),
)

PRESETS: tuple[Preset, ...] = (_GOFLOW2, _PMACCT, _NFDUMP, _AKVORADO, _ARGUS, _OWN)
NAMES = tuple(preset.map.name for preset in PRESETS)


def preset_of(columns: Iterable[str]) -> ColumnMap | None:
    """The mapping of the tool that writes these columns."""
    present = frozenset(columns)
    return next((preset.map for preset in PRESETS if preset.fits(present)), None)
