"""``rearguard filter confirm``: keep the filter that waits, or take it back at once."""

from __future__ import annotations

import click

from rearguard.cli.group import settings

__all__ = ["command"]


@click.command("confirm")
@click.option("--revert", "take_back", is_flag=True, help="Take it back now instead of keeping it.")
@click.option(
    "--state-dir", metavar="DIR", default="/var/lib/rearguard", show_default=True, help="As for apply."
)
def command(take_back: bool, state_dir: str) -> None:
    """Keep the filter that `rearguard filter apply` put in force; the timer that takes it back ends.

    Refused where the kernel no longer holds what was applied.

    \b
    Example: rearguard filter confirm
    """
    from rearguard.filters.apply.kernel import find_nft
    from rearguard.filters.apply.state import State
    from rearguard.filters.apply.transact import confirm, revert

    nft = find_nft()
    state = State(state_dir, make=True)
    if take_back:
        revert(nft, state)
        told = "taken back: the kernel holds what it held before"
    else:
        record = confirm(nft, state)
        told = f"confirmed: the filter of the edge {record['edge']} stays in force"
    if not settings().quiet:
        click.echo(told)
