"""How `rearguard lessons` prints: tables for people, JSON for programs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from rearguard.report.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from rearguard.cli.group import Settings
    from rearguard.lessons import Knowledge
    from rearguard.lessons.figures import Figure
    from rearguard.lessons.graph import Graph, Node
    from rearguard.lessons.search import Hit
    from rearguard.lessons.validate import Complaint

__all__ = ["print_complaints", "print_entry", "print_figures", "print_hits", "print_overview"]

NUMBERS = frozenset({"incidents", "share", "score", "stopped", "in part", "not"})
"""Headings of columns that hold numbers."""

TIED = frozenset({"id", "title", "mechanisms", "interfaces"})
"""Keys of an entry that the heading or the list of what it is tied to says already; of a check its clauses, too."""

PIPE_WIDTH = 120
"""Columns for output that goes to a file or a pipe, where no terminal says how wide it is."""


def print_overview(knowledge: Knowledge, chosen: Settings, *, as_json: bool) -> None:
    """The mechanisms by frequency, with their newest incident and what a border filter would have done."""
    from rearguard.lessons.figures import overview
    from rearguard.lessons.groups import VERDICTS

    known = overview(knowledge)
    rows: list[dict[str, Any]] = []
    for each in knowledge.mechanisms:
        name = f"mechanism-{each.id}"
        some = knowledge.incidents_by(each.id)
        newest = max(some, key=lambda one: (one.date, one.id)) if some else None
        rows.append(
            {
                "id": each.id, "title": each.title, "incidents": known[name].value,
                "share": known[f"{name}-share"].value, "newest": newest.date if newest else None,
                "newest_incident": newest.id if newest else None,
                "border_filter": {verdict: known[f"{name}-border-{verdict}"].value for verdict in VERDICTS},
            }
        )  # fmt: skip
    rows.sort(key=lambda row: (-row["incidents"], row["id"]))
    if as_json:
        _json(rows)
        return
    table = _table("mechanism", "incidents", "share", "newest", "stopped", "in part", "not")
    for row in rows:
        border = row["border_filter"]
        table.add_row(
            f"{row['title']}\n{row['id']}", str(row["incidents"]), f"{row['share']} %", row["newest"] or "",
            str(border["yes"]), str(border["partly"]), str(border["no"]),
        )  # fmt: skip
    _console(chosen).print(table)
    if not chosen.quiet:
        stop = [known[f"border-{verdict}"].value for verdict in ("yes", "partly", "no")]
        span = f"{known['first-year'].value} to {known['last-year'].value}"
        click.echo(
            f"{known['incidents'].value} incidents, {span}. A border filter would have stopped {stop[0]}, "
            f"helped in part in {stop[1]} and not helped in {stop[2]}: the last three columns."
        )


def print_entry(knowledge: Knowledge, graph: Graph, name: str, chosen: Settings, *, as_json: bool) -> None:
    """One entry of any kind, then what it is tied to."""
    from rearguard.lessons.standards import named

    node = graph.resolve(name)
    entry = _entry(knowledge, node)
    related = [(says, other) for other, says in graph.related(str(node))]
    if as_json:
        ties = [
            {
                "relation": says,
                "kind": other.kind,
                "id": other.id,
                "title": other.title,
                **({"evidence": other.evidence} if other.evidence else {}),
            }
            for says, other in related
        ]
        _json({"kind": node.kind, "id": node.id, "title": node.title, "entry": entry, "related": ties})
        return
    console = _console(chosen)
    heading = visible(named(node.id, node.evidence))
    console.print(f"{node.kind} {heading}: {visible(node.title)}", style="bold")
    facts = _facts()
    tied = TIED | ({"clauses"} if node.kind == "check" else set())
    for key, value in entry.items():
        if key not in tied and value not in (None, [], "", {}):
            facts.add_row(key.replace("_", " "), _said(value))
    told = ""
    for says, other in sorted(related, key=lambda each: (each[0], each[1].kind, each[1].id)):
        other_name = visible(named(other.id, other.evidence))
        facts.add_row(says if says != told else "", f"{other_name}  {visible(other.title, 90)}")
        told = says
    console.print(facts)


def _entry(knowledge: Knowledge, node: Node) -> dict[str, Any]:
    """The record behind a node; nodes that are numbers of others have none."""
    from rearguard.catalogue import load as load_catalogue

    if node.kind == "clause":
        return knowledge.clause(node.id).model_dump(mode="json")
    if node.kind == "interface":
        return dict(load_catalogue().get(node.id).to_json())
    tables: dict[str, Sequence[Any]] = {
        "incident": knowledge.incidents, "mechanism": knowledge.mechanisms, "shape": knowledge.shapes,
        "recommendation": knowledge.recommendations, "standard": knowledge.documents, "check": knowledge.checks,
        "finding": knowledge.findings,
    }  # fmt: skip
    for each in tables.get(node.kind, ()):
        if each.id == node.id:
            made: dict[str, Any] = each.model_dump(mode="json")
            if node.kind == "recommendation":
                keys = {"id", "document", "statement", "evidence", "note"}
                made["clauses"] = [one.model_dump(mode="json", include=keys) for one in each.standards]
            return made
    return {}


def _said(value: Any, *, inside: bool = False) -> str:
    """A value of a record in words: lists a line an item, mappings without what is empty."""
    if isinstance(value, list) and not inside:
        return "\n".join(f"- {_said(each)}" for each in value)
    if isinstance(value, list):
        return ", ".join(_said(each, inside=True) for each in value)
    if isinstance(value, dict):
        return "; ".join(
            f"{key.replace('_', ' ')}: {_said(each, inside=True)}"
            for key, each in value.items()
            if each not in (None, [], "")
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(str(value))


def print_hits(hits: Sequence[Hit], chosen: Settings, *, as_json: bool) -> None:
    """What a search found; a line says so when it is nothing."""
    from rearguard.lessons.standards import named

    if as_json:
        _json(
            [
                {
                    "kind": hit.kind,
                    "id": hit.id,
                    "title": hit.title,
                    "score": hit.score,
                    "matched": list(hit.matched),
                    **({"evidence": hit.evidence} if hit.evidence else {}),
                }
                for hit in hits
            ]
        )
        return
    if not hits:
        click.echo("nothing has these words")
        return
    table = _table("kind", "id", "title", "score")
    for hit in hits:
        table.add_row(hit.kind, visible(named(hit.id, hit.evidence)), visible(hit.title), f"{hit.score:.1f}")
    _console(chosen).print(table)


def print_figures(
    found: Iterable[Figure], knowledge: Knowledge, chosen: Settings, *, as_json: bool, brief: bool
) -> None:
    """Figures with how they were counted and the records behind them.

    ``brief``: names and values only, as also for what many figures have beyond the first few.
    """
    from rearguard.lessons.why import MOST

    found = tuple(found)
    if as_json:
        _json([{**each.to_json(), **_evidence(knowledge, each)} for each in found])
        return
    _print_whole(() if brief else found[:MOST], knowledge, chosen)
    rest = found if brief else found[MOST:]
    if rest and not brief:
        click.echo(f"\n{len(rest)} more have this value; ask for one by its name:")
    for each in rest:
        click.echo(f"{each.name}: {each.shown} ({visible(each.title)})")


def _evidence(knowledge: Knowledge, given: Figure) -> dict[str, dict[str, str]]:
    """How far the clauses among its records were checked."""
    found = {name: knowledge.clauses[name][1].evidence for name in given.records if "/" in name}
    return {"evidence": dict(found)} if found else {}


def _print_whole(found: Iterable[Figure], knowledge: Knowledge, chosen: Settings) -> None:
    from rearguard.lessons.standards import named

    console = _console(chosen)
    titles = {each.id: each.title for each in knowledge.incidents}
    titles |= {each.id: each.title for each in knowledge.mechanisms}
    titles |= {each.id: each.recommendation for each in knowledge.recommendations}
    clauses = {name: clause for name, (_, clause) in knowledge.clauses.items()}
    titles |= {name: clause.statement for name, clause in clauses.items()}
    shown = {name: named(name, clause.evidence) for name, clause in clauses.items()}
    for each in found:
        console.print(f"{each.shown}: {visible(each.title)}", style="bold")
        facts = _facts()
        facts.add_row("name", each.name)
        facts.add_row("how", visible(each.how))
        among = f" of {len(each.among)}" if each.among else ""
        lines = [
            f"{visible(shown.get(name, name))}  {visible(titles.get(name, ''), 70)}".rstrip()
            for name in each.records
        ]
        facts.add_row(f"records ({len(each.records)}{among})", "\n".join(lines) or "none")
        console.print(facts)


def print_complaints(file: str, complaints: Sequence[Complaint], chosen: Settings, *, as_json: bool) -> None:
    """What is wrong with a record; one line says so when it is nothing."""
    if as_json:
        said = [
            {
                "error": each.error, "problem": each.problem, "remedy": each.remedy,
                "line": each.place.line, "key": each.place.key,
            }
            for each in complaints
        ]  # fmt: skip
        _json({"file": file, "valid": not any(each.error for each in complaints), "complaints": said})
        return
    for each in complaints:
        click.echo("\n".join(visible(line) for line in str(each).splitlines()))
    if chosen.quiet:
        return
    errors = sum(each.error for each in complaints)
    if errors:
        click.echo(f"{visible(file)}: {errors} to correct, {len(complaints) - errors} advice")
    else:
        click.echo(f"{visible(file)}: a whole record{f', {len(complaints)} advice' if complaints else ''}")


def _json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _table(*headings: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        right = heading in NUMBERS
        table.add_column(heading, overflow="fold", justify="right" if right else "left")
    return table


def _facts() -> Table:
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _console(chosen: Settings) -> Console:
    from rearguard.cli.console import console

    made = console(chosen)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPE_WIDTH
    return made
