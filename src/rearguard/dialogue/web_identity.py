"""Which management interface an HTTP response proves to be behind the port (rule B7).

Only what no other service would say counts: the namespace of the protocol in the body, or a server that names
the protocol. A page, a 401 or the name of a web server proves nothing; customers run web servers of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from rearguard.dialogue.http import Response

__all__ = ["identity"]

HEAD = 4096

_NAMESPACES = (
    (b"urn:dslforum-org:cwmp-", "cwmp-acs"),  # TR-069: only a controller answers with it
    (b"urn:dslforum-org:service:", "tr064"),  # TR-064
    (b"urn:dslforum-org:device:", "tr064"),
    (b"http://purenetworks.com/HNAP1", "hnap"),
    (b"urn:schemas-upnp-org:service:", "upnp-soap"),  # UPnP Device Architecture 1.1, 2.3 and 3.1
    (b"urn:schemas-upnp-org:device", "upnp-soap"),
)
_SERVERS = (
    (b"intel(r) active management technology", "intel-amt"),
    (b"intel(r) standard manageability", "intel-amt"),
)
_CONNECTION_REQUEST = (b"tr-069", b"tr069", b"cwmp")


def identity(answers: Sequence[Response]) -> str | None:
    """The interface of the catalogue that one of the answers proves; the first one that proves any counts."""
    for answer in answers:
        found = _identity(answer)
        if found:
            return found
    return None


def _identity(answer: Response) -> str | None:
    body = answer.body[:HEAD]
    if b"<" in body[:256]:
        for namespace, interface in _NAMESPACES:
            if namespace in body and not _page(body):
                return interface
    server = answer.value(b"server").lower()
    for name, interface in _SERVERS:
        if name in server:
            return interface
    realm = answer.value(b"www-authenticate").lower()[:512]
    if answer.status == 401 and any(word in realm or word in server for word in _CONNECTION_REQUEST):
        return "cwmp-cr"
    return None


def _page(body: bytes) -> bool:
    """A web page, which may quote anything."""
    start = body[:512].lower()
    return b"<html" in start or b"<!doctype html" in start or b"<title" in start
