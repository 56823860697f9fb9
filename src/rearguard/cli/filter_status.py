"""``rearguard filter status``: what is in force, what it counted, and what somebody should look at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from rearguard.cli.console import console
from rearguard.cli.group import settings
from rearguard.report.escape import visible

if TYPE_CHECKING:
    from rich.table import Table

    from rearguard.filters.apply.status import Counter, Status

__all__ = ["command"]

EXIT_ATTENTION = 3
LONGEST = 300


@click.command("status")
@click.option("--policy", "policy_file", metavar="FILE", help="Also compare with what this policy says now.")
@click.option(
    "--edge", metavar="NAME", help="At which edge this machine stands, where the policy has several."
)
@click.option("--outside", multiple=True, metavar="INTERFACE,...", help="As for apply.")
@click.option(
    "--state-dir", metavar="DIR", default="/var/lib/rearguard", show_default=True, help="As for apply."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    policy_file: str | None, edge: str | None, outside: tuple[str, ...], state_dir: str, as_json: bool
) -> int:
    """Say what filter is in force on this machine, what its rules counted, and whether it is still what was meant.

    Exit codes: 0 all is as it should be; 3 somebody should look: it was changed by somebody else, the policy says
    something else now, a drop's review date is past, or a timer died.

    \b
    Example: rearguard filter status --policy rearguard.yaml
    """
    from rearguard.cli.filter_apply import intent_of
    from rearguard.filters.apply.kernel import find_nft
    from rearguard.filters.apply.state import State
    from rearguard.filters.apply.status import status

    nft = find_nft()
    state = State(state_dir, make=False)
    waiting_or_kept = (state.read("waiting") or {}).get("record") or state.read("confirmed") or {}
    if policy_file is None:
        intent = None
    else:
        known = tuple(waiting_or_kept.get("outside", ()))
        intent = intent_of(policy_file, edge or waiting_or_kept.get("edge"), outside or known)
    found = status(nft, state, intent, datetime.now(UTC).date())
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        for line in _lines(found):
            click.echo(visible(line, LONGEST))
        if found.counters:
            console(settings()).print(_counters(found.counters))
    return EXIT_ATTENTION if found.attention else 0


def _lines(found: Status) -> Iterator[str]:
    from rearguard.filters.apply.durations import words_of

    if found.waiting is not None:
        yield f"waiting      {words_of(found.waiting)} are left to confirm it; then it is taken back"
    state = "yes" if found.in_force else "no"
    age = "" if found.age is None else f", applied {words_of(found.age)} ago"
    kept = f", confirmed {found.confirmed}" if found.confirmed else ""
    yield f"in force     {state}{age}{kept}"
    if found.edge is not None:
        yield f"edge         {found.edge}, at {', '.join(found.outside)}"
        yield f"policy       {found.policy}"
    if found.last is not None:
        why = f": {found.last['why']}" if found.last.get("why") else ""
        yield f"last         {found.last['event']} {found.last['at']}{why}"
    if found.drift == ():
        yield "drift        none: the kernel does what the policy says"
    for text in found.attention:
        yield f"LOOK         {text}"


def _counters(counters: tuple[Counter, ...]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, highlight=False)
    table.add_column("packets", justify="right")
    table.add_column("bytes", justify="right")
    table.add_column("what became of them")
    table.add_column("IP", justify="right")
    table.add_column("why", overflow="fold", ratio=1)
    done = {"drop": "dropped", "pass": "let through", "none": "counted no more"}
    for each in counters:
        table.add_row(
            f"{each.packets:,}",
            f"{each.bytes:,}",
            done[each.verdict],
            f"v{each.family}",
            Text(visible(f"{each.text}", LONGEST)),
        )
    return table
