"""Cisco NX-OS: ``ip access-list`` and ``ipv6 access-list``, each version under a name of its own.

Quirks. Prefixes of both families have lengths. Of the flags only ``established`` (ACK or RST) is relied on
(Nexus 5500 Series NX-OS Security Command Reference, "deny tcp (IPv4)"). ``fragments`` takes later fragments and
stands beside no ports; what entries with ports do to these is not said there, so they are let through by an
entry of their own before any port is asked. Entered line by line a list in force changes line by line, so each
version has a new name, and putting it in force is one command. Lists of IPv6 let neighbour discovery through by
themselves on some Nexus and not on the 9000 (Nexus 9000 NX-OS Security Configuration Guide 9.x, "Implicit Rules
for IP and MAC ACLs"): it is not counted on. ``statistics per-entry`` counts by entry.
"""

from __future__ import annotations

from collections.abc import Sequence

from rearguard.filters.model import Attachment
from rearguard.filters.render.cisco import Dialect
from rearguard.filters.residual import Ability

__all__ = ["ABILITY", "DIALECT"]


def _bind(name: str, family: int, attachment: Attachment) -> Sequence[str]:
    way = "in" if attachment is Attachment.ENTERING else "out"
    return [f"ip access-group {name} {way}" if family == 4 else f"ipv6 traffic-filter {name} {way}"]


DIALECT = Dialect(
    headings={4: "ip access-list", 6: "ipv6 access-list"},
    number={4: "{} ", 6: "{} "},
    unset_flags=frozenset(),
    any_ip={4: "ip", 6: "ipv6"},
    lengths=True,
    digest=True,
    numbered_remarks=True,
    bind=_bind,
    preamble=("statistics per-entry",),
    wary=frozenset({4, 6}),
)
ABILITY = Ability(
    offset_one=frozenset(),
    unreadable=frozenset(),
    answers=frozenset(),
    headers=frozenset({4}),
    wary=DIALECT.wary,
)
