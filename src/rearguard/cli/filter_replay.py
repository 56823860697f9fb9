"""``rearguard filter replay``: recorded traffic against the policy's filter, before it goes into force."""

from __future__ import annotations

import json

import click

from rearguard.cli.analyze import exit_code
from rearguard.cli.console import console, say
from rearguard.cli.group import settings
from rearguard.cli.progress import progress

__all__ = ["command"]

EXIT_CUT = 3


@click.command("replay")
@click.argument("paths", metavar="INPUT...", nargs=-1, required=True)
@click.option(
    "--policy", "policy_file", metavar="FILE", default="rearguard.yaml", show_default=True, help="The policy."
)
@click.option(
    "--also-drop",
    "also",
    multiple=True,
    metavar="INTERFACE[,…]",
    help="What if this were dropped too? Effect and collateral beside the present filter.",
)
@click.option("--exports", is_flag=True, help="Captures carry flow exports: read the flows in them.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="How many read at once; default: as many as help."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    paths: tuple[str, ...],
    policy_file: str,
    also: tuple[str, ...],
    exports: bool,
    workers: int | None,
    as_json: bool,
) -> int:
    """Say what the policy's filter would have done to recorded traffic: captures, flow files, logs.

    Exit codes: 0 done; 2 unusable input; 3 the filter, or a drop that is considered, would cut an authorised
    initiation; 4 part of the input could not be read.

    \b
    Examples:
      rearguard filter replay --policy rearguard.yaml last-week/*.nfcapd
      rearguard filter replay --policy rearguard.yaml border.pcap --also-drop telnet
    """
    from rearguard.report.replaying import replaying
    from rearguard.report.run import analyze

    chosen = settings()
    bar = progress(chosen)
    try:
        analysis = analyze(
            paths,
            policy_file=policy_file,
            networks=(),
            controllers=(),
            drops=(),
            workers=workers,
            progress=bar,
            exports=exports,
        )
    finally:
        bar.done()
    found = replaying(analysis, [name for text in also for name in text.split(",") if name])
    if as_json:
        click.echo(json.dumps({"policy": analysis.policy.digest, **found.to_json()}, indent=2))
    else:
        from rearguard.report.replay_text import render

        render(found, console(chosen))
    if not chosen.quiet:
        for note in analysis.notes:
            say(f"note: {note}")
    return EXIT_CUT if found.cuts_controllers else exit_code(analysis, None)
