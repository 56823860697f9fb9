"""What the OR-ed flags of flow records come to once both directions of a contact are together (rules A3, B7).

Theory. A flow of several packets with SYN and ACK among its flags is either the whole of what a client sent, or
began with a SYN+ACK. Alone it cannot be told. With the other direction it can, where "the bits and the direction
leave no other reading":

* a bare SYN of the client was seen, and from the port it went to a flow with SYN and ACK came: that was an answer;
* both directions are such flows, and the client's begins first, by more than exporters' clocks are coarse: the
  client opened, so the server's SYN was a SYN+ACK, and the client's ACK acknowledged it.

The same order the other way round says that the "listener" opened: its port was a client's for once.
"""

from __future__ import annotations

from typing import Any

from rearguard.model.bits import (
    FIN,
    PSH,
    RST,
    SEEN_ACK,
    SEEN_DATA,
    SEEN_FLOW_SYN,
    SEEN_SYN,
    SEEN_SYNACK,
    TCP,
)
from rearguard.model.compiled import inlined

__all__ = ["CLOCK", "answer_first", "opener_first", "read_flows"]

CLOCK = 1_000_000
"""ns. Flow times are told in milliseconds (NetFlow v5 and v9, RFC 3954 section 5.1), so two that differ by no more
may be equal. An assumption where an exporter's clock is coarser: there the order of flows tells nothing, or wrongly
for round trips below it."""

_FLOW = 1  # proof_rank of a flow with SYN and ACK


@inlined
def _both(row: Any) -> bool:
    """Both directions hold a flow with SYN and ACK, and the pointers show the first one of each."""
    told = row.proto == TCP and row.seen_c & row.seen_s & SEEN_FLOW_SYN != 0
    return bool(told and row.proof_rank_c == _FLOW and row.proof_rank_s == _FLOW)


@inlined
def opener_first(row: Any) -> bool:
    """Rule A3, first-seen: the client's flow began first."""
    return bool(_both(row) and row.proof_time_s > row.proof_time_c + CLOCK)


@inlined
def answer_first(row: Any) -> bool:
    """The "server's" flow began first, so it is who opened."""
    return bool(_both(row) and row.proof_time_c > row.proof_time_s + CLOCK)


@inlined
def read_flows(row: Any) -> tuple[int, int, int]:
    """What is certain about the flows of a row: ``seen_c`` with SEEN_ACK and ``seen_s`` with SEEN_SYNACK where that
    holds; and how many connections of the client count as its SYNs would, among ``tries`` and ``unacked``."""
    seen_c, seen_s, sessions = int(row.seen_c), int(row.seen_s), 0
    if (seen_c | seen_s) & SEEN_FLOW_SYN == 0:
        return seen_c, seen_s, sessions
    opened = opener_first(row)
    called = seen_s & SEEN_SYN == 0 and not answer_first(row)
    if called and seen_s & SEEN_FLOW_SYN != 0 and (seen_c & SEEN_SYN != 0 or opened):
        seen_s |= SEEN_SYNACK
    if called and seen_c & SEEN_FLOW_SYN != 0:
        # SYN+ACKs that were sent again have the same two bits; a client's connection has more in it (rule B5).
        if opened or row.flags_c & (PSH | FIN | RST) != 0 or seen_c & SEEN_DATA != 0:
            sessions = int(row.sessions)
        if opened:
            seen_c |= SEEN_ACK
    return seen_c, seen_s, sessions
