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

    from rearguard.filters.apply.state import State
    from rearguard.filters.apply.status import Counter, Status
    from rearguard.filters.flowspec.look import Announced

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
    """Say what filter is in force on this machine, what it has announced, and whether that is still what was meant.

    Both the kernel's table (apply) and the rules given to routers (announce) are looked at, with what the kernel's
    rules counted and what the routers say that they hold. Exit codes: 0 all is as it should be; 3 somebody should
    look: it was changed by somebody else, the policy says something else now, a drop's review date is past, a timer
    died, or a peer does not hold what was announced.

    \b
    Example: rearguard filter status --policy rearguard.yaml
    """
    from rearguard.filters.apply.state import State
    from rearguard.filters.apply.status import NOTHING
    from rearguard.filters.flowspec.look import look
    from rearguard.model.errors import RearguardError

    state = State(state_dir, make=False)
    announced = look(state, _digest(policy_file))
    try:
        applied = _applied(state, policy_file, edge, outside)
    except RearguardError:
        # A machine that only announces needs no nftables.
        if announced is None or state.read("waiting") or state.read("confirmed"):
            raise
        applied = None
    attention = [*(applied.attention if applied else ()), *(announced.attention if announced else ())]
    if announced is not None and NOTHING in attention:
        attention.remove(NOTHING)
    if as_json:
        told = applied.to_json() if applied else {}
        told |= {"announced": announced.to_json() if announced else None, "attention": attention}
        click.echo(json.dumps(told, indent=2))
        return EXIT_ATTENTION if attention else 0
    for line in [*(_lines(applied) if applied else ()), *(_announced_lines(announced) if announced else ())]:
        click.echo(visible(line, LONGEST))
    for text in attention:
        click.echo(visible(f"LOOK         {text}", LONGEST))
    if applied and applied.counters:
        console(settings()).print(_counters(applied.counters))
    return EXIT_ATTENTION if attention else 0


def _applied(state: State, policy_file: str | None, edge: str | None, outside: tuple[str, ...]) -> Status:
    from rearguard.cli.filter_apply import intent_of
    from rearguard.filters.apply.kernel import find_nft
    from rearguard.filters.apply.status import status

    nft = find_nft()
    waiting_or_kept = (state.read("waiting") or {}).get("record") or state.read("confirmed") or {}
    if policy_file is None:
        intent = None
    else:
        known = tuple(waiting_or_kept.get("outside", ()))
        intent = intent_of(policy_file, edge or waiting_or_kept.get("edge"), outside or known)
    return status(nft, state, intent, datetime.now(UTC).date())


def _digest(policy_file: str | None) -> str | None:
    from rearguard.catalogue import load
    from rearguard.policy import load_policy

    return None if policy_file is None else load_policy(policy_file, load()).digest


def _announced_lines(found: Announced) -> Iterator[str]:
    from rearguard.filters.apply.durations import words_of
    from rearguard.filters.flowspec.announce import FAILS_OPEN

    why = f": {found.reason}" if found.reason else ""
    left = "" if found.left is None else f"; withdrawn in {words_of(found.left)}, at {found.ends}"
    yield f"announced    {found.state}{why}, by FlowSpec since {found.since}{left}"
    yield f"             edge {found.edge}, {found.rules} rules, policy {found.policy}"
    for name, peer in found.peers.items():
        yield (
            f"             {name}: session {peer.session}, {peer.rules} rules, fell {peer.falls} times; "
            f"read back: {peer.read_back}"
        )
    if found.left is not None:
        yield f"             {FAILS_OPEN}"


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
