"""From sessions to flow records, as a sampling router makes them: packets are chosen first, flows made of those.

Theory. The packets of a window are walked through as in :mod:`rearguard.simulate.walk`; *which* packet of a
session is chosen decides the flags that a flow has. A packet goes into the flow of its session's direction. A
flow ends when it was silent for the inactive timeout or has lasted for the active one; a record leaves the router
at that time, or a second after a FIN or RST. Nothing is thinned after it has become a flow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearguard.model.bits import ACK, FIN, RST, SYN, TCP
from rearguard.model.compiled import inlined, kernel, wide
from rearguard.simulate.sessions import UPSTREAM
from rearguard.simulate.walk import account, direct, next_packet, packet_time, row_of, turns_of

__all__ = ["FLOW_TYPE", "meter"]

FLOW_TYPE = np.dtype(
    [
        ("leaves", "i8"),
        ("first", "i8"),
        ("last", "i8"),
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("packets", "u8"),
        ("bytes", "u8"),
        ("sport", "u2"),
        ("dport", "u2"),
        ("ingress", "u2"),
        ("egress", "u2"),
        ("exporter", "u2"),
        ("proto", "u1"),
        ("flags", "u1"),
    ],
    align=True,
)
"""``leaves``: when the router exports it. Times in ns; packets and bytes (IP length) as sampled, unscaled."""

AFTER_END = 1_000_000_000
SYNACK = SYN | ACK


@inlined
def router(own: int, outward: bool, exporters: int, asymmetric: int) -> int:
    """Which router a customer's packets pass: outward ones of some customers another than inward ones."""
    mixed = (own * 2_654_435_761) & 0xFFFF_FFFF
    at = (mixed >> 8) % exporters
    if outward and (mixed & 0xFFFF) < asymmetric:
        at = (at + 1) % exporters
    return at


@inlined
def put(flow: Any, session: Any, kind: Any, setting: Any, up: bool, held: Any) -> None:
    """Write the record of one direction; ``held`` is (first, last, packets, octets, flags, cut) of it."""
    direct(flow, session, up)
    side, other = session["client_side"], session["server_side"]
    flow["ingress"], flow["egress"] = (side, other) if up else (other, side)
    first, last, packets, octets, flags, cut = held
    flow["first"], flow["last"], flow["packets"], flow["bytes"] = first, last, packets, octets
    flow["proto"], flow["flags"] = kind["proto"], flags
    outward = flow["egress"] == UPSTREAM
    flow["exporter"] = router(wide(session["own"]), outward, setting["exporters"], setting["asymmetric"])
    if cut:
        flow["leaves"] = first + setting["active"]
    elif flags & (FIN | RST):
        flow["leaves"] = last + AFTER_END
    else:
        flow["leaves"] = last + setting["inactive"]


@kernel
def meter(
    sessions: Any,
    ends: NDArray[np.int64],
    chosen: NDArray[np.int64],
    rows: Any,
    kinds: Any,
    setting: Any,
    flows: Any,
    counts: Any,
    ports: NDArray[np.int64],
    begin: int,
    place: int,
) -> tuple[int, int, int]:
    """Make flows of the sessions from ``begin`` on: (next session, next place in ``chosen``, flows written).

    ``ends``: running sum of :func:`~rearguard.simulate.walk.lengths`. Stops before a session that might not fit
    into ``flows``; the caller empties them and goes on. ``counts`` and ``ports`` (protocol 0 TCP 1 UDP, port,
    :data:`~rearguard.simulate.walk.PORT_COLUMNS`) are added to.
    """
    every, written = setting["every"], 0
    active, inactive = setting["active"], setting["inactive"]
    for at in range(begin, sessions.size):
        session = sessions[at]
        kind = kinds[session["kind"]]
        base = ends[at - 1] if at else 0
        size = ends[at] - base
        if written + size > flows.size:
            return at, place, written
        turns = turns_of(session, kind)
        six = session["client_hi"] != 0
        header = 40 if six else 20
        datagrams = kind["proto"] != TCP
        exported = setting["six"] != 0 or not six
        tells_up = exported and (not setting["inbound_only"] or session["client_side"] == UPSTREAM)
        tells_down = exported and (not setting["inbound_only"] or session["server_side"] == UPSTREAM)
        up_first = up_last = up_seen = up_bytes = up_flags = 0
        down_first = down_last = down_seen = down_bytes = down_flags = 0
        up_all = up_flows = down_all = down_flows = proofs = 0
        opened = False
        start, trip = session["start"], session["trip"]
        step = -1
        while True:
            step, place = next_packet(chosen, every, place, step, base, ends[at])
            if step < 0:
                break
            number, turn, waits = row_of(kind, step, turns)
            row = rows[number]
            time = packet_time(kind, row["after"], turn, waits, start, trip)
            octets = header + wide(row["octets"])
            flags = wide(row["flags"])
            if row["up"]:
                if not tells_up:
                    continue
                up_all += 1
                opened = opened or datagrams or flags & SYNACK == SYN
                cut = up_seen > 0 and time - up_first >= active
                if up_seen > 0 and (cut or time - up_last >= inactive):
                    held = (up_first, up_last, up_seen, up_bytes, up_flags, cut)
                    put(flows[written], session, kind, setting, True, held)
                    written += 1
                    up_flows += 1
                    up_seen = up_bytes = up_flags = 0
                if up_seen == 0:
                    up_first = time
                up_last = time
                up_seen += 1
                up_bytes += octets
                up_flags |= flags
            else:
                if not tells_down:
                    continue
                down_all += 1
                cut = down_seen > 0 and time - down_first >= active
                if down_seen > 0 and (cut or time - down_last >= inactive):
                    held = (down_first, down_last, down_seen, down_bytes, down_flags, cut)
                    put(flows[written], session, kind, setting, False, held)
                    written += 1
                    down_flows += 1
                    proofs += down_seen == 1 and (datagrams or down_flags == SYNACK)
                    down_seen = down_bytes = down_flags = 0
                if down_seen == 0:
                    down_first = time
                down_last = time
                down_seen += 1
                down_bytes += octets
                down_flags |= flags
        if up_seen:
            held = (up_first, up_last, up_seen, up_bytes, up_flags, False)
            put(flows[written], session, kind, setting, True, held)
            written += 1
            up_flows += 1
        if down_seen:
            held = (down_first, down_last, down_seen, down_bytes, down_flags, False)
            put(flows[written], session, kind, setting, False, held)
            written += 1
            down_flows += 1
            proofs += down_seen == 1 and (datagrams or down_flags == SYNACK)
        seen = (up_all, up_flows, down_all, down_flows, proofs, opened)
        account(session, kind, size, setting["bucket"], seen, counts, ports)
    return sessions.size, place, written
