"""The lessons as report.html shows them: why it happened, where it happened before, who can act, what drops are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rearguard.filters.render.reading import reading_list
from rearguard.lessons import load
from rearguard.lessons.graph import load_graph
from rearguard.lessons.reading import Reading, readings
from rearguard.report import words

if TYPE_CHECKING:
    from rearguard.filters.border import Border
    from rearguard.lessons import Incident, Mechanism, Recommendation
    from rearguard.report.resembles import Resembles

__all__ = ["MOST_DROPS", "drop_rows", "lesson_rows"]

AUDIENCES = {
    "operator": "The network operator",
    "manufacturer": "The manufacturer of the devices",
    "cloud-provider": "Who runs the cloud that manages them",
    "regulator": "The regulator",
    "owner": "The owner at home",
}
FILTERED = {
    "yes": "A filter at the border would have helped",
    "partly": "A filter at the border would have helped in part",
    "no": "A filter at the border would not have helped",
    "unknown": "Whether a filter at the border would have helped is not known",
}
MOST_OTHERS = 20
MOST_DROPS = 25
"""How many lessons of drops are shown; `rearguard filter compile --json` and findings.json have all."""


def lesson_rows(found: Resembles | None) -> dict[str, Any] | None:
    """None when nothing fits, and the section is left out."""
    if found is None:
        return None
    more = len(found.others) - MOST_OTHERS
    return {
        "mechanisms": [_mechanism(entry, where) for entry, where in found.mechanisms],
        "incidents": [_incident(entry) for entry in found.incidents],
        "others": [f"{entry.title} ({entry.date[:4]})" for entry in found.others[:MOST_OTHERS]],
        "others_hidden": f"and {more} more" if more > 0 else "",
        "acting": [
            {"who": AUDIENCES[audience], "what": [_recommendation(entry) for entry in entries]}
            for audience, entries in found.recommendations
        ],
    }


def _mechanism(entry: Mechanism, where: str) -> dict[str, Any]:
    return {
        "title": entry.title,
        "definition": entry.definition,
        "where": where,
        "checks": list(entry.check_device_non_destructively),
    }


def _incident(entry: Incident) -> dict[str, Any]:
    source = next((each for each in entry.sources if each.url), entry.sources[0])
    return {
        "title": entry.title,
        "date": entry.date,
        "story": entry.what_happened,
        "stopped": "; ".join(entry.what_stopped_it),
        "filter": f"{FILTERED[entry.border_filter.would_help]}: {entry.border_filter.why}",
        "cves": ", ".join(each.id for each in entry.cve),
        "source": f"{source.publisher}: {source.title}",
        "url": source.url or "",
        "sources": words.count(len(entry.sources), "source"),
    }


def _recommendation(entry: Recommendation) -> dict[str, str]:
    checked = [each for each in entry.standards if each.verified]
    return {
        "id": entry.id,
        "what": entry.recommendation,
        "why": entry.rationale,
        "standards": "; ".join(f"{each.document}: {each.clause}" for each in checked[:1]),
    }


def drop_rows(border: Border) -> list[dict[str, str]]:
    """What the drops of the filters lead to, the nearest of each rule first; rules of all edges together."""
    rules: dict[str, dict[str, None]] = {}
    for edge in border.edges:
        for name, ids in reading_list(edge.filter).items():
            rules.setdefault(name, {}).update(dict.fromkeys(ids))
    knowledge = load()
    titles = {each.id: each.title for each in knowledge.mechanisms}
    shown = list(rules)[:MOST_DROPS]
    return [
        _drop(each, tuple(rules[each.name]), titles)
        for each in readings(load_graph(), knowledge, shown).values()
    ]


def _drop(given: Reading, rules: tuple[str, ...], titles: dict[str, str]) -> dict[str, str]:
    seen = words.count(len(given.incidents), "incident") if given.incidents else "none recorded"
    how = "came through it" if given.through else "had one of these causes"
    return {
        "name": given.name,
        "title": given.title,
        "causes": "; ".join(titles[each] for each in given.mechanisms),
        "incidents": f"{seen} {how}, the newest {given.incidents[0]} ({given.newest})"
        if given.incidents
        else seen,
        "rules": ", ".join(rules),
        "show": given.show,
    }
