"""A console session read from both sides: prompts, tried credentials, the shell, the commands typed.

Theory of operation
-------------------
Telnet's own commands (RFC 854: IAC and what follows) are taken out of both streams; what remains is text. Each
line the client typed is an answer to what the server had said when the line began, which the times of the
packets tell:

| the server's last line ends with | the client's line is |
|---|---|
| ``login:``, ``username:``, ``user name:`` ... | a user |
| ``password:`` ... | the password of the user before |
| a shell's prompt: ``#``, ``$``, ``>``, ``%`` | a command |
| anything else, or the server was not seen | what a worm would send next: user, password, then commands |

A login succeeded when a shell's prompt follows the password before another login prompt or a refusal does.
Passwords never leave this module but for comparison with an attack's list.

Bounded: 64 lines of 512 bytes. Only lines that were ended are read, except that the last may be open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rearguard.dialogue.stream import Origin, Stream

__all__ = ["Line", "Login", "Session", "negotiates", "prompted", "read", "shell_prompt", "stripped"]

LINES = 64
LINE = 512

_SUBNEGOTIATION = re.compile(rb"\xff\xfa(?:[^\xff]|\xff[^\xf0]){0,256}(?:\xff\xf0)?")
_COMMAND = re.compile(rb"\xff(?:[\xfb-\xfe][\x00-\xff]|[\xec-\xfa]|\Z|[\xfb-\xfe]\Z)")
_NEGOTIATION = re.compile(rb"\xff[\xfb-\xfe][\x00-\x31\xff]")

_USER = re.compile(rb"(?:login|user ?name|user(?: id)?|account|benutzer(?:name)?)\s{0,4}:[ \t]{0,4}\Z", re.I)
_PASSWORD = re.compile(rb"(?:password|passwort|passwd|passcode|pass)[^\r\n]{0,40}:[ \t]{0,4}\Z", re.I)
_SHELL = re.compile(rb"(?:\A|[\r\n])[^\r\n<]{0,80}[#$>%][ \t]{0,2}\Z")
_REFUSED = re.compile(
    rb"incorrect|invalid|denied|failed|failure|bad pass|wrong|not allowed|login error|try again", re.I
)
_ASKED = re.compile(
    rb"(?:login|user ?name|user(?: id)?|account|benutzer(?:name)?|password|passwort|passwd|passcode)\s{0,4}:",
    re.I,
)
_END = re.compile(rb"\r\n|\r\0|\n|\r")
_ESCAPE = re.compile(rb"\x1b\[[0-9;?]{0,16}[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Line:
    """A command, and the place of its first byte in the client's stream."""

    text: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Login:
    """A user with the password tried; None where none was typed."""

    user: bytes
    password: bytes | None
    at: int
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Session:
    """What happened on the console."""

    logins: tuple[Login, ...]
    commands: tuple[Line, ...]
    prompted: bool
    """The server asked for a user or a password."""
    shell: bool
    """A shell's prompt was reached."""


def negotiates(text: bytes) -> bool:
    """Whether a stream begins as only telnet does: with an option negotiation (RFC 854, RFC 855)."""
    return _NEGOTIATION.match(text) is not None


def prompted(text: bytes) -> bool:
    """Whether a server's text asks for a user or a password in its first line that says anything."""
    found = _ASKED.search(text, 0, 512)
    return found is not None and not text[found.end() : 1024].strip()


