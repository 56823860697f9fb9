"""The kinds of entry of the knowledge base. The fields are the keys of the YAML files, and their descriptions
are what JSON Schemas publish and what a validator answers when one is missing.

An incident names the mechanisms that it had; a recommendation names the mechanisms that it removes. Nothing
else is written twice: which incidents share a mechanism, who should act on it and which clause asks for it, is
derived (:mod:`rearguard.lessons.graph`).
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StrictBool, StringConstraints

from rearguard.lessons.border import BorderReason, Management

__all__ = [
    "AUDIENCES",
    "Audience",
    "BorderFilter",
    "Change",
    "Check",
    "ClauseUse",
    "Cve",
    "Entry",
    "Incident",
    "Mechanism",
    "Name",
    "Named",
    "Place",
    "Recommendation",
    "Scale",
    "Source",
    "Standard",
    "Text",
    "Weakness",
    "Web",
    "Words",
]

Audience = Literal["operator", "manufacturer", "cloud-provider", "regulator", "owner"]

AUDIENCES: tuple[Audience, ...] = get_args(Audience)
"""Who acts, in the order in which a report tells it: the reader is an operator."""

Text = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Web = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+", max_length=500)]
Words = tuple[Text, ...]
SomeWords = Annotated[Words, Field(min_length=1)]


class Entry(BaseModel):
    """What all entries have: they do not change, and know no other keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, str_max_length=8000)


class Source(Entry):
    """A text that was read. ``url`` is None where it was read in a copy that has no address of its own."""

    title: Text = Field(description="title of the text, translated where it is not English")
    publisher: Text = Field(
        description="who published it: two publishers are two sources, two pages of one are not"
    )
    url: Web | None = Field(description="address of the text, or null with a locator")
    verified: StrictBool = Field(description="true only if you read it and it says what the record says")
    date: Text | None = Field(default=None, description="day of publication, ISO 8601, as exact as known")
    note: Text | None = Field(default=None, description="what it is good for, or what is wrong with it")
    locator: Text | None = Field(default=None, description="how to find a text that has no address")
    origin: Text | None = Field(
        default=None, description="whose report it retells; two that retell one are one source"
    )


class Place(Entry):
    """The management interface of an incident, in the words of its sources."""

    name: Text = Field(description="what listens, such as 'telnet console'")
    transport: Text = Field(description="such as 'SOAP/HTTP'")
    ports: Words = Field(description="such as 'tcp/7547'; words where the sources name no port")


class Cve(Entry):
    """A vulnerability and, where it is needed, how it belongs here."""

    id: Annotated[str, StringConstraints(pattern=r"^CVE-(1999|2\d{3})-\d{4,7}$")] = Field(
        description="such as CVE-2016-10372"
    )
    note: Text | None = Field(default=None, description="how it belongs here, where that is not obvious")


class Weakness(Entry):
    """A CWE number and whose opinion it is."""

    id: Annotated[str, StringConstraints(pattern=r"^CWE-[1-9]\d{0,4}$")] = Field(description="such as CWE-78")
    basis: Text = Field(description="'analyst mapping', or the text that gives the number")


class Scale(Entry):
    """One figure of how large it was, with where it was read; numbers only where the source gives numbers."""

    figure: Text = Field(description="the figure in words, with whose count it is and when")
    source_url: Web | None = Field(description="where it was read, or null with a source_locator")
    source_locator: Text | None = Field(default=None, description="how to find a text that has no address")
    low: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="the figure as a number, or its lower end"
    )
    high: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="the upper end where a range is given"
    )
    counts: Literal["taken over", "exposed", "put out of service", "within reach"] | None = Field(
        default=None, description="what was counted: needed with a number"
    )


class BorderFilter(Entry):
    """Whether a filter at the operator's border would have helped."""

    would_help: Literal["yes", "partly", "no", "unknown"] = Field(
        description="yes, partly, no or unknown, in quotes"
    )
    why: Text = Field(description="one sentence: what a drop at the border would have cut, and what not")
    reason: BorderReason = Field(description="the class of the reason, from which figures are computed")


