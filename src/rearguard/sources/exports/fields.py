"""Which fields of a template are read, and for what: NetFlow v9 (RFC 3954 section 8), IPFIX (registry of IANA).

Each row of :data:`FIELDS` is an information element, the target it is read into, its rank among the elements that
can fill the same target (the smallest wins, then the first), and its kind, where a target has several. All others
are skipped by their length: post-NAT addresses (225 to 228), MPLS, VLANs, MAC addresses, lists (RFC 6313).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CERT", "FIELDS", "IANA", "REVERSE", "TARGETS", "Use", "has"]

IANA = 0
REVERSE = 29_305
"""The enterprise number that turns an element around (RFC 5103 section 6.1)."""
CERT = 6_871
"""CERT at Carnegie Mellon, YAF's elements (YAF manual, "CERT information elements")."""

# Targets: places in the scratch of the kernel that runs a plan. Addresses of 16 bytes take two.
SRC4 = 0
DST4 = 1
SRC6 = 2
DST6 = 4
SPORT = 6
DPORT = 7
PROTO = 8
FLAGS = 9
PACKETS = 10
OCTETS = 11
START = 12
END = 13
DURATION = 14
OBSERVED = 15
BOOT = 16
INGRESS = 17
EGRESS = 18
WAY = 19
OPENED = 20
RATE = 21
RATE_OF = 22
SAMPLER = 23
IP_VERSION = 24
NAT_EVENT = 25
FIREWALL_EVENT = 26
BACK_PACKETS = 27
BACK_OCTETS = 28
BACK_FLAGS = 29
INITIAL = 30
BACK_INITIAL = 31
UNION = 32
BACK_UNION = 33
BACK_DELAY = 34
TTL = 35
SEQ = 36
BACK_SEQ = 37
IPID = 38
TARGETS = 39

# Kinds of times, in the order in which they are preferred.
SECONDS = 1
UPTIME = 2
DELTA = 3
MILLI = 4
MICRO = 5
NANO = 6

# Kinds of sampling: 1 in so many; so many of (so many and a space); of a population; with a probability.
ONE_IN = 1
SPACED = 2
POPULATION = 3
PROBABILITY = 4

# Kinds of octets: of IP, or of the transport's payload only.
IP_OCTETS = 1
PAYLOAD_OCTETS = 2


@dataclass(frozen=True, slots=True)
class Use:
    """What an element is read for."""

    target: int
    rank: int = 0
    kind: int = 0
    sizes: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    """Lengths that can be read; reduced-size encoding (RFC 7011 section 6.2) makes numbers shorter."""


def has(target: int) -> int:
    """The bit of a target in a plan's set of targets."""
    return 1 << target


_V4, _V6 = (4,), (16,)

FIELDS: dict[tuple[int, int], Use] = {
    (IANA, 8): Use(SRC4, sizes=_V4),
    (IANA, 12): Use(DST4, sizes=_V4),
    (IANA, 27): Use(SRC6, sizes=_V6),
    (IANA, 28): Use(DST6, sizes=_V6),
    (IANA, 60): Use(IP_VERSION),
    (IANA, 4): Use(PROTO),
    (IANA, 7): Use(SPORT),
    (IANA, 11): Use(DPORT),
    (IANA, 182): Use(SPORT, 1),  # tcpSourcePort
    (IANA, 183): Use(DPORT, 1),
    (IANA, 180): Use(SPORT, 2),  # udpSourcePort
    (IANA, 181): Use(DPORT, 2),
    (IANA, 6): Use(FLAGS),
    (CERT, 14): Use(INITIAL),
    (CERT, 15): Use(UNION),
    (CERT, 14 | 0x4000): Use(BACK_INITIAL),
    (CERT, 15 | 0x4000): Use(BACK_UNION),
    (REVERSE, 6): Use(BACK_FLAGS),
    # Counters: since the last report, of the flow so far, of a session's initiator, after a middlebox.
    (IANA, 2): Use(PACKETS),
    (IANA, 86): Use(PACKETS, 1),
    (IANA, 298): Use(PACKETS, 2),
    (IANA, 24): Use(PACKETS, 3),
    (IANA, 1): Use(OCTETS, 0, IP_OCTETS),
    (IANA, 85): Use(OCTETS, 1, IP_OCTETS),
    (IANA, 231): Use(OCTETS, 2, PAYLOAD_OCTETS),
    (IANA, 23): Use(OCTETS, 3, IP_OCTETS),
    (REVERSE, 2): Use(BACK_PACKETS),
    (REVERSE, 86): Use(BACK_PACKETS, 1),
    (IANA, 299): Use(BACK_PACKETS, 2),
    (REVERSE, 1): Use(BACK_OCTETS, 0, IP_OCTETS),
    (REVERSE, 85): Use(BACK_OCTETS, 1, IP_OCTETS),
    (IANA, 232): Use(BACK_OCTETS, 2, PAYLOAD_OCTETS),
    # Times.
    (IANA, 156): Use(START, 0, NANO, (8,)),
    (IANA, 154): Use(START, 1, MICRO, (8,)),
    (IANA, 152): Use(START, 2, MILLI),
    (IANA, 158): Use(START, 3, DELTA),
    (IANA, 22): Use(START, 4, UPTIME, (4,)),
    (IANA, 150): Use(START, 5, SECONDS),
    (IANA, 157): Use(END, 0, NANO, (8,)),
    (IANA, 155): Use(END, 1, MICRO, (8,)),
    (IANA, 153): Use(END, 2, MILLI),
    (IANA, 159): Use(END, 3, DELTA),
    (IANA, 21): Use(END, 4, UPTIME, (4,)),
    (IANA, 151): Use(END, 5, SECONDS),
    (IANA, 162): Use(DURATION, 0, MICRO),
    (IANA, 161): Use(DURATION, 1, MILLI),
    (IANA, 325): Use(OBSERVED, 0, NANO, (8,)),
    (IANA, 324): Use(OBSERVED, 1, MICRO, (8,)),
    (IANA, 323): Use(OBSERVED, 2, MILLI),
    (IANA, 322): Use(OBSERVED, 3, SECONDS),
    (IANA, 160): Use(BOOT),
    (CERT, 21): Use(BACK_DELAY),
    # Where it was seen, which way, who opened.
    (IANA, 10): Use(INGRESS),
    (IANA, 252): Use(INGRESS, 1),
    (IANA, 14): Use(EGRESS),
    (IANA, 253): Use(EGRESS, 1),
    (IANA, 61): Use(WAY),
    (IANA, 239): Use(OPENED),
    # Sampling.
    (IANA, 34): Use(RATE, 0, ONE_IN),
    (IANA, 50): Use(RATE, 1, ONE_IN),
    (IANA, 305): Use(RATE, 2, SPACED),
    (IANA, 306): Use(RATE_OF, 0, SPACED),
    (IANA, 309): Use(RATE, 3, POPULATION),
    (IANA, 310): Use(RATE_OF, 1, POPULATION),
    (IANA, 311): Use(RATE, 4, PROBABILITY, (8,)),
    (IANA, 302): Use(SAMPLER),
    (IANA, 48): Use(SAMPLER, 1),
    # Events.
    (IANA, 230): Use(NAT_EVENT),
    (IANA, 233): Use(FIREWALL_EVENT),
    (IANA, 40_005): Use(FIREWALL_EVENT, 1),  # Cisco ASA before it had a number at IANA
    # What a packet header says; of a flow, of its first packet.
    (IANA, 192): Use(TTL),
    (IANA, 184): Use(SEQ),
    (IANA, 54): Use(IPID),
    (REVERSE, 184): Use(BACK_SEQ),
}
