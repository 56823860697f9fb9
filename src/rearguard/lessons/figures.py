"""Every number that the lessons tell, computed from the records: the one place where counting is done.

A figure has a name by which texts refer to it, a title in words, a value, and the ids of the records behind it.
A text never holds a number of its own: it says ``{border-yes}`` and gets what is counted here. Shares are told as
whole per cent, rounded half up, of the records named in ``among``. They are shares of recorded incidents, which
nobody drew as a sample: they describe this base, not the world.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from rearguard.lessons.border import REASONS
from rearguard.lessons.figure import Figure, Figures
from rearguard.lessons.groups import INTERFACES, MODELS, VERDICTS, Group, interface_of, model_of, year_of
from rearguard.lessons.model import AUDIENCES

if TYPE_CHECKING:
    from rearguard.lessons.knowledge import Knowledge
    from rearguard.lessons.model import Incident, Mechanism

__all__ = ["LISTENERS", "RECENT_YEARS", "Figure", "Figures", "figures", "overview"]

RECENT_YEARS = 5
"""How many calendar years, the newest of the base included, count as recent."""

LISTENERS = frozenset({"mgmt-open-to-world", "lan-protocol-on-wan", "debug-or-hidden-service"})
"""Mechanisms of which each one means: a port waited for strangers."""


def figures(knowledge: Knowledge) -> Figures:
    """All figures of a knowledge base."""
    incidents = knowledge.incidents
    return Figures(
        [
            *_whole(knowledge),
            *_border("", "", incidents),
            *_reasons(incidents),
            *_models(incidents),
            *_listeners(incidents),
            *_interfaces(incidents),
            *_mechanisms(knowledge),
            *_recommendations(knowledge),
        ]
    )


def overview(knowledge: Knowledge) -> Figures:
    """Those of :func:`figures` that need incidents and mechanisms only, so that nothing else is read for them."""
    incidents = knowledge.incidents
    return Figures(
        [
            *_recorded(incidents),
            *_span("", "incident", incidents),
            *_border("", "", incidents),
            *(figure for each in knowledge.mechanisms for figure in _mechanism(knowledge, each)),
        ]
    )


def _recorded(incidents: tuple[Incident, ...]) -> Iterator[Figure]:
    yield Figure(
        "incidents", "recorded incidents", len(incidents), _ids(incidents), "all incidents of the base"
    )


def _whole(knowledge: Knowledge) -> Iterator[Figure]:
    incidents = knowledge.incidents
    everything = _ids(incidents)
    yield from _recorded(incidents)
    yield Figure(
        "mechanisms", "mechanisms", len(knowledge.mechanisms), _ids(knowledge.mechanisms), "all mechanisms"
    )
    yield Figure(
        "recommendations",
        "recommendations",
        len(knowledge.recommendations),
        _ids(knowledge.recommendations),
        "all recommendations",
    )
    yield from _span("", "incident", incidents)
    newest = max((year_of(each) for each in incidents), default=0)
    since = newest - RECENT_YEARS + 1
    recent = [each for each in incidents if year_of(each) >= since]
    yield Figure(
        "recent-since", "first year that counts as recent", since, _ids(recent),
        f"the newest year of the base and the {RECENT_YEARS - 1} before it",
    )  # fmt: skip
    yield from _part("recent", "incidents of recent years", recent, incidents, f"dated {since} or later")
    for kind in sorted({each.kind for each in incidents}):
        some = [each for each in incidents if each.kind == kind]
        name = f"kind-{kind.split(' ')[0]}"
        yield from _part(name, f"incidents of the kind {kind}", some, incidents, f"kind is {kind!r}")
    several = [each for each in incidents if len(each.mechanisms) > 1]
    yield from _part(
        "several-mechanisms",
        "incidents with more than one mechanism",
        several,
        incidents,
        "two or more named",
    )
    disputed = [each for each in incidents if each.conflicts_or_limits]
    yield from _part(
        "disputed",
        "incidents whose sources disagree or leave gaps",
        disputed,
        incidents,
        "a conflict is noted",
    )
    sources = [(each.id, source) for each in incidents for source in each.sources]
    yield Figure(
        "sources",
        "sources cited by incidents",
        len(sources),
        everything,
        "each source of each incident, once",
    )
    unread = [name for name, source in sources if not source.verified]
    yield Figure(
        "sources-unread", "sources not read by the editors", len(unread), tuple(dict.fromkeys(unread)),
        "sources whose text was not seen", everything,
    )  # fmt: skip
    yield from _clauses(knowledge)


def _clauses(knowledge: Knowledge) -> Iterator[Figure]:
    every = {name: clause for name, (_, clause) in knowledge.clauses.items()}
    yield Figure(
        "clauses", "clauses of standards and laws", len(every), tuple(every), "all clauses of all documents"
    )
    for evidence, words in (
        ("read", "read"),
        ("secondary", "known from others"),
        ("unverified", "not verified"),
    ):
        some = tuple(name for name, clause in every.items() if clause.evidence == evidence)
        yield Figure(
            f"clauses-{evidence}", f"clauses whose wording was {words}", len(some), some,
            f"evidence is {evidence}", tuple(every),
        )  # fmt: skip
    documents = _ids(knowledge.documents)
    yield Figure("documents", "standards, laws and guidelines", len(documents), documents, "all documents")


def _reasons(incidents: Iterable[Incident]) -> Iterator[Figure]:
    some = tuple(incidents)
    for reason, words in REASONS.items():
        fitting = [each for each in some if each.border_filter.reason == reason]
        yield from _part(
            f"reason-{reason}", f"incidents in which {words}", fitting, some, f"reason is {reason}"
        )


def _border(prefix: str, where: str, incidents: Iterable[Incident]) -> Iterator[Figure]:
    """By verdict, how many; the prefix ends with a dash or is empty."""
    some = tuple(incidents)
    for verdict, words in VERDICTS.items():
        fitting = [each for each in some if each.border_filter.would_help == verdict]
        name = f"{prefix}border-{verdict}"
        title = {
            "yes": f"a border could stop{where}",
            "partly": f"a border could stop in part{where}",
            "no": f"a border could not stop{where}",
            "unknown": f"of which it is not known whether a border could stop them{where}",
        }[verdict]
        yield from _part(
            name, f"incidents {title}", fitting, some, f"the record says that a border filter {words}",
            share_title=f"share {title}",
        )  # fmt: skip


def _models(incidents: Iterable[Incident]) -> Iterator[Figure]:
    yield from _grouped("model", MODELS, model_of, incidents, "`management` of the record, by groups.MODELS")


def _interfaces(incidents: Iterable[Incident]) -> Iterator[Figure]:
    some = tuple(incidents)
    yield from _grouped(
        "interface", INTERFACES, interface_of, some, "the interface's name, by groups.INTERFACES"
    )
    for group in INTERFACES:
        fitting = [each for each in some if interface_of(each) == group]
        yield from _years(f"interface-{group.id}", group.title, fitting)


def _grouped(
    kind: str,
    groups: Iterable[Group],
    sort: Callable[[Incident], Group],
    incidents: Iterable[Incident],
    how: str,
) -> Iterator[Figure]:
    some = tuple(incidents)
    for group in groups:
        fitting = [each for each in some if sort(each) == group]
        yield from _part(f"{kind}-{group.id}", f"incidents: {group.title}", fitting, some, how)
        yield from _border(f"{kind}-{group.id}-", f" ({group.title})", fitting)


def _listeners(incidents: Iterable[Incident]) -> Iterator[Figure]:
    some = tuple(incidents)
    waited = [each for each in some if LISTENERS.intersection(each.mechanisms)]
    other = [each for each in some if not LISTENERS.intersection(each.mechanisms)]
    how = f"has one of {', '.join(sorted(LISTENERS))}"
    yield from _part("listener", "incidents in which a port waited for strangers", waited, some, how)
    yield from _border("listener-", " (a port waited for strangers)", waited)
    how = f"has none of {', '.join(sorted(LISTENERS))}"
    yield from _part("no-listener", "incidents in which no port waited for strangers", other, some, how)
    yield from _border("no-listener-", " (no port waited for strangers)", other)


def _mechanisms(knowledge: Knowledge) -> Iterator[Figure]:
    for entry in knowledge.mechanisms:
        name = f"mechanism-{entry.id}"
        yield from _mechanism(knowledge, entry)
        yield from _years(name, entry.title, knowledge.incidents_by(entry.id))
        for audience in AUDIENCES:
            fitting = [
                each
                for each in knowledge.recommendations
                if each.audience == audience and entry.id in each.mechanisms
            ]
            yield Figure(
                f"{name}-for-{audience}", f"recommendations against {entry.title} for: {audience}",
                len(fitting), _ids(fitting), f"audience is {audience} and mechanisms name {entry.id}",
            )  # fmt: skip


def _mechanism(knowledge: Knowledge, entry: Mechanism) -> Iterator[Figure]:
    """How often, how recent, and what a border could do."""
    name = f"mechanism-{entry.id}"
    some = knowledge.incidents_by(entry.id)
    yield from _part(
        name, f"incidents with the mechanism {entry.title}", some, knowledge.incidents,
        f"mechanisms name {entry.id}",
    )  # fmt: skip
    yield from _span(f"{name}-", f"incident with the mechanism {entry.title}", some)
    yield from _border(f"{name}-", f" ({entry.title})", some)


def _recommendations(knowledge: Knowledge) -> Iterator[Figure]:
    for audience in AUDIENCES:
        mine = [each for each in knowledge.recommendations if each.audience == audience]
        yield Figure(
            f"for-{audience}", f"recommendations for: {audience}", len(mine), _ids(mine),
            f"audience is {audience}",
        )  # fmt: skip
    for entry in knowledge.recommendations:
        met = [each for each in knowledge.incidents if set(entry.mechanisms).intersection(each.mechanisms)]
        yield from _part(
            f"recommendation-{entry.id}", f"incidents with a mechanism that {entry.id} removes",
            met, knowledge.incidents, f"has one of {', '.join(entry.mechanisms)}",
        )  # fmt: skip


def _part(
    name: str,
    title: str,
    some: Iterable[Incident],
    all_: Iterable[Incident],
    how: str,
    *,
    share_title: str = "",
) -> Iterator[Figure]:
    """How many of them, and which share of all they are."""
    records, among = _ids(some), _ids(all_)
    yield Figure(name, title, len(records), records, how, among)
    percent = (200 * len(records) + len(among)) // (2 * len(among)) if among else 0
    yield Figure(
        f"{name}-share", share_title or f"share of {title}", percent, records,
        f"{how}; {len(records)} of {len(among)}", among, "%",
    )  # fmt: skip


def _span(prefix: str, what: str, incidents: Iterable[Incident]) -> Iterator[Figure]:
    dated = sorted(incidents, key=lambda each: (each.date, each.id))
    for name, title, place in (("first-year", "oldest", 0), ("last-year", "newest", -1)):
        if dated:
            one = dated[place]
            yield Figure(
                f"{prefix}{name}", f"year of the {title} {what}", year_of(one), (one.id,), f"dated {one.date}"
            )


def _years(name: str, title: str, incidents: Iterable[Incident]) -> Iterator[Figure]:
    by_year: dict[int, list[Incident]] = defaultdict(list)
    for each in incidents:
        by_year[year_of(each)].append(each)
    for year, some in sorted(by_year.items()):
        yield Figure(
            f"{name}-in-{year}", f"incidents in {year}: {title}", len(some), _ids(some), f"dated {year}"
        )


def _ids(entries: Iterable[object]) -> tuple[str, ...]:
    return tuple(each.id for each in entries)  # type: ignore[attr-defined]  # every entry of the base has one
