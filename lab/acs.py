"""A small controller (ACS): answers device sessions, and calls devices with curl and Digest.

A session is a queue of one question (GetParameterValues), as TR-069 orders it: Inform, InformResponse,
an empty POST by which the device yields the turn, the question, its answer, 204.
"""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Callable

from lab import plan
from lab.topology import Topology
from lab.wire import Message, challenge, digest_is_right, read_message, send_message

__all__ = ["Acs", "call_device", "credentials"]

_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:cwmp="urn:dslforum-org:cwmp-1-2"><soap:Header>'
    '<cwmp:ID soap:mustUnderstand="1">{id}</cwmp:ID></soap:Header>'
    "<soap:Body>{body}</soap:Body></soap:Envelope>"
)
_INFORM_RESPONSE = "<cwmp:InformResponse><MaxEnvelopes>1</MaxEnvelopes></cwmp:InformResponse>"
_QUESTION = (
    "<cwmp:GetParameterValues><ParameterNames>"
    "<string>Device.DeviceInfo.UpTime</string><string>Device.WiFi.SSID.1.SSID</string>"
    "</ParameterNames></cwmp:GetParameterValues>"
)


def credentials(device: plan.Device) -> tuple[str, str]:
    """The login of a device: OUI-serial (TR-069 section 3.4.4) and a password that guards nothing."""
    return f"02005E-LAB{device.number:05d}", f"lab-secret-{device.number}"


class Acs:
    """Listens on an address and port of its namespace until closed."""

    def __init__(self, topology: Topology, namespace: str, address: str, port: int, *, digest: bool = True):
        self._digest = digest
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with topology.inside(namespace):
            self._listener = socket.create_server((address, port), family=family, backlog=64)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._session, args=(sock,), daemon=True).start()

    def _session(self, sock: socket.socket) -> None:
        issued: str | None = None
        with sock, sock.makefile("rb") as stream:
            sock.settimeout(10)
            while (message := read_message(stream)) is not None:
                if not message.body:
                    _reply(sock, _QUESTION, "question-1")
                elif b"<cwmp:Inform>" not in message.body:
                    send_message(sock, "HTTP/1.1 204 No Content", {"Connection": "close"})
                    return
                elif self._digest and not _is_known(message, issued):
                    issued = challenge("lab-acs")
                    send_message(sock, "HTTP/1.1 401 Unauthorized", {"WWW-Authenticate": issued})
                else:
                    found = re.search(rb"<cwmp:ID[^>]*>([^<]*)<", message.body)
                    _reply(sock, _INFORM_RESPONSE, found[1].decode() if found else "0")


def _is_known(message: Message, issued: str | None) -> bool:
    header = message.headers.get("authorization")
    return any(digest_is_right(header, issued, "POST", *credentials(item)) for item in plan.DEVICES)


def _reply(sock: socket.socket, body: str, identifier: str) -> None:
    headers = {"Content-Type": 'text/xml; charset="utf-8"', "Set-Cookie": "session=lab"}
    send_message(sock, "HTTP/1.1 200 OK", headers, _ENVELOPE.format(id=identifier, body=body).encode())


def call_device(
    topology: Topology, device: plan.Device, *, v6: bool = False, path: Callable[[plan.Device], str]
) -> str:
    """One Connection Request by curl, from where the controller calls; the outcome in our words."""
    source, target = (plan.ACS_CALLS_FROM_V6, f"[{device.v6}]") if v6 else (plan.ACS_CALLS_FROM_V4, device.v4)
    url = f"http://{target}:{plan.CPE_PORT}{path(device)}"
    login = ":".join(credentials(device))
    done = subprocess.run(
        topology.command(
            "controller",
            *("curl", "--silent", "--globoff", "--noproxy", "*", "--max-time", "2", "--interface", source),
            *(
                "--digest",
                "--user",
                login,
                "--write-out",
                "%{http_code} %{time_connect}",
                "--output",
                "/dev/null",
                url,
            ),
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    status, connected = done.stdout.split()
    if status != "000":
        return "conversed"
    if done.returncode == 7:
        return "refused"
    return "answered" if float(connected) else "unanswered"
