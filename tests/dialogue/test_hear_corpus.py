"""Real captures: what was said in them, checked by hand with tshark (frame numbers are given)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.dialogue.run import of_capture

from rearguard.catalogue import load, load_attacks
from rearguard.dialogue.exchange import Exchange
from rearguard.dialogue.hear import hear
from rearguard.model.bits import TCP, UDP

ZEEK = "zeek__zeek/testing/btest/Traces"
ARKIME = "arkime__arkime/tests/pcap"
PACKET = "seladb__PcapPlusPlus/Tests/Packet++Test/PacketExamples"
PCAP = "seladb__PcapPlusPlus/Tests/Pcap++Test/PcapExamples"
SURICATA = "OISF__suricata-verify/tests"
PROTOCOLS = {"tcp": TCP, "udp": UDP}
EVERYWHERE = sorted((PROTOCOLS[transport], port) for transport, port in load().ports(opt_in=True))


def exchanges(capture: Path, *more: tuple[int, int]) -> list[Exchange]:
    """Everything said on any port of the catalogue and the ones given."""
    found = of_capture(capture, listed=[*EVERYWHERE, *more])
    return [hear(one, load_attacks(), load()) for one in found]


def hits(found: list[Exchange]) -> list[tuple[str, int]]:
    return [(hit.attack, hit.proof.rec) for one in found for hit in one.hits]


@pytest.mark.corpus
def test_an_adb_worm(corpus: Path) -> None:
    """adb.pcap: frame 4 is CNXN, frame 7 opens a shell that fetches three scripts, frame 9 is the OKAY."""
    (found,) = exchanges(corpus / ARKIME / "adb.pcap")
    assert hits([found]) == [("adb-shell-download", 7)]
    assert (found.speaks, found.identity, found.answer) == ("adb", "adb", "shell")
    assert found.hits[0].named == ("213.209.143.62",)
    assert found.asked is not None
    assert found.answered is not None
    assert (found.asked.rec, found.answered.rec) == (4, 6)


@pytest.mark.corpus
def test_a_computer_that_maps_ports_at_its_router(corpus: Path) -> None:
    """Frames 63, 74, 85, 508, 521, 532, 930, 941 and 953 are SOAP requests to /WANIPConnection; ordinary at home,
    and what they are outside is for the detector to say. 34 event subscriptions on port 2869 are nothing.
    """
    found = exchanges(corpus / SURICATA / "output-eve-ftp-data/input.pcap")
    assert hits(found) == [
        ("lan-service-called", frame) for frame in (63, 74, 85, 508, 521, 532, 930, 941, 953)
    ]
    assert load_attacks().get("lan-service-called").outside
    assert {one.identity for one in found if one.hits} == {"upnp-soap"}


@pytest.mark.corpus
def test_snmp_communities(corpus: Path) -> None:
    """All 58 messages of snmpv1_get.pcap say "public", those of the other one do not."""
    public = exchanges(corpus / ZEEK / "snmp/snmpv1_get.pcap")
    assert {hit.attack for one in public for hit in one.hits} == {"known-community"}
    other = exchanges(corpus / ARKIME / "SNMPv2c_get_requests.pcap")
    assert hits(other) == []
    assert {secret.shown for one in other for secret in one.secrets} == {"********"}
    assert "C@cti" not in repr(other)
    assert {one.identity for one in other} == {"snmp"}


@pytest.mark.corpus
def test_basic_and_digest_credentials(corpus: Path) -> None:
    """http-basicauth.pcap, frame 4: Basic for "userrrrr", answered by frame 6 with 304; the Digest of frame 4 of
    http-digestauth.pcap was not answered.
    """
    (basic,) = exchanges(corpus / ARKIME / "http-basicauth.pcap", (TCP, 2082))
    assert [(secret.kind, secret.shown, secret.proof.rec) for secret in basic.secrets] == [
        ("basic-auth", "userrrrr / ********", 4)
    ]
    assert (basic.login, basic.status, basic.answer) == ("succeeded", 304, "page")
    (digest,) = exchanges(corpus / ARKIME / "http-digestauth.pcap")
    assert (digest.login, digest.secrets, digest.method) == ("tried", (), "GET")


@pytest.mark.corpus
def test_telnet_listeners(corpus: Path) -> None:
    """telnet.pcap, frame 4, is a login prompt behind a subnegotiation; mpls-basic.pcap a router that has no
    password set.
    """
    found = exchanges(corpus / PACKET / "telnet.pcap")
    assert Counter((one.identity, one.answer) for one in found) == {
        ("telnet", "banner"): 2,
        ("telnet", "prompt"): 1,
    }
    (router,) = exchanges(corpus / ARKIME / "mpls-basic.pcap")
    assert (router.speaks, router.identity, router.answer, router.login) == ("telnet", "telnet", "banner", "")


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CESNET__ipfixprobe/tests/functional/inputs/mqtt.pcap", {("mqtt", "mqtt", "reply")}),
        ("CESNET__ipfixprobe/tests/functional/inputs/rtsp.pcap", {("rtsp", "rtsp", "reply")}),
        ("CESNET__ipfixprobe/tests/functional/inputs/ssdp.pcap", {("ssdp", None, "")}),
        (f"{ARKIME}/v6.pcap", {("ssh", "ssh", "banner")}),
    ],
)
def test_other_protocols(corpus: Path, name: str, expected: set[tuple[str, str | None, str]]) -> None:
    found = exchanges(corpus / name)
    assert {(one.speaks, one.identity, one.answer) for one in found if one.speaks} == expected


@pytest.mark.corpus
@pytest.mark.parametrize(
    "name",
    [
        f"{PCAP}/example.pcap",
        f"{PCAP}/example2.pcap",
        f"{ZEEK}/wikipedia.pcap",
        f"{ZEEK}/workshop_2011_browse.pcap",
        f"{ZEEK}/erspan.pcap",
        f"{ZEEK}/mqtt.pcap",
        f"{SURICATA}/bug-6207-1/input.pcap",
        f"{SURICATA}/entropy/entropy-03/input.pcap",
        f"{SURICATA}/ldap-add/ldap.pcap",
        f"{SURICATA}/pop3-auth-01/input.pcap",
        "the-tcpdump-group__tcpdump/tests/ipv4_tcp_http_xml_tso.pcap",
        "CESNET__ipfixprobe/tests/functional/inputs/ssdp.pcap",
    ],
)
def test_ordinary_traffic_hits_nothing(corpus: Path, name: str) -> None:
    assert hits(exchanges(corpus / name)) == []


@pytest.mark.corpus
def test_no_other_capture_of_the_corpus_hits_anything(corpus: Path) -> None:
    found: Counter[tuple[str, str]] = Counter()
    for capture in sorted(
        path for path in corpus.rglob("*.pcap*") if path.is_file() and path.suffix != ".zst"
    ):
        try:
            said = exchanges(capture)
        except ValueError:
            continue
        found.update((capture.name, attack) for attack, _ in hits(said))
    assert set(found) == {
        ("adb.pcap", "adb-shell-download"),
        ("adb_synthetic.pcap", "adb-shell"),
        ("input.pcap", "lan-service-called"),
        ("snmpv1_get.pcap", "known-community"),
        ("snmpv3_synthetic.pcap", "known-community"),
    }
