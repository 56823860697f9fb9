"""What a decoder remembers, as arrays that kernels read and change: exporters, templates' plans, sampling rates.

Everything has a fixed or bounded size. Tables are looked up by open addressing; kernels look up, only Python adds.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from rearguard.model.compiled import inlined, kernel, wide
from rearguard.sources.exports.fields import TARGETS
from rearguard.sources.observers import MAX_EXPORTERS, new_table

__all__ = ["State", "exporter_slot", "new_state", "note_rate", "pair_slot", "template_key"]

# Columns of State.exporters.
ADDRESS_HI = 0
ADDRESS_LO = 1
DOMAIN = 2
VERSION = 3
DATAGRAMS = 4
RECORDS = 5
LOST = 6
EXPECTED = 7
"""The next sequence number; -1 unknown."""
NEWEST = 8
"""The latest export time, seconds."""
BOOT_TIME = 9
"""When it was started, ns, from options (systemInitTimeMilliseconds); 0 unknown."""
OPTION_RATE = 10
"""The sampling rate that options tell for all of it; 0 unknown."""
RECORD_RATE = 11
"""The rate that a record or a header last told."""
INTERFACES = 12
"""Whether options tell rates of single interfaces."""
HEARD = 13
"""How many digests of datagrams were put into State.heard, counted on."""
HELD_FULL = 14
"""Whether no more of its data is held."""
WITHOUT_TEMPLATE = 15
"""Data sets that were dropped because no template for them came."""
ALLOWED = 16
"""Bytes of templates and options that may still be looked at in this window of time."""
ALLOWED_FROM = 17
"""When the window began, ns."""
EXPECTED_FLOWS = 18
"""As EXPECTED, of an exporter that does not count options."""
LAST = 19
"""The last sequence number; -1 unknown."""
RATE_LEAST = 20
"""The smallest RECORD_RATE that there was; 0 none."""
RATE_MOST = 21
RATE_CHANGES = 22
"""How often RECORD_RATE became another one."""
RATE_SINCE = 23
"""The export time at which it did so last, ns."""
COLUMNS = 24

# Columns of State.plans.
STEP = 0
STEPS = 1
LEAST = 2
TAIL = 3
KIND = 4
HAS = 5
START_KIND = 6
END_KIND = 7
DURATION_KIND = 8
OBSERVED_KIND = 9
RATE_KIND = 10
OCTETS_KIND = 11
BACK_OCTETS_KIND = 12
PLAN_PROTO = 13
SESSION = 14
USED = 15
"""When data came for it last, ns."""
PLAN_COLUMNS = 16

# Places in State.cursor: the datagram that is being read.
AT = 0
"""Offset of the next set (or fixed record) in the datagram; 0: its header was not read yet."""
INSIDE = 1
"""Offset of the next record in the set; 0: none was read."""
UPTO = 2
"""Where the message ends, as an offset in the datagram."""
EXPORTER = 3
SPEAKS = 4
EXPORTED = 5
"""The header's export time, ns."""
UP = 6
"""The header's time since the exporter was started, ms."""
SEQUENCE = 7
LATE = 8
UNITS = 9
"""What the sequence number counts on by this datagram; -1 not known."""
HEADER_RATE = 10
RECORD = 11
"""Flow records of the source so far."""
ALL_ALLOWED = 12
"""As ALLOWED, of all exporters."""
ALL_ALLOWED_FROM = 13
CUT = 14
"""Whether a set was found that goes beyond the message; it is the last."""
OPTION_UNITS = 15
"""Of UNITS, the records of options."""
GAP = 16
"""What the datagram's number said was lost before it."""
PLACES = 17

# Why something gave no row: places in State.skipped.
EMPTY_FLOW = 0
IS_NAT_EVENT = 1
IS_EVENT = 2
ADDRESSLESS = 3
BAD_FLOW_RECORD = 4
BAD_DATAGRAM = 5
UNKNOWN_VERSION = 6
OPTION_RECORD = 7
DUPLICATE = 8
CROWDED = 9
NO_TEMPLATE = 10
TOO_MANY_TEMPLATES = 11
SKIPS = (
    "empty-flow",
    "nat-event",
    "event",
    "no-addresses",
    "bad-flow-record",
    "bad-datagram",
    "unknown-version",
    "option-record",
    "duplicate-datagram",
    "exporter-limit",
    "no-template",
    "template-limit",
)

