"""A border in network namespaces: ``outside --[wan0]-- border --[lan0]-- inside``. Always removed."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_ETH_P_ALL = 0x0003
_MAC = {"outside": "02:00:5e:10:00:01", "wan0": "02:00:5e:10:00:02", "lan0": "02:00:5e:10:00:03"}
_MAC["inside"] = "02:00:5e:10:00:04"
_QUIET = {
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/accept_source_route": "1",
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
    "net/ipv6/conf/default/addr_gen_mode": "1",
}
INSIDE_PREFIXES = ("198.51.100.0/24", "203.0.113.0/25", "100.64.0.0/16", "192.0.2.64/26")
INSIDE_PREFIXES += ("2001:db8:c::/48", "2001:db8:d::/48", "2001:db8:e::/48")


def _switch(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")


class Border:
    """Three namespaces. Use as a context manager."""

    def __init__(self) -> None:
        self.prefix = f"rearguard-filter-{os.getpid()}-"
        self._made: list[str] = []

    def __enter__(self) -> Border:
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the namespaces; safe to call twice."""
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
        self._made.clear()

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Enter a namespace with this thread; sockets made here stay in it."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            target = os.open(f"/run/netns/{self.prefix}{name}", os.O_RDONLY)
            try:
                _switch(target)
            finally:
                os.close(target)
            try:
                yield
            finally:
                _switch(home)
        finally:
            os.close(home)

    def ip(self, name: str, *lines: str) -> None:
        """Run ``ip`` commands in a namespace."""
        for line in lines:
            done = subprocess.run(
                ["ip", "-n", self.prefix + name, *line.split()], check=False, capture_output=True, text=True
            )
            assert done.returncode == 0, f"ip {line} in {name}: {done.stderr}"

    def nft(self, *arguments: str, text: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``nft`` on the border."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.prefix + "border", "nft", *arguments],
            check=False,
            input=text,
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def load(self, text: str) -> None:
        """Load a ruleset of ours."""
        self.nft("-f", "-", text=text)

    def clear(self) -> None:
        """Remove every rule."""
        self.nft("flush", "ruleset")

    def counters(self) -> dict[str, int]:
        """Packets by counter."""
        listed = json.loads(self.nft("-j", "list", "counters").stdout)["nftables"]
        return {item["counter"]["name"]: item["counter"]["packets"] for item in listed if "counter" in item}

    def addresses(self, name: str, addresses: Sequence[str]) -> None:
        """Addresses that live in a namespace."""
        for item in addresses:
            self.ip(name, f"address add {item}/{128 if ':' in item else 32} dev lo")

    def _build(self) -> None:
        for name in ("border", "outside", "inside"):
            subprocess.run(["ip", "netns", "add", self.prefix + name], check=True)
            self._made.append(self.prefix + name)
            with self.inside(name):
                for key, value in _QUIET.items():
                    Path("/proc/sys", key).write_text(value)
                if name == "border":
                    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
                    Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
            self.ip(name, "link set lo up")
        for link, far in (("wan0", "outside"), ("lan0", "inside")):
            self.ip(
                "border",
                f"link add {link} address {_MAC[link]} type veth peer name wire address {_MAC[far]}"
                f" netns {self.prefix}{far}",
            )
            here, there = ("10.255.1.1", "10.255.1.2") if link == "wan0" else ("10.255.2.1", "10.255.2.2")
            for name, each, v4, v6 in (("border", link, here, "fe80::1"), (far, "wire", there, "fe80::2")):
                self.ip(
                    name,
                    f"address add {v4}/30 dev {each}",
                    f"address add {v6}/64 dev {each}",
                    f"link set {each} up",
                )
                settings = [
                    word for offload in ("rx", "tx", "tso", "gso", "gro") for word in (offload, "off")
                ]
                command = ["ip", "netns", "exec", self.prefix + name, "ethtool", "-K", each, *settings]
                subprocess.run(command, check=False, capture_output=True)
            self.ip(
                "border",
                f"neigh add {there} lladdr {_MAC[far]} dev {link} nud permanent",
                f"neigh add fe80::2 lladdr {_MAC[far]} dev {link} nud permanent",
            )
            self.ip(
                far,
                f"neigh add {here} lladdr {_MAC[link]} dev wire nud permanent",
                f"neigh add fe80::1 lladdr {_MAC[link]} dev wire nud permanent",
                f"route add default via {here}",
                "route add default via fe80::1 dev wire",
            )
        self.ip("border", "route add default via 10.255.1.2", "route add default via fe80::2 dev wan0")
        for prefix in INSIDE_PREFIXES:
            via = "via fe80::2 dev lan0" if ":" in prefix else "via 10.255.2.2"
            self.ip("border", f"route add {prefix} {via}")


class Wire:
    """Raw packets put on the link of one end, and those that arrive at the other."""

    def __init__(self, net: Border, sender: str) -> None:
        receiver = "inside" if sender == "outside" else "outside"
        link = "wan0" if sender == "outside" else "lan0"
        self._ends = tuple(bytes.fromhex(_MAC[name].replace(":", "")) for name in (link, sender))
        with net.inside(sender):
            self.out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            self.out.bind(("wire", 0))
        with net.inside(receiver):
            self.arrived = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
            self.arrived.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
            self.arrived.bind(("wire", 0))
        self.arrived.setblocking(False)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.out.close()
        self.arrived.close()

    def ethernet(self, data: bytes) -> bytes:
        """The frame that brings an IP packet to the border."""
        return b"".join(self._ends) + (b"\x08\x00" if data[0] >> 4 == 4 else b"\x86\xdd") + data

    def send(self, data: bytes) -> None:
        """One IP packet."""
        self.out.send(self.ethernet(data))

    def receive(self, quiet: float = 0.3) -> Iterator[bytes]:
        """What came in until nothing has for ``quiet`` seconds; our own side's packets are left out."""
        last = time.monotonic()
        while time.monotonic() - last < quiet:
            try:
                data, (_, _, kind, *_) = self.arrived.recvfrom(4096)
            except BlockingIOError:
                time.sleep(0.01)
                continue
            last = time.monotonic()
            if kind != socket.PACKET_OUTGOING:
                yield data
