"""The HTTP tokeniser: what careless devices and worms send is read as they would read it."""

from __future__ import annotations

import pytest

from rearguard.dialogue.http import MESSAGES, basic, challenge, requests, responses

CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", [(b"GET", b"/", b"")]),
        (b"GET /x HTTP/1.0\nHost: a\n\n", [(b"GET", b"/x", b"")]),
        (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", [(b"GET", b"/", b"")]),
        (b"GET /\r\n\r\n", [(b"GET", b"/", b"")]),
        (b"GET http://h.example/p HTTP/1.1\r\n\r\n", [(b"GET", b"http://h.example/p", b"")]),
        (
            b"GET /s?cmd=rm -rf /tmp/*; wget x HTTP/1.0\r\n\r\n",
            [(b"GET", b"/s?cmd=rm -rf /tmp/*; wget x", b"")],
        ),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", [(b"POST", b"/", b"abc")]),
        (b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nabc", [(b"POST", b"/", b"abc")]),
        (b"POST / HTTP/1.1\r\nContent-Length: -3\r\n\r\nabc", [(b"POST", b"/", b"abc")]),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcdef", [(b"POST", b"/", b"abcdef")]),
        (b"POST / HTTP/1.1\r\n\r\nabc", [(b"POST", b"/", b"abc")]),
        (
            b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET /b HTTP/1.1\r\n\r\n",
            [(b"POST", b"/a", b"ab"), (b"GET", b"/b", b"")],
        ),
        (
            b"POST /a HTTP/1.1\r\n\r\nabc\r\nGET /b HTTP/1.1\r\n\r\n",
            [(b"POST", b"/a", b"abc\r\n"), (b"GET", b"/b", b"")],
        ),
        (
            b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nHEAD /c HTTP/1.1\r\n\r\n",
            [(b"GET", b"/a", b""), (b"GET", b"/b", b""), (b"HEAD", b"/c", b"")],
        ),
        (
            CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            [(b"POST", b"/", b"abcde"), (b"GET", b"/", b"")],
        ),
        (
            CHUNKED + b"3\r\nabc\r\nnonsense",
            [(b"POST", b"/", b"abcnonsense")],
        ),
        (b"PROPPATCH /x HTTP/1.1\r\n\r\n", [(b"PROPPATCH", b"/x", b"")]),
        (b"\x00\x00\x00rest of a header\r\n\r\nGET /b HTTP/1.1\r\n\r\n", [(b"GET", b"/b", b"")]),
        (b"hello\nworld\n", []),
        (b"", []),
    ],
)
def test_requests(text: bytes, expected: list[tuple[bytes, bytes, bytes]]) -> None:
    assert [(each.method, each.target, each.body) for each in requests(text)] == expected


def test_a_gap_that_took_the_request_line_leaves_headers_and_body() -> None:
    text = b"\0" * 30 + b"sie 6.0)\r\nSOAPAction: urn:x#Y\r\nContent-Length: 3\r\n\r\nabc"
    (request,) = requests(text)
    assert (request.method, request.value(b"soapaction"), request.body) == (b"", b"urn:x#Y", b"abc")


def test_headers_are_found_whatever_their_case_folded_or_repeated() -> None:
    (request,) = requests(b"GET / HTTP/1.1\r\nHOST:a\r\nX-y : 1\r\n\t2\r\nhost: b\r\nno colon\r\n\r\n")
    assert request.value(b"host") == b"a"
    assert request.value(b"x-y") == b"1 2"
    assert len(request.headers) == 3


def test_every_header_and_body_byte_knows_its_place() -> None:
    text = CHUNKED.replace(b"\r\n\r\n", b"\r\nHost:  a.example\r\n\r\n") + b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"
    (request,) = requests(text)
    host = request.header(b"host")
    assert host is not None
    assert text[host.at :].startswith(b"a.example")
    assert [text[request.place(offset)] for offset in range(5)] == list(b"abcde")


def test_no_more_messages_than_the_limit() -> None:
    assert len(requests(b"GET / HTTP/1.1\r\n\r\n" * 500)) == MESSAGES
    assert len(responses(b"HTTP/1.1 204 No\r\n\r\n" * 500, [])) == MESSAGES


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", b"GET / HTTP/1.1\r\n\r\n", [(200, b"ab")]),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nab",
            b"GET / HTTP/1.1\r\n\r\n",
            [(200, b"ab")],
        ),
        (b"HTTP/1.0 404\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", [(404, b"")]),
        (
            b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 E\r\n\r\nx",
            b"GET / HTTP/1.1\r\n\r\n" * 2,
            [(204, b""), (500, b"x")],
        ),
        (
            b"HTTP/1.1 200 OK\r\n\r\nbodyHTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n" * 2,
            [(200, b"body"), (401, b"")],
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"HEAD / HTTP/1.1\r\n\r\n", [(200, b"")]),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", b"", [(0, b"")]),
        (b"<html>HTTP/0.9</html>", b"GET /\r\n\r\n", []),
    ],
)
def test_responses(text: bytes, asked: bytes, expected: list[tuple[int, bytes]]) -> None:
    assert [(each.status, each.body) for each in responses(text, requests(asked))] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Basic YWRtaW46YWRtaW4=", (b"admin", b"admin")),
        (b"basic  YWRtaW46YTpi", (b"admin", b"a:b")),
        (b"Basic YWRtaW4=", None),
        (b"Basic !!!", None),
        (b"Basic A", None),
        (b'Digest username="x"', None),
    ],
)
def test_basic_credentials(value: bytes, expected: tuple[bytes, bytes] | None) -> None:
    assert basic(value) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (b'WWW-Authenticate: Digest realm="x"\r\n', "digest"),
        (b'WWW-Authenticate: Basic realm="digest"\r\n', "basic"),
        (b'WWW-Authenticate: Basic realm="x"\r\nWWW-Authenticate: Digest realm="x"\r\n', "digest"),
        (b'WWW-Authenticate: Basic realm="x", Digest realm="y"\r\n', "digest"),
        (b"WWW-Authenticate: NTLM\r\n", ""),
        (b"", ""),
    ],
)
def test_challenges(headers: bytes, expected: str) -> None:
    (response,) = responses(b"HTTP/1.1 401 Unauthorized\r\n" + headers + b"\r\n", [])
    assert challenge(response) == expected
