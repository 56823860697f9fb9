"""A group whose commands are imported when they are used, with options that may stand anywhere.

``--quiet``, ``--verbose`` and ``--no-color`` are given to the group, to every command and to every
subcommand, so that they work before and after a command's name. A command reads them with :func:`settings`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

__all__ = ["LazyGroup", "OutputClosedError", "Settings", "no_color", "settings"]


class OutputClosedError(Exception):
    """The reader of standard output went away."""


@dataclass(slots=True)
class Settings:
    """How to talk: set by options wherever they stand. ``color`` None: as the terminal can."""

    quiet: bool = False
    verbose: bool = False
    color: bool | None = None


def settings() -> Settings:
    """The settings of the running command line."""
    return click.get_current_context().ensure_object(Settings)


class LazyGroup(click.Group):
    """A group over a table: name to (module, short help). The module has it as ``command``."""

    def __init__(self, *args: Any, commands_table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = commands_table
        _add_common(self)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; click itself would end the program when the output breaks off."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise OutputClosedError from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted; nothing is imported."""
        return sorted(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None when there is no such name."""
        if cmd_name not in self._table:
            return None
        command = import_module(self._table[cmd_name][0]).command
        assert isinstance(command, click.Command)
        _add_common(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of the help, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._table[name][1]) for name in self.list_commands(ctx)])


def _add_common(command: click.Command) -> None:
    """Give the common options to a command and what is below it; those it has itself are left to it."""
    taken = {option for parameter in command.params for option in parameter.opts}
    command.params += [option for option in _common() if not taken.intersection(option.opts)]
    if isinstance(command, click.Group) and not isinstance(command, LazyGroup):
        for child in command.commands.values():
            _add_common(child)


def _common() -> list[click.Option]:
    return [
        _flag(["-q", "--quiet"], "quiet", "Print errors and what was asked for, nothing else."),
        _flag(["-v", "--verbose"], "verbose", "Also say where the time went."),
        _flag(["--no-color"], "color", "Never use colours (so does NO_COLOR in the environment)."),
    ]


def _flag(names: list[str], attribute: str, text: str) -> click.Option:
    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            setattr(ctx.ensure_object(Settings), attribute, attribute != "color")

    return click.Option(names, is_flag=True, expose_value=False, callback=remember, help=text)


def no_color(chosen: Settings) -> bool:
    """Whether colours are forbidden (https://no-color.org: any non-empty value of NO_COLOR)."""
    return chosen.color is False or bool(os.environ.get("NO_COLOR"))
