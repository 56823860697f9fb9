"""Whether a record of an incident is good enough to share, and whether the whole base is whole.

An error keeps a record out: it has the wrong shape, names something that does not exist, or says two things that
cannot both be true. Advice says what a good record has: two independent sources, a figure with its source, a cause.
Nothing is fetched; an address is checked for its form only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rearguard.lessons.border import HELPS
from rearguard.lessons.entries import LessonError, strict
from rearguard.lessons.graph import Graph
from rearguard.lessons.identifiers import identifiers
from rearguard.lessons.knowledge import Knowledge
from rearguard.lessons.model import Incident
from rearguard.lessons.unshared import unshared
from rearguard.model.errors import InputError, Place

if TYPE_CHECKING:
    from rearguard.policy.places import Places

__all__ = ["Complaint", "validate", "validate_text"]

ALIKE = 0.82
"""Titles that are more alike than this are taken for one incident told twice."""
SHORTEST, LONGEST = 120, 1600
"""Letters of a story that can be followed, and of one that is still short."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a record, or could be better. ``error``: it cannot be taken in as it is."""

    error: bool
    problem: str
    remedy: str
    place: Place

    def __str__(self) -> str:
        kind = "error" if self.error else "advice"
        return f"{self.place}: {kind}: {self.problem}\n  remedy: {self.remedy}"


