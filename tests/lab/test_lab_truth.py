"""The lab's capture holds what its truth file says, told by tshark and by nothing of ours."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

FIELDS = (
    "frame.number",
    "frame.time_epoch",
    "frame.interface_name",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "tcp.srcport",
    "tcp.dstport",
    "udp.srcport",
    "udp.dstport",
    "tcp.flags",
    "tcp.seq_raw",
    "tcp.hdr_len",
    "ip.id",
    "ip.ttl",
    "http.request.method",
    "http.request.uri",
    "http.response.code",
    "http.authorization",
    "http.www_authenticate",
    "frame.len",
)
SYN, RST, ACK = 0x02, 0x04, 0x10


@dataclass(frozen=True, slots=True)
class Frame:
    number: int
    time: float
    side: str
    src: str
    dst: str
    sport: int
    dport: int
    proto: str
    flags: int
    seq: int
    header: int
    ipid: int
    ttl: int
    method: str
    uri: str
    status: str
    authorization: str
    challenge: str
    length: int


def decode(tshark: str, capture: Path) -> list[Frame]:
    """Every IP frame of the capture in tshark's reading; tcp/7547 is HTTP here.

    A packet that crosses the border is there twice; tshark takes the second copy for a retransmission and
    shows the HTTP fields on the first only, so that counting messages needs no choice of a side.
    """
    fields = [word for name in FIELDS for word in ("-e", name)]
    options = ("-n", "-d", "tcp.port==7547,http", "-T", "fields", "-E", "occurrence=f", "-Y", "ip or ipv6")
    text = subprocess.run(
        [tshark, "-r", str(capture), *options, *fields], check=True, capture_output=True, text=True
    ).stdout
    return list(_frames(text))


def _frames(text: str) -> Iterator[Frame]:
    for line in text.splitlines():
        row = dict(zip(FIELDS, line.split("\t"), strict=True))
        proto = "tcp" if row["tcp.srcport"] else "udp" if row["udp.srcport"] else "other"
        yield Frame(
            number=int(row["frame.number"]),
            time=float(row["frame.time_epoch"]),
            side=row["frame.interface_name"],
            src=row["ip.src"] or row["ipv6.src"],
            dst=row["ip.dst"] or row["ipv6.dst"],
            sport=int(row["tcp.srcport"] or row["udp.srcport"] or 0),
            dport=int(row["tcp.dstport"] or row["udp.dstport"] or 0),
            proto=proto,
            flags=int(row["tcp.flags"] or "0", 16),
            seq=int(row["tcp.seq_raw"] or 0),
            header=int(row["tcp.hdr_len"] or 0),
            ipid=int(row["ip.id"] or "0", 16),
            ttl=int(row["ip.ttl"] or 0),
            method=row["http.request.method"],
            uri=row["http.request.uri"],
            status=row["http.response.code"],
            authorization=row["http.authorization"],
            challenge=row["http.www_authenticate"],
            length=int(row["frame.len"]),
        )


@pytest.fixture(scope="module")
def folder(project: Path) -> Path:
    """Where the recording lies; REARGUARD_LAB names another one, such as a fresh one."""
    return Path(os.environ.get("REARGUARD_LAB", project / "lab"))


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "truth.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def frames(tool: Callable[[str], str], folder: Path, truth: dict[str, Any]) -> list[Frame]:
    return decode(tool("tshark"), folder / str(truth["capture"]["file"]))


def is_mirai(frame: Frame) -> bool:
    return ":" not in frame.dst and frame.flags == SYN and frame.seq == int(IPv4Address(frame.dst))


def events(truth: dict[str, Any], scene: str) -> list[dict[str, Any]]:
    found = [event for event in truth["events"] if event["scene"] == scene]
    assert found, f"no event of scene {scene}"
    return found


def told(event: dict[str, Any]) -> list[str]:
    """The devices whose outcome an event tells."""
    return [device for devices in event["outcomes"].values() for device in devices]


def test_capture_is_small_and_counted(folder: Path, frames: list[Frame], truth: dict[str, Any]) -> None:
    assert (folder / truth["capture"]["file"]).stat().st_size < 3_000_000
    assert 0 <= truth["capture"]["packets"] - len(frames) < 40  # the rest is ARP


def test_interfaces_are_the_two_sides_of_the_border(frames: list[Frame], truth: dict[str, Any]) -> None:
    names = [item["name"] for item in truth["capture"]["interfaces"]]
    assert names == ["outside", "access"]
    assert {frame.side for frame in frames} == set(names)


def test_only_documentation_and_link_addresses_appear(frames: list[Frame]) -> None:
    allowed = [
        ip_network(text)
        for text in (
            *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32"),
            *("fe80::/10", "ff02::/16"),
        )
    ]
    strangers = {
        address
        for frame in frames
        for address in (frame.src, frame.dst)
        if not any(ip_address(address) in network for network in allowed)
    }
    assert strangers == set()


def test_every_border_crossing_packet_is_seen_on_both_sides(
    frames: list[Frame], truth: dict[str, Any]
) -> None:
    customers = [ip_network(text) for text in truth["networks"]["customers"]]
    outside = [ip_network(text) for text in truth["networks"]["outside"]]

    def crosses(frame: Frame) -> bool:
        ends = (ip_address(frame.src), ip_address(frame.dst))
        return any(end in net for end in ends for net in customers) and any(
            end in net for end in ends for net in outside
        )

    sides = {
        side: Counter(
            (frame.src, frame.sport, frame.dst, frame.dport, frame.proto, frame.flags, frame.seq)
            for frame in frames
            if frame.side == side and crosses(frame)
        )
        for side in ("outside", "access")
    }
    assert sides["outside"] == sides["access"]
    assert sides["outside"].total() > 3000


@pytest.mark.parametrize("scene", ["survey", "worm"])
def test_sweeps_hold_exactly_the_syns_that_were_sent(
    scene: str, frames: list[Frame], truth: dict[str, Any]
) -> None:
    for event in events(truth, scene):
        (source,) = event["remotes"]
        connected = {
            (target, port)
            for other in truth["events"]
            if "connections" in other["counts"] and source in other["remotes"]
            for target in told(other)
            for port in other["ports"]
        }
        swept = [
            frame
            for frame in frames
            if frame.side == "outside"
            and (frame.src, frame.flags) == (source, SYN)
            and frame.dport in event["ports"]
            and (frame.header <= 24 or (frame.dst, frame.dport) not in connected)
        ]
        assert len(swept) == event["counts"]["syns"], event["what"]
        assert len({frame.dst for frame in swept}) == event["targets"]
        assert sum(frame.dst in truth["dark"] for frame in swept) == event["dark_targets"]


def test_mirai_property_holds_for_the_worms_sweeps_and_for_nothing_else(
    frames: list[Frame], truth: dict[str, Any]
) -> None:
    expected: Counter[str] = Counter()
    for event in truth["events"]:
        if "mirai" in event["fingerprints"]:
            actors = event["remotes"] if event["direction"] == "inbound" else told(event)
            expected[actors[0]] += event["counts"]["syns"]
    marked = [frame for frame in frames if frame.side == "outside" and is_mirai(frame)]
    assert Counter(frame.src for frame in marked) == expected
    assert {(frame.header, frame.ttl) for frame in marked if frame.src in truth_remotes(truth)} == {(20, 64)}


def truth_remotes(truth: dict[str, Any]) -> set[str]:
    return {host["address"] for host in truth["hosts"] if host["role"] == "worm"}


def test_zmap_survey_bears_its_identification(frames: list[Frame], truth: dict[str, Any]) -> None:
    (event,) = [item for item in events(truth, "survey") if item["fingerprints"] == ["zmap"]]
    syns = [frame for frame in frames if frame.src == event["remotes"][0] and frame.flags == SYN]
    assert {frame.ipid for frame in syns} == {54321}


def test_outcomes_are_those_of_the_packets(frames: list[Frame], truth: dict[str, Any]) -> None:
    """Rule B7's proof: exactly SYN+ACK, or RST, or nothing, from the very port to the very source."""
    replies: dict[tuple[str, str, int], set[int]] = {}
    for frame in frames:
        if frame.proto == "tcp":
            replies.setdefault((frame.src, frame.dst, frame.sport), set()).add(frame.flags)
    for event in truth["events"]:
        if event["transport"] != "tcp" or event["direction"] == "outbound" or event["scene"] == "backscatter":
            continue
        for outcome, devices in event["outcomes"].items():
            for device in devices:
                for remote in event["remotes"]:
                    seen: set[int] = set().union(
                        *(replies.get((device, remote, port), set()) for port in event["ports"])
                    )
                    case = f"{event['what']}: {remote} at {device}"
                    if outcome == "unanswered":
                        assert not seen, case
                    elif outcome == "refused":
                        assert any(flags & RST for flags in seen), case
                    else:
                        assert SYN | ACK in seen, case


