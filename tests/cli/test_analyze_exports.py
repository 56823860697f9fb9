"""``analyze --exports`` from end to end: what sampled headers prove, what flows say, the hint for who forgot."""

from __future__ import annotations

import json
import socket
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.sources import sflow_build as s
from tests.sources.containers import read

from rearguard import cli
from rearguard.model.bits import TCP, UDP, WHY_QUOTED
from rearguard.sources import Options, inputs, open_source
from rearguard.sources.exports_hint import SEVERAL, carries_exports

TIME = 1_700_000_000_000_000_000
SAID = {"exploit-attempt", "cleartext-management", "unauthorised-controller"}
"""Findings that rest on what was said in a conversation: a sample holds the first 128 bytes of one packet."""
OF_HEADERS = ("contacts", "bytes", "packets", "outcomes", "fingerprints")


def analyzed(capsys: Any, *arguments: str) -> dict[str, Any]:
    assert cli.run(["analyze", *arguments, "--json", "--quiet"]) in (0, 4)
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture(scope="module")
def lab(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str, str]:
    """The lab's capture, its policy, and what the border would have exported of it at 1:1 and at 1:10."""
    folder = tmp_path_factory.mktemp("lab")
    capture = project / "lab" / "incident.pcapng"
    records = read(capture.read_bytes()).records
    for rate in (1, 10):
        (folder / f"{rate}.pcap").write_bytes(s.sampled(records, rate))
    return (
        str(capture),
        str(project / "lab" / "rearguard.yaml"),
        str(folder / "1.pcap"),
        str(folder / "10.pcap"),
    )


