"""Where commands print: consoles with the user's choice of colours, made when something is printed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from rearguard.cli.group import Settings, no_color
from rearguard.report.escape import visible

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "say"]


def console(chosen: Settings, *, stderr: bool = False) -> Console:
    """A rich console without highlighting, markup and emoji codes: what is printed is what was meant."""
    from rich.console import Console

    return Console(
        file=sys.stderr if stderr else sys.stdout,
        no_color=no_color(chosen),
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def say(text: str) -> None:
    """One line on standard error, harmless whatever it says."""
    click.echo(visible(text), err=True)