def test_dark_addresses_never_send(frames: list[Frame], truth: dict[str, Any]) -> None:
    assert {frame.src for frame in frames}.isdisjoint(truth["dark"])


def test_every_device_that_is_told_alive_sends(frames: list[Frame], truth: dict[str, Any]) -> None:
    devices = {
        host["address"] for host in truth["hosts"] if host["role"] == "device" and ":" not in host["address"]
    }
    assert devices <= {frame.src for frame in frames}


def test_connection_request_is_challenged_then_accepted_then_a_session_follows(
    frames: list[Frame], truth: dict[str, Any]
) -> None:
    callers = {"192.0.2.9", "2001:db8:a::10"}
    informed = {
        (device, event["payload"]["events"][0])
        for event in events(truth, "controller")
        if event["interface"] == "cwmp-acs"
        for device in event["outcomes"]["conversed"]
    }
    called = [
        event["outcomes"]["conversed"][0]
        for event in events(truth, "controller")
        if event["interface"] == "cwmp-cr" and "conversed" in event["outcomes"]
    ]
    with_digest = [
        host["address"]
        for host in truth["hosts"]
        if host.get("gate") in ("digest", "fragile", "tr064") and host["address"] in called
    ]
    assert len(with_digest) == 8  # five over IPv4 and three over IPv6
    for device in with_digest:
        steps = [
            (frame.method or frame.status, bool(frame.authorization), frame.challenge.startswith("Digest"))
            for frame in frames
            if {frame.src, frame.dst} & callers
            and device in (frame.src, frame.dst)
            and (frame.method or frame.status)
        ]
        assert steps == [
            ("GET", False, False),
            ("401", False, True),
            ("GET", True, False),
            ("200", False, False),
        ], device
    assert sum(code == "6 CONNECTION REQUEST" for _, code in informed) >= 5


