"""The summary on a terminal: the answer in a few sentences, then who tried what, the findings, what to do.

Everything is told as :class:`rich.text.Text`, never as markup, and passes :func:`visible` first, so that no
string of the traffic can colour, move or forge anything. Where a table would be cramped there are indented
lines instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rearguard.lessons import load as load_lessons
from rearguard.report import words
from rearguard.report.border_words import rest_text
from rearguard.report.escape import visible
from rearguard.report.resembles import resembles
from rearguard.report.steps import steps
from rearguard.report.summary import summary, verdict

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from rearguard.model.finding import Finding
    from rearguard.report.analysis import Analysis, InterfaceLine

__all__ = ["MOST_FINDINGS", "render"]

MOST_FINDINGS = 20
"""More are counted, not listed: a terminal is for the worst ones, findings.json has them all."""

MOST_OF_A_SORT = 5  # of one severity, kind, interface and direction
MOST_INTERFACES = 25
MOST_WHAT_IFS = 5
MOST_INCIDENTS = 3
INTERFACE_TABLE = 72  # columns from which a table is readable
FINDING_TABLE = 110
LONGEST = 300  # characters of one string; findings.json has it in full

_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


def render(analysis: Analysis, console: Console) -> None:
    """Print the summary to the console, as wide as it is."""
    for part in _parts(analysis, console.width):
        console.print(part)


def _parts(analysis: Analysis, width: int) -> Iterator[RenderableType]:
    yield _sources(analysis)
    for note in analysis.notes:
        yield _text("! ", note, style="bold yellow")
    for line in analysis.approximations:
        yield _text("~ ", f"approximated: {line}", style="yellow")
    yield Text()
    yield _text("", verdict(analysis), style="bold")
    for line in summary(analysis):
        if line != verdict(analysis):
            yield _text("", line)
    yield Text()
    yield Text("Who tried which management interface, and what came back", style="bold")
    yield from _interfaces(analysis, width)
    if not analysis.findings:
        return
    yield Text()
    yield _text("", words.headline(analysis), style="bold")
    yield from _findings(words.ranked(analysis.findings), width)
    yield from _filter(analysis)
    yield from _lessons(analysis)
    yield from _steps(analysis)


def _text(mark: str, text: str, style: str = "") -> Text:
    return Text(mark + visible(text, LONGEST), style=style)


def _sources(analysis: Analysis) -> Text:
    """Out of what all of this was concluded, in one line (two on a narrow terminal)."""
    names = [item.uri for item in analysis.sources]
    shown = ", ".join(visible(name, 60) for name in names[:3]) + (
        f" and {len(names) - 3} more" if names[3:] else ""
    )
    told = [
        f"{words.count(words.records_read(analysis), 'record')} of {shown or 'no source'}",
        words.skipped_text(words.skipped_total(analysis)),
        words.span_text(analysis),
    ]
    sampled = [line for line in analysis.sampling if line.rate > 1]
    told += dict.fromkeys(
        f"sampled 1:{words.number(line.rate)}, known from {line.source}" for line in sampled
    )
    unknown = [line.observer for line in analysis.sampling if not line.rate]
    told += [f"sampling unknown: {words.listed(unknown, 3)}"] if unknown else []
    text = Text(visible(" · ".join(told)))
    for item in analysis.sources:
        if item.damaged is not None:
            text.append(
                "\n! " + visible(f"{item.uri}: the rest is unreadable: {item.damaged}", LONGEST), "bold red"
            )
    return text


def _interfaces(analysis: Analysis, width: int) -> Iterator[RenderableType]:
    lines = sorted(analysis.interfaces, key=lambda line: (-line.contacts, line.interface, line.direction))
    if not lines:
        yield Text("  nobody without authority tried one")
        return
    shown, hidden = lines[:MOST_INTERFACES], lines[MOST_INTERFACES:]
    if width < INTERFACE_TABLE:
        yield from (_indented(_text("", words.interface_sentence(line))) for line in shown)
    else:
        yield _interface_table(shown)
    if hidden:
        yield Text(f"  and {len(hidden)} more, in findings.json")


def _interface_table(lines: list[InterfaceLine]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, highlight=False)
    table.add_column("interface", overflow="fold")
    table.add_column("direction")
    for name in ("remotes", "devices", "tries"):
        table.add_column(name, justify="right")
    table.add_column("what came back", ratio=1)
    for line in lines:
        table.add_row(
            Text(visible(line.interface, 40)),
            Text(line.direction),
            *(Text(words.number(value)) for value in (line.remotes, line.devices, line.tries)),
            _text("", words.outcomes_text(line.outcomes)),
        )
    return table


def _findings(findings: list[Finding], width: int) -> Iterator[RenderableType]:
    shown = _chosen(findings)
    hidden = len(findings) - len(shown)
    if not shown:
        return
    if width < FINDING_TABLE:
        for item in shown:
            yield Text.assemble("\n", _severity(item), " ", _what(item, " "))
            yield _indented(Text(_who(item)))
            yield _indented(_text("", item.reason))
    else:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, highlight=False)
        table.add_column("severity")
        table.add_column("finding", ratio=3, overflow="fold")
        table.add_column("with whom, what came back", ratio=3, overflow="fold")
        table.add_column("because", ratio=5, overflow="fold")
        for item in shown:
            table.add_row(_severity(item), _what(item, "\n"), Text(_who(item)), _text("", item.reason))
        yield table
    if hidden:
        yield Text(f"and {words.count(hidden, 'more finding', 'more findings')}, in findings.json")


def _chosen(findings: list[Finding]) -> list[Finding]:
    """The worst ones, of each sort a few: a hundred single probes shall not hide what stands behind them."""
    sorts: Counter[tuple[str, ...]] = Counter()
    chosen: list[Finding] = []
    for item in findings:
        sort = (item.severity, item.kind, item.interface or "", item.direction)
        sorts[sort] += 1
        if sorts[sort] <= MOST_OF_A_SORT and len(chosen) < MOST_FINDINGS:
            chosen.append(item)
    return chosen


def _filter(analysis: Analysis) -> Iterator[RenderableType]:
    """What the summary has no room for: what the filter does not stop, and what further drops would do."""
    border = analysis.border
    if border is None:
        return
    lines = []
    if rest := rest_text(border):
        lines.append(f"not stopped, in contacts: {rest}")
    lines += [item.text for item in border.what_ifs[:MOST_WHAT_IFS]]
    if lines:
        yield Text()
        yield Text("At the border", style="bold")
        yield from (_indented(_text("", line)) for line in lines)


def _lessons(analysis: Analysis) -> Iterator[RenderableType]:
    found = resembles(analysis.findings, load_lessons())
    if found is None:
        return
    yield Text()
    yield Text("What this resembles", style="bold")
    for entry in found.incidents[:MOST_INCIDENTS]:
        yield _indented(_text("", f"{entry.title} ({entry.date})"))
    causes = "; ".join(entry.title for entry, _ in found.mechanisms)
    yield _indented(_text("", f"by: {causes}"))


def _steps(analysis: Analysis) -> Iterator[RenderableType]:
    told = steps(analysis)
    if told:
        yield Text()
        yield Text("What to do first", style="bold")
        yield from (_indented(_text(f"{number}. ", line)) for number, line in enumerate(told, start=1))


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 2))


def _severity(item: Finding) -> Text:
    muted = " (muted)" if "muted" in item.labels else ""
    return Text(f"{item.severity}{muted}", style=_STYLES[item.severity])


def _what(item: Finding, between: str) -> Text:
    where = f" {visible(item.interface, 40)}" if item.interface else ""
    text = Text(f"{item.kind}{where}", style="bold")
    return text.append(
        f"{between}{visible(words.subject_text(item), 100)} {item.direction}", style="not bold"
    )


def _who(item: Finding) -> str:
    told = f"{words.peers_text(item.peers)}: {words.outcomes_text(item.outcomes)}"
    if item.fingerprints:
        told += f"; fingerprint {', '.join(item.fingerprints)}"
    return visible(told, LONGEST)
