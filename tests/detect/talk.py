"""Exchanges made by hand: one call a conversation, with named defaults; times are seconds after a fixed start."""

from __future__ import annotations

import ipaddress
from typing import Any

from detect.build import PROTOCOLS, SECOND, START
from rearguard.catalogue.attacks import Attack, Attacks
from rearguard.dialogue.exchange import Exchange, Hit, Inform, Proof, Secret
from rearguard.model.address import halves
from rearguard.model.finding import Severity

WORM = "203.0.113.66"
LOADER = "203.0.113.80"


def moment(seconds: float) -> int:
    """Nanoseconds since the epoch."""
    return START + round(seconds * SECOND)


def attack(name: str, **more: Any) -> Attack:
    """An entry of the catalogue of attacks; what it looks like on the wire does not matter here."""
    known: dict[str, Any] = {
        "id": name,
        "title": f"the attack {name}",
        "protocol": "http",
        "severity": Severity.HIGH,
        "certain": True,
        "outside": False,
        "interfaces": ("cwmp-cr", "tr064"),
        "bound": False,
        "cves": (),
        "incidents": (),
        "mechanisms": (),
        "signs": (),
        "sources": (),
    }
    return Attack(**(known | more))


ATTACKS = Attacks(
    (
        attack(
            "ntp-2016",
            cves=("CVE-2016-10372",),
            incidents=("eir-d1000-2016",),
            mechanisms=("parameter-injection",),
        ),
        attack("shell-in-parameter", certain=False, mechanisms=("parameter-injection",)),
        attack("default-login", protocol="telnet", interfaces=("telnet",), severity=Severity.MEDIUM),
        attack("lan-only-service", certain=False, outside=True, severity=Severity.MEDIUM),
        attack("snmp-public", protocol="snmp", interfaces=("snmp",), severity=Severity.MEDIUM),
        attack("adb-shell", protocol="adb", interfaces=("adb",)),
    )
)


def exchange(
    client: str = WORM,
    server: str = "198.51.100.15",
    port: int = 7547,
    proto: str = "tcp",
    *,
    at: float = 0.0,
    answer: str = "digest",
    **more: Any,
) -> Exchange:
    """One conversation; with an ``answer`` the listener's first packet comes 10 ms after the client's."""
    client_hi, client_lo = halves(ipaddress.ip_address(client))
    server_hi, server_lo = halves(ipaddress.ip_address(server))
    spoke = bool(answer)
    known: dict[str, Any] = {
        "client_hi": client_hi,
        "client_lo": client_lo,
        "client_port": 40001,
        "server_hi": server_hi,
        "server_lo": server_lo,
        "port": port,
        "proto": PROTOCOLS[proto],
        "observer": 0,
        "sampling": 1,
        "first": moment(at),
        "last": moment(at + 0.01),
        "complete": True,
        "incidental": False,
        "roles": "handshake",
        "speaks": "http",
        "identity": None,
        "answer": answer,
        "status": {"digest": 401, "basic": 401, "page": 200, "soap": 200, "fault": 500, "refused": 404}.get(
            answer, 0
        ),
        "method": "POST",
        "path": "/",
        "login": "",
        "hits": (),
        "secrets": (),
        "inform": None,
        "rpcs": (),
        "fetch": (),
        "asked": Proof(moment(at), 1001, False),
        "answered": Proof(moment(at + 0.01), 1002, True) if spoke else None,
    }
    unknown = more.keys() - known.keys()
    assert not unknown, unknown
    return Exchange(**(known | more))


def hit(name: str = "ntp-2016", *named: str, at: float = 0.0, rec: int = 1001, **more: Any) -> Hit:
    """A hit of this attack that named these hosts."""
    known: dict[str, Any] = {
        "attack": name,
        "proof": Proof(moment(at), rec, False),
        "excerpt": "`cd /tmp;wget`",
        "named": named,
        "urls": tuple(f"http://{host}/x" for host in named),
    }
    return Hit(**(known | more))


def attacked(
    client: str = WORM, server: str = "198.51.100.15", *named: str, at: float = 0.0, **more: Any
) -> Exchange:
    """A conversation that holds one hit of ``ntp-2016``."""
    name = more.pop("attack", "ntp-2016")
    return exchange(client, server, at=at, hits=(hit(name, *named, at=at),), **more)


def secret(kind: str, shown: str = "root:*****", at: float = 0.0) -> Secret:
    """A secret as it may be shown."""
    return Secret(kind, Proof(moment(at), 1003, False), shown)


def inform(*events: str, at: float = 0.0, **more: Any) -> Inform:
    """An Inform with these events."""
    known: dict[str, Any] = {
        "manufacturer": "Lab",
        "oui": "02005E",
        "product_class": "Gateway",
        "serial": "LAB00025",
        "software": "1.0.7",
        "events": events,
        "url": "",
        "proof": Proof(moment(at), 1001, False),
    }
    return Inform(**(known | more))


def opened(client: str, server: str, at: float, port: int = 80, rec: int = 2001) -> dict[str, Any]:
    """A row of ``initiations``: the device opens a connection."""
    return {
        "client": client,
        "server": server,
        "time": moment(at),
        "rec": rec,
        "port": port,
        "client_port": 50000,
        "proto": PROTOCOLS["tcp"],
        "minute": moment(at) // (60 * SECOND),
    }