KEPT_DIGESTS = 64
"""Datagrams of an exporter among which a repeated one is found."""
KEPT_SETS = 32
"""Sets of templates and options of an exporter that are known to change nothing."""
WINDOW = 60_000_000_000
EXPORTER_ALLOWANCE = 128 * 1024
ALLOWANCE = 4 * 1024 * 1024
"""Bytes of new templates and options that are looked at in WINDOW (ns), of one exporter and of all. Reading them is
slow beside reading data, and anybody can forge them; exporters have a few kilobytes, and those that do not change
are not counted."""
EXPORTER_SLOTS = 4 * MAX_EXPORTERS
RATES = 16_384
"""Samplers and interfaces with rates, of all exporters."""

State: Any = namedtuple(
    "State",
    [
        "exporters",
        "exporter_slots",
        "heard",
        "known_sets",
        "known_until",
        "template_keys",
        "template_plans",
        "plans",
        "steps",
        "rate_keys",
        "rates",
        "scratch",
        "cursor",
        "skipped",
        "observers",
    ],
)


def new_state(templates: int) -> Any:
    """Empty tables for that many templates at once."""
    slots = 1 << (4 * templates - 1).bit_length()
    return State(
        exporters=np.zeros((MAX_EXPORTERS, COLUMNS), np.int64),
        exporter_slots=np.zeros(EXPORTER_SLOTS, np.int32),
        heard=np.zeros((MAX_EXPORTERS, KEPT_DIGESTS), np.uint64),
        known_sets=np.zeros((MAX_EXPORTERS, KEPT_SETS), np.uint64),
        known_until=np.zeros((MAX_EXPORTERS, KEPT_SETS), np.int64),
        template_keys=np.zeros(slots, np.int64),
        template_plans=np.zeros(slots, np.int32),
        plans=np.zeros((templates + 1, PLAN_COLUMNS), np.int64),
        steps=np.zeros((1_024, 3), np.int32),
        rate_keys=np.zeros(2 * RATES, np.int64),
        rates=np.zeros(2 * RATES, np.int64),
        scratch=np.zeros(TARGETS, np.uint64),
        cursor=np.zeros(PLACES, np.int64),
        skipped=np.zeros(len(SKIPS), np.int64),
        observers=new_table(),
    )


@inlined
def note_rate(exporters: Any, e: int, rate: int, now: int) -> int:
    """Note the rate that a record or a header tells, exported at ``now`` (ns); gives it back."""
    before = wide(exporters[e, RECORD_RATE])
    if rate != before:
        if before == 0:
            exporters[e, RATE_LEAST] = rate
        else:
            exporters[e, RATE_CHANGES] += 1
            exporters[e, RATE_SINCE] = now
        exporters[e, RATE_LEAST] = min(wide(exporters[e, RATE_LEAST]), rate)
        exporters[e, RATE_MOST] = max(wide(exporters[e, RATE_MOST]), rate)
        exporters[e, RECORD_RATE] = rate
    return rate


@inlined
def template_key(exporter: int, template: int) -> int:
    """The key of an exporter's template; never 0, as templates have numbers from 256."""
    return exporter << 16 | template


@inlined
def mixed(value: int) -> int:
    """A number of 32 bits that depends on all bits of a number of 63. Products stay below 63 bits, so that the
    uncompiled kernel reckons the same."""
    low, high = value & 0x7FFF_FFFF, (value >> 31) & 0xFFFF_FFFF
    h = (low * 0x5851_F42D) & 0x3FFF_FFFF_FFFF_FFFF
    h ^= (high * 0x4F6C_DD1D) & 0x3FFF_FFFF_FFFF_FFFF
    h ^= h >> 29
    h = (h & 0x7FFF_FFFF) * 0x1B87_3593
    return (h ^ h >> 23) & 0xFFFF_FFFF


@kernel
def pair_slot(keys: Any, key: int) -> int:
    """Where ``key`` (not 0) is in a table, or the free place where it would be; -1 when it is full without it."""
    last = wide(keys.size - 1)
    at = mixed(key) & last
    for _ in range(keys.size):
        if keys[at] == key or keys[at] == 0:
            return at
        at = (at + 1) & last
    return -1


@kernel
def exporter_slot(exporters: Any, slots: Any, hi: int, lo: int, domain: int, version: int) -> int:
    """The same of an exporter: ``slots`` has 1 + its number, or 0."""
    last = wide(slots.size - 1)
    fold = (hi ^ hi >> 32) & 0xFFFF_FFFF
    at = mixed((fold << 31 ^ domain << 8 ^ version) & 0x7FFF_FFFF_FFFF_FFFF)
    at = (at ^ mixed(lo & 0x7FFF_FFFF_FFFF_FFFF)) & last
    while slots[at] != 0:
        number = wide(slots[at]) - 1
        if (
            exporters[number, ADDRESS_LO] == lo
            and exporters[number, ADDRESS_HI] == hi
            and exporters[number, DOMAIN] == domain
            and exporters[number, VERSION] == version
        ):
            break
        at = (at + 1) & last
    return at