def test_sessions_run_from_inform_to_204(frames: list[Frame], truth: dict[str, Any]) -> None:
    sessions = [event for event in events(truth, "controller") if event["interface"] == "cwmp-acs"]
    expected: Counter[str] = Counter()
    for event in sessions:
        expected.update(map(str, event["payload"]["statuses"]))
    seen = Counter(
        frame.status for frame in frames if frame.src in ("192.0.2.20", "2001:db8:a::20") and frame.status
    )
    assert seen == expected
    assert seen["204"] == len(sessions)


def test_the_request_of_2016_was_answered_as_told(frames: list[Frame], truth: dict[str, Any]) -> None:
    for event in events(truth, "request-of-2016"):
        (source,) = event["remotes"]
        ((target,),) = event["outcomes"].values()
        posts = [
            frame for frame in frames if (frame.src, frame.dst, frame.method) == (source, target, "POST")
        ]
        assert len(posts) == (1 if event["payload"]["delivered"] else 0), target
        assert all(frame.uri == event["payload"]["path"] for frame in posts)
        status = event["payload"]["status"]
        codes = {
            int(frame.status)
            for frame in frames
            if (frame.src, frame.dst, frame.sport) == (target, source, 7547) and frame.status
        }
        assert codes == ({status} if status else set()), target


def test_the_fall_is_a_fetch_from_the_host_named_and_then_a_scan_outward(
    frames: list[Frame], truth: dict[str, Any]
) -> None:
    (fetch,) = [event for event in events(truth, "fall") if event["ports"] == [80]]
    ((device,),) = fetch["outcomes"].values()
    (host,) = fetch["remotes"]
    felled = [
        event
        for event in events(truth, "request-of-2016")
        if event["payload"]["host"] == host and device in event["outcomes"].get("conversed", [])
    ]
    assert len(felled) == 1
    gets = [frame for frame in frames if (frame.src, frame.dst, frame.method) == (device, host, "GET")]
    assert [frame.uri for frame in gets] == ["/readme.txt"]
    for event in events(truth, "fall"):
        if event["kind"] != "compromised-device" or event["interface"] is None:
            continue
        syns = [
            frame
            for frame in frames
            if frame.side == "outside"
            and (frame.src, frame.flags) == (device, SYN)
            and frame.dport in event["ports"]
        ]
        assert len(syns) == event["counts"]["syns"]
        assert {frame.dst for frame in syns} == set(event["remotes"])
        assert len({frame.dst.rsplit(".", 1)[0] for frame in syns}) == event["counts"]["slash24"] >= 25
        assert min(frame.time for frame in syns) > gets[0].time


