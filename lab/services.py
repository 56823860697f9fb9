"""Other programs in the lab: telnet consoles and their visitors, an SSDP responder, a DNS question."""

from __future__ import annotations

import random
import socket
import struct
import threading
from contextlib import suppress

from lab import plan
from lab.topology import Topology
from lab.wire import connect

__all__ = ["M_SEARCH", "SsdpResponder", "TelnetConsole", "ask_dns", "telnet_login"]

M_SEARCH = (
    b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
    b'MAN: "ssdp:discover"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n'
)
# DO ECHO, DO NAWS, WILL ECHO, WILL SUPPRESS-GO-AHEAD
_NEGOTIATION = bytes([255, 253, 1, 255, 253, 31, 255, 251, 1, 255, 251, 3])
_ROUNDS = 4  # logins that a console takes on one connection


class TelnetConsole:
    """A login prompt on tcp/23. Its shell knows no command at all, so that nothing can be run."""

    def __init__(self, topology: Topology, device: plan.Device) -> None:
        if device.telnet is None:
            raise ValueError(f"{device.name} has no console")
        self._login = device.telnet
        with topology.inside(topology.of(device)):
            self._listeners = [
                socket.create_server((device.v4, 23), backlog=32),
                socket.create_server((device.v6, 23), family=socket.AF_INET6, backlog=32),
            ]
        for listener in self._listeners:
            threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            sock.settimeout(5)
            sock.sendall(_NEGOTIATION)
            for _ in range(_ROUNDS):
                user = _ask(sock, b"\r\nlogin: ")
                password = _ask(sock, b"Password: ")
                if self._login != ("", "") and (user, password) == self._login:
                    self._shell(sock)
                    return
                sock.sendall(b"\r\nLogin incorrect\r\n")

    def _shell(self, sock: socket.socket) -> None:
        prompt = b"\r\nBusyBox (lab) built-in shell (ash)\r\n# "
        while (command := _ask(sock, prompt)) != "exit":
            name = command.split(" ")[0] or "?"
            prompt = f"\r\n{name}: applet not found\r\n# ".encode("latin-1")


def _ask(sock: socket.socket, prompt: bytes) -> str:
    """Send a prompt and read a line, without the other side's telnet options."""
    sock.sendall(prompt)
    line = b""
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte:
            raise ConnectionError("the visitor left")
        if byte == b"\xff":
            sock.recv(2)
        else:
            line += byte
    return line.decode("latin-1").strip("\r\n")


def telnet_login(
    source: str, target: str, logins: tuple[tuple[str, str], ...], commands: tuple[str, ...]
) -> tuple[str, str] | None:
    """Try logins on one connection; with the one that works, send commands. The login, or None."""
    with connect(source, target, 23) as sock:
        _until(sock, b"login: ")
        for user, password in logins:
            sock.sendall(user.encode() + b"\r\n")
            _until(sock, b"Password: ")
            sock.sendall(password.encode() + b"\r\n")
            seen = _until(sock, b"login: ", b"# ", b"incorrect\r\n")
            if seen.endswith(b"incorrect\r\n"):
                seen = _until(sock, b"login: ")
            if seen.endswith(b"# "):
                for command in commands:
                    sock.sendall(command.encode() + b"\r\n")
                    _until(sock, b"# ")
                sock.sendall(b"exit\r\n")
                return user, password
    return None


def _until(sock: socket.socket, *ends: bytes) -> bytes:
    seen = b""
    while not seen.endswith(ends):
        more = sock.recv(1)
        if not more:
            raise ConnectionError("the console closed")
        seen += more
    return seen


class SsdpResponder:
    """Answers every M-SEARCH on udp/1900, whoever asks: the fault that makes a reflector (rule B4)."""

    def __init__(self, topology: Topology, device: plan.Device) -> None:
        self._address = device.v4
        self._number = device.number
        with topology.inside(topology.of(device)):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.bind((device.v4, 1900))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        kinds = (
            "device:InternetGatewayDevice",
            "device:WANDevice",
            "service:WANIPConnection",
            "service:Layer3Forwarding",
        )
        while True:
            question, peer = self._socket.recvfrom(2048)
            if not question.startswith(b"M-SEARCH"):
                continue
            for kind in kinds:
                target = f"urn:schemas-upnp-org:{kind}:1"
                answer = (
                    "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\n"
                    f"LOCATION: http://{self._address}:49152/rootDesc.xml\r\nSERVER: Lab/1.0 UPnP/1.1\r\n"
                    f"ST: {target}\r\nUSN: uuid:00000000-0000-0000-0000-{self._number:012d}::{target}\r\n\r\n"
                )
                self._socket.sendto(answer.encode(), peer)


def ask_dns(topology: Topology, device: plan.Device, name: str) -> str | None:
    """The IPv4 address of a name by the lab's resolver; None when there is no such name."""
    with topology.inside(topology.of(device)):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    question = struct.pack("!HHHHHH", random.randrange(65536), 0x0100, 1, 0, 0, 0) + labels + b"\0\1\0\1"
    with sock:
        sock.settimeout(2)
        sock.bind((device.v4, 0))
        sock.sendto(question, (plan.DNS, 53))
        answer = sock.recv(1024)
    answers = struct.unpack_from("!H", answer, 6)[0]
    return socket.inet_ntoa(answer[-4:]) if answers and len(answer) >= 4 else None