def by_subject(result: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    names = ("kind", "interface", "direction", "ports")
    return {
        (*(str(one[name]) for name in names), str(one["subject"].get("address"))): one
        for one in result["findings"]
    }


def test_every_packet_sampled_proves_what_the_packets_prove(
    lab: tuple[str, str, str, str], capsys: Any
) -> None:
    """All contacts, outcomes, scans, floods, exposed and infected devices and fingerprints; not what was said in
    more than the first bytes of a packet, nor what followed from it."""
    capture, policy, samples, _ = lab
    packets = analyzed(capsys, capture, "--policy", policy)
    exported = analyzed(capsys, samples, "--policy", policy, "--exports")
    assert exported["contacts"] == packets["contacts"]
    theirs, ours = by_subject(packets), by_subject(exported)
    assert ours.keys() <= theirs.keys()
    missing = {(key[0], key[1]) for key in theirs.keys() - ours.keys()}
    assert {kind for kind, interface in missing if interface != "None"} <= SAID
    # A fetch from the host that a payload had named is known only to who could read the name.
    assert {kind for kind, interface in missing if interface == "None"} <= {"compromised-device"}
    for key, found in ours.items():
        if key[0] in SAID or found["direction"] == "internal":
            # What stays inside passes the access interface twice, and a router samples it once.
            continue
        assert {name: found[name] for name in OF_HEADERS} == {name: theirs[key][name] for name in OF_HEADERS}
    (source,) = exported["sources"]
    assert source["format"] == "exports in pcap"
    assert exported["sampling"] == [{"observer": s.AGENT, "rate": 1, "from": "record"}]


def test_one_packet_in_ten_still_shows_the_scanners_and_their_fingerprints(
    lab: tuple[str, str, str, str], capsys: Any
) -> None:
    _, policy, _, samples = lab
    exported = analyzed(capsys, samples, "--policy", policy, "--exports")
    scans = {one["subject"]["address"]: one for one in exported["findings"] if one["kind"] == "scan"}
    assert scans.keys() >= {"198.18.66.7", "198.19.77.9", "203.0.113.10", "203.0.113.11", "203.0.113.66"}
    assert "mirai" in scans["198.18.66.7"]["fingerprints"]
    infected = {
        one["subject"]["address"] for one in exported["findings"] if one["kind"] == "compromised-device"
    }
    assert infected == {"198.51.100.15"}
    assert exported["sampling"] == [{"observer": s.AGENT, "rate": 10, "from": "record"}]
    assert exported["contacts"]["by_outcome"].get("unanswered", 0) == 0


def test_mixed_with_other_inputs_in_a_folder(
    lab: tuple[str, str, str, str], tmp_path: Path, capsys: Any
) -> None:
    """A folder with an export capture and a file of something else; the option holds for every capture."""
    (tmp_path / "a.pcap").write_bytes(Path(lab[3]).read_bytes())
    (tmp_path / "notes.txt").write_text("not a capture\n")
    found = analyzed(capsys, str(tmp_path), "--policy", lab[1], "--exports")
    assert [source["uri"] for source in found["sources"]] == [str(tmp_path / "a.pcap")]


def test_networks_are_assumed_from_the_flows(lab: tuple[str, str, str, str], capsys: Any) -> None:
    found = analyzed(capsys, lab[2], "--exports")
    assert found["policy"]["assumed"] is True
    assert found["contacts"]["total"] > 1_000


def test_a_capture_of_exports_that_is_read_as_traffic_gets_a_hint(
    lab: tuple[str, str, str, str], capsys: Any
) -> None:
    capture, policy, samples, _ = lab
    assert cli.run(["analyze", samples, "--policy", policy, "--json"]) == 0
    assert f"{samples}: the UDP payloads look like flow exports" in capsys.readouterr().err
    assert cli.run(["analyze", samples, "--policy", policy, "--json", "--exports"]) == 0
    assert "look like flow exports" not in capsys.readouterr().err
    assert not carries_exports(capture)


@pytest.mark.parametrize(("carries", "exports"), [(True, False), (True, True), (False, False)])
def test_the_hint_is_given_of_standard_input_too(
    lab: tuple[str, str, str, str], capsys: Any, monkeypatch: pytest.MonkeyPatch, carries: bool, exports: bool
) -> None:
    """It can be read only once: what is looked at is what is read."""
    capture, policy, samples, _ = lab
    with Path(samples if carries else capture).open("rb") as stream:
        monkeypatch.setattr(inputs, "FILE_OF_STDIN", stream.fileno())
        command = ["analyze", "-", capture, "--policy", policy, "--json", *(["--exports"] if exports else [])]
        assert cli.run(command) in (0, 4)
    told = capsys.readouterr().err
    assert ("standard input: the UDP payloads look like flow exports" in told) is (carries and not exports)
    assert f"{capture}: the UDP payloads" not in told


@pytest.mark.parametrize(("exports", "expected"), [(SEVERAL - 1, False), (SEVERAL, True)])
def test_several_exports_are_needed_for_the_hint(tmp_path: Path, exports: int, expected: bool) -> None:
    frames = [s.export(s.datagram(s.flow(s.plain4()), number=i)) for i in range(exports)]
    frames += [s.export(s.words(5, 1, 2, 3)[:-1], dport=53) for _ in range(20)]
    path = tmp_path / "some.pcap"
    path.write_bytes(s.capture((TIME + i, frame) for i, frame in enumerate(frames)))
    assert carries_exports(str(path)) is expected


def test_damaged_exports_and_other_files_give_no_hint(tmp_path: Path) -> None:
    spoiled = [s.datagram(s.flow(s.plain4()), number=i)[:-9] for i in range(20)]
    path = tmp_path / "spoiled.pcap"
    path.write_bytes(s.capture((TIME + i, s.export(one)) for i, one in enumerate(spoiled)))
    assert not carries_exports(str(path))
    path.write_bytes(b"text\n" * 100)
    assert not carries_exports(str(path))
    path.write_bytes(s.capture([]))
    assert not carries_exports(str(path))


@pytest.mark.corpus
def test_real_captures_of_exports_get_the_hint_and_others_do_not(corpus: Path) -> None:
    folder = corpus / "the-tcpdump-group__tcpdump/tests"
    hinted = {path.name for path in corpus.rglob("*.pcap") if carries_exports(str(path))}
    assert hinted == {"sflow-print-v6.pcap", "sflow_multiple_counter_30_pdus.pcap"}
    assert (folder / "sflow_expanded.pcap").exists()  # one datagram alone is not several


@pytest.mark.corpus
@pytest.mark.parametrize("version", [5, 9, 10])
def test_what_softflowd_exports_of_a_capture_is_what_the_capture_holds(
    corpus: Path, tool: Callable[[str], str], tmp_path: Path, version: int
) -> None:
    """softflowd reads packets and exports over loopback; what was received is written as a capture and read again.
    Packets and bytes of every conversation are those of the packets."""
    source = corpus / "CESNET__ipfixprobe/tests/functional/inputs" / "mixed.pcap"
    received = _received(tool("softflowd"), source, version, tmp_path)
    path = tmp_path / "exports.pcap"
    path.write_bytes(
        s.capture((TIME + i, s.export(one, "192.0.2.1", dport=9995)) for i, one in enumerate(received))
    )
    expected = _conversations(source, exports=False)
    if version == 5:  # which knows IPv4 only
        expected = {key: counts for key, counts in expected.items() if key[0] == 0}
    assert _conversations(path, exports=True) == expected
    assert len(expected) > 15


def _received(softflowd: str, source: Path, version: int, folder: Path) -> list[bytes]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        collector.settimeout(2)
        port = collector.getsockname()[1]
        command = [softflowd, "-r", str(source), "-n", f"127.0.0.1:{port}", "-v", str(version), "-d"]
        command += ["-p", str(folder / "pid"), "-c", "none"]
        subprocess.run(command, check=True, capture_output=True, timeout=20)
        received = []
        try:
            while True:
                received.append(collector.recv(65_535))
        except TimeoutError:
            return received


def _conversations(path: Path, *, exports: bool) -> dict[tuple[int, ...], tuple[int, int]]:
    """Packets and bytes of each TCP and UDP conversation; what ICMP quotes is none."""
    packets: Counter[tuple[int, ...]] = Counter()
    octets: Counter[tuple[int, ...]] = Counter()
    key = ("src_hi", "src_lo", "dst_hi", "dst_lo", "sport", "dport", "proto")
    with open_source(str(path), options=Options(exports=exports)) as source:
        for chunk in source.chunks():
            columns = [chunk.column(name).tolist() for name in (*key, "packets", "bytes", "why")]
            for values in zip(*columns, strict=True):
                if values[6] in (TCP, UDP) and not values[9] & WHY_QUOTED:
                    packets[values[:7]] += values[7]
                    octets[values[:7]] += values[8]
    return {key: (packets[key], octets[key]) for key in packets}
