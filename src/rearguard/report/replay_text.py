"""The replay on a terminal: figures first, then who would be hurt, what remains, and what one more drop would do.

What came out of traffic or of a policy passes :func:`visible` before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rearguard.filters.render.reading import reading_list
from rearguard.lessons import load as load_lessons
from rearguard.lessons.graph import load_graph
from rearguard.lessons.reading import readings
from rearguard.report import words
from rearguard.report.escape import visible
from rearguard.report.replaying import TOGETHER

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from rearguard.report.replay_callers import Caller, Entry
    from rearguard.report.replaying import Also, Replaying

__all__ = ["render"]

SHOWN = 15
LONGEST = 400


def render(found: Replaying, console: Console) -> None:
    """Print it as wide as the console is."""
    for part in _parts(found):
        console.print(part, crop=False)  # an entry for the policy must stay in one piece


def _parts(found: Replaying) -> Iterator[RenderableType]:
    yield from _figures(found)
    yield from _cut(found)
    yield from _lookalikes(found)
    if found.fates:
        yield from _headed("What became of the findings")
        yield _table(
            ("finding", "interface", "subject", "dropped >", "passed >"),
            [
                (
                    f"{each.severity} {each.kind}",
                    each.interface or "",
                    each.subject,
                    each.dropped,
                    each.passed,
                )
                for each in found.fates[:SHOWN]
            ],
        )
        yield from _more(len(found.fates))
    if found.hits:
        yield from _headed("Collateral: no attack, and it would lose packets")
        yield _table(
            ("what", "port", "network", "contacts >", "packets >", "own addresses"),
            [
                (
                    "replies to own clients" if each.kind == "reply" else "customers' own services",
                    f"{each.transport}/{each.port}",
                    each.network,
                    each.contacts,
                    each.packets,
                    ", ".join(each.sample),
                )
                for each in found.hits[:SHOWN]
            ],
        )
        yield from _more(len(found.hits))
    yield from _remaining(found)
    yield from _lessons(found)
    yield from _also(found.also)


def _figures(found: Replaying) -> Iterator[RenderableType]:
    replay = found.border.replay
    if replay is None:
        yield Text("The policy drops nothing, so there is no filter to replay.", style="bold")
        return
    total = replay.initiations_dropped + replay.passed
    yield Text(
        f"Of {words.count(total, 'initiation')} the filter would have dropped "
        f"{words.number(replay.initiations_dropped)}; {words.number(replay.passed)} would have passed.",
        style="bold",
    )
    cut = replay.authorised_dropped
    yield Text(f"authorised initiations cut: {words.number(cut)}", style="bold red" if cut else "")
    yield Text(
        f"collateral: {words.count(replay.collateral_dropped, 'contact')}, "
        f"{words.count(replay.collateral_packets, 'packet')}; not judged: {words.number(replay.unjudged)}",
        style="yellow" if replay.collateral_dropped else "",
    )
    for note in replay.notes:
        yield Text("! " + visible(note, LONGEST))


def _cut(found: Replaying) -> Iterator[RenderableType]:
    surely = [each for each in found.cut if not each.at_home]
    if surely:
        yield from _headed("CUT: these are the policy's own controllers", "bold red")
        yield _callers(surely)
    home = [each for each in found.cut if each.at_home]
    if home:
        yield from _headed("Controllers that enter inside, by the policy; cut if they come in from outside")
        yield _callers(home)
    if found.missing:
        yield Text("If they do come in from outside, write:")
        yield from _entries(found.missing)


def _lookalikes(found: Replaying) -> Iterator[RenderableType]:
    if not found.lookalikes:
        return
    yield from _headed("Dropped, and behaves like a controller (so does a worm on an open fleet)")
    yield _callers(found.lookalikes)
    yield Text("If one of them is yours, add its entry, and no other:")
    yield from _entries(found.suggested)


def _callers(callers: Sequence[Caller]) -> Table:
    return _table(
        ("source", "whose", "interface", "initiations >", "devices >", "what came back"),
        [
            (
                each.address,
                each.by or "nobody's",
                f"{each.interface} {each.transport}/{each.port}",
                each.initiations,
                each.devices,
                f"{each.answered:,} answered, {each.refused:,} refused, {each.conversed:,} conversed",
            )
            for each in callers[:SHOWN]
        ],
    )


def _entries(entries: Sequence[Entry]) -> Iterator[RenderableType]:
    for each in entries[:SHOWN]:
        yield Text(f"  # {visible(each.why, LONGEST)}")
        for line in each.yaml.splitlines():
            yield Text(f"  {visible(line)}", no_wrap=True, overflow="ignore")


def _remaining(found: Replaying) -> Iterator[RenderableType]:
    """By reason, so that what can be done is said once."""
    if not found.remaining:
        return
    yield from _headed("What remains, and who can do something about it")
    for reason in dict.fromkeys(each.reason for each in found.remaining):
        rows = [each for each in found.remaining if each.reason == reason]
        who = "another policy could stop it" if rows[0].policy_can else "no border can stop it"
        yield Text(f"{rows[0].why}: {who}", style="bold")
        for each in rows[:SHOWN]:
            count = words.count(each.findings, "finding")
            what = f"{each.severity} {each.kind}{f' {each.interface}' if each.interface else ''}"
            yield _indented(visible(f"{what}: {count} ({', '.join(each.subjects[:3])})", LONGEST), 2)
        yield _indented(f"what can: {rows[0].what_can}", 2)
        for advice in rows[0].recommendations:
            yield _indented(f"{advice.id} ({advice.audience}): {advice.text}", 4)


def _indented(text: str, columns: int) -> Padding:
    return Padding(Text(text), (0, 0, 0, columns))


def _lessons(found: Replaying) -> Iterator[RenderableType]:
    """What the drops of the filter lead to."""
    names = dict.fromkeys(name for each in found.border.edges for name in reading_list(each.filter))
    if not names:
        return
    yield from _headed("What earlier incidents teach about what is dropped here")
    for each in readings(load_graph(), load_lessons(), names).values():
        yield _indented(f"{each.name}: {each.sentence}", 2)
        yield Padding(Text(each.show, no_wrap=True, overflow="ignore"), (0, 0, 0, 4))


def _also(also: Sequence[Also]) -> Iterator[RenderableType]:
    if not also:
        return
    yield from _headed("What if these were dropped too, beside the present filter")
    yield _table(
        (
            "drop",
            "stopped >",
            "strangers >",
            "devices >",
            "authorised, cut >",
            "replies hit >",
            "services hit >",
        ),
        [
            (
                each.interface,
                each.counts.initiations,
                each.counts.remotes,
                each.counts.devices,
                each.counts.authorised,
                each.counts.replies,
                each.counts.services,
            )
            for each in also
        ],
    )
    for each in also:
        name = visible(each.interface)
        if not each.cells:
            yield Text(f"{name}: guarded already, or nothing of it can be dropped")
        if each.needs_consent and each.interface != TOGETHER:
            yield Text(f"{name}: has UDP ports from 1024 up, so the drop needs accept_collateral: true")
        if each.counts.at_home:
            yield Text(
                f"{name}: {words.count(each.counts.at_home, 'initiation')} of controllers that enter inside would "
                "be cut too, if they come in from outside"
            )


def _headed(text: str, style: str = "bold") -> Iterator[RenderableType]:
    yield Text()
    yield Text(text, style=style)


def _more(count: int) -> Iterator[RenderableType]:
    if count > SHOWN:
        yield Text(f"and {words.number(count - SHOWN)} more, with --json")


def _table(head: Sequence[str], rows: Sequence[Sequence[str | int]]) -> Table:
    """A ``>`` behind a name puts the column to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, highlight=False)
    for name in head:
        right = name.endswith(" >")
        table.add_column(name.removesuffix(" >"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        cells = (words.number(cell) if isinstance(cell, int) else visible(cell, LONGEST) for cell in row)
        table.add_row(*map(Text, cells))
    return table
