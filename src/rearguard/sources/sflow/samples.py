"""Walk through sFlow datagrams, compiled: samples become frames for the packet decoder, or rows.

::

    datagram = version 5, agent address (type 0 none, 1 IPv4, 2 IPv6), sub-agent, number, uptime, count, samples
    sample   = format (enterprise << 12 | format), length, data
    0:1 flow sample            number, source (class << 24 | index), rate, pool, drops, input, output, records
    0:3 expanded flow sample   number, class, index, rate, pool, drops, input (format, value), output, records
    0:2, 0:4 counter samples   0:5 a packet that the device discarded

All are 32-bit words, most significant byte first (XDR, RFC 4506); lengths are padded to full words. An interface
is "format << 30 | value" (expanded: two words): format 0 is an ifIndex (0 unknown, all ones the device itself),
1 says that the packet was discarded and why, 2 how many interfaces it left by.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.compiled import Buffer, be32, be64, inlined, kernel, wide
from rearguard.sources.exports.sequence import digest
from rearguard.sources.observers import EGRESS, INGRESS, UNTOLD, observer_of
from rearguard.sources.sflow.agents import agent_of, note_sample, number_after, repeated
from rearguard.sources.sflow.record import (
    BROKEN,
    IN_IPV4,
    IN_IPV6,
    NOTHING,
    UNKNOWN,
    find_packet,
    write_plain,
)

__all__ = ["COUNTS", "FIRST_REASON", "SAMPLES", "SKIPPED", "finish", "walk"]

# What is counted while walking: flow samples, then why something gave neither frame nor row.
SAMPLES = 0
COUNTER = 1
EVENT = 2
OTHER = 3
BAD_DATAGRAM = 4
BAD_SAMPLE = 5
NO_ADDRESSES = 6
UNKNOWN_LINK = 7
REPEATED = 8
CROWDED = 9
COUNTS = 10
FIRST_REASON = COUNTER
SKIPPED = (
    "counter-sample",
    "event",
    "not-a-flow",
    "bad-datagram",
    "bad-flow-record",
    "no-addresses",
    "unknown-linktype",
    "duplicate-datagram",
    "exporter-limit",
)
"""Names of the counts from FIRST_REASON on."""

VERSION = 5
FLOW, COUNTERS, FLOW_EXPANDED, COUNTERS_EXPANDED, DISCARDED = 1, 2, 3, 4, 5
COMPACT_SIZE = 32
EXPANDED_SIZE = 44
LEAST_SAMPLE = 8 + COMPACT_SIZE
"""Bytes of the shortest flow sample, so that a datagram's length says how many it can hold."""
SIGN = 0x8000_0000
OURSELVES = 0x3FFF_FFFF
OURSELVES_EXPANDED = 0xFFFF_FFFF
V4_MAPPED = np.uint64(0xFFFF_0000_0000)


@kernel
def walk(
    b: Buffer,
    datagrams: Any,
    start: int,
    n: int,
    agents: Any,
    places: Any,
    observers: Any,
    frames: Any,
    told: Any,
    record: int,
    counts: Any,
    rows: Any,
    row: int,
) -> tuple[int, int, int]:
    """Walk through datagrams ``start`` to ``n`` while there is room. Returns the next datagram, the number of
    frames that were found, and the next row.

    Samples with a raw header become frames, with their number and rate in ``told``; those that the agent read
    itself are rows already. ``record`` is the number of the last flow sample before.
    """
    found = 0
    number = record
    for d in range(start, n):
        pos, size = wide(datagrams.off[d]), wide(datagrams.len[d])
        most = size // LEAST_SAMPLE
        if found + most > frames.off.size or row + found + most > rows.size:
            counts[SAMPLES] += number - record
            return d, found, row
        end = pos + size
        agent, pos, samples = _datagram(b, pos, end, datagrams.src_hi[d], datagrams.src_lo[d], agents)
        if agent < 0:
            counts[-agent] += 1
            continue
        time = wide(datagrams.time[d])
        for _ in range(min(samples, size)):
            if end - pos < 8:
                counts[BAD_DATAGRAM] += 1
                break
            form, length = be32(b, pos), be32(b, pos + 4)
            pos += 8
            if length > end - pos:
                counts[BAD_DATAGRAM] += 1
                break
            stop = pos + length
            if form in (FLOW, FLOW_EXPANDED):
                number += 1
                kind, begin, there, whole, rate, observer = _flow(
                    b, pos, stop, form == FLOW_EXPANDED, agent, agents, places, observers
                )
                if kind >= 0:
                    frames.off[found] = begin
                    frames.caplen[found] = there
                    frames.wirelen[found] = whole
                    frames.ts[found] = time
                    frames.link[found] = kind
                    frames.observer[found] = observer
                    told.rate[found] = rate
                    told.number[found] = number
                    found += 1
                elif kind in (IN_IPV4, IN_IPV6):
                    write_plain(b, begin, kind == IN_IPV6, rows, row, time)
                    rows[row].sampling = rate
                    rows[row].observer = observer
                    rows[row].record = number
                    row += 1
                elif kind == NOTHING:
                    counts[NO_ADDRESSES] += 1
                elif kind == UNKNOWN:
                    counts[UNKNOWN_LINK] += 1
                else:
                    counts[BAD_SAMPLE] += 1
            elif form in (COUNTERS, COUNTERS_EXPANDED):
                counts[COUNTER] += 1
            elif form == DISCARDED:
                counts[EVENT] += 1
            else:
                counts[OTHER] += 1
            pos = min(pos + ((length + 3) & ~3), end)
    counts[SAMPLES] += number - record
    return n, found, row


