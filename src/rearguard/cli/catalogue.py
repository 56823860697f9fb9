"""``rearguard catalogue``: the management interfaces that are known, as a table, an entry or JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from rearguard.catalogue import Catalogue, Interface, load

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["command"]

PIPE_WIDTH = 140  # columns for output that goes to a file or a pipe, where no terminal says how wide it is


@click.command(
    "catalogue",
    epilog="Examples: `rearguard catalogue cwmp-cr`, `rearguard catalogue --family upnp --json`",
)
@click.argument("name", metavar="[ID]", required=False)
@click.option("--family", metavar="FAMILY", help="Only the interfaces of this family, for instance cwmp.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(name: str | None, family: str | None, as_json: bool) -> None:
    """Show the management interfaces of the world: ports, who may open them, what a border drop breaks.

    With ID, everything that is known of one interface, with the sources.
    """
    catalogue = load()
    if name is not None:
        if family is not None:
            raise click.UsageError("give either an ID or --family")
        interface = catalogue.get(name)
        if as_json:
            click.echo(json.dumps(interface.to_json(), indent=2, ensure_ascii=False))
        else:
            _print_entry(interface)
        return
    interfaces = _chosen(catalogue, family)
    if as_json:
        click.echo(json.dumps([each.to_json() for each in interfaces], indent=2, ensure_ascii=False))
    else:
        _print_table(interfaces)


def _chosen(catalogue: Catalogue, family: str | None) -> tuple[Interface, ...]:
    if family is None:
        return catalogue.interfaces
    ids = catalogue.resolve([family])
    return tuple(interface for interface in catalogue.interfaces if interface.id in ids)


def _console() -> Console:
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(width=width, markup=False, emoji=False, highlight=False)


def _print_table(interfaces: tuple[Interface, ...]) -> None:
    from rich.table import Table

    table = Table(show_lines=True)
    for heading in ("interface", "ports", "listens", "who may open it", "what a border drop breaks"):
        table.add_column(heading, overflow="fold")
    for each in interfaces:
        table.add_row(
            f"{each.id}\n{each.title}",
            "\n".join(f"{port}{' (opt-in)' if port.opt_in else ''}" for port in each.ports),
            str(each.listener),
            "\n".join(each.initiators),
            each.collateral,
        )
    _console().print(table)


def _print_entry(interface: Interface) -> None:
    from rich.table import Table

    console = _console()
    console.print(f"{interface.id}: {interface.title}", style="bold")
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for heading, text in _facts(interface):
        facts.add_row(heading, text)
    console.print(facts)


def _facts(interface: Interface) -> list[tuple[str, str]]:
    """The rows of one entry, in reading order; what does not apply is left out."""
    rows = [("family", interface.family), ("listens", str(interface.listener))]
    for number, port in enumerate(interface.ports):
        marks = [str(port.standing)]
        marks += ["shared"] if port.shared else []
        marks += ["opt-in"] if port.opt_in else []
        note = f" - {port.note}" if port.note else ""
        rows.append(("ports" if number == 0 else "", f"{port} ({', '.join(marks)}){note}"))
    rows += [
        ("who may open it", ", ".join(interface.initiators)),
        ("from", interface.origin),
        ("a border drop breaks", interface.collateral),
    ]
    if interface.lan_only:
        rows.append(("LAN only", "reachable from the Internet it is critical"))
    if interface.amplifies:
        rows.append(("amplifies", interface.factor or "yes; no published factor was found"))
    if interface.mechanisms:
        rows.append(("mechanisms", ", ".join(interface.mechanisms)))
    if interface.incidents:
        rows.append(("incidents", ", ".join(interface.incidents)))
    for number, source in enumerate(interface.sources):
        rows.append(("sources" if number == 0 else "", f"{source.title}: {source.note}\n{source.url}"))
    return rows
