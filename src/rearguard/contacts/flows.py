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

import numpy as np
import numpy.typing as npt

from rearguard.contacts.records import copied
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

__all__ = ["CLOCK", "answer_first", "opener_first", "read_flows"]

CLOCK = 1_000_000
"""ns. Flow times are told in milliseconds (NetFlow v5 and v9, RFC 3954 section 5.1), so two that differ by no more
may be equal. An assumption where an exporter's clock is coarser: there the order of flows tells nothing, or wrongly
for round trips below it."""

_FLOW = 1  # proof_rank of a flow with SYN and ACK

Mask = npt.NDArray[np.bool_]


def _both(rows: npt.NDArray[Any]) -> Mask:
    """Both directions hold a flow with SYN and ACK, and the pointers show the first one of each."""
    told: Mask = (rows["proto"] == TCP) & (rows["seen_c"] & rows["seen_s"] & SEEN_FLOW_SYN > 0)
    first: Mask = (rows["proof_rank_c"] == _FLOW) & (rows["proof_rank_s"] == _FLOW)
    return told & first


def opener_first(rows: npt.NDArray[Any]) -> Mask:
    """Rule A3, first-seen: the client's flow began first."""
    first: Mask = rows["proof_time_s"] > rows["proof_time_c"] + CLOCK
    return _both(rows) & first


def answer_first(rows: npt.NDArray[Any]) -> Mask:
    """The "server's" flow began first, so it is who opened."""
    first: Mask = rows["proof_time_c"] > rows["proof_time_s"] + CLOCK
    return _both(rows) & first


def read_flows(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The rows (a copy where anything changes) with what is certain about their flows: SEEN_SYNACK of the server,
    SEEN_ACK of the client; and its connections among ``tries`` and ``unacked``, as their SYNs would be."""
    flows = (rows["seen_c"] | rows["seen_s"]) & SEEN_FLOW_SYN > 0
    if not flows.any():
        return rows
    rows = copied(rows)
    opened = opener_first(rows)
    bare = rows["seen_c"] & SEEN_SYN > 0
    not_called = (rows["seen_s"] & SEEN_SYN > 0) | answer_first(rows)
    answered = (rows["seen_s"] & SEEN_FLOW_SYN > 0) & (bare | opened) & ~not_called
    rows["seen_s"] |= np.where(answered, SEEN_SYNACK, 0).astype(rows["seen_s"].dtype)
    went_on = (rows["seen_c"] & SEEN_FLOW_SYN > 0) & ~not_called
    rows["seen_c"] |= np.where(went_on & opened, SEEN_ACK, 0).astype(rows["seen_c"].dtype)
    # SYN+ACKs that were sent again have the same two bits; a client's connection has more in it (rule B5).
    more = (rows["flags_c"] & (PSH | FIN | RST) > 0) | (rows["seen_c"] & SEEN_DATA > 0)
    sessions = np.where(went_on & (opened | more), rows["sessions"], 0).astype(np.uint64)
    rows["tries"] += sessions
    rows["unacked"] += sessions
    return rows
