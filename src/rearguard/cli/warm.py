"""``rearguard warm``: compile the kernels into the user's cache, once after installation."""

from __future__ import annotations

import time

import click

from rearguard.cli.console import say
from rearguard.cli.group import settings

__all__ = ["command"]


@click.command("warm")
def command() -> None:
    """Compile the kernels now, so that the first analysis starts at once."""
    from rearguard.report.run import warm

    begun = time.perf_counter()
    warm()
    if not settings().quiet:
        say(f"compiled in {time.perf_counter() - begun:.1f} s")
