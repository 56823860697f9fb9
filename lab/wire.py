"""HTTP and Digest as the lab's small CPE and ACS speak them: one message in, one message out.

Digest is RFC 2617 with ``qop=auth`` and MD5, which TR-069 section 3.4.5 asks of both sides.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from dataclasses import dataclass, field
from typing import BinaryIO

__all__ = [
    "Message",
    "answer_digest",
    "challenge",
    "connect",
    "digest_is_right",
    "read_message",
    "send_message",
]

_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response: its first line, its headers by lower-case name, its body."""

    start: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def words(self) -> list[str]:
        return self.start.split(" ", 2)

    @property
    def status(self) -> int:
        return int(self.words[1])


def read_message(stream: BinaryIO) -> Message | None:
    """The next message, or None at the end of the connection. Bodies need a Content-Length."""
    start = stream.readline(_LIMIT).decode("latin-1").rstrip("\r\n")
    if not start:
        return None
    headers: dict[str, str] = {}
    while line := stream.readline(_LIMIT).decode("latin-1").rstrip("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = min(int(headers.get("content-length", "0")), _LIMIT)
    return Message(start, headers, stream.read(length) if length else b"")


def send_message(sock: socket.socket, start: str, headers: dict[str, str], body: bytes = b"") -> None:
    """Send one message in one write; Content-Length is added."""
    lines = [start, *(f"{name}: {value}" for name, value in headers.items()), f"Content-Length: {len(body)}"]
    sock.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def connect(source: str, target: str, port: int, *, timeout: float = 5.0, sport: int = 0) -> socket.socket:
    """A TCP connection from one of the namespace's own addresses; OSError when it does not come about."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(timeout)
        sock.bind((source, sport))
        sock.connect((target, port))
    except BaseException:
        sock.close()
        raise
    return sock


def challenge(realm: str) -> str:
    """A WWW-Authenticate value with a fresh nonce."""
    return f'Digest realm="{realm}", qop="auth", nonce="{os.urandom(16).hex()}", algorithm=MD5'


def _fields(header: str) -> dict[str, str]:
    found = re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)
    return {name: quoted or bare for name, quoted, bare in found}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _response(given: dict[str, str], method: str, user: str, password: str) -> str:
    first = _md5(f"{user}:{given['realm']}:{password}")
    second = _md5(f"{method}:{given['uri']}")
    return _md5(f"{first}:{given['nonce']}:{given['nc']}:{given['cnonce']}:auth:{second}")


def answer_digest(header: str, method: str, uri: str, user: str, password: str) -> str:
    """The Authorization value that answers a challenge."""
    asked = _fields(header)
    given = {**asked, "uri": uri, "nc": "00000001", "cnonce": os.urandom(8).hex()}
    return (
        f'Digest username="{user}", realm="{given["realm"]}", nonce="{given["nonce"]}", uri="{uri}", '
        f'response="{_response(given, method, user, password)}", algorithm=MD5, qop=auth, '
        f'nc={given["nc"]}, cnonce="{given["cnonce"]}"'
    )


def digest_is_right(header: str | None, issued: str | None, method: str, user: str, password: str) -> bool:
    """Whether an Authorization value answers the challenge that was issued on this connection."""
    if header is None or issued is None:
        return False
    given = _fields(header)
    needed = {"realm", "uri", "nonce", "nc", "cnonce", "username", "response"}
    return (
        needed <= given.keys()
        and given["username"] == user
        and given["nonce"] == _fields(issued)["nonce"]
        and given["response"] == _response(given, method, user, password)
    )
