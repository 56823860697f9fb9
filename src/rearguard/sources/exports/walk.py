"""Walk datagrams, compiled: what needs no thought is decoded here, for all else the walk stops and Python decides.

====================  ======================================================================================
the walk returns      because
====================  ======================================================================================
DONE                  all datagrams are decoded
FULL                  the chunk is full; the cursor knows where to go on, in the middle of a set if need be
NEW_EXPORTER          the datagram is from an exporter (and domain) that nothing is known of
TEMPLATES             at the cursor is a set of templates
TOLD                  at the cursor is a set of options about sampling or the exporter's clock
UNKNOWN               at the cursor is a set whose template has not come
====================  ======================================================================================

Sets of templates and options that were seen before and changed nothing are passed over (exporters repeat them all
the time); Python says which by their digests, for a while.
"""

from __future__ import annotations

from typing import Any

from rearguard.model.compiled import Buffer, be16, inlined, kernel, wide
from rearguard.sources.exports.data import read_set
from rearguard.sources.exports.headers import NEW, PASS, enter
from rearguard.sources.exports.netflow_fixed import read_fixed
from rearguard.sources.exports.plan import DATA, NO_ADDRESSES, OPTIONS
from rearguard.sources.exports.sequence import digest, leave
from rearguard.sources.exports.steps import count_records
from rearguard.sources.exports.tables import (
    ADDRESSLESS,
    ALL_ALLOWED,
    ALL_ALLOWED_FROM,
    ALLOWANCE,
    ALLOWED,
    ALLOWED_FROM,
    AT,
    BAD_DATAGRAM,
    BAD_FLOW_RECORD,
    CUT,
    EXPORTER,
    EXPORTER_ALLOWANCE,
    HELD_FULL,
    KEPT_SETS,
    KIND,
    NO_TEMPLATE,
    OPTION_RECORD,
    OPTION_UNITS,
    RECORD,
    RECORDS,
    SPEAKS,
    TOO_MANY_TEMPLATES,
    UNITS,
    UPTO,
    USED,
    WINDOW,
    WITHOUT_TEMPLATE,
    pair_slot,
    template_key,
)
from rearguard.sources.exports.templates import FIRST_DATA, IPFIX, V9

__all__ = ["DONE", "FULL", "NEW_EXPORTER", "TEMPLATES", "TOLD", "UNKNOWN", "walk"]

DONE = 0
FULL = 1
NEW_EXPORTER = 2
TEMPLATES = 3
TOLD = 4
UNKNOWN = 5


@kernel
def walk(b: Buffer, datagrams: Any, start: int, n: int, st: Any, rows: Any, row: int) -> tuple[int, int, int]:
    """Decode datagrams ``start`` to ``n - 1``, the first from the cursor on. Returns why it stopped, at which
    datagram, and the next row."""
    cursor = st.cursor
    i = start
    while i < n:
        off, size = wide(datagrams.off[i]), wide(datagrams.len[i])
        if cursor[AT] == 0:
            entered = enter(b, off, size, datagrams, i, st)
            if entered == NEW:
                return NEW_EXPORTER, i, row
            if entered == PASS:
                i += 1
                continue
        if cursor[SPEAKS] < V9:
            row = read_fixed(b, off, st, rows, row)
            if cursor[AT] < cursor[UPTO]:
                return FULL, i, row
        else:
            status, row = _sets(b, off, wide(datagrams.time[i]), st, rows, row)
            if status != DONE:
                return status, i, row
        leave(st.exporters, wide(cursor[EXPORTER]), cursor)
        cursor[AT] = 0
        i += 1
    return DONE, i, row


