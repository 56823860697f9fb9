"""The change ticket beside a filter: what changes, where it goes, what it costs, and the way back (rule C3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from rearguard.filters.hits import Hits, hits_lines
from rearguard.filters.model import Attachment, Filter
from rearguard.filters.platforms import Compiled
from rearguard.filters.prove.proof import Proof, Property, Proven
from rearguard.filters.render.plain import plain
from rearguard.filters.render.reading import reading_lines

__all__ = ["overdue", "ticket"]

_FENCE = "```"


def ticket(
    given: Filter,
    compiled: Compiled,
    made: date,
    lessons: Mapping[str, str] | None = None,
    hits: Hits | None = None,
) -> str:
    """Markdown. ``given`` is the policy's filter, of which the platform may say less.

    ``lessons`` tells what the names of :func:`rearguard.filters.render.reading.read_on` stand for; ``hits`` what a
    replay expects.
    """
    return "\n".join(_lines(given, compiled, made, lessons, hits)) + "\n"


def overdue(given: Filter, today: date) -> Iterator[str]:
    """The drops that were to be looked at again before today (rule C7), in words."""
    drops = {rule.drop: rule for rule in given.rules if rule.drop is not None}
    for number, rule in sorted(drops.items()):
        if rule.review_by is not None and rule.review_by < today:
            yield f"drop {number} was to be looked at again by {rule.review_by}: {rule.basis}"


def _lines(
    given: Filter, compiled: Compiled, made: date, lessons: Mapping[str, str] | None, hits: Hits | None
) -> Iterator[str]:
    written = compiled.written
    yield f"# Change: filter of the edge {plain(given.edge)} on {compiled.platform.title}"
    yield ""
    names = ", ".join(f"`{name}`" for name in written.files)
    yield f"Policy {given.policy_digest}, written {made}. Files: {names}."
    yield ""
    yield "## Why"
    yield ""
    drops = {rule.drop: rule for rule in given.rules if rule.drop is not None}
    for number, rule in sorted(drops.items()):
        yield f"- drop {number}: {plain(rule.basis, 400).rstrip('.')}. Review by {rule.review_by}."
    late = [*overdue(given, made)]
    if late:
        yield ""
        yield "**Look at these again before anything is applied, and set a new `review_by`:**"
        yield ""
        yield from (f"- {plain(text, 400)}" for text in late)
    yield ""
    yield "## What earlier incidents teach"
    yield ""
    yield from reading_lines(compiled.filter, lessons)
    yield ""
    yield "## Where it goes"
    yield ""
    yield "| list | place | entries if written out | entries | hardware entries |"
    yield "|---|---|---|---|---|"
    for change in written.changes:
        yield (
            f"| {plain(change.name)} | {plain(change.place, 300)} | {change.before:,} | {change.after:,} "
            f"| {change.cost:,} |"
        )
    yield ""
    yield "After anti-spoofing and bogon denies, before the general permits. A range of ports counts as its cover."
    before, after = (
        sum(counts) for counts in zip(*((each.before, each.after) for each in written.changes), strict=True)
    )
    yield f"In all {before:,} entries if written out, {after:,} as they are merged; nothing is widened."
    for change in written.changes:
        if change.difference:
            yield ""
            yield f"### Difference of {plain(change.name)}"
            yield ""
            yield f"{_FENCE}diff"
            yield from (line[:1] + plain(line[1:], 400) for line in change.difference)
            yield _FENCE
    yield ""
    yield "## Proof"
    yield ""
    yield "The text above was read back and compared with the policy for every packet there can be."
    yield ""
    for each in Property:
        yield f"- {each}: {'shown' if compiled.proof.state(each) else 'NOT shown'}"
    yield ""
    yield "## No line too many"
    yield ""
    yield "Of each line the proof asks whether any packet would be judged otherwise without it; one that leads into"
    yield "a chain counts as needed."
    yield ""
    yield from _minimal(compiled.proof)
    yield ""
    yield "## What this platform cannot match"
    yield ""
    if not compiled.residuals:
        yield "Nothing: all of the policy's filter is in the text."
    yield from (f"- {residual}" for residual in compiled.residuals)
    if given.left:
        yield ""
        yield "## Listed under drop and not dropped"
        yield ""
        for item in given.left:
            family = f" (IPv{item.family})" if item.family else ""
            place = f"{item.interface} toward {item.network}{family}, {', '.join(item.ports)}"
            yield f"- drop {item.drop}: {place}: {item.reason}"
    yield ""
    yield "## Expected hits"
    yield ""
    yield from hits_lines(given, hits)
    for title, commands in (("Apply", written.apply), ("Roll back", written.rollback)):
        yield ""
        yield f"## {title}"
        yield ""
        yield _FENCE
        yield from commands
        yield _FENCE


def _minimal(proof: Proof) -> Iterator[str]:
    """What the proof found of each list."""
    views: dict[tuple[Attachment, int], list[Proven]] = {}
    for each in proof.lists:
        views.setdefault((each.attachment, each.family), []).append(each)
    for (attachment, family), lists in views.items():
        spare = lists[0].unneeded
        lines = max(each.lines for each in lists)
        name = f"{plain(lists[0].name)} (IPv{family}, {attachment})"
        if not all(each.complete for each in lists):
            yield f"- {name}: not known, the comparison was broken off"
        elif spare:
            yield (
                f"- {name}: of {lines:,} lines these change nothing, and only they: "
                f"{', '.join(map(str, spare))} of the text"
            )
        else:
            yield f"- {name}: removing any of its {lines:,} lines changes the meaning"