class Incident(Entry):
    """Something that happened through a management interface."""

    id: Name = Field(
        description="name of the file without .yaml: what and the year, such as dt-speedport-2016"
    )
    title: Text = Field(description="one line that a reader recognises")
    kind: Literal["attack", "vulnerability", "research", "outage (not an attack)"] = Field(
        description="attack: somebody did it; vulnerability: somebody could; research: somebody counted; outage"
    )
    date: Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")] = Field(
        description="when it began or became known, ISO 8601, as exact as known and in quotes"
    )
    date_precision: Text = Field(description="day, month or year, and what the date is of")
    what_happened: Text = Field(description="two to six sentences of your own, none copied")
    interface: Place = Field(description="the interface in the words of the sources")
    managed_by: Text = Field(description="who was meant to manage the devices, in words")
    devices: Words = Field(description="makes and models that the sources name")
    cve: tuple[Cve, ...] = Field(description="numbers that a source gives; an empty list when there is none")
    cwe: tuple[Weakness, ...] = Field(description="weakness classes, with whose opinion it is")
    scale: tuple[Scale, ...] = Field(
        description="figures with their sources; an empty list when nobody counted"
    )
    mechanisms: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        description="root causes, the most telling first; `rearguard lessons` lists their names"
    )
    what_stopped_it: Words = Field(
        description="what ended or eased it; an empty list when nothing is reported"
    )
    border_filter: BorderFilter = Field(
        description="whether a filter at the operator's border would have helped"
    )
    sources: Annotated[tuple[Source, ...], Field(min_length=1)] = Field(description="texts that were read")
    interfaces: tuple[Name, ...] = Field(
        default=(),
        description="the same interface as names of the catalogue; `rearguard catalogue` lists them",
    )
    management: Management = Field(
        description="the model of management that the path went through, of a fixed list"
    )
    conflicts_or_limits: Words = Field(
        default=(), description="what sources disagree on, what could not be checked"
    )
    mechanisms_inferred: StrictBool = Field(
        default=False, description="true where no source states the cause"
    )

    @property
    def year(self) -> int:
        """The year of :attr:`date`."""
        return int(self.date[:4])

    @property
    def magnitude(self) -> int:
        """The largest figure that a source gives, whatever it counts; 0 where nobody counted."""
        return max((each.high or each.low or 0 for each in self.scale), default=0)

    def independent_sources(self) -> int:
        """How many reports stand behind it that were read: texts that retell one report count once."""
        return len({each.origin or each.publisher for each in self.sources if each.verified})


class Named(Entry):
    """A number of CWE or ATT&CK with its name, and whether both were seen together."""

    id: Text = Field(description="such as CWE-78 or T1190")
    name: Text = Field(description="its name, as the list that the package ships has it")
    name_verified: StrictBool = Field(description="true if number and name were seen together")


class Mechanism(Entry):
    """A root cause that many incidents share."""

    id: Name = Field(description="a name in lower case with hyphens")
    title: Text = Field(description="one line")
    definition: Text = Field(description="what it is, in two or three sentences")
    recognise_in_traffic: SomeWords = Field(description="what it looks like on the wire")
    check_device_non_destructively: SomeWords = Field(
        description="how to find it on one's own device without harm"
    )
    cwe: Annotated[tuple[Named, ...], Field(min_length=1)] = Field(description="weakness classes")
    attack: Annotated[tuple[Named, ...], Field(min_length=1)] = Field(description="techniques of ATT&CK")
    note: Text | None = Field(default=None, description="what else a reader must know")


class ClauseUse(Entry):
    """A clause that asks for what a recommendation asks for."""

    id: Text = Field(description="document/number, such as etsi-en-303-645/5.1-1")
    note: Text | None = Field(default=None, description="how it belongs here, where that is not obvious")


class Standard(Entry):
    """A clause as a recommendation shows it, together with its document; derived, never written in a file."""

    id: Text
    document: Text
    clause: Text
    statement: Text
    evidence: Literal["read", "secondary", "unverified"]
    url: Web
    seen_at: Text | None = None
    note: Text | None = None

    @property
    def verified(self) -> bool:
        """Whether the wording of the clause was read, not only a summary of it."""
        return self.evidence == "read"


class Check(Entry):
    """How somebody finds out whether a recommendation is followed."""

    type: Literal["device test", "traffic check", "policy"] = Field(description="what has to be looked at")
    check: Text = Field(description="what to do, and what is expected")
    device_check: Name | None = Field(
        default=None, description="the device check of checks.yaml that does it"
    )


class Change(Entry):
    """What a recommendation would have changed in one incident."""

    incident: Name = Field(description="the incident")
    how: Text = Field(description="one sentence: what would not have happened, or would have ended sooner")


class Recommendation(Entry):
    """What one kind of reader can do about some mechanisms."""

    id: Name = Field(description="audience and number, such as ope-02")
    audience: Audience = Field(description="who acts")
    recommendation: Text = Field(description="one sentence, in the imperative")
    rationale: Text = Field(description="why, from what happened")
    mechanisms: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="what it removes")
    clauses: tuple[ClauseUse, ...] = Field(description="clauses that ask for the same")
    how_checked: Annotated[tuple[Check, ...], Field(min_length=1)] = Field(description="how it is checked")
    would_have_changed: Annotated[tuple[Change, ...], Field(min_length=1)] = Field(
        description="what it would have changed in which incidents"
    )
    _standards: tuple[Standard, ...] = PrivateAttr(default=())

    @property
    def standards(self) -> tuple[Standard, ...]:
        """The clauses with their documents, in the order of :attr:`clauses`; derived, never written in a file."""
        return self._standards

    def with_standards(self, standards: tuple[Standard, ...]) -> Recommendation:
        """The same recommendation that knows its clauses."""
        known = self.model_copy()
        known._standards = standards
        return known

    @property
    def incident_examples(self) -> tuple[str, ...]:
        """The incidents in which it would have changed something."""
        return tuple(each.incident for each in self.would_have_changed)
