"""A small managed device (CPE): its back gate at tcp/7547 and its sessions with the controller.

What a stranger gets is the device's :class:`~lab.plan.Gate`. A device that "executes" an injected command
runs no shell: it only reads the address out of it and tells its owner, the scene, which decides what follows.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO
from urllib.parse import urlsplit

from lab import plan
from lab.acs import credentials
from lab.journal import Journal
from lab.topology import Topology
from lab.wire import (
    Message,
    answer_digest,
    challenge,
    connect,
    digest_is_right,
    read_message,
    send_message,
)

__all__ = ["Cpe", "request_path"]

_CRASH_AFTER = 100  # requests within one life of a FRAGILE device
_INFORM = """<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" \
xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:cwmp="urn:dslforum-org:cwmp-1-2">
<soap:Header><cwmp:ID soap:mustUnderstand="1">{number}-1</cwmp:ID></soap:Header>
<soap:Body><cwmp:Inform><DeviceId><Manufacturer>Lab</Manufacturer><OUI>02005E</OUI>\
<ProductClass>Gateway</ProductClass><SerialNumber>LAB{number:05d}</SerialNumber></DeviceId>
<Event soapenc:arrayType="cwmp:EventStruct[{count}]">{events}</Event>
<MaxEnvelopes>1</MaxEnvelopes><CurrentTime>{now}</CurrentTime><RetryCount>0</RetryCount>
<ParameterList soapenc:arrayType="cwmp:ParameterValueStruct[3]">
<ParameterValueStruct><Name>Device.DeviceInfo.SoftwareVersion</Name>\
<Value xsi:type="xsd:string">1.0.7</Value></ParameterValueStruct>
<ParameterValueStruct><Name>Device.ManagementServer.ConnectionRequestURL</Name>\
<Value xsi:type="xsd:string">{url}</Value></ParameterValueStruct>
<ParameterValueStruct><Name>Device.ManagementServer.ParameterKey</Name>\
<Value xsi:type="xsd:string"></Value></ParameterValueStruct>
</ParameterList></cwmp:Inform></soap:Body></soap:Envelope>"""
# The network's name has odd characters on purpose: a customer may call it so, and it is no attack.
_VALUES = """<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" \
xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:cwmp="urn:dslforum-org:cwmp-1-2">
<soap:Header><cwmp:ID soap:mustUnderstand="1">question-1</cwmp:ID></soap:Header>
<soap:Body><cwmp:GetParameterValuesResponse>\
<ParameterList soapenc:arrayType="cwmp:ParameterValueStruct[2]">
<ParameterValueStruct><Name>Device.DeviceInfo.UpTime</Name>\
<Value xsi:type="xsd:unsignedInt">4711</Value></ParameterValueStruct>
<ParameterValueStruct><Name>Device.WiFi.SSID.1.SSID</Name>\
<Value xsi:type="xsd:string">Bob's `Net`; $(5 GHz) &amp; more</Value></ParameterValueStruct>
</ParameterList></cwmp:GetParameterValuesResponse></soap:Body></soap:Envelope>"""
_SET_NTP_DONE = (
    b'<?xml version="1.0"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/">'
    b'<SOAP-ENV:Body><u:SetNTPServersResponse xmlns:u="urn:dslforum-org:service:Time:1"/>'
    b"</SOAP-ENV:Body></SOAP-ENV:Envelope>"
)


def request_path(device: plan.Device) -> str:
    """The random-looking path of the device's Connection Request URL (TR-069 section 3.2.2)."""
    return f"/cr{device.number * 7919 % 100003:05d}"


