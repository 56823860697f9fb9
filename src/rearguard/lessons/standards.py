"""What recommendations are tied to: documents with their clauses, device checks, shapes of filter rules, and
what each finding kind teaches. The fields are the keys of the YAML files.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StringConstraints

from rearguard.lessons.model import Entry, Name, Text, Web, Words

__all__ = [
    "DOUBTS",
    "EVIDENCE",
    "Clause",
    "DeviceCheck",
    "Document",
    "Evidence",
    "FindingLesson",
    "RuleShape",
    "named",
]

Evidence = Literal["read", "secondary", "unverified"]

EVIDENCE: dict[Evidence, str] = {
    "read": "the wording was read, in the document or in a faithful copy",
    "secondary": "somebody else's summary, or number and title only, was read",
    "unverified": "nothing of it was read; shown so that somebody can check it",
}
"""How far a reference was checked. Whoever shows a clause that was not read says so."""

DOUBTS: dict[Evidence, str] = {"read": "", "secondary": "from a summary", "unverified": "not verified"}
"""What is written beside a clause, by its evidence."""


def named(clause: str, evidence: Evidence | None) -> str:
    """The name of a clause with its mark; other entries have no evidence, and their names stand as they are."""
    return f"{clause} ({DOUBTS[evidence]})" if evidence and DOUBTS[evidence] else clause


Number = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+([.-][A-Za-z0-9]+)*$", max_length=64)]


class Clause(Entry):
    """One demand of a document, in our words."""

    number: Number = Field(description="as the document numbers it, such as 5.6-1 or SEC.GEN.11")
    statement: Text = Field(description="one sentence in your own words")
    status: Text = Field(description="shall, should, must, or what else the document calls it")
    evidence: Evidence = Field(description="read, secondary or unverified")
    note: Text | None = Field(default=None, description="what to know when citing it")
    seen_at: Text | None = Field(
        default=None, description="where it was read, where not where the others were"
    )
    url: Web | None = Field(default=None, description="address of the clause, where it has its own")


class Document(Entry):
    """A standard, law or guideline."""

    id: Name = Field(description="name of the file without .yaml")
    title: Text = Field(description="number and title")
    publisher: Text = Field(description="who publishes it")
    version: Text = Field(description="which version the clauses are of")
    url: Web = Field(description="where to get it")
    kind: Text = Field(description="standard, law, guidance, specification ...")
    clauses: Annotated[tuple[Clause, ...], Field(min_length=1)] = Field(
        description="the clauses that are used"
    )
    seen_at: Text | None = Field(default=None, description="where the wording was read")
    note: Text | None = Field(default=None, description="what to know when citing it")


class DeviceCheck(Entry):
    """How a mechanism is found on one's own device."""

    id: Name = Field(description="a name in lower case with hyphens")
    title: Text = Field(description="what holds when the check passes")
    view: Literal["wan", "lan", "neighbour", "lab"] = Field(description="from where it is done")
    harmless: StrictBool = Field(description="false where the device may fail: laboratory units only")
    how: Text = Field(description="what to do")
    expected: Text = Field(description="what passes")
    mechanisms: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="what it finds")
    clauses: tuple[Text, ...] = Field(description="clauses that ask for it, as document/number")


class RuleShape(Entry):
    """One row of the table of filter shapes: what a drop rule does, what it costs and what it cannot do."""

    id: Name = Field(description="a name in lower case with hyphens")
    title: Text = Field(description="what is guarded, and how")
    transports: tuple[Literal["tcp", "udp"], ...] = Field(description="tcp, udp or both")
    first_port: Annotated[int, Field(ge=1, le=65535)] = Field(description="lowest port that it is for")
    last_port: Annotated[int, Field(ge=1, le=65535)] = Field(description="highest port that it is for")
    does: Text = Field(description="which packets pass and which are dropped")
    costs: Text = Field(description="what customers may notice")
    ends: Text = Field(description="what an attacker can no longer do")
    mechanisms: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        description="mechanisms whose path across the border it closes"
    )
    rule: Text = Field(description="the rule of the filter semantics that it follows, such as C1")


class FindingLesson(Entry):
    """What a kind of finding teaches, beyond the mechanisms of the interface that it names."""

    id: Name = Field(description="the finding kind, as in findings.json")
    meaning: Text = Field(description="what it says, in one sentence")
    mechanisms: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="what may be behind it")
    checks: Words = Field(description="device checks that settle it")
