"""Apply, confirm, take back: how a filter gets into the kernel, and out again when nobody says that it is good.

Theory. Three states, and what leads from one to the other:

===========  ============================  ===========================================================
state        how it is known               what may happen
===========  ============================  ===========================================================
settled      no ``waiting.json``           *apply*: to waiting
waiting      ``waiting.json``              *confirm*: to settled with the new filter; *take back*, time
                                           is up, or the read-back differs: to settled with the old one
restarted    ``waiting.json`` of another   the table is gone, and with it the question: *apply* goes on
             start of the machine          from settled
===========  ============================  ===========================================================

A second *apply* while one waits is refused: to what should the timer of either go back?

The order of *apply*: the kernel's own check; ``waiting.json`` with the way back, itself checked; the timer; one
transaction; read back; equal, or taken back at once. Whenever the process dies, the timer knows the way back.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from rearguard.filters.apply.deadman import alive, arm
from rearguard.filters.apply.intent import Intent
from rearguard.filters.apply.kernel import KernelError, Nft
from rearguard.filters.apply.readback import differences
from rearguard.filters.apply.restore import take_back
from rearguard.filters.apply.state import BOOT_FILE, State, boot_clock, boot_id, now_text
from rearguard.filters.apply.transaction import replacement
from rearguard.model.errors import RearguardError

__all__ = ["Plan", "apply", "confirm", "plan", "remaining", "revert"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be loaded, and what it changes."""

    text: str
    first: bool
    """There is no table yet."""
    changes: tuple[str, ...]
    """How packets are judged otherwise than now, in words; a sample of them. Empty: nothing changes."""


def plan(nft: Nft, intent: Intent) -> Plan:
    """Checked by the kernel; nothing is changed. ``KernelError``: it refuses."""
    listing = nft.listing()
    text = replacement(listing, intent.text)
    nft.check(text)
    changes = differences(listing, intent.text, intent.filter.outside) if listing else ()
    return Plan(text, not listing, changes)


def apply(nft: Nft, state: State, intent: Intent, seconds: int) -> dict[str, Any]:
    """Put the filter in force for ``seconds``; the record that waits for confirmation.

    ``RearguardError``: another one waits, or the kernel does not do what was meant. Then all is as before.
    """
    with state.locked():
        _settle(state)
        before = nft.listing()
        planned = plan(nft, intent)
        way_back = nft.text()
        if way_back is not None:
            nft.check(replacement(before, way_back))
        token = secrets.token_hex(8)
        waiting = {
            "token": token,
            "boot": boot_id(),
            "seconds": seconds,
            "deadline": boot_clock() + seconds,
            "applied": now_text(),
            "before": way_back,
            "before_content": before.content(),
            "record": intent.to_json(),
        }
        state.write("waiting", waiting)
        try:
            state.write("timer", arm(state, nft, token))
            nft.load(planned.text)
        except BaseException:
            # Whatever happened, the way back is right; where nothing was loaded it changes nothing.
            take_back(nft, state, waiting, "it could not be loaded")
            raise
        found = differences(nft.listing(), intent.text, intent.filter.outside)
        if found:
            take_back(nft, state, waiting, f"the kernel did not hold what was meant: {found[0]}")
            raise KernelError(
                f"the filter was taken back: what the kernel holds is not what was meant: {'; '.join(found)}",
                remedy="somebody else may be changing the table inet rearguard",
            )
    return waiting


def confirm(nft: Nft, state: State) -> dict[str, Any]:
    """Keep the filter that waits; the record of what is in force now.

    ``RearguardError``: nothing waits, it is too late, or the kernel no longer holds what was applied.
    """
    with state.locked():
        waiting = _waiting(state)
        if remaining(waiting) <= 0:
            raise RearguardError(
                "it is too late: the time is up, and the filter is being taken back",
                remedy="apply it again, with a longer --confirm-within",
            )
        record = waiting["record"]
        listing = nft.listing()
        found = differences(listing, record["text"], record["outside"])
        if found:
            raise KernelError(
                f"what the kernel holds is no longer what was applied, so it is not confirmed: {'; '.join(found)}",
                remedy="let the time run out, or take it back: rearguard filter confirm --revert",
            )
        record |= {"applied": waiting["applied"], "confirmed": now_text(), "content": listing.content()}
        state.forget("waiting")  # decides: the timer finds nothing to take back
        state.write("confirmed", record)
        state.write_text(BOOT_FILE, record["text"])
        state.write("last", {"event": "confirmed", "at": record["confirmed"], "edge": record["edge"]})
    return dict(record)


def revert(nft: Nft, state: State) -> None:
    """Take back at once what waits. ``RearguardError``: nothing waits, or the kernel does not take it."""
    with state.locked():
        take_back(nft, state, _waiting(state), "it was taken back by hand")


def remaining(waiting: dict[str, Any]) -> float:
    """Seconds until it is taken back."""
    return float(waiting["deadline"]) - boot_clock()


def _waiting(state: State) -> dict[str, Any]:
    waiting = state.read("waiting")
    if waiting is not None and waiting["boot"] == boot_id():
        return waiting
    last = state.read("last") or {}
    told = f"; the last one was {last['event']} at {last['at']}" if last else ""
    why = f": {last['why']}" if last.get("why") else ""
    raise RearguardError(
        f"no filter waits for confirmation{told}{why}", remedy="rearguard filter status tells more"
    )


def _settle(state: State) -> None:
    """Nothing waits, or what waits did not outlive a restart of the machine."""
    waiting = state.read("waiting")
    if waiting is None:
        return
    if waiting["boot"] != boot_id():
        why = "the machine restarted before it was confirmed"
        state.write(
            "last", {"event": "lost", "at": now_text(), "why": why, "edge": waiting["record"]["edge"]}
        )
        state.forget("waiting")
        return
    timed = alive(state.read("timer"))
    left = f"{max(0, remaining(waiting)):.0f} s are left" if timed else "its timer has died"
    raise RearguardError(
        f"a filter of {waiting['applied']} waits for confirmation, and {left}",
        remedy="keep it: rearguard filter confirm; or take it back: rearguard filter confirm --revert",
    )
