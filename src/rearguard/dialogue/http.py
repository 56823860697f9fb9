"""HTTP/1 as devices and worms speak it: requests and responses out of the first bytes of a connection.

Theory of operation
-------------------
RFC 9112 says what is right; what is on these wires often is not. The rule is to read what a careless device
would read, never to refuse, and never to look behind what is there:

* lines end with LF, with or without CR; empty lines before a message are skipped (RFC 9112 2.2);
* a request begins with a known method and a blank; the rest of its line is the target, whatever it contains
  (worms send blanks in it), without a version at the end;
* a body is as long as ``Content-Length`` says, or chunked; without either, or where the length is too short
  and no further message follows, it goes on to the next request line or to the end;
* what is no message is skipped up to the next one, as after a gap. Headers without a request line, because
  the gap took it, are a request without method; so is the rest of an envelope.

Bounded: 32 messages, 100 headers each (RFC 9112 5.4 leaves the limits to the recipient), and the streams
themselves hold at most a head. Every step moves forward, so time is linear in the bytes.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["METHODS", "Header", "Request", "Response", "basic", "challenge", "requests", "responses"]

MESSAGES = 32
HEADERS = 100

METHODS = (
    b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"TRACE ", b"PATCH ", b"CONNECT ",
    b"SUBSCRIBE ", b"UNSUBSCRIBE ", b"NOTIFY ", b"M-SEARCH ", b"M-POST ", b"PROPFIND ",
)  # fmt: skip
"""RFC 9110, UPnP Device Architecture 1.1 (GENA and SSDP), WebDAV."""

_END_OF_REQUEST_LINE = re.compile(rb" HTTP/1\.[01]\r?\n")
_METHOD = re.compile(b"|".join(re.escape(method) for method in METHODS))
_REQUEST_LINE = re.compile(rb"[A-Z][A-Z-]{2,19} [^\r\n\0]{1,2048} HTTP/1\.[01]\r?\n")
_NEXT_RESPONSE = re.compile(rb"HTTP/1\.[01] [1-5]\d\d[ \r\n]")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_VERSION = re.compile(rb"[ \t]+HTTP/\d(?:\.\d)?[ \t]*\Z")
_HEADLESS = re.compile(
    rb"^(?:host|soapaction|content-length|content-type|user-agent|authorization|cookie):", re.I | re.M
)
_CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,6})[^\r\n]{0,256}\r?\n")
_BLANKS = re.compile(rb"[\r\n\0]*")
_BASIC = re.compile(rb"\s{0,8}basic\s{1,8}([A-Za-z0-9+/=_-]{1,1024})", re.I)
_SCHEMES = re.compile(rb"(?:^|,)\s{0,8}(digest|basic|bearer|negotiate|ntlm)\b", re.I)


class Header(NamedTuple):
    """One header line; the name in lower case, the value without blanks around it, and its place."""

    name: bytes
    value: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``method`` is empty where only what followed the request line was seen."""

    at: int
    method: bytes
    target: bytes
    target_at: int
    headers: tuple[Header, ...]
    body: bytes
    places: tuple[tuple[int, int], ...]
    """(offset in the body, place in the stream), ascending: where each run of body bytes came from."""

    def header(self, name: bytes) -> Header | None:
        """The first header with this name (lower case)."""
        return next((header for header in self.headers if header.name == name), None)

    def value(self, name: bytes) -> bytes:
        """Its value, or nothing."""
        found = self.header(name)
        return found.value if found else b""

    def place(self, offset: int) -> int:
        """Where the body's byte at this offset stands in the stream."""
        start, at = max((pair for pair in self.places if pair[0] <= offset), default=(0, self.at))
        return at + offset - start


@dataclass(frozen=True, slots=True)
class Response:
    """One response."""

    at: int
    status: int
    headers: tuple[Header, ...]
    body: bytes

    def value(self, name: bytes) -> bytes:
        """The value of the first header with this name (lower case), or nothing."""
        return next((header.value for header in self.headers if header.name == name), b"")


def requests(text: bytes) -> list[Request]:
    """The requests of a client's stream, in order."""
    found: list[Request] = []
    at = 0
    while len(found) < MESSAGES:
        at = _skip(text, at)
        if at >= len(text):
            break
        if not (text.startswith(METHODS, at) or _REQUEST_LINE.match(text, at)):
            onward = _next_request(text, at)
            headless = _HEADLESS.search(text, at, onward)
            start, at = at, onward
            if headless is None and b"Envelope>" in text[start:onward]:
                found.append(Request(start, b"", b"", start, (), text[start:onward], ((0, start),)))
            elif headless:
                begin = headless.start()
                head = _Head.read(text, begin, begin)
                body, places, at = _request_body(text, head)
                found.append(Request(begin, b"", b"", begin, head.headers, body, places))
            continue
        line_end = _line_end(text, at)
        line = text[at:line_end].rstrip(b"\r")
        method, _, rest = line.partition(b" ")
        target = _VERSION.sub(b"", rest).strip(b" \t")
        head = _Head.read(text, at, min(line_end + 1, len(text)))
        body, places, end = _request_body(text, head)
        target_at = at + len(method) + 1
        found.append(Request(at, method, target, target_at, head.headers, body, places))
        at = end
    return found