@inlined
def _sets(b: Buffer, off: int, time: int, st: Any, rows: Any, row: int) -> tuple[int, int]:
    """The sets of a message of v9 or IPFIX from the cursor on. Returns why it stopped, and the next row."""
    cursor = st.cursor
    upto = off + wide(cursor[UPTO])
    version, e = wide(cursor[SPEAKS]), wide(cursor[EXPORTER])
    while off + cursor[AT] + 4 <= upto:
        at = off + wide(cursor[AT])
        number, length = be16(b, at), be16(b, at + 2)
        if length < 4:
            if number | length != 0:
                st.skipped[BAD_DATAGRAM] += 1
            # A message that is filled up with zeros ends here.
            break
        end = at + length
        if end > upto:
            st.skipped[BAD_DATAGRAM] += 1 - cursor[CUT]
            cursor[CUT] = 1
            end = upto
        if number < FIRST_DATA:
            templates = number <= 1 if version == V9 else number == 2 or number == 3
            if templates and not _known(b, at, end, time, st, e) and _allowed(end - at, time, st, e):
                return TEMPLATES, row
            cursor[AT] = end - off
            continue
        slot = pair_slot(st.template_keys, template_key(e, number))
        plan = 0 if slot < 0 or st.template_keys[slot] == 0 else wide(st.template_plans[slot])
        if plan == 0:
            if version == IPFIX:
                cursor[UNITS] = -1
            if st.exporters[e, HELD_FULL] == 0:
                return UNKNOWN, row
            st.skipped[NO_TEMPLATE] += 1
            st.exporters[e, WITHOUT_TEMPLATE] += 1
            cursor[AT] = end - off
            continue
        kind = wide(st.plans[plan, KIND])
        st.plans[plan, USED] = time
        if kind == DATA:
            before = wide(cursor[RECORD])
            row, done = read_set(b, at + 4, end, plan, st, rows, row)
            _count(st, version, wide(cursor[RECORD]) - before)
            if not done:
                return FULL, row
        else:
            records = count_records(b, at + 4, end, st, plan)
            if records < 0:
                st.skipped[BAD_FLOW_RECORD] += 1
                records = 0
            _count(st, version, records)
            if kind == NO_ADDRESSES:
                st.skipped[ADDRESSLESS] += records
                st.exporters[e, RECORDS] += records
                cursor[RECORD] += records
            else:
                st.skipped[OPTION_RECORD] += records
                cursor[OPTION_UNITS] += records
                if (
                    kind == OPTIONS
                    and not _known(b, at, end, time, st, e)
                    and _allowed(end - at, time, st, e)
                ):
                    return TOLD, row
        cursor[AT] = end - off
    cursor[AT] = cursor[UPTO]
    return DONE, row


@inlined
def _count(st: Any, version: int, records: int) -> None:
    """Data records, of flows and of options, are what the sequence number of IPFIX counts."""
    if version == IPFIX and st.cursor[UNITS] >= 0:
        st.cursor[UNITS] += records


@inlined
def _known(b: Buffer, at: int, end: int, time: int, st: Any, e: int) -> bool:
    """Whether the set is one that changes nothing, as was found lately."""
    of = digest(b, at, end - at)
    known = False
    for place in range(KEPT_SETS):
        known = known or (st.known_sets[e, place] == of and time <= st.known_until[e, place])
    return known


@inlined
def _allowed(size: int, time: int, st: Any, e: int) -> bool:
    """Whether there is time to look at a set of templates or options; if not, it is counted."""
    if not 0 <= time - st.exporters[e, ALLOWED_FROM] < WINDOW:
        st.exporters[e, ALLOWED], st.exporters[e, ALLOWED_FROM] = EXPORTER_ALLOWANCE, time
    if not 0 <= time - st.cursor[ALL_ALLOWED_FROM] < WINDOW:
        st.cursor[ALL_ALLOWED], st.cursor[ALL_ALLOWED_FROM] = ALLOWANCE, time
    if st.exporters[e, ALLOWED] < size or st.cursor[ALL_ALLOWED] < size:
        st.skipped[TOO_MANY_TEMPLATES] += 1
        return False
    st.exporters[e, ALLOWED] -= size
    st.cursor[ALL_ALLOWED] -= size
    return True
