"""``rearguard filter withdraw``: end an announcement before its time."""

from __future__ import annotations

import json

import click

from rearguard.cli.console import say
from rearguard.cli.filter_announce import status_lines
from rearguard.cli.group import settings

__all__ = ["command"]


@click.command("withdraw")
@click.option(
    "--state-dir", metavar="DIR", default="/var/lib/rearguard", show_default=True, help="As for announce."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(state_dir: str, as_json: bool) -> None:
    """Take back what `rearguard filter announce` sent: the drops first, then the permits; then the speaker ends.

    \b
    Example: rearguard filter withdraw
    """
    from rearguard.filters.apply.state import State
    from rearguard.filters.flowspec.announce import withdraw

    found = withdraw(State(state_dir, make=True))
    if as_json:
        click.echo(json.dumps({"status": found}, indent=2))
    elif found is None:
        say("nothing was announced from here")
    elif not settings().quiet:
        click.echo("\n".join(status_lines(found)))
