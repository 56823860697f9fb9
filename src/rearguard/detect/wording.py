"""Severity, confidence, labels and sentences that several kinds share.

``confidence`` is the share of such conclusions that are expected to be right if the rules of this package hold:
0.5 a guess, 0.9 the rule was just met, 0.99 independent signs agree, 0.999 the most that is ever claimed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rearguard.detect.estimate import chance_seen, must_touch
from rearguard.model.bits import DIRECTIONS, INBOUND, INTERNAL
from rearguard.model.finding import Severity, Subject

if TYPE_CHECKING:
    from rearguard.catalogue.model import Interface
    from rearguard.detect.portrait import Portrait

__all__ = [
    "CEILING",
    "direction",
    "hit_details",
    "labels",
    "many",
    "outcome_words",
    "sampling_details",
    "severity_of",
    "who",
]

CEILING = 0.999


def labels(portrait: Portrait) -> tuple[str, ...]:
    """``surveyor:NAME`` (rule B3), ``exception``, and ``muted`` when one of them covers everything."""
    names = [f"surveyor:{name}" for name in portrait.surveyors]
    if portrait.exceptions:
        names.append("exception")
    if portrait.all_surveyor or portrait.all_exception:
        names.append("muted")
    return tuple(names)


def severity_of(portrait: Portrait, entry: Interface | None, way: int, *, scan: bool) -> tuple[Severity, str]:
    """How bad it is that a source tried, and why; ``entry`` is None on ports outside the catalogue."""
    told = labels(portrait)
    if "muted" in told:
        return Severity.LOW, f"known and accepted by the policy ({', '.join(told[:-1])})"
    conversed = portrait.outcomes.get("conversed", 0)
    worm = "mirai" in portrait.fingerprints
    if way != INBOUND and scan:
        if way == INTERNAL:
            return Severity.HIGH, "a device of ours scans our own devices; no border filter can stop that"
        return Severity.MEDIUM, "a device of ours scans outward"
    if worm and scan:
        level = Severity.MEDIUM if entry is None else Severity.HIGH
        return level, "its packets carry the fingerprint of the Mirai family, a worm"
    if entry is None:
        return Severity.LOW, "no management interface is known at these ports"
    if entry.lan_only and portrait.answered:
        return (
            Severity.HIGH,
            f"{entry.title} is made for the home side, and {many(portrait.answered, 'contact')} got an answer",
        )
    if conversed:
        level = Severity.HIGH if scan else Severity.MEDIUM
        return level, f"payload went both ways in {many(conversed, 'contact')}"
    if not scan:
        return (
            (Severity.MEDIUM, "worm fingerprint") if worm else (Severity.LOW, "few devices, no conversation")
        )
    return Severity.MEDIUM, "management interfaces were searched; no conversation was seen"


def hit_details(portrait: Portrait) -> dict[str, Any]:
    """Packets with a tool's mark where they are too few to name the tool; nothing when all were named."""
    weak = {name: count for name, count in portrait.hits.items() if name not in portrait.fingerprints}
    return {"fingerprint_hits": weak} if weak else {}


def sampling_details(portrait: Portrait, needs: int) -> dict[str, Any]:
    """What had to happen to be seen at this sampling rate (rule B14); nothing when every packet was read."""
    low, high = portrait.sampling
    if high == 0:
        return {"sampling": {"rate": "unknown", "note": "counts are what was seen, not scaled"}}
    if high <= 1:
        return {}
    return {
        "sampling": {
            "rate": high if low in (0, high) else [low, high],
            "seen": portrait.seen,
            "needed_seen": needs,
            "must_touch_to_be_seen_95": must_touch(high, needs),
            "chance_slash24_sweep_touched_once": round(chance_seen(256, high, 1), 4),
            "chance_slash16_sweep_found": round(chance_seen(65_536, high, needs), 4),
            "note": "estimates assume one SYN for each device",
        }
    }


def who(subject: Subject, way: int) -> str:
    """The subject in a sentence; an address that no handshake proved is never called an attacker (rule B4)."""
    if way != INBOUND:
        return f"our device {subject.address}"
    return f"{subject.address}{'' if subject.verified else ' (address not verified, it may be forged)'}"


def outcome_words(portrait: Portrait) -> str:
    """For example ``60 refused, 4 answered``."""
    return ", ".join(f"{count:,} {name}" for name, count in portrait.outcomes.items())


def many(count: int, noun: str) -> str:
    """``1 device``, ``1,964 devices``."""
    plural = noun if count == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {plural}"


def direction(way: int) -> str:
    """The name of a direction."""
    return DIRECTIONS[way]
