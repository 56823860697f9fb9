"""The lessons as a STIX 2.1 bundle (OASIS standard, 10 June 2021).

A mechanism is an ``attack-pattern``, a recommendation a ``course-of-action`` that mitigates it, an incident
an ``incident`` (in STIX 2.1 a name and a description) related to its attack patterns and to the
``vulnerability`` of each CVE. A ``report`` holds all of them together. Texts carry the clause, its evidence
and the sources as external references. The marking is TLP:WHITE, which TLP 2.0 calls CLEAR.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from rearguard.lessons.export.names import uuid_of
from rearguard.lessons.groups import VERDICTS

if TYPE_CHECKING:
    from rearguard.lessons.knowledge import Knowledge
    from rearguard.lessons.model import Incident, Mechanism, Recommendation, Source

__all__ = ["bundle"]

Object = dict[str, Any]

TLP_WHITE: Object = {
    "type": "marking-definition",
    "spec_version": "2.1",
    "id": "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "created": "2017-01-20T00:00:00.000Z",
    "definition_type": "tlp",
    "name": "TLP:WHITE",
    "definition": {"tlp": "white"},
}
"""STIX 2.1 section 7.2.1.4 fixes this object."""


def bundle(knowledge: Knowledge, day: date) -> Object:
    """The whole base; ``created`` and ``modified`` are the day of the edition."""
    stamp = f"{day.isoformat()}T00:00:00.000Z"
    author = _id("identity", "authors")
    common = {
        "spec_version": "2.1",
        "created": stamp,
        "modified": stamp,
        "created_by_ref": author,
        "object_marking_refs": [TLP_WHITE["id"]],
    }
    who = {
        "type": "identity", "spec_version": "2.1", "id": author, "created": stamp, "modified": stamp,
        "name": "The Rearguard authors", "identity_class": "group",
    }  # fmt: skip
    made = [{**each, **common} for each in _objects(knowledge)]
    report = {
        "type": "report", "id": _id("report", "lessons"), **common,
        "name": "Lessons from incidents through remote management of home and IoT devices",
        "report_types": ["attack-pattern"], "published": stamp, "object_refs": [each["id"] for each in made],
    }  # fmt: skip
    objects = [TLP_WHITE, who, *made, report]
    return {"type": "bundle", "id": f"bundle--{uuid_of('bundle', stamp)}", "objects": objects}


def _objects(knowledge: Knowledge) -> Iterator[Object]:
    for mechanism in knowledge.mechanisms:
        yield _pattern(mechanism)
    for advice in knowledge.recommendations:
        yield _course(advice)
        for name in advice.mechanisms:
            yield _relation("course-of-action", advice.id, "mitigates", "attack-pattern", name)
    known = {each.id: None for incident in knowledge.incidents for each in incident.cve}
    for cve in sorted(known):
        yield {
            "type": "vulnerability", "id": _id("vulnerability", cve), "name": cve,
            "external_references": [{"source_name": "cve", "external_id": cve}],
        }  # fmt: skip
    for incident in knowledge.incidents:
        yield _incident(incident)
        for name in incident.mechanisms:
            yield _relation("incident", incident.id, "related-to", "attack-pattern", name)
        for each in incident.cve:
            yield _relation("incident", incident.id, "related-to", "vulnerability", each.id)


def _pattern(entry: Mechanism) -> Object:
    references: list[Object] = [{"source_name": "rearguard", "external_id": entry.id}]
    references += [
        {"source_name": "cwe", "external_id": each.id, "description": _named(each)} for each in entry.cwe
    ]
    references += [
        {"source_name": "mitre-attack", "external_id": each.id, "description": _named(each)}
        for each in entry.attack
    ]
    traffic = " ".join(
        f"({number}) {text}." for number, text in enumerate(entry.recognise_in_traffic, start=1)
    )
    return {
        "type": "attack-pattern", "id": _id("attack-pattern", entry.id), "name": entry.title,
        "description": f"{entry.definition} In traffic: {traffic}", "external_references": references,
    }  # fmt: skip


def _named(each: Any) -> str:
    return str(each.name) if each.name_verified else f"{each.name} (name not verified)"


def _course(entry: Recommendation) -> Object:
    checks = " ".join(f"({each.type}) {each.check}." for each in entry.how_checked)
    references: list[Object] = [{"source_name": "rearguard", "external_id": entry.id}]
    references += [
        {
            "source_name": each.document, "external_id": each.clause, "url": each.url,
            "description": f"{each.statement} [evidence: {each.evidence}]",
        }
        for each in entry.standards
    ]  # fmt: skip
    return {
        "type": "course-of-action", "id": _id("course-of-action", entry.id), "name": entry.recommendation,
        "description": f"For: {entry.audience}. {entry.rationale} Checked by: {checks}",
        "labels": [entry.audience], "external_references": references,
    }  # fmt: skip


def _incident(entry: Incident) -> Object:
    verdict = entry.border_filter
    scale = f" Scale as reported: {'; '.join(each.figure for each in entry.scale)}." if entry.scale else ""
    text = (
        f"{entry.what_happened} Began or became known: {entry.date} ({entry.date_precision}).{scale} "
        f"A filter at the operator's border {VERDICTS[verdict.would_help]}: {verdict.why}"
    )
    references: list[Object] = [{"source_name": "rearguard", "external_id": entry.id}]
    references += [_reference(each) for each in entry.sources]
    return {
        "type": "incident", "id": _id("incident", entry.id), "name": entry.title, "description": text,
        "labels": [entry.kind.split(" ")[0], f"border-filter-{verdict.would_help}", entry.management],
        "external_references": references,
    }  # fmt: skip


def _reference(source: Source) -> Object:
    date_ = f", {source.date}" if source.date else ""
    note = "" if source.verified else " [not read by the editors]"
    made: Object = {"source_name": source.publisher, "description": f"{source.title}{date_}{note}"}
    if source.url:
        made["url"] = source.url
    return made


def _relation(kind: str, name: str, how: str, target_kind: str, target: str) -> Object:
    return {
        "type": "relationship",
        "id": _id("relationship", f"{kind}/{name}/{how}/{target_kind}/{target}"),
        "relationship_type": how,
        "source_ref": _id(kind, name),
        "target_ref": _id(target_kind, target),
    }


def _id(kind: str, name: str) -> str:
    return f"{kind}--{uuid_of(kind, name)}"
