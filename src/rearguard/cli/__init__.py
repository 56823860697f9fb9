"""The command line: finds the command, and turns errors into one message and an exit code.

Exit codes: 0 done; 2 wrong usage or unusable input; 3 done, something at or above ``--fail-on`` was found;
4 done, part of the input could not be read; 130 interrupted; 141 the reader of the output went away;
143 terminated. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import click

from rearguard import __version__
from rearguard.cli.group import LazyGroup, OutputClosedError, Settings
from rearguard.model.errors import RearguardError
from rearguard.report.escape import visible

__all__ = ["COMMANDS", "main", "root"]

COMMANDS = {
    "analyze": ("rearguard.cli.analyze", "Say who tried which management interface, and what came back."),
    "catalogue": ("rearguard.cli.catalogue", "Show the management interfaces that Rearguard knows."),
    "lessons": ("rearguard.cli.lessons", "What earlier incidents teach: look up, search, print, hand on."),
    "filter": ("rearguard.cli.filter", "Write the filters that follow from the policy, and prove them."),
    "policy": ("rearguard.cli.policy", "Write, check and explain rearguard.yaml."),
    "simulate": (
        "rearguard.cli.simulate",
        "Make an operator's day as packets or flows, with the truth beside it.",
    ),
    "warm": ("rearguard.cli.warm", "Compile the kernels now, so that the first analysis starts at once."),
}
"""Name to module (its attribute ``command``) and the line that the help shows without importing it."""

EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_PIPE = 128 + signal.SIGPIPE
EXIT_TERMINATED = 128 + signal.SIGTERM


@click.group(cls=LazyGroup, commands_table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rearguard")
def root() -> None:
    """Guard the back gate: who may manage what, from where?"""


def main() -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a text file of the interpreter
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; messages go to standard error."""
    try:
        code = root.main(arguments, prog_name="rearguard", standalone_mode=False, obj=Settings())
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return EXIT_UNUSABLE
    except RearguardError as error:
        click.echo("\n".join(visible(line) for line in f"error: {error}".splitlines()), err=True)
        return EXIT_UNUSABLE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; no report was changed", err=True)
        return EXIT_INTERRUPTED
    except (BrokenPipeError, OutputClosedError):
        # What is still buffered for the reader who went away must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    return code if isinstance(code, int) else 0


def _terminate(number: int, frame: FrameType | None) -> None:
    """Leave through the ``finally`` clauses, so that drafts and children go too."""
    sys.exit(EXIT_TERMINATED)