class Cpe:
    """One device's programs."""

    def __init__(self, device: plan.Device, topology: Topology, journal: Journal) -> None:
        self.device = device
        self._topology = topology
        self._journal = journal
        self._injected: Callable[[str], None] | None = None
        self._listeners: list[socket.socket] = []
        self._lock = threading.Lock()
        self._session_lock = threading.Lock()
        self._requests = 0
        self._threads: list[threading.Thread] = []

    def on_injection(self, injected: Callable[[str], None]) -> None:
        """Name who is told the URL of a command that was "executed"."""
        self._injected = injected

    def start(self) -> None:
        """Open the back gate on both address families, if the device has one."""
        if not self.device.listens:
            return
        self._requests = 0
        for family, address in ((socket.AF_INET, self.device.v4), (socket.AF_INET6, self.device.v6)):
            with self._topology.inside(self._topology.of(self.device)):
                listener = socket.create_server((address, plan.CPE_PORT), family=family, backlog=128)
            self._listeners.append(listener)
            threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Close the gate at once; whoever comes next is reset by the kernel."""
        with self._lock:
            for listener in self._listeners:
                with suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                listener.close()
            self._listeners.clear()

    @property
    def is_open(self) -> bool:
        return bool(self._listeners)

    def join(self, timeout: float) -> None:
        """Wait until sessions and fetches that strangers or the controller set off have ended."""
        deadline = time.monotonic() + timeout
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def session(self, *events: str, acs: str | None = None) -> None:
        """One CWMP session with the controller, over one TCP connection."""
        url = acs or self.device.acs
        if url is None:
            raise ValueError(f"{self.device.name} has no controller")
        parts = urlsplit(url)
        target, port = str(parts.hostname), parts.port or 80
        six = ":" in target
        source = self.device.v6 if six else self.device.v4
        foreign = acs is not None
        with (
            self._session_lock,
            self._journal.act(
                "unauthorised-controller" if foreign else "controller",
                f"{self.device.name} opens a session: {', '.join(events)}",
                kind="unauthorised-controller" if foreign else "none",
                interface="cwmp-acs",
                ports=[port],
                direction="outbound",
                remotes=[target],
            ) as event,
        ):
            event.payload = {"events": list(events)}
            with self._topology.inside(self._topology.of(self.device)):
                sock = connect(source, target, port)
            with sock, sock.makefile("rb") as stream:
                statuses = [self._post(sock, stream, url, body) for body in self._bodies(events, source)]
            event.payload["statuses"] = [status for group in statuses for status in group]
            event.count("connections")
            event.saw(source, "conversed")

    def _bodies(self, events: tuple[str, ...], source: str) -> list[bytes]:
        host = f"[{source}]" if ":" in source else source
        codes = "".join(
            f"<EventStruct><EventCode>{code}</EventCode><CommandKey></CommandKey></EventStruct>"
            for code in events
        )
        inform = _INFORM.format(
            number=self.device.number,
            count=len(events),
            events=codes,
            now=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            url=f"http://{host}:{plan.CPE_PORT}{request_path(self.device)}",
        )
        return [inform.encode(), b"", _VALUES.encode()]

    def _post(self, sock: socket.socket, stream: BinaryIO, url: str, body: bytes) -> list[int]:
        """POST, with Digest when the controller asks; the statuses that came back."""
        parts = urlsplit(url)
        start = f"POST {parts.path} HTTP/1.1"
        headers = {"Host": parts.netloc, "User-Agent": "lab-cpe/1.0"}
        if body:
            headers |= {"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": '""'}
        send_message(sock, start, headers, body)
        answer = _expect(stream)
        if answer.status != 401:
            return [answer.status]
        login = credentials(self.device)
        headers["Authorization"] = answer_digest(
            answer.headers["www-authenticate"], "POST", parts.path, *login
        )
        send_message(sock, start, headers, body)
        return [401, _expect(stream).status]

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        issued: str | None = None
        with sock, suppress(OSError, ValueError), sock.makefile("rb") as stream:
            sock.settimeout(5)
            while (message := read_message(stream)) is not None:
                if self.device.gate is plan.Gate.MUTE:
                    continue
                if self.device.gate is plan.Gate.FRAGILE and self._count() > _CRASH_AFTER:
                    self.stop()
                    return
                issued = self._answer(sock, message, issued)

    def _count(self) -> int:
        with self._lock:
            self._requests += 1
            return self._requests

    def _answer(self, sock: socket.socket, message: Message, issued: str | None) -> str | None:
        """Answer one request; the challenge that was issued, if one was."""
        gate = self.device.gate
        if gate is plan.Gate.NOT_FOUND:
            send_message(sock, "HTTP/1.1 404 Not Found", {"Server": "lab-httpd"}, b"404\n")
            return None
        action = message.headers.get("soapaction", "")
        if gate is plan.Gate.TR064 and "Time:1#SetNTPServers" in action:
            self._execute(message.body.decode("latin-1"))
            send_message(sock, "HTTP/1.1 200 OK", {"Content-Type": "text/xml"}, _SET_NTP_DONE)
            return None
        method, path = message.words[0], message.words[1]
        right = digest_is_right(
            message.headers.get("authorization"), issued, "GET", *credentials(self.device)
        )
        if method == "GET" and path == request_path(self.device) and right:
            if self.device.acs is not None:
                self._spawn(lambda: self.session("6 CONNECTION REQUEST"))
            send_message(sock, "HTTP/1.1 200 OK", {})
            return None
        issued = challenge("lab-cpe")
        send_message(sock, "HTTP/1.1 401 Unauthorized", {"WWW-Authenticate": issued})
        return issued

    def _execute(self, body: str) -> None:
        url = re.search(r"<NewNTPServer1>[^<]*?(http://[^\s;`<]+)", body)
        if url is not None and self._injected is not None:
            injected, target = self._injected, url[1]
            self._spawn(lambda: injected(target))

    def _spawn(self, work: Callable[[], None]) -> None:
        """Begin work a moment after the answer, known to :meth:`join` before the answer is out."""
        thread = threading.Timer(0.1, work)
        thread.daemon = True
        thread.start()
        self._threads.append(thread)


def _expect(stream: BinaryIO) -> Message:
    answer = read_message(stream)
    if answer is None:
        raise ConnectionError("the controller closed the connection")
    return answer
