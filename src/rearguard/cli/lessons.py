"""``rearguard lessons``: what earlier incidents teach, to look up, to search, to print and to hand on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rearguard.cli.group import settings

if TYPE_CHECKING:
    from rearguard.lessons.article.edition import Edition
    from rearguard.lessons.figures import Figure

__all__ = ["command"]

READERS = click.Choice(["manufacturer", "operator", "cloud", "regulator", "owner", "all"])
BY_ENDING = {
    ".md": "md",
    ".markdown": "md",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".csv": "csv",
    ".xlsx": "xlsx",
}
UNUSABLE = 2


@click.group(
    "lessons",
    invoke_without_command=True,
    epilog="Examples: `rearguard lessons show mirai-2016`, `rearguard lessons article --output lessons.pdf`",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """What earlier incidents teach: mechanisms, how often, how recent, what a border filter can do."""
    if ctx.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError("--json belongs behind the name of the subcommand")
        return
    from rearguard.cli.lessons_print import print_overview
    from rearguard.lessons import load

    print_overview(load(), settings(), as_json=as_json)


@command.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(name: str, as_json: bool) -> None:
    """Show an incident, mechanism, recommendation, clause, check or rule, and what it is tied to.

    \b
    Examples: rearguard lessons show misfortune-cookie-2014
              rearguard lessons show etsi-en-303-645/5.1-1
    """
    from rearguard.cli.lessons_print import print_entry
    from rearguard.lessons import load
    from rearguard.lessons.graph import load_graph

    print_entry(load(), load_graph(), name, settings(), as_json=as_json)


@command.command()
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many entries."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def search(words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find entries by words, the best first.

    \b
    Example: rearguard lessons search "firmware update unsigned"
    """
    from rearguard.cli.lessons_print import print_hits
    from rearguard.lessons import load
    from rearguard.lessons.search import index

    print_hits(index(load()).search(" ".join(words), limit), settings(), as_json=as_json)


@command.command()
@click.argument("figure", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Name all figures.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def why(figure: tuple[str, ...], listed: bool, as_json: bool) -> None:
    """Trace a number of the article to its records: by its name, its words, or the number itself.

    \b
    Example: rearguard lessons why "share a border could stop"
    """
    from rearguard.cli.lessons_print import print_figures
    from rearguard.lessons import load
    from rearguard.lessons.figures import figures
    from rearguard.lessons.why import why as traced

    if listed == bool(figure):
        raise click.UsageError("give either a FIGURE or --list")
    known = figures(load())
    found: tuple[Figure, ...] = tuple(known.values()) if listed else traced(known, " ".join(figure))
    print_figures(found, load(), settings(), as_json=as_json, brief=listed)


@command.command()
@click.option("--audience", type=READERS, help="For whom; all unless --short, which is for operators.")
@click.option(
    "--format", "form", type=click.Choice(["html", "pdf", "md"]), help="By default as --output ends, else md."
)
@click.option("--short", is_flag=True, help="Two pages, for mailing lists.")
@click.option("--output", metavar="FILE", default="-", help="Where to write; standard output by default.")
def article(audience: str | None, form: str | None, short: bool, output: str) -> None:
    """Write the article: what happened, why, what a border can stop, and who should do what.

    \b
    Example: rearguard lessons article --audience manufacturer --format pdf --output lessons.pdf
    """
    from rearguard.lessons import load
    from rearguard.lessons.article import build, render

    edition = _edition(audience or ("operator" if short else "all"), short=short)
    _write(render(build(load(), edition), _form(form, output, "md")), output)


@command.command()
@click.option("--audience", type=READERS, default="all", show_default=True, help="For whom.")
@click.option(
    "--format", "form", type=click.Choice(["xlsx", "csv", "md"]), help="By default as --output ends, else md."
)
@click.option("--output", metavar="FILE", default="-", help="Where to write; standard output by default.")
def checklist(audience: str, form: str | None, output: str) -> None:
    """Write a checklist: what to do, how it is checked, which clause asks for it, and a box to tick.

    \b
    Example: rearguard lessons checklist --audience operator --output checklist.xlsx
    """
    from rearguard.lessons import load
    from rearguard.lessons.checklist import checklist as made

    _write(made(load(), _edition(audience), _form(form, output, "md")), output)


@command.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["stix", "misp", "json", "csv"]),
    required=True,
    help="In which form.",
)
@click.option(
    "--table",
    type=click.Choice(["incidents", "mechanisms", "recommendations", "standards"]),
    default="incidents",
    show_default=True,
    help="What a CSV is of.",
)
@click.option("--output", metavar="FILE", default="-", help="Where to write; standard output by default.")
def export(form: str, table: str, output: str) -> None:
    """Write the knowledge base for other programs: STIX 2.1, a MISP event, JSON, or CSV.

    \b
    Example: rearguard lessons export --format stix --output lessons.stix.json
    """
    from rearguard.lessons import load
    from rearguard.lessons.article.edition import day_of
    from rearguard.lessons.export import export as made

    _write(made(load(), form, day_of(load()), table).encode("utf-8", "replace"), output)


