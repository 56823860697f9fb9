"""What was said in a contact, with defaults for everything."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from rearguard.dialogue.exchange import Exchange
from rearguard.model.address import halves
from rearguard.model.bits import TCP


def exchange(
    client: str = "203.0.113.7", server: str = "198.51.100.20", port: int = 7547, **more: Any
) -> Exchange:
    """An exchange of these two that proves nothing unless told otherwise."""
    defaults = dict.fromkeys(Exchange.__dataclass_fields__)
    client_hi, client_lo = halves(ip_address(client))
    server_hi, server_lo = halves(ip_address(server))
    known = {
        "client_hi": client_hi,
        "client_lo": client_lo,
        "server_hi": server_hi,
        "server_lo": server_lo,
        "port": port,
        "proto": TCP,
        "hits": (),
    }
    return Exchange(**(defaults | known | more))  # type: ignore[arg-type]
