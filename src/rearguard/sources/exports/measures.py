"""What a record's scratch says of times, sampling and who opened, after its plan has filled it; compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from rearguard.model.bits import ACK, HANDSHAKE_MASK, SYN
from rearguard.model.compiled import inlined, wide
from rearguard.sources.exports.fields import (
    BOOT,
    DURATION,
    END,
    INGRESS,
    INITIAL,
    MICRO,
    MILLI,
    OBSERVED,
    ONE_IN,
    OPENED,
    PROBABILITY,
    RATE,
    RATE_OF,
    SAMPLER,
    SPACED,
    START,
    UPTIME,
)
from rearguard.sources.exports.tables import (
    BOOT_TIME,
    DURATION_KIND,
    END_KIND,
    EXPORTED,
    EXPORTER,
    HAS,
    INTERFACES,
    OBSERVED_KIND,
    OPTION_RATE,
    RATE_KIND,
    SESSION,
    SPEAKS,
    START_KIND,
    UP,
    note_rate,
    pair_slot,
)
from rearguard.sources.exports.templates import IPFIX
from rearguard.sources.exports.times import UNTOLD_TIME, absolute, by_uptime

__all__ = [
    "BY_INTERFACE",
    "BY_SAMPLER",
    "HIGHEST",
    "LARGEST",
    "counted",
    "low",
    "opened_by",
    "rate_key",
    "rate_of",
    "times_of",
]

LARGEST = (1 << 63) - 1
HIGHEST = 0xFFFF_FFFF
BY_SAMPLER, BY_INTERFACE = 1, 2

# Values of biflowDirection (RFC 5103 section 6.3).
INITIATOR, REVERSE_INITIATOR = 1, 2
NOBODY, SOURCE, DESTINATION = 0, 1, 2


@inlined
def counted(value: np.uint64) -> int:
    """A counter or number as a signed one; what no counter reaches becomes the largest."""
    return int(np.int64(value)) if value <= np.uint64(LARGEST) else LARGEST


@inlined
def low(value: np.uint64, mask: int) -> int:
    """The bits of a number that ``mask`` (of at most 62 bits) has."""
    return int(np.int64(value & np.uint64(mask)))


@inlined
def times_of(st: Any, plan: int) -> tuple[int, int]:
    """Start and end of the flow, ns. What is not told comes from the other and the duration, from the time of the
    observation, and at last from the export time of the message."""
    exported = wide(st.cursor[EXPORTED])
    start = _time(st, START, wide(st.plans[plan, START_KIND]), exported)
    end = _time(st, END, wide(st.plans[plan, END_KIND]), exported)
    if start < 0 and end < 0:
        end = _time(st, OBSERVED, wide(st.plans[plan, OBSERVED_KIND]), exported)
        if end < 0:
            end = exported
            if st.plans[plan, START_KIND] == UPTIME and st.plans[plan, END_KIND] == UPTIME:
                # An uptime whose zero nobody told: at least the difference is right.
                lasted = wide(np.int64(st.scratch[END])) - wide(np.int64(st.scratch[START]))
                start = max(0, end - max(0, lasted) * 1_000_000)
    if start < 0 or end < 0:
        kind = wide(st.plans[plan, DURATION_KIND])
        unit = 1_000 if kind == MICRO else 1_000_000
        lasted = min(counted(st.scratch[DURATION]), HIGHEST * 1_000) * unit if kind != 0 else 0
        if start < 0:
            start = max(0, end - lasted)
        else:
            end = start + lasted
    return start, max(start, end)


@inlined
def _time(st: Any, target: int, kind: int, exported: int) -> int:
    if kind == 0:
        return UNTOLD_TIME
    if kind != UPTIME:
        return absolute(kind, st.scratch[target], exported)
    value = wide(np.int64(st.scratch[target]))
    cursor = st.cursor
    if cursor[SPEAKS] != IPFIX:
        return by_uptime(exported, wide(cursor[UP]), value)
    boot = absolute(MILLI, st.scratch[BOOT], exported)
    if boot < 0:
        boot = wide(st.exporters[cursor[EXPORTER], BOOT_TIME])
    if boot <= 0:
        return UNTOLD_TIME
    up = (exported - boot) // 1_000_000
    return by_uptime(exported, up & 0xFFFF_FFFF, value)


@inlined
def rate_key(exporter: int, by: int, number: int) -> int:
    """The key of a sampler or an interface in the table of rates."""
    return exporter << 40 | by << 32 | number


@inlined
def rate_of(st: Any, plan: int) -> int:
    """The record's sampling rate: as options tell it for its sampler, its interface or the exporter, else as the
    record itself does, else 0."""
    e = wide(st.cursor[EXPORTER])
    rate = 0
    if wide(st.plans[plan, HAS]) >> SAMPLER & 1:
        rate = _told(st, rate_key(e, BY_SAMPLER, low(st.scratch[SAMPLER], HIGHEST)))
    if rate == 0 and st.exporters[e, INTERFACES] != 0:
        rate = _told(st, rate_key(e, BY_INTERFACE, low(st.scratch[INGRESS], HIGHEST)))
    if rate == 0:
        rate = wide(st.exporters[e, OPTION_RATE])
    kind = wide(st.plans[plan, RATE_KIND])
    if rate == 0 and kind != 0:
        rate = _said(kind, st.scratch[RATE], st.scratch[RATE_OF])
        if rate != 0:
            note_rate(st.exporters, e, rate, wide(st.cursor[EXPORTED]))
    return rate


@inlined
def _told(st: Any, key: int) -> int:
    at = pair_slot(st.rate_keys, key)
    return wide(st.rates[at]) if at >= 0 and st.rate_keys[at] == key else 0


@inlined
def _said(kind: int, value: np.uint64, of: np.uint64) -> int:
    if kind == PROBABILITY:
        return _one_in(value)
    first, second = min(counted(value), HIGHEST), min(counted(of), HIGHEST)
    if kind == ONE_IN:
        return first
    if first == 0:
        return 0
    if kind == SPACED:
        second += first
    return min((second + first // 2) // first, HIGHEST)


@inlined
def _one_in(bits: np.uint64) -> int:
    """1 / p of a probability as a float of 64 bits (IEEE 754), 0 where it is none."""
    number = int(np.int64(bits & np.uint64(0x7FFF_FFFF_FFFF_FFFF)))
    exponent = (number >> 52) - 1_023
    if bits >> np.uint64(63) != np.uint64(0) or exponent > 0 or exponent < -32:
        return 0
    fraction = (1 << 52) | (number & 0xF_FFFF_FFFF_FFFF)
    if exponent == 0 and fraction != 1 << 52:
        return 0
    # 2^52 * 2^-exponent / fraction, rounded; in two halves, as 84 bits do not fit.
    return min(int(float(1 << 52) / float(fraction) * float(1 << -exponent) + 0.5), HIGHEST)


@inlined
def opened_by(st: Any, plan: int) -> int:
    """Who opened the conversation: SOURCE, DESTINATION, or NOBODY knows."""
    told = st.scratch[OPENED]
    if told == np.uint64(INITIATOR):
        return SOURCE
    if told == np.uint64(REVERSE_INITIATOR):
        return DESTINATION
    first = low(st.scratch[INITIAL], HANDSHAKE_MASK)
    if first == SYN:
        return SOURCE
    if first == SYN | ACK:
        return DESTINATION
    return SOURCE if st.plans[plan, SESSION] != 0 else NOBODY
