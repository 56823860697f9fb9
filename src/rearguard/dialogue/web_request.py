"""One HTTP request as attack patterns look at it: path, headers, fields, SOAP action and parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from urllib.parse import unquote_to_bytes

from rearguard.dialogue import soap
from rearguard.dialogue.http import Request, basic
from rearguard.dialogue.spoken import Value

__all__ = ["WebRequest"]

FIELDS = 256

_ALWAYS = ("method", "path")
_SOAP = ("service", "action", "parameter")
_PAIR = re.compile(rb"([^=&;?]{1,128})=([^&]{0,4096})")
_AUTHORITY = re.compile(rb"[a-z]{2,5}://([^/?#]{1,300})", re.I)
_XML = re.compile(rb"[\s\0]{0,64}<")


class WebRequest:
    """A request whose parts are worked out when they are asked for; most never are."""

    __slots__ = ("_fields", "_message", "_path", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self._fields: list[Value] | None = None
        self._message: soap.Message | bool | None = False
        self._path: bytes | None = None

    @property
    def message(self) -> soap.Message | None:
        """The SOAP message that the request carries, or None."""
        if isinstance(self._message, bool):
            header = self.request.value(b"soapaction")
            xml = header or _XML.match(self.request.body) or b"Envelope" in self.request.body[:2048]
            self._message = soap.message(self.request.body, header) if xml else None
        return self._message

    @property
    def path(self) -> bytes:
        """The path of the target, percent-decoded, of an absolute URI too (RFC 9112 3.2)."""
        if self._path is None:
            target = self.request.target
            authority = _AUTHORITY.match(target)
            if authority:
                target = target[authority.end() :] or b"/"
            self._path = unquote_to_bytes(target.partition(b"?")[0])
        return self._path

    @property
    def fields(self) -> list[Value]:
        """Fields of the query and of a form, decoded (application/x-www-form-urlencoded)."""
        if self._fields is None:
            request = self.request
            query_at = request.target.find(b"?") + 1
            found = _pairs(request.target[query_at:], request.target_at + query_at) if query_at else []
            if request.body and b"=" in request.body[:1024] and not _XML.match(request.body):
                found += _pairs(request.body, request.place(0))
            self._fields = found
        return self._fields

    def parts(self) -> Set[str]:
        """See :class:`rearguard.dialogue.spoken.Asked`."""
        request = self.request
        found = {f"header {header.name.decode('latin-1')}" for header in request.headers}
        found.update(_ALWAYS)
        if b"?" in request.target:
            found.update(("query", "field"))
        elif request.body:
            found.add("field")
        if "header authorization" in found:
            found.add("login")
        if "header soapaction" in found:
            found.add("soapaction")
        message = self.message
        if message is not None and not message.to_controller:
            found.update(_SOAP)
        return found

    def values(self, part: str, name: bytes) -> Iterable[Value]:
        """See :class:`rearguard.dialogue.spoken.Asked`."""
        request = self.request
        if part == "path":
            return (Value(b"", self.path, request.target_at),)
        if part == "query":
            query_at = request.target.find(b"?") + 1
            query = unquote_to_bytes(request.target[query_at:].replace(b"+", b" "))
            return (Value(b"", query, request.target_at + query_at),) if query_at else ()
        if part == "method":
            return (Value(b"", request.method, request.at),)
        if part == "header":
            return (
                Value(header.name, header.value, header.at)
                for header in request.headers
                if _is(name, header.name)
            )
        if part == "field":
            return (value for value in self.fields if _is(name, value.name.lower()))
        if part == "login":
            return self._logins()
        return self._soap(part, name)

    def _logins(self) -> Iterator[Value]:
        header = self.request.header(b"authorization")
        pair = basic(header.value) if header else None
        if header and pair:
            yield Value(b"", b":".join(pair), header.at)

    def _soap(self, part: str, name: bytes) -> Iterator[Value]:
        if part == "soapaction":
            header = self.request.header(b"soapaction")
            if header:
                yield Value(b"SOAPAction", header.value.strip(b"\"' \t"), header.at)
            return
        message = self.message
        if message is None:
            return
        at = self.request.place(0)
        if part == "service":
            yield Value(b"", message.service, at)
        elif part == "action":
            yield Value(b"", message.action, at)
        elif part == "parameter":
            for leaf in message.leaves:
                if _is(name, leaf.name.lower()):
                    yield Value(leaf.name, leaf.value, self.request.place(leaf.at))


def _is(wanted: bytes, name: bytes) -> bool:
    if wanted.endswith(b"*"):
        return name.startswith(wanted[:-1])
    return name.endswith(wanted[1:]) if wanted.startswith(b"*") else name == wanted


def _pairs(text: bytes, at: int) -> list[Value]:
    found = []
    for number, match in enumerate(_PAIR.finditer(text)):
        if number == FIELDS:
            break
        name, value = (unquote_to_bytes(part.replace(b"+", b" ")) for part in match.groups())
        found.append(Value(name, value, at + match.start(2)))
    return found
