"""The lessons as one MISP event (MISP core format, draft-dulaunoy-misp-core-format).

Mechanisms are ``attack-pattern`` objects, recommendations ``course-of-action`` objects, incidents
``incident`` objects that refer to their mechanisms; CVE numbers and sources are attributes, with the incident
in the comment. The objects keep to the templates that MISP ships; nothing is marked for detection, because
nothing here is an indicator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from rearguard.lessons.export.names import uuid_of
from rearguard.lessons.groups import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rearguard.lessons.knowledge import Knowledge
    from rearguard.lessons.model import Incident

__all__ = ["TEMPLATES", "Template", "event"]

Value = tuple[str, str, str]
"""Relation in the object, type of the attribute, value."""


@dataclass(frozen=True, slots=True)
class Template:
    """An object template of MISP: https://github.com/MISP/misp-objects."""

    name: str
    uuid: str
    version: str
    category: str


TEMPLATES = {
    "attack-pattern": Template(
        "attack-pattern", "35928348-56be-4d7f-9752-a80927936351", "1", "vulnerability"
    ),
    "course-of-action": Template("course-of-action", "3d1c2c06-68a9-4394-8c8d-258d115f796f", "1", "misc"),
    "incident": Template("incident", "38597424-f9bb-4865-9b4b-819172df0334", "1", "misc"),
}
CATEGORIES = {
    "weakness": "External analysis",
    "link": "External analysis",
    "vulnerability": "External analysis",
}


def event(knowledge: Knowledge, day: date) -> dict[str, Any]:
    """The event; its day and timestamps are those of the edition."""
    stamp = str(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()))
    objects = [{**each, "timestamp": stamp} for each in _objects(knowledge, stamp)]
    attributes = list(_attributes(knowledge, stamp))
    return {
        "Event": {
            "uuid": str(uuid_of("misp-event")),
            "info": "Lessons from incidents through remote management of home and IoT devices",
            "date": day.isoformat(),
            "timestamp": stamp,
            "threat_level_id": "4",
            "analysis": "2",
            "distribution": "3",
            "published": False,
            "Orgc": {"name": "Rearguard", "uuid": str(uuid_of("misp-organisation"))},
            "Tag": [{"name": "tlp:clear"}, {"name": "type:OSINT"}],
            "Attribute": attributes,
            "Object": objects,
        }
    }


def _objects(knowledge: Knowledge, stamp: str) -> Iterator[dict[str, Any]]:
    for mechanism in knowledge.mechanisms:
        values: list[Value] = [
            ("id", "text", mechanism.id),
            ("name", "text", mechanism.title),
            ("summary", "text", mechanism.definition),
        ]
        values += [("related-weakness", "weakness", each.id) for each in mechanism.cwe]
        advice = knowledge.recommendations_for([mechanism.id])
        values.append(
            ("solutions", "text", "; ".join(f"{each.id}: {each.recommendation}" for each in advice))
        )
        yield _object("attack-pattern", mechanism.id, values, stamp)
    for each in knowledge.recommendations:
        clauses = "; ".join(f"{one.document} {one.clause} [{one.evidence}]" for one in each.standards)
        values = [
            ("name", "text", each.recommendation),
            (
                "description",
                "text",
                f"{each.id}, for {each.audience}. {each.rationale} Asked for by: {clauses}",
            ),
        ]
        yield _object(
            "course-of-action", each.id, values, stamp,
            [("attack-pattern", name, "mitigates") for name in each.mechanisms],
        )  # fmt: skip
    for incident in knowledge.incidents:
        yield _incident(incident, stamp)


def _incident(entry: Incident, stamp: str) -> dict[str, Any]:
    verdict = entry.border_filter
    text = (
        f"{entry.what_happened} Date: {entry.date} ({entry.date_precision}). "
        f"A filter at the operator's border {VERDICTS[verdict.would_help]}: {verdict.why}"
    )
    values: list[Value] = [
        ("name", "text", entry.title),
        ("description", "text", text),
        ("incident_type", "text", entry.kind),
    ]
    references = [("attack-pattern", name, "related-to") for name in entry.mechanisms]
    return {**_object("incident", entry.id, values, stamp, references), "comment": entry.id}


def _attributes(knowledge: Knowledge, stamp: str) -> Iterator[dict[str, Any]]:
    """One attribute a value, with the incidents that it belongs to in the comment: MISP refuses a value twice."""
    uses: dict[tuple[str, str], list[str]] = {}
    for incident in knowledge.incidents:
        for each in incident.cve:
            uses.setdefault(("vulnerability", each.id), []).append(incident.id)
        for source in incident.sources:
            if source.url:
                uses.setdefault(("link", source.url), []).append(incident.id)
    for (kind, value), names in uses.items():
        yield _attribute(
            kind,
            value,
            stamp,
            uuid_of("misp-attribute", kind, value),
            comment=", ".join(dict.fromkeys(names)),
        )


def _object(
    kind: str, name: str, values: Iterable[Value], stamp: str, references: Iterable[tuple[str, str, str]] = ()
) -> dict[str, Any]:
    template = TEMPLATES[kind]
    own = uuid_of("misp-object", kind, name)
    attributes = [
        {
            **_attribute(type_, value, stamp, uuid_of("misp-object", kind, name, relation, value)),
            "object_relation": relation,
        }
        for relation, type_, value in values
    ]
    return {
        "name": template.name,
        "uuid": str(own),
        "template_uuid": template.uuid,
        "template_version": template.version,
        "meta-category": template.category,
        "distribution": "5",
        "Attribute": attributes,
        "ObjectReference": [
            {
                "uuid": str(uuid_of("misp-reference", str(own), target_kind, target, how)),
                "object_uuid": str(own),
                "referenced_uuid": str(uuid_of("misp-object", target_kind, target)),
                "relationship_type": how,
            }
            for target_kind, target, how in references
        ],
    }


def _attribute(kind: str, value: str, stamp: str, own: object, comment: str = "") -> dict[str, Any]:
    return {
        "uuid": str(own),
        "type": kind,
        "category": CATEGORIES.get(kind, "Other"),
        "value": value,
        "to_ids": False,
        "distribution": "5",
        "disable_correlation": True,
        "timestamp": stamp,
        "comment": comment,
    }
