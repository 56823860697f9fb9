"""SOAP out of XML that no parser would accept: an envelope's action, service and parameters.

Worms write XML by hand and devices answer in kind: undeclared prefixes, tags that are never closed, markup in
values. Nothing is refused, nothing is resolved: no DTD, no external entity, no namespace rule. A tag is what
has the shape of one; any other ``<`` is text. A *leaf* is an element whose start tag is followed by text (or
CDATA) up to the next tag, whatever that is; the values that matter in SOAP, CWMP and UPnP are all leaves.

Bounded: 1,024 elements, names of 128 and attributes of 2,048 bytes; every byte is read once.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Leaf", "Message", "leaves", "message", "unescaped"]

ELEMENTS = 1024

CWMP = b"urn:dslforum-org:cwmp-"
"""The namespaces of TR-069: urn:dslforum-org:cwmp-1-0 and later."""

_BODY = re.compile(rb"<(?:[\w.-]{1,64}:)?body(?:\s[^<>]{0,2048})?>", re.IGNORECASE)
_MARKUP = re.compile(
    rb"<(?:(/)?(?:([A-Za-z_][\w.-]{0,63}):)?([A-Za-z_][\w.-]{0,127})((?:[\s/][^<>]{0,2048})?)>"
    rb"|(!\[CDATA\[)|(!--)|([!?][^<>]{0,512}>))"
)
"""Groups: end, prefix, name, attributes; CDATA; comment; anything else that is no element."""
_NAMESPACE = re.compile(rb"\sxmlns(?::([\w.-]{1,64}))?\s{0,8}=\s{0,8}[\"']?([^\"'\s<>]{1,256})")
_ENTITY = re.compile(rb"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(lt|gt|amp|quot|apos));")
_NAMED = {b"lt": b"<", b"gt": b">", b"amp": b"&", b"quot": b'"', b"apos": b"'"}

_TO_CONTROLLER = frozenset(
    {
        b"Inform",
        b"GetRPCMethods",
        b"TransferComplete",
        b"AutonomousTransferComplete",
        b"Kicked",
        b"RequestDownload",
        b"DUStateChangeComplete",
        b"AutonomousDUStateChangeComplete",
    }
)
"""What a device calls at its controller (TR-069 A.3.3, A.4.2)."""


class Leaf(NamedTuple):
    """An element with its own text: local name, value with its entities decoded, offset of the value."""

    name: bytes
    value: bytes
    at: int


class Message:
    """An envelope, or a SOAPAction header that came without one.

    ``action``: the local name of the first element in the body, or of the header. ``service``: its namespace, a
    service type such as ``urn:dslforum-org:service:Time:1``. ``text``: the XML, in which offsets count.
    """

    __slots__ = ("_at", "_leaves", "action", "service", "text")

    def __init__(self, action: bytes, service: bytes, text: bytes, at: int) -> None:
        self.action = action
        self.service = service
        self.text = text
        self._at = at
        self._leaves: tuple[Leaf, ...] | None = None

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Those behind the action, in order."""
        if self._leaves is None:
            self._leaves = tuple(leaves(self.text, self._at))
        return self._leaves

    @property
    def fault(self) -> bool:
        """The answer says that the request failed."""
        return self.action.lower() == b"fault"

    @property
    def cwmp(self) -> bool:
        """It belongs to a TR-069 session."""
        return self.service.startswith(CWMP)

    @property
    def to_controller(self) -> bool:
        """A device's part of a TR-069 session: its own calls, and its answers to the controller's."""
        return self.cwmp and (self.action in _TO_CONTROLLER or self.action.endswith(b"Response"))


def unescaped(text: bytes) -> bytes:
    """The five entities and character references of XML 1.0 decoded once; others are left as they are."""
    return _ENTITY.sub(_character, text) if b"&" in text else text


def message(body: bytes, soapaction: bytes = b"") -> Message | None:
    """The SOAP message in a body and its header; None when neither says that this is one."""
    named, _, fragment = soapaction.strip(b"\"' \t").rpartition(b"#")
    inside = _BODY.search(body)
    action = _element(body, inside.end()) if inside else None
    if action is None:
        torn = b"Envelope>" in body  # its beginning was not seen
        return Message(fragment, named, body, 0) if fragment or torn else None
    prefix = action[2] or b""
    service = named
    for declared in _NAMESPACE.finditer(body, 0, action.end()):
        if (declared[1] or b"") == prefix:
            service = declared[2]
    return Message(action[3], service, body, action.end())


def leaves(text: bytes, at: int = 0) -> list[Leaf]:
    """All leaves with a value from this offset on, in order."""
    found: list[Leaf] = []
    value = b""
    opened: bytes | None = None
    value_at = at
    for _ in range(ELEMENTS):
        markup = _MARKUP.search(text, at)
        if opened is not None:
            if not value:
                value_at = at
            value += unescaped(text[at : markup.start() if markup else len(text)])
        if markup is None:
            break
        at = markup.end()
        end, _, name, attributes, cdata, comment, _ = markup.groups()
        if name is None:
            close = text.find(b"]]>" if cdata else b"-->", at) if cdata or comment else at
            stop = len(text) if close < 0 else close
            if cdata:
                if not value.strip():
                    value_at = at
                value += text[at:stop]
            at = min(stop + 3, len(text)) if cdata or comment else at
            continue
        if opened is not None and value.strip():
            found.append(Leaf(opened, value, value_at))
        value = b""
        opened = None if end or attributes.endswith(b"/") else name
    if opened is not None and value.strip():
        found.append(Leaf(opened, value, value_at))
    return found


def _element(text: bytes, at: int) -> re.Match[bytes] | None:
    """The first start tag from here on; what is commented out does not count."""
    for _ in range(ELEMENTS):
        markup = _MARKUP.search(text, at)
        if markup is None or (markup[3] and not markup[1]):
            return markup
        at = markup.end()
        if markup[6]:
            close = text.find(b"-->", at)
            at = len(text) if close < 0 else close + 3
    return None


def _character(match: re.Match[bytes]) -> bytes:
    if match[3]:
        return _NAMED[match[3]]
    number = int(match[1]) if match[1] else int(match[2], 16)
    if number < 0x80:
        return bytes((number,))
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return match[0]
    return chr(number).encode()
