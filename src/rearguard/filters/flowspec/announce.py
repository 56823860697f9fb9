"""Start an announcement, wait until it is in force, and take it back: what the commands do."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from rearguard.filters.apply.state import State, boot_clock
from rearguard.filters.detached import mark_of, start_detached
from rearguard.filters.flowspec.components import Kind
from rearguard.filters.flowspec.plan import Plan
from rearguard.filters.flowspec.readback import asked_of
from rearguard.filters.flowspec.record import ENDED, IN_FORCE, LOG_FILE, ORDER, SOCKET, STATUS, Order
from rearguard.filters.flowspec.speaker import Peer, Session, check_commands, find_exabgp, password_of
from rearguard.model.address import Address
from rearguard.model.errors import RearguardError, UsageError

__all__ = ["FAILS_OPEN", "announced", "order_of", "start", "wait_for", "withdraw"]

FAILS_OPEN = (
    "fails open: when the speaker, this machine or its network dies, the peers drop all rules at once, or after "
    "30 s without a sign of life; then nothing is stopped. What must last belongs into a filter on the router"
)
"""What happens when the speaker dies; part of every output."""
_LONGEST_PATH = 107
"""Bytes of the name of a socket (unix(7))."""
_WAIT = 140.0
_LOOK = 0.1


def order_of(
    plan: Plan,
    session: Session,
    peers: Sequence[Peer],
    canary: str | None,
    canary_wait: float,
    read_back: Mapping[str, str],
    seconds: int,
) -> Order:
    """Check who is spoken to, and how. ``UsageError``: peers that cannot be, or are not what they seem."""
    names = [str(peer) for peer in peers]
    if not names:
        raise UsageError("nobody is named to announce to", remedy="say --peer ADDRESS=AS")
    if len(set(names)) < len(names):
        raise UsageError("a peer is named twice", remedy="name each once with --peer")
    for peer in peers:
        if peer.address.version != session.local.version:
            raise UsageError(
                f"{peer} and {session.local} are of two families", remedy="name addresses of one family"
            )
    for peer in peers:
        if _guarded(plan, peer.address):
            raise UsageError(
                f"the peer {peer} lies in a guarded network: the rules would cut its own sessions",
                remedy="take it out of the networks, or list it under never_block",
            )
    for name in [*read_back, *([canary] if canary else [])]:
        if name not in names:
            raise UsageError(f"{name} is none of the peers", remedy=f"the peers are {', '.join(names)}")
    for text in read_back.values():
        asked_of(text)
    password_of(session.password_file)
    if canary is not None and len(names) == 1:
        raise UsageError("the only peer cannot be the canary of others", remedy="leave out --canary")
    ends = datetime.now(UTC) + timedelta(seconds=seconds)
    return Order(
        secrets.token_hex(8),
        plan.edge,
        plan.filter.policy_digest,
        session,
        tuple(peers),
        canary,
        canary_wait,
        dict(read_back),
        plan.routes,
        seconds,
        boot_clock() + seconds,
        ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def start(state: State, order: Order) -> None:
    """Compare ExaBGP's bytes with ours, then start the process that keeps the announcement.

    ``UsageError``: one is in force already. ``FlowError``: ExaBGP would send something else.
    """
    find_exabgp()
    if len(os.fsencode(state.folder / SOCKET)) > _LONGEST_PATH:
        raise UsageError("the name of the state folder is too long for a socket", remedy="name a shorter one")
    check_commands(order.routes)
    with state.locked():
        if _runs(state.read(STATUS)):
            raise UsageError(
                "an announcement is in force already",
                remedy="take it back first: rearguard filter withdraw",
            )
        state.write(ORDER, order.to_json())
        command = [sys.executable, "-I", "-m", "rearguard.filters.flowspec.keeper"]
        start_detached(
            [*command, str(state.folder), order.token],
            state.folder / LOG_FILE,
            f"rearguard-flowspec-{order.token}",
        )


def wait_for(state: State, order: Order) -> dict[str, Any]:
    """The status once it is in force or has ended; as it is, when it takes longer than it can."""
    until = time.monotonic() + _WAIT + order.canary_wait + len(order.routes) * len(order.peers) / 50
    while True:
        found = state.read(STATUS)
        if found is not None and found["token"] == order.token and found["state"] in (IN_FORCE, ENDED):
            return found
        if time.monotonic() > until:
            return found or {"state": "unknown", "reason": f"see {state.folder / LOG_FILE}", "peers": {}}
        time.sleep(_LOOK)


def announced(state: State) -> dict[str, Any] | None:
    """What is, or was last, announced; None: nothing ever. A keeper that was killed is told as ended."""
    found = state.read(STATUS)
    if found is None:
        return None
    if found["state"] != ENDED and not _runs(found):
        why = "the process that kept it was killed; the filter failed open"
        found |= {"state": ENDED, "reason": why, "meant": False}
    return found


def withdraw(state: State) -> dict[str, Any] | None:
    """Take the rules back, drops first, and wait for the end; the last status. None: nothing was announced.

    ``RearguardError``: it does not come to an end.
    """
    found = state.read(STATUS)
    if found is None:
        return None
    if _runs(found):
        os.kill(found["keeper"]["pid"], signal.SIGTERM)
        until = time.monotonic() + _WAIT
        while _runs(found):
            if time.monotonic() > until:
                raise RearguardError(
                    "the withdrawal does not come to an end",
                    remedy=f"kill process {found['keeper']['pid']}: its speaker ends with it, and so do the rules",
                )
            time.sleep(_LOOK)
    _leftover(found)
    return announced(state)


def _guarded(plan: Plan, address: Address) -> bool:
    """Whether a drop holds packets to the address, and no rule lets all packets to it through."""
    held = [each.rule.prefix(Kind.DESTINATION) for each in plan.drops]
    spared = [each.rule.prefix(Kind.DESTINATION) for each in plan.permits if len(each.rule.parts) == 1]
    return any(each and address in each.network for each in held) and not any(
        each and address in each.network for each in spared
    )


def _leftover(found: dict[str, Any]) -> None:
    """A speaker whose keeper was killed ends by itself; it is helped if it did not."""
    speaker = found["speaker"]
    if speaker and mark_of(speaker["pid"]) == speaker["started"]:
        with suppress(ProcessLookupError):
            os.kill(speaker["pid"], signal.SIGTERM)


def _runs(found: dict[str, Any] | None) -> bool:
    if found is None or not found["keeper"]:
        return False
    return bool(mark_of(found["keeper"]["pid"]) == found["keeper"]["started"])