@inlined
def _datagram(
    b: Buffer, pos: int, end: int, src_hi: np.uint64, src_lo: np.uint64, agents: Any
) -> tuple[int, int, int]:
    """The agent's number (or -BAD_DATAGRAM, -REPEATED, -CROWDED), where the samples begin, how many there are."""
    begin = pos
    if end - pos < 8 or be32(b, pos) != VERSION:
        return -BAD_DATAGRAM, pos, 0
    family = be32(b, pos + 4)
    pos += 8
    # An agent that does not know its address is known by where its datagrams came from.
    hi, lo = src_hi, src_lo
    if family == 1:
        if end - pos < 4:
            return -BAD_DATAGRAM, pos, 0
        hi, lo = np.uint64(0), V4_MAPPED | np.uint64(be32(b, pos))
        pos += 4
    elif family == 2:
        if end - pos < 16:
            return -BAD_DATAGRAM, pos, 0
        hi, lo = be64(b, pos), be64(b, pos + 8)
        pos += 16
    elif family != 0:
        return -BAD_DATAGRAM, pos, 0
    if end - pos < 16:
        return -BAD_DATAGRAM, pos, 0
    agent = agent_of(agents, hi, lo, be32(b, pos))
    if agent < 0:
        return -CROWDED, pos, 0
    if repeated(agents, agent, digest(b, begin, end - begin)):
        return -REPEATED, pos, 0
    missing, agents.last[agent] = number_after(wide(agents.last[agent]), be32(b, pos + 4))
    agents.lost[agent] = max(wide(agents.lost[agent]) + missing, 0)
    agents.datagrams[agent] += 1
    return agent, pos + 16, be32(b, pos + 12)


@inlined
def _flow(
    b: Buffer, pos: int, stop: int, expanded: bool, agent: int, agents: Any, places: Any, observers: Any
) -> tuple[int, int, int, int, int, int]:
    """A flow sample: what find_packet says of its packet, the sampling rate, the observer."""
    agents.samples[agent] += 1
    if stop - pos < (EXPANDED_SIZE if expanded else COMPACT_SIZE):
        return BROKEN, pos, 0, 0, 0, 0
    number = be32(b, pos)
    if expanded:
        # The class is taken with its sign: any 32 bits of it and the index are one number of 64, compiled or not.
        source = ((be32(b, pos + 4) ^ SIGN) - SIGN) << 32 | be32(b, pos + 8)
        pos += 12
    else:
        word = be32(b, pos + 4)
        source = (word >> 24) << 32 | (word & 0xFF_FFFF)
        pos += 8
    rate, pool, drops = be32(b, pos), be32(b, pos + 4), be32(b, pos + 8)
    pos += 12
    if expanded:
        came, went = be32(b, pos + 4), be32(b, pos + 12)
        form_in, form_out = be32(b, pos), be32(b, pos + 8)
        nowhere = OURSELVES_EXPANDED
        pos += 16
    else:
        came, went = be32(b, pos) & OURSELVES, be32(b, pos + 4) & OURSELVES
        form_in, form_out = be32(b, pos) >> 30, be32(b, pos + 4) >> 30
        nowhere = OURSELVES
        pos += 8
    ingress = came if form_in == 0 and came != nowhere else 0
    egress = went if form_out == 0 and went != nowhere else 0
    if form_out == 1:
        agents.discarded[agent] += 1
    if rate != agents.rate[agent]:
        before = wide(agents.rate_least[agent])
        agents.rate[agent] = rate
        agents.rate_least[agent] = rate if before == 0 else min(before, rate)
        agents.rate_most[agent] = max(wide(agents.rate_most[agent]), rate)
    note_sample(agents, places, agent, source, number, pool, drops)
    way = UNTOLD
    if source == ingress and ingress != egress:
        way = INGRESS
    elif source == egress and ingress != egress:
        way = EGRESS
    observer = observer_of(observers, agent, ingress, egress, way)
    kind, begin, there, whole = find_packet(b, pos + 4, stop, be32(b, pos))
    return kind, begin, there, whole, rate, observer


@kernel
def finish(rows: Any, start: int, n: int, told: Any) -> None:
    """Give the rows that the packet decoder made, whose record is the frame's place in the table, the number and
    the rate of their sample."""
    for r in range(start, start + n):
        frame = wide(rows[r].record)
        rows[r].record = told.number[frame]
        rows[r].sampling = told.rate[frame]
