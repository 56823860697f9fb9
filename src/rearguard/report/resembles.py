"""What this resembles: the mechanisms behind the findings, incidents that had them, and who can act.

Findings of the same sort are one voice, however many there are: 900 probes of one port say no more about the
cause than one does. A voice is worth its severity, attacks and fallen devices three times as much. It names what
was seen first and what the interface is known for after that, so the second name counts half, the third a third.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rearguard.lessons.model import AUDIENCES
from rearguard.model.finding import Finding, Kind

if TYPE_CHECKING:
    from rearguard.lessons import Incident, Knowledge, Mechanism, Recommendation

__all__ = ["Resembles", "recommended", "resembles"]

MOST_MECHANISMS = 4
MOST_INCIDENTS = 5
MOST_RECOMMENDATIONS = 4  # of one audience
CERTAIN = frozenset({Kind.EXPLOIT_ATTEMPT, Kind.COMPROMISED_DEVICE})


@dataclass(frozen=True, slots=True)
class Resembles:
    """The lessons that fit, the best fitting first; ``where`` says which findings name a mechanism."""

    mechanisms: tuple[tuple[Mechanism, str], ...]
    incidents: tuple[Incident, ...]
    others: tuple[Incident, ...]
    recommendations: tuple[tuple[str, tuple[Recommendation, ...]], ...]


def resembles(findings: Sequence[Finding], knowledge: Knowledge) -> Resembles | None:
    """The lessons for these findings; None when they name none. Muted findings have no voice."""
    voices = _voices(item for item in findings if "muted" not in item.labels)
    mechanisms = {each.id: each for each in knowledge.mechanisms}
    named = _ranked(voices, lambda item: item.mechanisms, mechanisms)
    if not named:
        return None
    incidents = {each.id: each for each in knowledge.incidents}
    like = [incidents[name] for name in _ranked(voices, lambda item: item.incidents, incidents)]
    top = named[:MOST_MECHANISMS]
    fitting = knowledge.recommendations_for(top)
    grouped = (
        (audience, tuple(each for each in fitting if each.audience == audience)[:MOST_RECOMMENDATIONS])
        for audience in AUDIENCES
    )
    return Resembles(
        tuple((mechanisms[name], _where(voices, name)) for name in top),
        tuple(like[:MOST_INCIDENTS]),
        tuple(like[MOST_INCIDENTS:]),
        tuple((audience, entries) for audience, entries in grouped if entries),
    )


def recommended(knowledge: Knowledge) -> Callable[[Finding], tuple[str, ...]]:
    """Gives the ids of what removes a finding's mechanisms; each set of mechanisms is looked up once."""
    known: dict[tuple[str, ...], tuple[str, ...]] = {}

    def ids(item: Finding) -> tuple[str, ...]:
        if item.recommendations or not item.mechanisms:
            return item.recommendations
        if item.mechanisms not in known:
            known[item.mechanisms] = tuple(each.id for each in knowledge.recommendations_for(item.mechanisms))
        return known[item.mechanisms]

    return ids


def _voices(findings: Iterable[Finding]) -> list[Finding]:
    """Of each sort the worst finding."""
    worst: dict[tuple[object, ...], Finding] = {}
    for item in findings:
        sort = (item.kind, item.interface, item.mechanisms, item.incidents)
        if sort not in worst or item.severity.rank > worst[sort].severity.rank:
            worst[sort] = item
    return list(worst.values())


def _ranked(
    voices: Iterable[Finding], names: Callable[[Finding], tuple[str, ...]], known: Container[str]
) -> list[str]:
    score: dict[str, float] = {}
    for item in voices:
        worth = (1 + item.severity.rank) * (3 if item.kind in CERTAIN else 1)
        found = [name for name in names(item) if name in known]
        for place, name in enumerate(found, start=1):
            score[name] = score.get(name, 0.0) + worth / place
    return sorted(score, key=lambda name: (-score[name], name))


def _where(voices: Iterable[Finding], mechanism: str) -> str:
    """``cwmp-cr (scan, exposed-device); telnet (scan)``."""
    kinds: dict[str, list[str]] = {}
    for item in voices:
        if mechanism in item.mechanisms:
            kinds.setdefault(item.interface or "any port", []).append(str(item.kind))
    return "; ".join(f"{name} ({', '.join(dict.fromkeys(found))})" for name, found in sorted(kinds.items()))