def stripped(text: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """Text without telnet's commands, and the runs it is made of: (offset in it, place in the stream)."""
    if b"\xff" not in text:
        return text, [(0, 0)]
    kept = bytearray()
    runs: list[tuple[int, int]] = []
    at = 0
    while at < len(text):
        found = text.find(b"\xff", at)
        end = len(text) if found < 0 else found
        if end > at:
            runs.append((len(kept), at))
            kept += text[at:end]
        if found < 0:
            break
        command = _SUBNEGOTIATION.match(text, end) or _COMMAND.match(text, end)
        # What is no command is an escaped 255, or no telnet at all.
        at = command.end() if command else end + 1 + text.startswith(b"\xff", end + 1)
    return bytes(kept), runs or [(0, 0)]


def shell_prompt(text: bytes) -> bool:
    """Whether a server's text ends with a shell's prompt."""
    return _SHELL.search(text[-256:]) is not None


def read(client: Stream, client_text: bytes, server: Stream, server_text: bytes) -> Session:
    """The session; the texts are those of the streams, each byte at its place."""
    said = _Said(server, server_text)
    typed, runs = stripped(client_text)
    lines = _lines(typed, runs)
    heard = [said.upto(client.origin_of(line.at)) for line in lines]
    logins: list[Login] = []
    commands: list[Line] = []
    user: Line | None = None
    for number, line in enumerate(lines):
        fresh = not number or heard[number] > heard[number - 1]  # a prompt is answered once
        kind = _kind(said.text[: heard[number]] if fresh else b"", user, begun=bool(logins or commands))
        if kind == "command":
            commands.append(line)
        elif kind == "user":
            if user is not None:
                logins.append(Login(user.text, None, user.at, succeeded=False))
            user = line
        else:
            name = user or Line(b"", line.at)
            success = _succeeded(said.text, heard, lines, number)
            logins.append(Login(name.text, line.text, name.at, success))
            user = None
    if user is not None:
        logins.append(Login(user.text, None, user.at, succeeded=False))
    shell = any(login.succeeded for login in logins) or (not logins and shell_prompt(said.text))
    return Session(
        tuple(logins),
        tuple(line for line in commands if line.text),
        _ASKED.search(said.text) is not None,
        shell,
    )


def _kind(before: bytes, user: Line | None, *, begun: bool) -> str:
    tail = before[-128:]
    if _PASSWORD.search(tail):
        return "password"
    if _USER.search(tail):
        return "user"
    if shell_prompt(before):
        return "command"
    if user is not None:
        return "password"
    return "command" if begun else "user"


def _succeeded(said: bytes, heard: list[int], lines: list[Line], number: int) -> bool:
    """Whether the server's next words after this password end with a shell's prompt. A client that does not
    wait types its next lines before them; the prompt is then followed by the echo of the first of these.
    """
    start = heard[number]
    ends = [*heard[number + 1 :], len(said)]
    end = next((end for end in ends if said[start:end].strip()), len(said))
    answer = said[start:end]
    if _REFUSED.search(answer):
        return False
    if shell_prompt(answer):
        return True
    echo = lines[number + 1].text if number + 1 < len(lines) else b""
    if not echo:
        return False
    prompt, found, _ = answer.partition(echo)
    return bool(found) and shell_prompt(prompt)


class _Said:
    """The server's text without telnet's commands, and how much of it was there at which time."""

    __slots__ = ("_arrived", "text")

    def __init__(self, stream: Stream, text: bytes) -> None:
        said, runs = stripped(text)
        self.text = _ESCAPE.sub(lambda found: b" " * len(found[0]), said).replace(b"\0", b" ")
        ends = [origin.offset for origin in stream.origins[1:]] + [len(text)]
        self._arrived = [
            ((origin.ts, origin.rec), _kept(runs, end, len(said)))
            for origin, end in zip(stream.origins, ends, strict=False)
        ]

    def upto(self, origin: Origin | None) -> int:
        """The length of the text that was there when this packet of the client came by."""
        length = 0
        if origin is not None:
            for when, arrived in self._arrived:
                if when > (origin.ts, origin.rec):
                    break
                length = arrived
        return length


def _kept(runs: list[tuple[int, int]], place: int, length: int) -> int:
    """How much of the stripped text had arrived when the stream was at this place."""
    reached = 0
    for number, (offset, at) in enumerate(runs):
        if at >= place:
            break
        size = (runs[number + 1][0] if number + 1 < len(runs) else length) - offset
        reached = offset + min(size, place - at)
    return reached


def _lines(text: bytes, runs: list[tuple[int, int]]) -> list[Line]:
    """The lines that were typed, with what a backspace took away taken away."""
    found: list[Line] = []
    at = 0
    while at < len(text) and len(found) < LINES:
        end = _END.search(text, at)
        stop = end.start() if end else len(text)
        found.append(Line(_typed(text[at : min(stop, at + LINE)]), _place(runs, at)))
        if end is None:
            break
        at = end.end()
    return found


def _typed(text: bytes) -> bytes:
    if b"\x7f" in text or b"\b" in text:
        kept = bytearray()
        for byte in text:
            if byte in (0x7F, 0x08):
                del kept[-1:]
            else:
                kept.append(byte)
        text = bytes(kept)
    return text.strip(b" \t\0")


def _place(runs: list[tuple[int, int]], offset: int) -> int:
    start, place = max((run for run in runs if run[0] <= offset), default=(0, 0))
    return place + offset - start
