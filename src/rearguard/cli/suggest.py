"""``rearguard policy suggest``: a policy to start from, out of captured traffic."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click

from rearguard.cli.console import say
from rearguard.cli.group import settings
from rearguard.cli.progress import progress
from rearguard.model.errors import Place, UsageError

__all__ = ["command"]

EXIT_PARTLY_READ = 4


@click.command("suggest")
@click.argument("paths", metavar="CAPTURE...", nargs=-1, required=True)
@click.option(
    "--network", "networks", multiple=True, metavar="PREFIX", help="Managed devices live here; then only "
    "controllers are looked for."
)  # fmt: skip
@click.option("--output", metavar="FILE", help="Write it here instead of printing it; never overwrites.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a policy.")
def command(paths: tuple[str, ...], networks: tuple[str, ...], output: str | None, as_json: bool) -> int:
    """Propose networks and controllers from what captures show, as a commented rearguard.yaml.

    Only networks are proposed as values. What looks like a controller or a surveyor is written as a comment
    with its evidence, marked unsure: nothing that is guessed becomes a permit.

    \b
    Example: rearguard policy suggest border.pcapng --output rearguard.yaml
    """
    from rearguard.catalogue import load
    from rearguard.report.suggestion import policy_text, suggest
    from rearguard.sources import expand
    from rearguard.sources.inputs import STDIN

    if output is not None and as_json:
        raise UsageError("--json prints and writes no policy", remedy="leave out --json or --output")
    if output is not None and Path(output).exists():
        raise _exists(output)
    bar = progress(settings())
    uris = expand(paths)
    total = None if STDIN in uris else sum(Path(uri).stat().st_size for uri in uris)
    with tempfile.TemporaryDirectory(prefix="rearguard-") as folder:
        bar.start(total, "reading")
        try:
            found = suggest(uris, networks, load(), Path(folder), bar.advance)
        finally:
            bar.done()
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    elif output is None:
        click.echo(policy_text(found), nl=False)
    else:
        _write(output, policy_text(found))
        if not settings().quiet:
            say(f"{output} written: read its comments, then run `rearguard policy check {output}`")
    for text in found.damaged:
        say(f"read in part: {text}")
    return EXIT_PARTLY_READ if found.damaged else 0


def _write(output: str, text: str) -> None:
    try:
        with Path(output).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _exists(output) from None
    except OSError as error:
        raise UsageError(
            f"the file cannot be written: {error.strerror}",
            remedy="name a place where you may write with --output",
            place=Place(file=output),
        ) from None


def _exists(output: str) -> UsageError:
    return UsageError(
        "the file exists and is left as it is",
        remedy="name another one with --output, or move it away",
        place=Place(file=output),
    )
