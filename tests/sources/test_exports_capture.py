"""Captures of flow exports: which payloads are exports, who decodes them, and what becomes of all the others."""

from __future__ import annotations

import gzip
import os
import random
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rearguard.model.fields import CHUNK
from rearguard.sources import Observer, Options, open_source, order
from rearguard.sources.exports_capture import ExportsSource
from rearguard.sources.exports_hint import SEVERAL, carries_exports
from rearguard.sources.exports_kinds import NETFLOW, NO_EXPORT, SFLOW, SFLOW_OLD, kind_of

from . import build as b
from . import sflow_build as s

TIME = 1_700_000_000_000_000_000
NAMES = [item.name for item in CHUNK]
ROUTER, ROUTER6 = "192.0.2.1", "2001:db8::1"
V5_PORT = 2055


def v5(*dports: int, sequence: int = 0) -> bytes:
    """A NetFlow v5 datagram of one TCP flow of two packets for each port."""
    head = struct.pack(">HHIIIIBBH", 5, len(dports), 1_000_000, TIME // 10**9, 0, sequence, 0, 0, 0)
    flows = b""
    for port in dports:
        flows += b"\xcb\0\x71\x07\xc6\x33\x64\x14" + bytes(4) + struct.pack(">HH", 1, 2)
        flows += struct.pack(">IIII", 2, 80, 990_000, 991_000)
        flows += struct.pack(">HHBBBBHHBBH", 40_000, port, 0, 2, 6, 0, 0, 0, 24, 24, 0)
    return head + flows


def sflow(*dports: int, number: int = 1, agent: str = s.AGENT) -> bytes:
    frames = [b.ether(b.ip4(b.tcp(dport=port, flags=24, body=b"GET /%d" % port))) for port in dports]
    return s.datagram(*[s.flow(s.header(frame)) for frame in frames], number=number, agent=agent)


class Read:
    """All that a capture of exports gave."""

    def __init__(self, path: Path | str) -> None:
        with open_source(str(path), options=Options(exports=True)) as source:
            assert isinstance(source, ExportsSource)
            self.rows = []
            for chunk in source.chunks():
                for values in zip(*(chunk.column(name).tolist() for name in NAMES), strict=True):
                    row = dict(zip(NAMES, values, strict=True))
                    row["payload"] = chunk.buffer[row["pay_off"] : row["pay_off"] + row["pay_len"]].tobytes()
                    row["observer"] = source.observers[row["observer"]]
                    self.rows.append(row)
            self.tally, self.exporters = source.tally, list(source.exporters)
            self.format, self.progress = source.format, source.progress

    def ports(self) -> list[int]:
        return [row["dport"] for row in self.rows]


def read(tmp_path: Path, frames: Sequence[bytes], step: int = 10**6) -> Read:
    path = tmp_path / "exports.pcap"
    path.write_bytes(s.capture((TIME + i * step, frame) for i, frame in enumerate(frames)))
    return Read(path)


def test_several_exporters_and_languages_in_one_capture(tmp_path: Path) -> None:
    frames = [
        s.export(v5(23, 7547), ROUTER, dport=V5_PORT),
        s.export(sflow(80, 443)),
        s.export(v5(5555), "192.0.2.2", dport=9995),
        s.export(sflow(8080, agent="2001:db8::77"), ROUTER6),
        s.export(v5(22, sequence=2), ROUTER, dport=V5_PORT),
    ]
    found = read(tmp_path, frames)
    assert found.ports() == [23, 7547, 80, 443, 5555, 8080, 22]
    assert [row["record"] for row in found.rows] == [1, 2, 3, 4, 5, 6, 7]
    routers = [Observer("", address, 1, 2, "in") for address in (ROUTER, "192.0.2.2")]
    agents = [Observer("", address, 3, 7, "in") for address in (s.AGENT, "2001:db8::77")]
    seen = [row["observer"] for row in found.rows]
    assert [(one.exporter, one.ingress, one.egress) for one in seen] == [
        (one.exporter, one.ingress, one.egress)
        for one in (routers[0], routers[0], agents[0], agents[0], routers[1], agents[1], routers[0])
    ]
    kinds = {(one.address, one.kind, one.datagrams, one.records) for one in found.exporters}
    assert kinds == {
        (ROUTER, "NetFlow v5", 2, 3), ("192.0.2.2", "NetFlow v5", 1, 1),
        (s.AGENT, "sFlow v5", 1, 2), ("2001:db8::77", "sFlow v5", 1, 1),
    }  # fmt: skip
    assert (found.tally.records, found.tally.rows, found.tally.complete) == (7, 7, True)


def test_packets_of_samples_keep_their_payload_and_have_the_datagram_s_time(tmp_path: Path) -> None:
    frames = [
        s.export(sflow(80)),
        s.export(v5(23), ROUTER),
        *s.fragments(sflow(443, number=2)),
        s.export(sflow(22, number=3)),
    ]
    found = read(tmp_path, frames)
    assert [(row["dport"], row["payload"]) for row in found.rows] == [
        (80, b"GET /80"), (23, b""), (443, b"GET /443"), (22, b"GET /22"),
    ]  # fmt: skip
    assert found.rows[0]["ts"] == TIME
    assert found.rows[3]["ts"] == TIME + (len(frames) - 1) * 10**6


def test_everything_else_is_counted(tmp_path: Path) -> None:
    frames = [
        b.ether(bytes(28), 0x0806),
        b.ether(b.ip4(b.tcp())),
        b.ether(
            b.ip4(b.udp(5000, 53, struct.pack(">HHHHHH", 5, 0x0100, 1, 0, 0, 0) + b"\3abc\0\0\1\0\1"), 17)
        ),
        b.ether(b.ip4(b.unreachable4(b.ip4(b.udp(1, 2, v5(23)), 17)), 1)),
        s.export(v5(23), ROUTER),
        s.export(s.words(4, 1) + bytes(40)),
    ]
    found = read(tmp_path, frames)
    assert found.ports() == [23]
    assert found.tally.skipped == {"not-an-export": 4, "unknown-version": 1}
    assert found.tally.bytes == (tmp_path / "exports.pcap").stat().st_size


def test_damage_of_the_capture_is_damage_of_the_source(tmp_path: Path) -> None:
    whole = s.capture([(TIME, s.export(v5(23), ROUTER)), (TIME + 1, s.export(v5(22), ROUTER))])
    path = tmp_path / "cut.pcap"
    path.write_bytes(whole[:-10])
    found = Read(path)
    assert found.ports() == [23]
    assert found.tally.skipped == {"truncated-record": 1}
    assert found.tally.damaged is not None
    assert not found.tally.complete


def v9(number: int, length: int) -> bytes:
    return struct.pack(">HHIIIIHHHH", 9, 1, 0, 0, 0, 0, number, length, 256, 2) + bytes(8)


def ipfix(number: int, length: int, whole: int = 32) -> bytes:
    return struct.pack(">HHIIIHHHH", 10, whole, 0, 0, 0, number, length, 256, 2) + bytes(8)


LYING = sflow(23)[:24] + b"\xff\0\0\0" + sflow(23)[28:]

EXPORTS = {
    "v5": (v5(23), 2055, NETFLOW),
    "v5 on any port": (v5(23), 53, NETFLOW),
    "v5 that counts more than there is": (v5(23, 22)[:90], 2055, NO_EXPORT),
    "v5 without records": (v5(), 2055, NO_EXPORT),
    "v1": (struct.pack(">HHIII", 1, 1, 0, 0, 0) + bytes(52), 2055, NETFLOW),
    "a STUN request": (struct.pack(">HHI", 1, 0, 0x2112A442) + bytes(12), 3478, NO_EXPORT),
    "v7": (struct.pack(">HH", 7, 1) + bytes(72), 2055, NETFLOW),
    "v9 with a template": (v9(0, 16), 2055, NETFLOW),
    "v9 with a set that is too long": (v9(256, 99), 2055, NO_EXPORT),
    "v9 with a set of no meaning": (v9(77, 16), 2055, NO_EXPORT),
    "IPFIX without sets": (struct.pack(">HHIII", 10, 16, 0, 0, 0), 4739, NETFLOW),
    "IPFIX with a template": (ipfix(2, 16), 4739, NETFLOW),
    "IPFIX longer than its datagram": (ipfix(2, 16, whole=99), 4739, NO_EXPORT),
    "IPFIX with a NetFlow v9 template set": (ipfix(0, 16), 4739, NO_EXPORT),
    "sFlow": (sflow(23), 6343, SFLOW),
    "sFlow on any port": (sflow(23), 9, SFLOW),
    "sFlow of an IPv6 agent": (sflow(23, agent="2001:db8::1"), 9, SFLOW),
    "sFlow that counts more than there can be": (LYING, 9, NO_EXPORT),
    "the same on its own port": (LYING, 6343, SFLOW),
    "sFlow version 4": (s.words(4, 1) + bytes(40), 6343, SFLOW_OLD),
    "four bytes": (s.words(5), 2055, NO_EXPORT),
    "one byte": (b"\0", 6343, NO_EXPORT),
}


@pytest.mark.parametrize(("payload", "port", "kind"), EXPORTS.values(), ids=EXPORTS)
def test_exports_are_told_by_what_they_say_of_themselves(payload: bytes, port: int, kind: int) -> None:
    buffer = np.frombuffer(bytearray(payload), np.uint8)
    assert kind_of(buffer, len(payload), port) == kind


def test_noise_is_hardly_ever_an_export() -> None:
    source = random.Random(7)
    versions = [struct.pack(">H", version) for version in (1, 5, 7, 9, 10)]
    taken = 0
    for _ in range(5_000):
        noise = source.choice(versions) + source.randbytes(source.randrange(10, 300))
        taken += bool(kind_of(np.frombuffer(bytearray(noise), np.uint8), len(noise), 2055))
    assert taken < 100


def test_more_flows_than_one_chunk_holds(tmp_path: Path) -> None:
    frames = [s.export(v5(*range(30), sequence=30 * i), ROUTER) for i in range(1_200)]
    frames += [s.export(sflow(*range(6), number=i)) for i in range(700)]
    found = read(tmp_path, frames)
    assert len(found.rows) == 30 * 1_200 + 6 * 700
    assert sorted(row["record"] for row in found.rows) == list(range(1, len(found.rows) + 1))
    assert {row["payload"] for row in found.rows[36_000:]} == {b"GET /%d" % port for port in range(6)}


def test_containers_compression_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [s.export(v5(23), ROUTER), s.export(sflow(80))]
    plain = s.capture((TIME + i, frame) for i, frame in enumerate(frames))
    section = b.section() + b.interface() + b.enhanced(frames[0], 5) + b.enhanced(frames[1], 6)
    for name, data, form in (
        ("a.pcap", plain, "exports in pcap"),
        ("a.pcap.gz", gzip.compress(plain), "exports in pcap"),
        ("a.pcapng", section, "exports in pcapng"),
    ):
        (tmp_path / name).write_bytes(data)
        found = Read(tmp_path / name)
        assert (found.ports(), found.format) == ([23, 80], form)
        assert found.progress.done == found.progress.total == len(data)
    out, into = os.pipe()
    os.write(into, plain)
    os.close(into)
    monkeypatch.setattr("rearguard.sources.inputs.FILE_OF_STDIN", out)
    assert Read("-").ports() == [23, 80]
    os.close(out)


def test_sources_are_ordered_by_their_first_packet(tmp_path: Path) -> None:
    for name, time in (("a", TIME + 10**9), ("b", TIME)):
        (tmp_path / name).write_bytes(s.capture([(time, s.export(v5(23), ROUTER))]))
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert order(paths, Options(exports=True)) == paths[::-1]


@pytest.mark.parametrize("exports", [SEVERAL - 1, SEVERAL])
def test_read_as_packets_it_is_known_for_what_it_is(tmp_path: Path, exports: int) -> None:
    frames = [s.export(v5(23, sequence=i), ROUTER) for i in range(exports)]
    frames += [s.export(v5(23)[:-1], ROUTER) for _ in range(20)]
    path = tmp_path / "exports.pcap"
    path.write_bytes(s.capture((TIME + i, frame) for i, frame in enumerate(frames)))
    assert carries_exports(str(path)) is (exports == SEVERAL)


def test_without_the_option_it_is_a_capture_of_packets(tmp_path: Path) -> None:
    path = tmp_path / "exports.pcap"
    path.write_bytes(s.capture([(TIME, s.export(v5(23), ROUTER))]))
    with open_source(str(path)) as source:
        assert [chunk.column("dport").tolist() for chunk in source.chunks()] == [[s.PORT]]
