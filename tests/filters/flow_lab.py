"""Speaker, BIRD and GoBGP in network namespaces on one bridge. Always removed, all programs ended by their ids.

speaker 10.9.0.1 ── bridge ── bird 10.9.0.2, gobgp 10.9.0.3     (iBGP, AS 65000, both families of FlowSpec)
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.filters.net import Border

from rearguard.filters.flowspec.components import FlowRule
from rearguard.filters.flowspec.wire import decode_all

SPEAKER, BIRD, GOBGP = "10.9.0.1", "10.9.0.2", "10.9.0.3"
PASSWORD = "back-gate"
_NAMES = {"speaker": SPEAKER, "bird": BIRD, "gobgp": GOBGP}
_BIRD = f"""\
router id {BIRD};
flow4 table flowtab4;
flow6 table flowtab6;
protocol device {{ }}
protocol bgp rearguard {{
  local {BIRD} as 65000; neighbor {SPEAKER} as 65000; passive on; password "{PASSWORD}";
  error wait time 1, 1; disable after error off;
  flow4 {{ table flowtab4; import all; export none; }};
  flow6 {{ table flowtab6; import all; export none; }};
}}
"""
_GOBGP = f"""\
[global.config]
  as = 65000
  router-id = "{GOBGP}"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{SPEAKER}"
    peer-as = 65000
    auth-password = "{PASSWORD}"
  [neighbors.transport.config]
    passive-mode = true
  [neighbors.timers.config]
    idle-hold-time-after-reset = 1
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-flowspec"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-flowspec"
"""
_PATIENCE = 10.0


class FlowLab(Border):
    """Use as a context manager. ``folder`` has a short name, for sockets lie in it."""

    def __init__(self, folder: Path, find: Callable[[str], str]) -> None:
        super().__init__()
        self.prefix = f"rg-flow-{os.getpid()}-"
        self.folder = folder
        self.find = find
        self.running: list[subprocess.Popen[bytes]] = []

    def close(self) -> None:
        """End the programs, then remove the namespaces."""
        for process in self.running:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        self.running.clear()
        super().close()

    def command(self, name: str, *words: str) -> list[str]:
        """A command inside of a namespace."""
        return ["ip", "netns", "exec", self.prefix + name, *words]

    def birdc(self, *words: str) -> str:
        """Ask BIRD."""
        done = subprocess.run(
            [self.find("birdc"), "-s", str(self.folder / "bird.ctl"), *words],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
        return done.stdout

    def gobgp(self, *words: str) -> str:
        """Ask GoBGP."""
        command = self.command("speaker", self.find("gobgp"), "-u", GOBGP, *words)
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=True)
        return done.stdout

    def bird_awaits(self) -> bool:
        """BIRD turns callers away for a second after a session that failed, and they come back later and later."""
        return any(
            word in self.birdc("show", "protocols", "rearguard") for word in ("Passive", "Established")
        )

    def gobgp_awaits(self) -> bool:
        """GoBGP turns callers away for some seconds after a session, and they come back later and later."""
        active, established = 3, 6
        found = json.loads(self.gobgp("neighbor", SPEAKER, "-j"))["state"].get("session_state")
        return found in (active, established)

    def _build(self) -> None:
        for name in ("hub", *_NAMES):
            subprocess.run(["ip", "netns", "add", self.prefix + name], check=True)
            self._made.append(self.prefix + name)
            self.ip(name, "link set lo up")
        self.ip("hub", "link add br0 type bridge", "link set br0 up")
        for name, address in _NAMES.items():
            self.ip("hub", f"link add {name} type veth peer name eth0 netns {self.prefix}{name}")
            self.ip("hub", f"link set {name} master br0 up")
            self.ip(name, f"address add {address}/24 dev eth0", "link set eth0 up")
        (self.folder / "bird.conf").write_text(_BIRD)
        (self.folder / "gobgpd.toml").write_text(_GOBGP)
        control = str(self.folder / "bird.ctl")
        self._run("bird", self.find("bird"), "-f", "-c", str(self.folder / "bird.conf"), "-s", control)
        self._run(
            "gobgp",
            self.find("gobgpd"),
            "-f",
            str(self.folder / "gobgpd.toml"),
            "--api-hosts",
            f"{GOBGP}:50051",
        )
        self._until(lambda: self.birdc("show", "status"))
        self._until(self._listens)
        self._until(lambda: self.gobgp("global"))

    def _listens(self) -> None:
        """GoBGP's own client waits for seconds when it comes too early."""
        with self.inside("speaker"), socket.create_connection((GOBGP, 50051), 1):
            pass

    def _run(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            command = self.command(name, *words)
            self.running.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))

    @staticmethod
    def _until(ready: Callable[[], object]) -> None:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                ready()
            except (subprocess.SubprocessError, OSError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return


class Tap:
    """All TCP payload that leaves the speaker, in order, for each peer."""

    def __init__(self, lab: FlowLab) -> None:
        with lab.inside("speaker"):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self._socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
            self._socket.bind(("eth0", 0))
        self._socket.setblocking(False)
        self._segments: dict[tuple[str, bytes], dict[int, bytes]] = {}

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def updates(self, peer: str) -> Iterator[tuple[str, int, FlowRule]]:
        """(``announce`` or ``withdraw``, family, rule) in the order of the wire."""
        self._take()
        for (receiver, *_), segments in self._segments.items():
            if receiver == peer:
                yield from _connection(segments)

    def _take(self) -> None:
        while True:
            try:
                data, (_, _, way, *_) = self._socket.recvfrom(65536)
            except BlockingIOError:
                return
            if way != socket.PACKET_OUTGOING or data[0] >> 4 != 4 or data[9] != 6:
                continue
            size = int.from_bytes(data[2:4], "big")
            tcp = data[(data[0] & 15) * 4 : size]
            payload = tcp[(tcp[12] >> 4) * 4 :]
            if payload and 179 in (int.from_bytes(tcp[:2], "big"), int.from_bytes(tcp[2:4], "big")):
                connection = (socket.inet_ntoa(data[16:20]), tcp[:4])
                segments = self._segments.setdefault(connection, {})
                segments.setdefault(int.from_bytes(tcp[4:8], "big"), payload)


def _connection(segments: dict[int, bytes]) -> Iterator[tuple[str, int, FlowRule]]:
    """The messages of one connection."""
    stream, following = b"", None
    for sequence in sorted(segments):
        if following is not None and sequence != following:
            assert sequence < following, "a segment was not seen"
            continue
        stream += segments[sequence]
        following = sequence + len(segments[sequence])
    at = 0
    while at + 19 <= len(stream):
        assert stream[at : at + 16] == b"\xff" * 16
        size, kind = struct.unpack("!HB", stream[at + 16 : at + 19])
        if kind == 2:
            yield from _rules(stream[at + 19 : at + size])
        at += size


def _rules(update: bytes) -> Iterator[tuple[str, int, FlowRule]]:
    """FlowSpec NLRI of one UPDATE: attributes 14 (reach) and 15 (unreach) of RFC 4760."""
    gone = int.from_bytes(update[:2], "big")
    at = 2 + gone
    end = at + 2 + int.from_bytes(update[at : at + 2], "big")
    at += 2
    while at < end:
        flags, kind = update[at], update[at + 1]
        wide = flags & 0x10
        size = int.from_bytes(update[at + 2 : at + 4], "big") if wide else update[at + 2]
        at += 4 if wide else 3
        value = update[at : at + size]
        at += size
        if kind in (14, 15) and value[2] == 133:
            family = {1: 4, 2: 6}[int.from_bytes(value[:2], "big")]
            body = value[5 + value[3] :] if kind == 14 else value[3:]
            for rule in decode_all(family, body):
                yield ("announce" if kind == 14 else "withdraw", family, rule)
