"""Words that flow tools write instead of numbers: protocols, the way of an observation."""

from __future__ import annotations

from rearguard.sources.observers import EGRESS, INGRESS, UNTOLD

__all__ = ["NO_EXPORTER", "PROTOCOLS", "protocol", "way"]

NO_EXPORTER = frozenset({"", "-", "0", "::", *(f"{start}0.0.0" for start in ("0.", "::ffff:0."))})
"""How a missing exporter is written."""

PROTOCOLS = {
    "icmp": 1, "igmp": 2, "ggp": 3, "ipip": 4, "ipencap": 4, "ip4": 4, "tcp": 6, "egp": 8, "igp": 9, "udp": 17,
    "dccp": 33, "ipv6": 41, "rsvp": 46, "gre": 47, "esp": 50, "ipsec-esp": 50, "ah": 51, "icmp6": 58, "icmpv6": 58,
    "ipv6-icmp": 58, "ipv6icmp": 58, "eigrp": 88, "ospf": 89, "ospfigp": 89, "encap": 98, "pim": 103,
    "vrrp": 112, "l2tp": 115, "sctp": 132, "udplite": 136, "mpls-in-ip": 137,
}  # fmt: skip
"""IP protocol numbers (the IANA registry) by the names that flow tools print, in lower case."""

_WAYS = {
    "ingress": INGRESS, "in": INGRESS, "i": INGRESS,
    "egress": EGRESS, "out": EGRESS, "e": EGRESS,
    "undefined": UNTOLD, "unknown": UNTOLD,
}  # fmt: skip


def protocol(text: str) -> int | None:
    """The number of a protocol that is written as number or name; None for what is no IP protocol."""
    if text.isascii() and text.isdigit():
        return int(text) if len(text) < 4 and int(text) < 256 else None
    return PROTOCOLS.get(text.lower())


def way(text: str) -> int | None:
    """ "in" or "out", however it is said."""
    return _WAYS.get(text.lower())