@command.command()
@click.argument("findings", type=click.Path(), metavar="FINDINGS.JSON")
@click.option("--interface", metavar="NAME", help="Of the catalogue; by default the one with most contacts.")
@click.option("--output", metavar="FILE", default="-", help="Where to write; standard output by default.")
def draft(findings: str, interface: str | None, output: str) -> None:
    """Begin the record of an incident from an analysis: what is counted is in it, addresses are not.

    \b
    Example: rearguard lessons draft report/findings.json --output my-incident.yaml
    """
    from rearguard.lessons import load
    from rearguard.lessons.draft import WARNINGS, read_findings
    from rearguard.lessons.draft import draft as made

    text = made(load(), read_findings(Path(findings)), interface)
    _write(text.text.encode("utf-8", "replace"), output)
    if not settings().quiet:
        click.echo(
            f"{text.findings} findings went in; {text.open_lines} places are left to complete. "
            f"Call the file {text.name}.yaml. Before you share it:",
            err=True,
        )
        for line in WARNINGS:
            click.echo(f"- {line}", err=True)


@command.command()
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def validate(file: str, as_json: bool) -> int:
    """Say what is wrong with the record of an incident, and what would make it better; 2 when it cannot be taken.

    \b
    Example: rearguard lessons validate my-incident.yaml
    """
    from rearguard.cli.lessons_print import print_complaints
    from rearguard.lessons import load
    from rearguard.lessons.draft import unfinished
    from rearguard.lessons.graph import load_graph
    from rearguard.lessons.validate import validate as checked

    complaints = checked(Path(file), load(), load_graph())
    complaints = [*unfinished(Path(file)), *complaints]
    print_complaints(file, complaints, settings(), as_json=as_json)
    return UNUSABLE if any(each.error for each in complaints) else 0


@command.command()
@click.argument("kind", default="incident")
def schema(kind: str) -> None:
    """Print the JSON Schema of a kind of entry (incident, mechanism, ...), or of the JSON `export`.

    \b
    Example: rearguard lessons schema incident > incident.schema.json
    """
    import json

    from rearguard.lessons.export.whole import export_schema
    from rearguard.lessons.schema import json_schema

    made: dict[str, Any] = export_schema() if kind == "export" else json_schema(kind)
    click.echo(json.dumps(made, indent=2, ensure_ascii=False))


def _edition(audience: str, *, short: bool = False) -> Edition:
    from rearguard.lessons import load
    from rearguard.lessons.article.edition import edition_of

    return edition_of(load(), audience, short=short)


def _form(form: str | None, output: str, otherwise: str) -> str:
    """As asked for, else as the name of the file ends."""
    return form or BY_ENDING.get(Path(output).suffix.lower(), otherwise)


def _write(content: bytes, output: str) -> None:
    from rearguard.model.errors import Place, UsageError

    if output == "-":
        if sys.stdout.isatty() and content[:4] in (b"%PDF", b"PK\x03\x04"):
            raise UsageError("a terminal cannot show this", remedy="name a file with --output")
        sys.stdout.flush()
        left = memoryview(content)
        while left:  # an unbuffered standard output (PYTHONUNBUFFERED) takes a part at a time
            left = left[sys.stdout.buffer.write(left) :]
        return
    try:
        Path(output).write_bytes(content)
    except OSError as error:
        raise UsageError(
            f"the file cannot be written: {error.strerror}",
            remedy="name a place where you may write with --output",
            place=Place(file=output),
        ) from None