def validate(file: Path, knowledge: Knowledge, graph: Graph, *, today: date | None = None) -> list[Complaint]:
    """All that is wrong with the record in a file, or missing; :class:`InputError` when it cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"it cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}",
            place=Place(file=str(file)),
            remedy="name a YAML file with one incident",
        ) from error
    return validate_text(text, str(file), knowledge, graph, today=today)


def validate_text(
    text: str, file: str, knowledge: Knowledge, graph: Graph, *, today: date | None = None
) -> list[Complaint]:
    """As :func:`validate`, of a text; ``today`` (UTC) decides which dates lie ahead. Errors come first."""
    try:
        record, places = strict(text, file, Incident)
    except LessonError as error:
        return [Complaint(True, each.problem, each.remedy, each.place) for each in error.problems]
    checking = _Checking(record, places, knowledge, graph, today or datetime.now(UTC).date())
    return sorted(checking.complaints(), key=lambda each: not each.error)


@dataclass(frozen=True, slots=True)
class _Checking:
    record: Incident
    places: Places
    knowledge: Knowledge
    graph: Graph
    today: date

    def complaints(self) -> Iterator[Complaint]:
        yield from self._name()
        yield from self._edges()
        yield from self._numbers()
        yield from self._dates()
        yield from self._sources()
        yield from self._border()
        yield from self._story()
        yield from self._others()

    def _wrong(self, key: str, problem: str, remedy: str) -> Complaint:
        return Complaint(True, problem, remedy, self._place(key))

    def _better(self, key: str, problem: str, remedy: str) -> Complaint:
        return Complaint(False, problem, remedy, self._place(key))

    def _place(self, key: str) -> Place:
        """``sources[1].url`` with its line; a key that is not written has the line of what it belongs to."""
        parts = re.findall(r"[^.\[\]]+", key)
        return self.places.of(tuple(int(part) if part.isdigit() else part for part in parts))

    @property
    def file(self) -> Path:
        return Path(self.places.file or "")

    def _name(self) -> Iterator[Complaint]:
        if self.file.stem != self.record.id:
            yield self._better(
                "id",
                f"the file is not called {self.record.id}.yaml",
                "give both the same name before you hand it in",
            )
        if not self.record.id[-4:].isdigit():
            yield self._better(
                "id", "the name ends in no year", "what and the year it became known, in a word or two"
            )

    def _edges(self) -> Iterator[Complaint]:
        for key, kind, names in (
            ("mechanisms", "mechanism", self.record.mechanisms),
            ("interfaces", "interface", self.record.interfaces),
        ):
            known = [node.id for node in self.graph.nodes if node.kind == kind]
            for name in names:
                if name not in known:
                    close = get_close_matches(name, known, n=1, cutoff=0.5)
                    remedy = f"did you mean {close[0]}?" if close else f"choose of {', '.join(sorted(known))}"
                    yield self._wrong(key, f"there is no {kind} {name}", remedy)
            if len(set(names)) < len(names):
                yield self._wrong(key, "a name stands twice", "keep one of the two")

    def _numbers(self) -> Iterator[Complaint]:
        known = identifiers().known()
        for key, numbers in (("cve", self.record.cve), ("cwe", self.record.cwe)):
            for each in numbers:
                if each.id not in known:
                    remedy = "correct it, or add it to data/identifiers.yaml with where you saw it printed"
                    yield self._wrong(key, f"{each.id} is not in the list of numbers", remedy)
        for place, scale in enumerate(self.record.scale):
            key = f"scale[{place}]"
            if scale.low is not None and scale.high is not None and scale.low > scale.high:
                yield self._wrong(key, "the lower figure is above the upper one", "exchange them")
            if (scale.low is None and scale.high is None) != (scale.counts is None):
                yield self._wrong(key, "a number and `counts` belong together", "give both or none")
            if not scale.source_url and not scale.source_locator:
                yield self._wrong(key, "the figure has no source", "give source_url, or source_locator")

    def _dates(self) -> Iterator[Complaint]:
        named = [("date", self.record.date)]
        named += [
            (f"sources[{place}].date", each.date)
            for place, each in enumerate(self.record.sources)
            if each.date
        ]
        for key, text in named:
            day = _day(text)
            if day is None:
                yield self._wrong(key, f"{text} is no date", "write YYYY, YYYY-MM or YYYY-MM-DD")
            elif day > self.today:
                yield self._wrong(key, f"{text} has not come yet", "correct it")

    def _sources(self) -> Iterator[Complaint]:
        sources = self.record.sources
        for place, each in enumerate(sources):
            if not each.url and not each.locator:
                yield self._wrong(
                    f"sources[{place}]", "nobody can find this text", "give its url, or a locator"
                )
        named = [(f"sources[{place}].url", each.url) for place, each in enumerate(sources)]
        named += [
            (f"scale[{place}].source_url", each.source_url) for place, each in enumerate(self.record.scale)
        ]
        for key, url in named:
            if url and not _well_formed(url):
                yield self._wrong(
                    key, f"{url} is no address", "copy it from the browser, without user or password"
                )
        if len({each.url for each in sources if each.url}) < sum(1 for each in sources if each.url):
            yield self._wrong("sources", "an address stands twice", "keep one of the two")
        if not any(each.verified for each in sources):
            yield self._wrong("sources", "nobody read any source", "read one and say so: verified: true")
        elif self.record.independent_sources() < 2:
            remedy = "add a text that does not retell the same report: of the vendor, the operator, a CERT"
            yield self._better("sources", "one report stands behind it", remedy)

    def _border(self) -> Iterator[Complaint]:
        verdict = self.record.border_filter
        allowed = HELPS[verdict.reason]
        if verdict.would_help not in allowed:
            problem = f"a filter cannot help {verdict.would_help!r} for the reason {verdict.reason}"
            yield self._wrong("border_filter", problem, f"say {' or '.join(allowed)}, or give another reason")

    def _story(self) -> Iterator[Complaint]:
        story = self.record.what_happened
        if len(story) < SHORTEST:
            yield self._better(
                "what_happened", "the story is very short", "say how they came in, and what they did"
            )
        if len(story) > LONGEST:
            yield self._better(
                "what_happened", "the story is long", "six sentences are enough; the rest is in the sources"
            )
        if not self.record.scale:
            yield self._better(
                "scale", "nothing says how large it was", "add a figure with its source, if there is one"
            )
        if not self.record.what_stopped_it:
            yield self._better(
                "what_stopped_it", "nothing says how it ended", "add it, or that nothing is reported"
            )
        if not self.record.interfaces:
            yield self._better(
                "interfaces", "no interface of the catalogue is named", "`rearguard catalogue` lists them"
            )
        for key, found, why in unshared(self.record):
            yield self._better(key, f"{found} should not be shared", why)

    def _others(self) -> Iterator[Complaint]:
        mine = {each.url for each in self.record.sources if each.url}
        for other in self.knowledge.incidents:
            if other.id == self.record.id:
                if self.file.resolve().parent != (self.knowledge.folder / "incidents").resolve():
                    yield self._wrong(
                        "id", f"there is an incident {other.id} already", "complete that one, or rename"
                    )
                continue
            shared = mine & {each.url for each in other.sources if each.url}
            if SequenceMatcher(None, self.record.title.lower(), other.title.lower()).ratio() > ALIKE:
                yield self._wrong("title", f"it is told already as {other.id}", "complete that record")
            elif len(shared) * 2 > len(mine):
                yield self._better(
                    "sources", f"most of its sources are those of {other.id}", "see whether it is the same"
                )


def _day(text: str) -> date | None:
    """The first day of a date that may stop at the month or year; None when it is none."""
    try:
        return date.fromisoformat(f"{text}-01-01"[:10] if len(text) in (4, 7) else text)
    except ValueError:
        return None


def _well_formed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - raises when it is no port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url
    return plain and parts.scheme in ("http", "https") and "." in host and "@" not in parts.netloc
