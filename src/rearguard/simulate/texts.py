"""The few payloads that a simulated capture carries in full; every other payload is a length without bytes.

All names end in ``.invalid`` (RFC 6761), all credentials are digests of nothing; nothing in them works anywhere.
The requests have the form that TR-069 (3.2.2) and RFC 2617 give them.
"""

from __future__ import annotations

__all__ = ["TEXTS"]

_REQUEST = b"GET /cr HTTP/1.1\r\nHost: cpe.invalid:7547\r\nUser-Agent: acs\r\n\r\n"
_CHALLENGE = (
    b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm="cpe", qop="auth", nonce="6f1c"\r\n'
    b"Content-Length: 0\r\n\r\n"
)
_AUTHORISED = (
    b'GET /cr HTTP/1.1\r\nHost: cpe.invalid:7547\r\nAuthorization: Digest username="acs", realm="cpe", '
    b'nonce="6f1c", uri="/cr", qop=auth, nc=00000001, cnonce="0a4f", '
    b'response="6629fae49393a05397450978507c4ef1"\r\n\r\n'
)
_ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_LOOK = b"GET / HTTP/1.1\r\nHost: cpe.invalid:7547\r\n\r\n"


def _inform(event: bytes) -> bytes:
    """The POST with which a device begins a session, short but whole."""
    body = (
        b'<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'
        b' xmlns:cwmp="urn:dslforum-org:cwmp-1-2"><soap:Header><cwmp:ID soap:mustUnderstand="1">1</cwmp:ID>'
        b"</soap:Header><soap:Body><cwmp:Inform><DeviceId><Manufacturer>Example</Manufacturer><OUI>00005E</OUI>"
        b"<ProductClass>Gateway</ProductClass><SerialNumber>0000</SerialNumber></DeviceId><Event><EventStruct>"
        b"<EventCode>%s</EventCode><CommandKey></CommandKey></EventStruct></Event>"
        b"<MaxEnvelopes>1</MaxEnvelopes><RetryCount>0</RetryCount><ParameterList></ParameterList>"
        b"</cwmp:Inform></soap:Body></soap:Envelope>" % event
    )
    head = b"POST /acs HTTP/1.1\r\nHost: acs.invalid:7547\r\nContent-Type: text/xml\r\nSOAPAction: \r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


_SEARCH = (
    b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
    b'MAN: "ssdp:discover"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n'
)

TEXTS: dict[str, bytes] = {
    "request": _REQUEST,
    "challenge": _CHALLENGE,
    "authorised": _AUTHORISED,
    "accepted": _ACCEPTED,
    "look": _LOOK,
    "periodic": _inform(b"2 PERIODIC"),
    "bootstrap": _inform(b"0 BOOTSTRAP"),
    "search": _SEARCH,
}
"""Name to bytes."""
