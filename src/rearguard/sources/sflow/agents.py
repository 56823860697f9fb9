"""Who was heard: sFlow agents and their data sources, in tables of a fixed size that kernels use.

An agent numbers its datagrams (for each of its sub-agents), and each of its data sources (an interface, mostly)
numbers its flow samples and says how many packets it could have taken (the sample pool) and how many samples it
had to drop. All of these are 32 bits that wrap, and all begin anew when the agent restarts. What is missing
between two numbers was lost; a number that is a little behind came late and was counted as lost too early; one
that is far away is a restart and proves nothing. A datagram that is the same byte for byte as one shortly before
was captured twice, as on a bridge or on "any" interface.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from rearguard.model.compiled import inlined, kernel, wide
from rearguard.sources.exports.tables import mixed
from rearguard.sources.observers import MAX_EXPORTERS

__all__ = [
    "AgentTable",
    "PlaceTable",
    "agent_of",
    "new_agents",
    "new_places",
    "note_sample",
    "number_after",
    "repeated",
]

PLACES = 16_384
"""Data sources that are followed; of those beyond only the samples are read."""
WORD = 0xFFFF_FFFF
MAX_INT = 0x7FFF_FFFF_FFFF_FFFF
HALF = np.uint64(32)
KEPT = 32
"""Datagrams of an agent among which a repeated one is found."""
LATE = 64
"""Numbers that are this little behind belong to datagrams that overtook each other on their way."""
FAR = 1 << 20
"""Numbers that are this far ahead are those of another beginning."""

AgentTable: Any = namedtuple(
    "AgentTable",
    [
        "slot", "hi", "lo", "sub", "last", "datagrams", "samples", "lost", "lost_samples", "pool", "drops",
        "discarded", "rate", "rate_least", "rate_most", "heard", "now",
    ],
)  # fmt: skip
"""``slot``: open addressing, 1 + number; then by number: the agent's address and sub-agent, the number of its last
datagram, counts (``pool``: packets that its sampling passed over or took), the sampling rate last told, the
smallest and the largest one, digests of its last datagrams."""

PlaceTable: Any = namedtuple("PlaceTable", ["slot", "agent", "source", "last", "pool", "drops", "now"])
"""The same for data sources: ``source`` is class << 32 | index; last number, pool and drops as they were told."""


def new_agents() -> Any:
    """No agents yet."""
    return AgentTable(
        slot=np.zeros(2 * MAX_EXPORTERS, np.uint32),
        hi=np.zeros(MAX_EXPORTERS, np.uint64),
        lo=np.zeros(MAX_EXPORTERS, np.uint64),
        sub=np.zeros(MAX_EXPORTERS, np.int64),
        last=np.zeros(MAX_EXPORTERS, np.int64),
        datagrams=np.zeros(MAX_EXPORTERS, np.int64),
        samples=np.zeros(MAX_EXPORTERS, np.int64),
        lost=np.zeros(MAX_EXPORTERS, np.int64),
        lost_samples=np.zeros(MAX_EXPORTERS, np.int64),
        pool=np.zeros(MAX_EXPORTERS, np.int64),
        drops=np.zeros(MAX_EXPORTERS, np.int64),
        discarded=np.zeros(MAX_EXPORTERS, np.int64),
        rate=np.zeros(MAX_EXPORTERS, np.int64),
        rate_least=np.zeros(MAX_EXPORTERS, np.int64),
        rate_most=np.zeros(MAX_EXPORTERS, np.int64),
        heard=np.zeros((MAX_EXPORTERS, KEPT), np.uint64),
        now=np.zeros(1, np.int64),
    )


def new_places() -> Any:
    """No data sources yet."""
    return PlaceTable(
        slot=np.zeros(2 * PLACES, np.uint32),
        agent=np.zeros(PLACES, np.int64),
        source=np.zeros(PLACES, np.int64),
        last=np.zeros(PLACES, np.int64),
        pool=np.zeros(PLACES, np.int64),
        drops=np.zeros(PLACES, np.int64),
        now=np.zeros(1, np.int64),
    )


@kernel
def agent_of(agents: Any, hi: np.uint64, lo: np.uint64, sub: int) -> int:
    """The agent's number, a new one if it was never heard; -1 when the table is full."""
    last = agents.slot.size - 1
    low, high = wide(lo) & MAX_INT, wide(hi ^ hi >> HALF) & WORD
    at = (mixed(low) ^ mixed(high << 31 ^ sub)) & last
    while agents.slot[at] != 0:
        number = wide(agents.slot[at]) - 1
        if agents.lo[number] == lo and agents.hi[number] == hi and agents.sub[number] == sub:
            return number
        at = (at + 1) & last
    number = wide(agents.now[0])
    if number >= agents.hi.size:
        return -1
    agents.hi[number] = hi
    agents.lo[number] = lo
    agents.sub[number] = sub
    agents.last[number] = -1
    agents.now[0] = number + 1
    agents.slot[at] = number + 1
    return number


@inlined
def repeated(agents: Any, agent: int, digest: np.uint64) -> bool:
    """Whether one of the agent's last datagrams had this digest; if not, it is put among them."""
    for place in range(KEPT):
        if agents.heard[agent, place] == digest:
            return True
    agents.heard[agent, agents.datagrams[agent] % KEPT] = digest
    return False


@inlined
def number_after(last: int, number: int) -> tuple[int, int]:
    """How many numbers are missing between ``last`` and ``number`` (-1: one that was missing came late), and which
    is the last one now. ``last`` is -1 before the first."""
    if last < 0:
        return 0, number
    ahead = (number - last) & WORD
    if ahead == 0:
        return 0, last
    if ahead < FAR:
        return ahead - 1, number
    if WORD + 1 - ahead <= LATE:
        return -1, last
    return 0, number


@kernel
def note_sample(
    agents: Any, places: Any, agent: int, source: int, number: int, pool: int, drops: int
) -> None:
    """Take in the counts of a flow sample of data source ``source`` of an agent."""
    last = places.slot.size - 1
    at = mixed((source & MAX_INT) ^ agent << 20) & last
    while places.slot[at] != 0:
        place = wide(places.slot[at]) - 1
        if places.source[place] == source and places.agent[place] == agent:
            break
        at = (at + 1) & last
    if places.slot[at] == 0:
        place = wide(places.now[0])
        if place >= places.agent.size:
            return
        places.now[0] = place + 1
        places.slot[at] = place + 1
        places.agent[place] = agent
        places.source[place] = source
        places.last[place] = number
        places.pool[place] = pool
        places.drops[place] = drops
        return
    place = wide(places.slot[at]) - 1
    before = wide(places.last[place])
    missing, now = number_after(before, number)
    agents.lost_samples[agent] = max(agents.lost_samples[agent] + missing, 0)
    if now == before:
        return
    if (number - before) & WORD < FAR:
        agents.pool[agent] += (pool - wide(places.pool[place])) & WORD
        agents.drops[agent] += (drops - wide(places.drops[place])) & WORD
    places.last[place] = now
    places.pool[place] = pool
    places.drops[place] = drops
