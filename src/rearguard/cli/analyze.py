"""``rearguard analyze``: read traffic, say who tried which management interface, and what came back."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rearguard.cli.console import console, say
from rearguard.cli.group import Settings, settings
from rearguard.cli.progress import progress
from rearguard.model.errors import Place, UsageError
from rearguard.model.finding import Severity

if TYPE_CHECKING:
    from rearguard.report.analysis import Analysis
    from rearguard.report.charts import Studio

__all__ = ["command", "exit_code"]

EXIT_FOUND = 3
EXIT_PARTLY_READ = 4


EPILOG = """\b
Examples:
  rearguard analyze border.pcap --network 198.51.100.0/24
  rearguard analyze captures/ --policy rearguard.yaml --output report
  rearguard analyze border.pcap --policy rearguard.yaml --output report \\
      --subscribers leases.csv --inventory devices.csv
  rearguard analyze border.pcap --policy rearguard.yaml --output for-others --share
  rearguard analyze exports.pcap --exports --policy rearguard.yaml
  rearguard analyze /var/cache/nfdump conn.log --policy rearguard.yaml

\b
leases.csv:   address,ports,from,to,subscriber,contact
devices.csv:  address,subscriber,model,firmware,connection request url,fixed in
"""


@click.command("analyze", epilog=EPILOG)
@click.argument("paths", nargs=-1, required=True)
@click.option("--policy", "policy_file", metavar="FILE", help="The operator's policy (rearguard.yaml).")
@click.option("--network", "networks", multiple=True, metavar="PREFIX", help="Managed devices live here.")
@click.option(
    "--controller",
    "controllers",
    multiple=True,
    metavar="PREFIX[=INTERFACE,…]",
    help="May manage devices, in both roles.",
)
@click.option("--drop", "drops", multiple=True, metavar="INTERFACE[,…]", help="What the border shall stop.")
@click.option(
    "--subscribers",
    metavar="FILE",
    help="Leases as CSV: who had which address when. Cases then name subscribers.",
)
@click.option("--inventory", metavar="FILE", help="Devices as CSV: findings then name and count models.")
@click.option(
    "--exports",
    is_flag=True,
    help="Captures carry flow exports (NetFlow, IPFIX, sFlow): read the flows in them, not the packets.",
)
@click.option(
    "--shadowserver",
    multiple=True,
    metavar="FILE",
    help="A report of Shadowserver (scan_cwmp ...): what it saw open is joined with what was seen here.",
)
@click.option("-o", "--output", metavar="DIR", help="Write the report there: page, findings, cases, filter.")
@click.option("--share", is_flag=True, help="Redacted: no address of a customer, no secret of a payload.")
@click.option("--json", "as_json", is_flag=True, help="Print findings.json instead of the summary.")
@click.option(
    "--fail-on",
    type=click.Choice([str(level) for level in Severity]),
    help="Exit with 3 when something this severe was found.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), help="How many read at once; default: as many as help."
)
@click.option("--timings", metavar="FILE", help="Write the seconds of every stage as JSON.")
def command(
    paths: tuple[str, ...],
    policy_file: str | None,
    networks: tuple[str, ...],
    controllers: tuple[str, ...],
    drops: tuple[str, ...],
    subscribers: str | None,
    inventory: str | None,
    exports: bool,
    shadowserver: tuple[str, ...],
    output: str | None,
    share: bool,
    as_json: bool,
    fail_on: str | None,
    workers: int | None,
    timings: str | None,
) -> int:
    """Analyze packets and flows: files, folders, globs, or - for standard input.

    \b
    What an input is, is told by its content, packed or not:
      captures     pcap, pcapng; with --exports, the NetFlow v1/v5/v7/v9,
                   IPFIX and sFlow v5 datagrams in them
      flow files   nfcapd (nfdump 1.6 and 1.7), IPFIX
      logs         Zeek conn.log, Suricata eve.json
      tables       CSV, JSON lines and Parquet of goflow2, pmacct, nfdump,
                   Akvorado, argus; any other with columns in the policy
    Details: docs/decoding.md, docs/flows.md.

    Exit codes: 0 done, 2 unusable input, 3 something at or above --fail-on was found (muted findings do not
    count), 4 part of the input could not be read.
    """
    chosen = settings()
    folder = None if output is None else Path(output)
    with ExitStack() as stack:
        studio = None
        if folder is not None:
            from rearguard.report.charts import Studio
            from rearguard.report.write import check_folder

            check_folder(folder)
            if share:
                _check_nothing_else_there(folder)
            studio = stack.enter_context(Studio())
        from rearguard.report.run import analyze

        bar = progress(chosen)
        stack.callback(bar.done)
        analysis = analyze(
            paths,
            policy_file=policy_file,
            networks=networks,
            controllers=controllers,
            drops=drops,
            inventory=inventory,
            subscribers=subscribers,
            exports=exports,
            shadowserver=shadowserver,
            workers=workers,
            progress=bar,
        )
        bar.done()
        _tell(_redacted(analysis) if share else analysis, chosen, folder, studio, as_json)
    _timings(analysis, chosen, timings)
    return exit_code(analysis, fail_on)


def exit_code(analysis: Analysis, fail_on: str | None) -> int:
    """3 wins over 4; a muted finding (exception, surveyor) is reported but fails nothing."""
    if fail_on is not None:
        least = Severity(fail_on).rank
        if any(item.severity.rank >= least and "muted" not in item.labels for item in analysis.findings):
            return EXIT_FOUND
    whole = all(item.complete and item.damaged is None for item in analysis.sources)
    return 0 if whole else EXIT_PARTLY_READ


def _check_nothing_else_there(folder: Path) -> None:
    """What an older report left there, cases above all, would be handed on with the redacted one."""
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty, and what is in it is not redacted",
            remedy="name a new folder for the edition that you share",
            place=Place(key="--share"),
        )


def _redacted(analysis: Analysis) -> Analysis:
    """The edition that may leave the house; imported only when it is asked for."""
    from rearguard.report.share import redacted

    return redacted(analysis)


def _tell(
    analysis: Analysis, chosen: Settings, folder: Path | None, studio: Studio | None, as_json: bool
) -> None:
    written = None
    if folder is not None and studio is not None:
        from rearguard.report.write import write_report

        written = write_report(analysis, folder, studio)
    if as_json:
        from rearguard.report.findings_json import dumps

        click.echo(dumps(analysis), nl=False)
        if not chosen.quiet:
            for note in analysis.notes:
                say(f"note: {note}")
    elif not chosen.quiet:
        from rearguard.report.terminal import render

        render(analysis, console(chosen))
    if written is not None and not chosen.quiet:
        click.echo(f"\nreport: {written[-1]}" if not as_json else f"report: {written[-1]}", err=as_json)


def _timings(analysis: Analysis, chosen: Settings, file: str | None) -> None:
    if chosen.verbose:
        for stage, seconds in analysis.timings.items():
            say(f"{seconds:8.3f} s  {stage}")
    if file is not None:
        try:
            Path(file).write_text(json.dumps(analysis.timings, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"the timings could not be written: {error.strerror}",
                remedy="name a file in a folder that you may write to",
                place=Place(file=file),
            ) from error
