"""What the first bytes of the two sides are, and which interface they prove; for all that is not read further.

Only marks that the protocol's specification puts there count, and of the listener's side only those of an
answer: a request that nobody understood proves nothing about the device (rule B7).
"""

from __future__ import annotations

import re

from rearguard.dialogue import adb
from rearguard.dialogue.http import METHODS
from rearguard.dialogue.telnet import negotiates, prompted
from rearguard.model.bits import TCP

__all__ = ["Mark", "recognise"]

Mark = tuple[str, str | None]
"""(protocol, interface that the answer proves or None)."""

_UNKNOWN: Mark = ("", None)

_RTSP_REQUEST = re.compile(
    rb"(?:OPTIONS|DESCRIBE|SETUP|PLAY|ANNOUNCE|GET_PARAMETER) [^\r\n]{1,512} RTSP/1\.0\r?\n"
)
_SNMP = re.compile(rb"\x30(?:[\x00-\x7f]|\x81.|\x82..)\x02\x01([\x00\x01\x03])", re.DOTALL)
_UDP_CALL = re.compile(rb"GET [^\r\n ]{0,512}\?[^\r\n ]{0,512}\bsig=")
_MQTT = re.compile(rb"\0(?:\x04MQTT|\x06MQIsdp)")
_SSDP = (b"M-SEARCH * HTTP/1.1", b"NOTIFY * HTTP/1.1")
"""UPnP Device Architecture 1.1, 1.2 and 1.3."""
_DISCOVERY = b"http://schemas.xmlsoap.org/ws/2005/04/discovery"


def recognise(client: bytes, server: bytes, proto: int) -> Mark:
    """The protocol of a dialogue by the first bytes of both sides."""
    return _tcp(client, server) if proto == TCP else _udp(client, server)


def _tcp(client: bytes, server: bytes) -> Mark:
    if server.startswith(b"RTSP/1.0 ") or _RTSP_REQUEST.match(client):  # RFC 2326
        return "rtsp", "rtsp" if server.startswith(b"RTSP/1.0 ") else None
    if client.startswith(METHODS) or server.startswith(b"HTTP/1."):
        return "http", None
    if _hello(client, 1) or _hello(server, 2):
        return "tls", None
    if server.startswith(b"SSH-") or client.startswith(b"SSH-"):  # RFC 4253 4.2
        return "ssh", "ssh" if server.startswith((b"SSH-2.0-", b"SSH-1.")) else None
    if negotiates(server) or prompted(server):
        return "telnet", None
    if adb.speaks(client) or adb.speaks(server):
        return "adb", "adb" if adb.speaks(server) else None
    if client[:1] == b"\x10" and _MQTT.search(client, 2, 12):  # MQTT 3.1, 3.1.1, 5: 3.1.2.1
        return "mqtt", "mqtt" if server[:1] == b"\x20" else None
    if b"<stream:stream" in client[:256]:  # RFC 6120 4.2
        return "xmpp", None
    if negotiates(client):
        return "telnet", None
    return _UNKNOWN


def _udp(client: bytes, server: bytes) -> Mark:
    if client.startswith(_SSDP) or server.startswith(_SSDP):
        return "ssdp", "ssdp" if server.startswith(b"HTTP/1.1 200") else None
    if server.startswith(b"HTTP/1.1 200") and b"\nUSN:" in server[:2048].upper():
        return "ssdp", "ssdp"
    if _SNMP.match(client) or _SNMP.match(server):
        return "snmp", "snmp" if _SNMP.match(server) else None
    if _UDP_CALL.match(client):  # TR-069 Annex G.2.2.3
        return "cwmp-udp", None
    if client[4:8] == b"\x21\x12\xa4\x42" or server[4:8] == b"\x21\x12\xa4\x42":  # RFC 8489 5
        return "stun", None
    if _DISCOVERY in client[:2048] or _DISCOVERY in server[:2048]:
        return "wsd", "wsd" if _DISCOVERY in server[:2048] else None
    if (
        client[:4] == b"\x06\x00\xff\x07" or server[:4] == b"\x06\x00\xff\x07"
    ):  # RMCP with IPMI, IPMI 2.0 13.1.3
        return "ipmi", "ipmi" if server[:4] == b"\x06\x00\xff\x07" else None
    if client[:1] == b"\x16" and client[1:3] in (b"\xfe\xff", b"\xfe\xfd"):  # RFC 9147 and before
        return "dtls", None
    if client[:2] in (b"\0\x01", b"\0\x02") and _tftp(client):
        return "tftp", "tftp" if server[:2] in (b"\0\x03", b"\0\x04", b"\0\x05", b"\0\x06") else None
    return _UNKNOWN


def _hello(text: bytes, kind: int) -> bool:
    """A TLS record with a ClientHello (1) or ServerHello (2) in it (RFC 8446 4, 5.1)."""
    return text[:2] == b"\x16\x03" and len(text) > 5 and text[5] == kind


def _tftp(text: bytes) -> bool:
    """A read or write request: name, zero, mode, zero (RFC 1350 5)."""
    parts = text[2:600].split(b"\0")
    return len(parts) >= 3 and parts[0].isascii() and parts[1].lower() in (b"octet", b"netascii", b"mail")
