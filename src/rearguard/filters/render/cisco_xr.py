"""Cisco IOS XR: ``ipv4 access-list`` and ``ipv6 access-list``, loaded by one commit.

Quirks. Of the flags only ``established`` (ACK or RST) is relied on: it is let through first, then the rest of
the port denied. Remarks are numbered like entries. A commit replaces a list as a whole; with ``hardware
access-list atomic-disable`` the list is off the interface meanwhile (IOS XR Access List Commands, NCS 5000).
``show access-lists`` counts by entry.
"""

from __future__ import annotations

from collections.abc import Sequence

from rearguard.filters.model import Attachment
from rearguard.filters.render.cisco import Dialect
from rearguard.filters.residual import Ability

__all__ = ["ABILITY", "DIALECT"]


def _bind(name: str, family: int, attachment: Attachment) -> Sequence[str]:
    way = "ingress" if attachment is Attachment.ENTERING else "egress"
    return [f"ipv{family} access-group {name} {way}"]


DIALECT = Dialect(
    headings={4: "ipv4 access-list", 6: "ipv6 access-list"},
    number={4: "{} ", 6: "{} "},
    unset_flags=frozenset(),
    any_ip={4: "ipv4", 6: "ipv6"},
    lengths=False,
    digest=False,
    numbered_remarks=True,
    bind=_bind,
)
ABILITY = Ability(offset_one=frozenset(), unreadable=frozenset(), answers=frozenset(), headers=frozenset({4}))