def test_reflector_answers_more_than_it_is_asked(frames: list[Frame], truth: dict[str, Any]) -> None:
    (event,) = events(truth, "reflection")
    (victim,), ((device,),) = event["remotes"], event["outcomes"].values()
    asked = [f for f in frames if (f.side, f.src, f.dst, f.dport) == ("outside", victim, device, 1900)]
    answers = [f for f in frames if (f.side, f.src, f.dst, f.sport) == ("outside", device, victim, 1900)]
    assert (len(asked), len(answers)) == (event["counts"]["questions"], event["counts"]["answers"])
    assert sum(f.length for f in answers) > 3 * sum(f.length for f in asked)


def test_flood_holds_its_connections_and_the_device_dies_of_it(
    frames: list[Frame], truth: dict[str, Any]
) -> None:
    (event,) = events(truth, "flood")
    ((device,),) = event["outcomes"].values()
    towards = [f for f in frames if f.side == "outside" and f.src in event["remotes"] and f.dst == device]
    # A SYN that a busy machine sends again has the sequence number of the first one.
    opened = {(f.src, f.sport, f.seq) for f in towards if f.flags == SYN}
    assert len(opened) == event["counts"]["connections"] == 600
    back = [f for f in frames if f.side == "outside" and f.dst in event["remotes"] and f.src == device]
    assert sum(f.flags == RST | ACK for f in back) >= 400
    assert (
        sum(f.status == "401" and f.dst in event["remotes"] for f in frames if f.src == device)
        == event["counts"]["conversed"]
    )
    assert event["payload"]["crashed"]


def test_backscatter_never_initiates(frames: list[Frame], truth: dict[str, Any]) -> None:
    (event,) = events(truth, "backscatter")
    sent = [f for f in frames if f.side == "outside" and f.src == event["remotes"][0]]
    assert len(sent) == event["counts"]["packets"]
    assert {f.flags for f in sent} == {SYN | ACK, RST | ACK}
    asked = {(f.src, f.dst) for f in frames if f.flags == SYN}
    assert all((f.dst, f.src) not in asked for f in sent)


def test_clients_with_catalogued_ports_converse(frames: list[Frame], truth: dict[str, Any]) -> None:
    (event,) = [item for item in events(truth, "ordinary") if "client_ports" in item["payload"]]
    for port in event["payload"]["client_ports"]:
        for device in event["outcomes"]["conversed"]:
            pages = [f for f in frames if (f.dst, f.dport, f.status) == (device, port, "200")]
            assert len(pages) == 1, (device, port)


def test_internal_traffic_stays_inside(frames: list[Frame], truth: dict[str, Any]) -> None:
    (event,) = events(truth, "internal")
    (source,) = event["remotes"]
    syns = [f for f in frames if (f.src, f.dport, f.flags) == (source, 23, SYN)]
    assert {f.side for f in syns} == {"access"}
    assert len({f.dst for f in syns}) == event["targets"]
    assert len(syns) == 2 * event["counts"]["connections"]  # in and out of the border's access side


def test_expected_findings_name_actors_and_the_innocent_are_apart(truth: dict[str, Any]) -> None:
    subjects = {item["subject"] for item in truth["expected_findings"]}
    innocent = {item["address"] for item in truth["innocent"]}
    known = {host["address"] for host in truth["hosts"]}
    assert subjects <= known
    assert innocent <= known
    assert subjects.isdisjoint(innocent)
    controllers = {host["address"] for host in truth["hosts"] if host["role"] == "controller"}
    assert controllers <= innocent
    kinds = {item["kind"] for item in truth["expected_findings"]}
    assert kinds == {
        *("scan", "probe", "exposed-device", "compromised-device", "flood", "reflector"),
        *("exploit-attempt", "cleartext-management", "unauthorised-controller"),
    }