def responses(text: bytes, asked: list[Request]) -> list[Response]:
    """The responses of a server's stream, in order; those that only announce another (1xx) are left out."""
    found: list[Response] = []
    at = 0
    while len(found) < MESSAGES:
        at = _skip(text, at)
        if not text.startswith(b"HTTP/", at):
            onward = _NEXT_RESPONSE.search(text, at)
            if onward is None:
                break
            at = onward.start()
        line_end = _line_end(text, at)
        status = _status(text[at:line_end])
        head = _Head.read(text, at, min(line_end + 1, len(text)))
        to_head = len(found) < len(asked) and asked[len(found)].method == b"HEAD"
        if 100 <= status < 200 or status in (204, 304) or to_head:
            body, end = b"", head.end
        else:
            body, _, end = _body(text, head)
            if end < 0:
                more = _NEXT_RESPONSE.search(text, head.end) if len(found) + 1 < len(asked) else None
                end = more.start() if more else len(text)
                body = text[head.end : end]
        if not 100 <= status < 200:
            found.append(Response(at, status, head.headers, body))
        at = max(end, at + 5)
    return found


def basic(value: bytes) -> tuple[bytes, bytes] | None:
    """User and password of an ``Authorization: Basic`` (RFC 7617), or None."""
    match = _BASIC.match(value)
    if match is None:
        return None
    coded = match[1].rstrip(b"=")
    try:
        user, colon, password = b64decode(coded + b"=" * (-len(coded) % 4)).partition(b":")
    except Error:
        return None
    return (user, password) if colon else None


def challenge(response: Response) -> str:
    """Which authorisation the response asks for: digest before basic, or nothing (RFC 9110 11.6.1)."""
    schemes = {
        scheme.lower()
        for header in response.headers
        if header.name == b"www-authenticate"
        for scheme in _SCHEMES.findall(header.value[:2048])
    }
    return "digest" if b"digest" in schemes else "basic" if b"basic" in schemes else ""


@dataclass(frozen=True, slots=True)
class _Head:
    """The header lines of a message, and where its body begins."""

    headers: tuple[Header, ...]
    end: int

    @classmethod
    def read(cls, text: bytes, begin: int, at: int) -> _Head:
        """Headers from ``at`` on; an empty line right there ends them. ``begin`` is the message's start."""
        stop = _END_OF_HEAD.search(text, max(at - 1, begin))
        last, end = (stop.start() + 1, stop.end()) if stop else (len(text), len(text))
        headers: list[Header] = []
        for line in text[at:last].split(b"\n")[:HEADERS]:
            start, at = at, at + len(line) + 1
            if line[:1] in (b" ", b"\t") and headers:  # obs-fold, RFC 9112 5.2
                before = headers[-1]
                headers[-1] = Header(before.name, before.value + b" " + line.strip(), before.at)
                continue
            name, colon, value = line.partition(b":")
            if colon:
                lead = len(value) - len(value.lstrip(b" \t"))
                headers.append(Header(name.strip().lower(), value.strip(), start + len(name) + 1 + lead))
        return cls(tuple(headers), end)

    @property
    def chunked(self) -> bool:
        return b"chunked" in self.value(b"transfer-encoding").lower()

    def value(self, name: bytes) -> bytes:
        return next((header.value for header in self.headers if header.name == name), b"")


def _skip(text: bytes, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _next_request(text: bytes, at: int) -> int:
    """Where the next request line begins, or the end. It may follow a body whose length was a lie."""
    for line in _END_OF_REQUEST_LINE.finditer(text, at):
        begin = max(text.rfind(b"\n", at, line.start()) + 1, at)
        if text.startswith(METHODS, begin):
            return begin
        methods = [found.start() for found in _METHOD.finditer(text, begin, line.start())]
        if methods:
            return methods[-1]
    return len(text)


def _line_end(text: bytes, at: int) -> int:
    found = text.find(b"\n", at)
    return len(text) if found < 0 else found


def _status(line: bytes) -> int:
    code = line[5:24].partition(b" ")[2].lstrip()[:3]
    return int(code) if code.isdigit() and len(code) == 3 else 0


def _request_body(text: bytes, head: _Head) -> tuple[bytes, tuple[tuple[int, int], ...], int]:
    """Body, its places, and where the next message may begin."""
    body, places, end = _body(text, head)
    if end >= 0:
        rest = _skip(text, end)
        if rest >= len(text) or head.chunked or text.startswith(METHODS, rest):
            return body, places, end
    end = _next_request(text, head.end)
    return text[head.end : end], ((0, head.end),), end


def _body(text: bytes, head: _Head) -> tuple[bytes, tuple[tuple[int, int], ...], int]:
    """As the headers announce it; the end is -1 when they announce nothing."""
    if head.chunked:
        return _chunks(text, head.end)
    length = head.value(b"content-length")
    if not length.isdigit() or len(length) > 9:
        return b"", (), -1
    end = min(head.end + int(length), len(text))
    return text[head.end : end], ((0, head.end),), end


def _chunks(text: bytes, at: int) -> tuple[bytes, tuple[tuple[int, int], ...], int]:
    """A chunked body (RFC 9112 7.1); where the chunks stop making sense, the rest of the text belongs to it."""
    body = bytearray()
    places: list[tuple[int, int]] = []
    while at < len(text):
        size = _CHUNK.match(text, at)
        if size is None:
            places.append((len(body), at))
            body += text[at:]
            at = len(text)
            break
        length = int(size[1], 16)
        at = size.end()
        if not length:
            trailer = _END_OF_HEAD.search(text, at - 1)
            at = trailer.end() if trailer else len(text)
            break
        places.append((len(body), at))
        body += text[at : at + length]
        at += length
        if text.startswith(b"\r\n", at):
            at += 2
        elif text.startswith(b"\n", at):
            at += 1
    return bytes(body), tuple(places), min(at, len(text))
