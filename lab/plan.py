"""The addressing plan: who lives where in the lab, and how each device's back gate behaves.

Only documentation and benchmark prefixes appear (RFC 5737, RFC 3849, RFC 2544), so that nothing in the
recording can be mistaken for, or reach, somebody real.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address

__all__ = [
    "ACS_CALLS_FROM_V4",
    "ACS_CALLS_FROM_V6",
    "ACS_SESSIONS_V4",
    "ACS_SESSIONS_V6",
    "BACKSCATTERER",
    "CONTROLLERS",
    "CPE_PORT",
    "CUSTOMERS_V4",
    "CUSTOMERS_V6",
    "DEVICES",
    "DNS",
    "DOWNLOAD",
    "FLOODERS",
    "FOREIGN_ACS",
    "GAMERS",
    "OUTSIDE_V4",
    "OUTSIDE_V6",
    "REMOTES",
    "SURVEYORS",
    "VICTIM",
    "WEB_V4",
    "WEB_V6",
    "WORM_MIXED",
    "WORM_SOAP",
    "WORM_TELNET",
    "WORM_V6",
    "Device",
    "Gate",
    "device",
    "is_dark",
]

CUSTOMERS_V4 = IPv4Network("198.51.100.0/24")
CUSTOMERS_V6 = IPv6Network("2001:db8:c::/48")
OUTSIDE_V4 = (IPv4Network("203.0.113.0/24"), IPv4Network("198.18.0.0/15"))
OUTSIDE_V6 = IPv6Network("2001:db8:f::/48")

CPE_PORT = 7547

# The controller is a farm: it calls devices from one set of addresses and is called at another (rule A2).
ACS_CALLS_FROM_V4 = "192.0.2.9"
ACS_CALLS_FROM_V6 = "2001:db8:a::10"
ACS_SESSIONS_V4 = "192.0.2.20"
ACS_SESSIONS_V6 = "2001:db8:a::20"
CONTROLLERS = (ACS_CALLS_FROM_V4, ACS_CALLS_FROM_V6, ACS_SESSIONS_V4, ACS_SESSIONS_V6)

SURVEYORS = {"zmap": "203.0.113.10", "nmap": "203.0.113.11"}
DNS = "203.0.113.53"
WORM_SOAP = "203.0.113.66"
DOWNLOAD = "203.0.113.80"
WEB_V4, WEB_V6 = "203.0.113.90", "2001:db8:f:90::1"
FOREIGN_ACS = "203.0.113.120"
BACKSCATTERER = "203.0.113.150"
GAMERS = ("203.0.113.160", "203.0.113.161")
VICTIM = "203.0.113.200"  # nobody holds it: what reflectors send there vanishes
WORM_MIXED = "198.18.66.7"
WORM_TELNET = "198.19.77.9"
FLOODERS = ("198.18.90.1", "198.18.91.1", "198.18.92.1")
WORM_V6 = "2001:db8:f:66::1"

REMOTES: dict[str, str] = {
    **dict.fromkeys(SURVEYORS.values(), "survey"),
    DNS: "dns",
    DOWNLOAD: "download",
    WEB_V4: "web",
    WEB_V6: "web",
    FOREIGN_ACS: "foreign-controller",
    BACKSCATTERER: "backscatter",
    **dict.fromkeys(GAMERS, "visitor"),
    VICTIM: "victim",
    **dict.fromkeys((WORM_SOAP, WORM_MIXED, WORM_TELNET, WORM_V6), "worm"),
    **dict.fromkeys(FLOODERS, "flooder"),
}


class Gate(StrEnum):
    """How a device treats strangers at tcp/7547."""

    DIGEST = "digest"  # as TR-069 asks: 401 with Digest for everyone without the password
    NOT_FOUND = "not-found"  # a web server that knows no such page
    TR064 = "tr064"  # the LAN protocol answered on the WAN, without a password
    MUTE = "mute"  # completes the handshake and never says a word
    FRAGILE = "fragile"  # as DIGEST, but dies after too many requests and boots again
    CLOSED = "closed"  # nobody listens: the kernel resets
    SHIELDED = "shielded"  # a filter on the device drops the request silently


@dataclass(frozen=True, slots=True)
class Device:
    """One managed device. ``number`` is its last IPv4 octet and names its delegated IPv6 prefix (a /56)."""

    name: str
    number: int
    gate: Gate
    acs: str | None = None  # URL of the controller that it calls
    telnet: tuple[str, str] | None = None  # the login that it accepts; ("", "") accepts none
    ssdp: bool = False

    @property
    def v4(self) -> str:
        return str(CUSTOMERS_V4[self.number])

    @property
    def v6(self) -> str:
        return str(self.prefix[1])

    @property
    def prefix(self) -> IPv6Network:
        return IPv6Network((int(CUSTOMERS_V6.network_address) + (self.number << 72), 56))

    @property
    def listens(self) -> bool:
        return self.gate not in (Gate.CLOSED, Gate.SHIELDED)


_ACS_V4 = f"http://{ACS_SESSIONS_V4}:{CPE_PORT}/cwmp"
_ACS_V4_WEB = f"http://{ACS_SESSIONS_V4}:80/cwmp"
_ACS_V6 = f"http://[{ACS_SESSIONS_V6}]:{CPE_PORT}/cwmp"

DEVICES: tuple[Device, ...] = (
    Device("gw-alder", 11, Gate.DIGEST, acs=_ACS_V4),
    Device("gw-birch", 12, Gate.DIGEST, acs=_ACS_V4_WEB),
    Device("gw-cedar", 13, Gate.CLOSED, acs=_ACS_V4_WEB),
    Device("gw-dogwood", 14, Gate.NOT_FOUND),
    Device("gw-elm", 15, Gate.TR064, acs=_ACS_V4),
    Device("gw-fir", 16, Gate.SHIELDED),
    Device("gw-ginkgo", 17, Gate.MUTE),
    Device("gw-hazel", 18, Gate.FRAGILE, acs=_ACS_V4),
    Device("cam-iris", 19, Gate.CLOSED, telnet=("root", "admin")),
    Device("cam-juniper", 20, Gate.CLOSED, telnet=("", "")),
    Device("stb-kale", 21, Gate.CLOSED, ssdp=True),
    Device("pc-larch", 22, Gate.CLOSED),
    Device("pc-maple", 23, Gate.CLOSED),
    Device("pc-nettle", 24, Gate.CLOSED),
    Device("gw-oak", 25, Gate.DIGEST, acs=_ACS_V6),
    Device("gw-pine", 26, Gate.CLOSED),
    # A block of flats: alive, everything closed; they make a sweep of known IPv6 hosts wide enough.
    *(Device(f"flat-{number:02d}", number, Gate.CLOSED) for number in range(64, 80)),
)


def device(name: str) -> Device:
    """The device of that name; KeyError when the plan has none."""
    return {item.name: item for item in DEVICES}[name]


def is_dark(address: str) -> bool:
    """Whether the address lies in the customers' IPv4 prefix and nobody holds it."""
    parsed = ip_address(address)
    return parsed in CUSTOMERS_V4 and str(parsed) not in {item.v4 for item in DEVICES}
