"""Network namespaces for the lab: built, entered and always removed.

::

    outside --[outside]- border -[access]-- node --+-- gw-alder, gw-birch ...  (one namespace a device)
                           |                       +-- flats                   (sixteen devices in one)
                           +--[mgmt]-- controller

The access node forwards everything that a customer sends to the border, also what is meant for the
neighbour, as forced forwarding on access networks does. Hairpinned traffic therefore shows at the border's
access side twice: coming in and going out again with a TTL one lower. Addresses that nobody holds are
blackholes on both ends: silence, no ICMP.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import plan

__all__ = ["Topology"]

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_LINK_V4 = {"outside": "192.0.2.192", "access": "192.0.2.196", "mgmt": "192.0.2.200"}  # /30 each
_QUIET = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
    "net/ipv6/conf/default/addr_gen_mode": "1",
    # The binding scenes want customers' own ports such as 7547 and 37215 free for their clients.
    "net/ipv4/ip_local_port_range": "53000 60900",
}


def _switch(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")


class Topology:
    """The lab's namespaces under one unique prefix. Use as a context manager; leaving removes them."""

    def __init__(self) -> None:
        self.prefix = f"rearguard-lab-{os.getpid()}-"
        self._made: list[str] = []

    def __enter__(self) -> Topology:
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove every namespace that was made, with all links inside; safe to call twice."""
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
        self._made.clear()

    def full(self, name: str) -> str:
        """The name that ``ip netns`` knows."""
        return self.prefix + name

    def of(self, device: plan.Device) -> str:
        """The namespace where a device lives."""
        return "flats" if device.name.startswith("flat-") else device.name

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Enter a namespace with this thread; sockets made here stay in it for life."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            target = os.open(f"/run/netns/{self.full(name)}", os.O_RDONLY)
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

    def command(self, name: str, *arguments: str) -> list[str]:
        """The argument list that runs a program inside a namespace."""
        return ["ip", "netns", "exec", self.full(name), *arguments]

    def mac(self, name: str, link: str) -> str:
        """The hardware address of a link."""
        shown = subprocess.run(
            ["ip", "-n", self.full(name), "link", "show", link], check=True, capture_output=True, text=True
        ).stdout
        match = re.search(r"link/ether (\S+)", shown)
        if match is None:
            raise RuntimeError(f"no hardware address on {link} in {name}")
        return match[1]

    def _ip(self, name: str, lines: Sequence[str]) -> None:
        """Run ``ip`` commands in a namespace; those that begin with ``-6`` go to a batch of their own."""
        sixes = [line.removeprefix("-6 ") for line in lines if line.startswith("-6 ")]
        others = [line for line in lines if not line.startswith("-6 ")]
        for family, batch in (([], others), (["-6"], sixes)):
            done = subprocess.run(
                ["ip", *family, "-n", self.full(name), "-batch", "-"],
                check=False,
                input="\n".join(batch),
                text=True,
                capture_output=True,
            )
            if done.returncode:
                raise RuntimeError(f"ip in {name}: {done.stderr.strip()}")

    def _namespace(self, name: str) -> None:
        subprocess.run(["ip", "netns", "add", self.full(name)], check=True)
        self._made.append(self.full(name))
        with self.inside(name):
            for key, value in _QUIET.items():
                Path("/proc/sys", key).write_text(value)
        self._ip(name, ["link set lo up"])

    def _wire(self, upper: str, upper_link: str, lower: str, lower_link: str, number: int) -> None:
        """A veth pair without offloads: the capture shall show what a wire carries, checksums included."""
        macs = (f"02:00:5e:00:{number:02x}:01", f"02:00:5e:00:{number:02x}:02")
        self._ip(
            upper,
            [
                f"link add {upper_link} address {macs[0]} type veth "
                f"peer name {lower_link} address {macs[1]} netns {self.full(lower)}"
            ],
        )
        for name, link, local in ((upper, upper_link, "fe80::1"), (lower, lower_link, "fe80::2")):
            self._ip(name, [f"address add {local}/64 dev {link}", f"link set {link} up"])
            offloads = ("rx", "tx", "sg", "tso", "gso", "gro", "rxvlan", "txvlan")
            settings = [word for offload in offloads for word in (offload, "off")]
            subprocess.run(
                self.command(name, "ethtool", "-K", link, *settings), check=False, capture_output=True
            )

    def _build(self) -> None:
        for name in ("border", "outside", "controller", "node"):
            self._namespace(name)
        for number, (link, lower) in enumerate(
            (("outside", "outside"), ("access", "node"), ("mgmt", "controller")), 1
        ):
            self._wire("border", link, lower, "uplink", number)
            network = _LINK_V4[link]
            base, last = network.rsplit(".", 1)
            near, far = f"{base}.{int(last) + 1}", f"{base}.{int(last) + 2}"
            self._ip("border", [f"address add {near}/30 dev {link}"])
            self._ip(
                lower,
                [
                    f"address add {far}/30 dev uplink",
                    *([f"route add default via {near}"] if lower != "node" else []),
                    *(["-6 route add default via fe80::1 dev uplink"] if lower != "node" else []),
                ],
            )
        self._border_routes()
        self._outside()
        self._controller()
        self._access()

    def _border_routes(self) -> None:
        outside, node, controller = ("192.0.2.194", "192.0.2.198", "192.0.2.202")
        self._ip(
            "border",
            [
                *(f"route add {prefix} via {outside}" for prefix in plan.OUTSIDE_V4),
                f"-6 route add {plan.OUTSIDE_V6} via fe80::2 dev outside",
                f"route add {plan.CUSTOMERS_V4} via {node}",
                f"-6 route add {plan.CUSTOMERS_V6} via fe80::2 dev access",
                f"route add 192.0.2.8/30 via {controller}",
                f"route add {plan.ACS_SESSIONS_V4}/32 via {controller}",
                "-6 route add 2001:db8:a::/48 via fe80::2 dev mgmt",
            ],
        )

    def _outside(self) -> None:
        held = [address for address, role in plan.REMOTES.items() if role != "victim"]
        self._ip(
            "outside",
            [
                *(f"address add {item}/{128 if ':' in item else 32} dev lo" for item in held),
                *(f"route add blackhole {prefix}" for prefix in plan.OUTSIDE_V4),
                f"-6 route add blackhole {plan.OUTSIDE_V6}",
            ],
        )

    def _controller(self) -> None:
        self._ip(
            "controller",
            [
                f"address add {plan.ACS_CALLS_FROM_V4}/32 dev lo",
                f"address add {plan.ACS_SESSIONS_V4}/32 dev lo",
                f"address add {plan.ACS_CALLS_FROM_V6}/128 dev lo",
                f"address add {plan.ACS_SESSIONS_V6}/128 dev lo",
            ],
        )

    def _access(self) -> None:
        self._ip(
            "node",
            [
                "address add 169.254.1.1/32 dev lo",
                f"route add blackhole {plan.CUSTOMERS_V4}",
                f"-6 route add blackhole {plan.CUSTOMERS_V6}",
                "route add default via 192.0.2.197 table 100",
                "-6 route add default via fe80::1 dev uplink table 100",
            ],
        )
        groups: dict[str, list[plan.Device]] = {}
        for device in plan.DEVICES:
            groups.setdefault(self.of(device), []).append(device)
        for number, (name, devices) in enumerate(groups.items(), 16):
            self._namespace(name)
            link = f"line{number}"
            self._wire("node", link, name, "wan", number)
            self._ip(
                name,
                [
                    *(f"address add {item.v4}/32 dev wan" for item in devices),
                    *(f"-6 address add {item.v6}/128 dev wan" for item in devices),
                    "route add default via 169.254.1.1 dev wan onlink",
                    "-6 route add default via fe80::1 dev wan",
                ],
            )
            self._ip(
                "node",
                [
                    *(f"route add {item.v4}/32 dev {link}" for item in devices),
                    *(f"-6 route add {item.prefix} via fe80::2 dev {link}" for item in devices),
                    f"rule add iif {link} lookup 100",
                    f"-6 rule add iif {link} lookup 100",
                ],
            )
            if any(item.gate is plan.Gate.SHIELDED for item in devices):
                self._shield(name)

    def _shield(self, name: str) -> None:
        rules = (
            "table inet shield {\n"
            "  chain input {\n"
            "    type filter hook input priority 0;\n"
            f"    tcp dport {{ 23, 2323, {plan.CPE_PORT} }} drop\n"
            "  }\n"
            "}\n"
        )
        subprocess.run(self.command(name, "nft", "-f", "-"), input=rules, text=True, check=True)
