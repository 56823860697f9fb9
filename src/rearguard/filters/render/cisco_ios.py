"""Cisco IOS and IOS XE: extended lists for IPv4, ``ipv6 access-list`` for IPv6.

Quirks. IPv4 entries can ask flags to be unset (``match-all -ack -rst``; "Creating an IP Access
List to Filter IP Options, TCP Flags, Noncontiguous Ports"); IPv6 entries cannot, so ``established`` is let
through first. ``undetermined-transport`` finds IPv6 packets without their complete upper-layer header, in
``deny ipv6`` entries ("IPv6 ACL Undetermined-Transport Support", IOS XE). A list that does not exist permits
everything and one that is being typed denies what is not yet there, so each version has a name of its own.
``show access-lists`` counts by entry.
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
    headings={4: "ip access-list extended", 6: "ipv6 access-list"},
    number={4: "{} ", 6: "sequence {} "},
    unset_flags=frozenset({4}),
    any_ip={4: "ip", 6: "ipv6"},
    lengths=False,
    digest=True,
    numbered_remarks=False,
    bind=_bind,
)
ABILITY = Ability(
    offset_one=frozenset(),
    unreadable=frozenset({6}),
    answers=frozenset({4}),
    headers=frozenset({4}),
)
