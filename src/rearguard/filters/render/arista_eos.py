"""Arista EOS: ``ip access-list`` and ``ipv6 access-list``, loaded in one configuration session.

Quirks. IPv4 prefixes have lengths. Of the flags only ``established`` is relied on.
What entries with ports do to later fragments is not known to us, so these are let through by an entry of their
own before any port is asked. ``statistics per-entry`` counts by entry.
"""

from __future__ import annotations

from collections.abc import Sequence

from rearguard.filters.model import Attachment
from rearguard.filters.render.cisco import Dialect
from rearguard.filters.residual import Ability

__all__ = ["ABILITY", "DIALECT"]


def _bind(name: str, family: int, attachment: Attachment) -> Sequence[str]:
    way = "in" if attachment is Attachment.ENTERING else "out"
    return [f"{'ip' if family == 4 else 'ipv6'} access-group {name} {way}"]


DIALECT = Dialect(
    headings={4: "ip access-list", 6: "ipv6 access-list"},
    number={4: "{} ", 6: "{} "},
    unset_flags=frozenset(),
    any_ip={4: "ip", 6: "ipv6"},
    lengths=True,
    digest=False,
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
