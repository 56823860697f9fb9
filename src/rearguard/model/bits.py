"""Constants that records, contacts and kernels share: TCP flags, what a record knows, how a role is known.

Plain module-level integers, because compiled kernels freeze them.
"""

from __future__ import annotations

# TCP header flags (RFC 9293 section 3.1), as in the header's byte 13.
FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10
URG = 0x20
HANDSHAKE_MASK = SYN | ACK | RST | FIN
"""ECN bits (RFC 3168) and PSH/URG do not change what kind of handshake packet it is."""

# IP protocol numbers.
ICMP = 1
TCP = 6
UDP = 17
ICMPV6 = 58

# Chunk.frag
FRAG_NONE = 0
FRAG_FIRST = 1
FRAG_LATER = 2
"""A later fragment has no port numbers; sport and dport are 0 and must not be read as ports."""

# Chunk.why: what kind of row this is.
WHY_PACKET = 1
"""An ordinary packet or flow; with TCP or UDP its ports were read."""
WHY_QUOTED = 2
"""An ICMP destination-unreachable (or v6 likewise): addresses, ports and protocol are those of the packet
that it quotes, so src is the one that was told no. Its ``packets`` and ``bytes`` are the error's own."""
WHY_NO_PORTS = 4
"""TCP or UDP whose ports could not be read (later fragment, cut short)."""
WHY_INITIATOR = 8
"""A flow record that says that its source opened the conversation (RFC 5103, or a probe that keeps state)."""
WHY_RESPONDER = 16
"""The same, of the other side: the record's source is who was called."""

# Chunk.known and contact ``known``: which fields this source can tell at all.
KNOWN_FLAGS = 0x01
KNOWN_ONE_PACKET = 0x02
"""The row is one packet, so its flags are that packet's and not several OR-ed (rule B7)."""
KNOWN_SEQ = 0x04
KNOWN_IPID = 0x08
KNOWN_OPTIONS = 0x10
"""``doff`` and ``win`` are known."""
KNOWN_PAYLOAD = 0x20
"""``pay_len`` is known, and the payload lies in the source's buffer."""
KNOWN_BIFLOW = 0x40
"""The record says who opened the conversation: WHY_INITIATOR or WHY_RESPONDER is set."""
KNOWN_PACKET = KNOWN_FLAGS | KNOWN_ONE_PACKET | KNOWN_SEQ | KNOWN_IPID | KNOWN_OPTIONS | KNOWN_PAYLOAD

# Contact.seen_c and seen_s: kinds of packets that were seen from a side.
SEEN_SYN = 0x01
SEEN_SYNACK = 0x02
"""Exactly SYN and ACK in one packet; OR-ed flags of a flow never set it."""
SEEN_RST = 0x04
SEEN_FIN = 0x08
SEEN_DATA = 0x10
SEEN_ICMP_UNREACH = 0x20
SEEN_ACK = 0x40
"""A TCP packet with ACK and neither SYN nor RST: after a SYN+ACK from the other side, a proof of address (B4)."""
SEEN_DATAGRAM = 0x80
SEEN_FLOW_SYN = 0x100
"""A flow of several packets with SYN and ACK among its flags, of which nobody says who opened it: a client's whole
connection, or an answer. Which of both, the order of the two directions may tell (rules A3, B7)."""

# Contact.role: why the server side is held to be the listener (rule A3). OR-ed when partials merge.
ROLE_HANDSHAKE = 0x01
"""A lone SYN or an exact SYN+ACK, or a flow record itself (WHY_INITIATOR, WHY_RESPONDER), say who opened."""
ROLE_PORT = 0x02
"""Only the server's port is in the catalogue or well known."""
ROLE_BOTH = 0x04
"""Both ports are; without a handshake the direction is a guess."""

# Directions (rule A4).
INBOUND = 0
OUTBOUND = 1
INTERNAL = 2
TRANSIT = 3
DIRECTIONS = ("inbound", "outbound", "internal", "transit")
