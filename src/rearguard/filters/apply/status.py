"""What is in force, what it did, and what somebody should look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from rearguard.filters.apply.deadman import alive
from rearguard.filters.apply.intent import Intent
from rearguard.filters.apply.kernel import Listing, Nft
from rearguard.filters.apply.readback import differences
from rearguard.filters.apply.state import State, boot_id
from rearguard.filters.apply.transact import remaining

__all__ = ["NOTHING", "Counter", "Status", "status"]

NOTHING = "no filter was applied by Rearguard"


@dataclass(frozen=True, slots=True)
class Counter:
    """One rule, told, and what it counted since its counter was made (the table, or the last restart)."""

    id: str
    text: str
    verdict: str
    family: int
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Status:
    """The table, the folder and the policy side by side."""

    in_force: bool
    """There is a table with rules."""
    edge: str | None
    outside: tuple[str, ...]
    policy: str | None
    """Digest of the policy that it was compiled from."""
    applied: str | None
    confirmed: str | None
    age: float | None
    """Seconds since it was applied."""
    waiting: float | None
    """Seconds until it is taken back."""
    timer: bool
    """Whether the process that takes it back is alive."""
    counters: tuple[Counter, ...]
    last: Mapping[str, Any] | None
    """What happened last: confirmed, reverted or lost, when, and why."""
    changed: tuple[str, ...]
    """How the table differs from what was applied."""
    drift: tuple[str, ...] | None
    """How the table differs from the policy as it is now; None when no policy was given."""
    attention: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values under the names of the fields."""
        return asdict(self)


def status(nft: Nft, state: State, intent: Intent | None, today: date) -> Status:
    """Look; nothing is changed. ``intent``: what the policy says now."""
    listing = nft.listing()
    waiting = state.read("waiting")
    if waiting is not None and waiting["boot"] != boot_id():
        waiting = None
    record = (waiting or {}).get("record") or state.read("confirmed")
    applied = waiting["applied"] if waiting else (record or {}).get("applied")
    changed = _changed(listing, record)
    drift = None if intent is None else differences(listing, intent.text, intent.filter.outside)
    left = None if waiting is None else max(0.0, remaining(waiting))
    timed = waiting is not None and alive(state.read("timer"))
    rules = record["rules"] if record else [asdict(note) for note in (intent.notes if intent else ())]
    last = state.read("last")
    return Status(
        in_force=bool(listing.of("rule")),
        edge=record["edge"] if record else None,
        outside=tuple(record["outside"]) if record else (),
        policy=record["policy"] if record else None,
        applied=applied,
        confirmed=None if waiting or record is None else record["confirmed"],
        age=None if applied is None else _age(applied),
        waiting=left,
        timer=timed,
        counters=tuple(_counters(listing, rules)),
        last=last,
        changed=changed,
        drift=drift,
        attention=tuple(_attention(record, changed, drift, left, timed, rules, today)),
    )


def _changed(listing: Listing, record: Mapping[str, Any] | None) -> tuple[str, ...]:
    if record is None:
        return ("there is a table, but no record of who applied it",) if listing else ()
    if record.get("content") == listing.content():
        return ()
    return differences(listing, record["text"], record["outside"])


def _counters(listing: Listing, rules: list[Mapping[str, Any]]) -> Iterator[Counter]:
    """Those of the rules in force in their order, then those that count no more."""
    counts = listing.counters()
    for rule in rules:
        if rule["id"] in counts:
            packets, octets = counts.pop(rule["id"])
            yield Counter(rule["id"], _told(rule), rule["verdict"], rule["family"], packets, octets)
    for name, (packets, octets) in counts.items():
        if packets:
            text = "a rule that is no longer there"
            yield Counter(name, text, "none", 6 if name.endswith("_v6") else 4, packets, octets)


def _told(rule: Mapping[str, Any]) -> str:
    """Why the rule is there: its text, and of a drop the operator's own basis."""
    return rule["text"] if rule["drop"] is None else f"{rule['text']} (drop[{rule['drop']}]: {rule['basis']})"


def _attention(
    record: Mapping[str, Any] | None,
    changed: tuple[str, ...],
    drift: tuple[str, ...] | None,
    left: float | None,
    timed: bool,
    rules: list[Mapping[str, Any]],
    today: date,
) -> Iterator[str]:
    if record is None and drift is None and not changed:
        yield NOTHING
    for text in changed:
        yield f"changed since it was applied: {text}"
    for text in drift or ():
        if text not in changed:
            yield f"not as the policy says now: {text}"
    if left is not None and not timed:
        yield "a filter waits for confirmation, and the timer that takes it back has died: confirm or revert it"
    due = {(rule["drop"], rule["basis"], rule["review_by"]) for rule in rules if rule["review_by"]}
    for drop, basis, review in sorted(due):
        if date.fromisoformat(review) < today:
            yield f"drop[{drop}] was to be looked at again by {review}: {basis}"


def _age(text: str) -> float:
    then = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return max(0.0, (datetime.now(UTC) - then).total_seconds())
