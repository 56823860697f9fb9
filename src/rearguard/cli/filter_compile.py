"""``rearguard filter compile``: the filters that follow from the policy, each with a change ticket."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rearguard.cli.console import say
from rearguard.cli.filter_files import read_text, write_files
from rearguard.cli.filter_options import ENTRIES, EXISTING, HARDWARE, POLICY, RESIDUALS, room_of
from rearguard.cli.group import settings
from rearguard.model.errors import UsageError

if TYPE_CHECKING:
    from rearguard.filters.flowspec.plan import Plan
    from rearguard.filters.platforms import Compiled

__all__ = ["command"]


@click.command("compile")
@POLICY
@click.option("--platform", "platforms", required=True, metavar="NAME,...", help="For which routers.")
@click.option("--output", required=True, metavar="DIR", help="The folder to write to; it is made.")
@click.option("--edge", "only", metavar="NAME", help="Only this edge of the policy.")
@EXISTING
@RESIDUALS
@HARDWARE
@ENTRIES
@click.option(
    "--hits",
    "replayed",
    metavar="FILE",
    help="What `filter replay --json` printed for this policy: the hits that the ticket expects.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: files, sizes, lessons.")
def command(
    policy_file: str,
    platforms: str,
    output: str,
    only: str | None,
    existing: str | None,
    accepted: tuple[str, ...],
    hardware: str | None,
    entries: int | None,
    replayed: str | None,
    as_json: bool,
) -> None:
    """Write the filter of each edge for each platform, proven, with a change ticket beside it.

    Of a drop whose review_by is past it warns. --accept-residual PLATFORM:NAME is for one of several platforms.

    \b
    Examples:
      rearguard filter compile --platform nftables,cisco-ios --output filters/
      rearguard filter compile --platform junos --existing running.conf --hits replay.json --output filters/
    """
    from rearguard.catalogue import load
    from rearguard.cli.lessons_of_drops import compiled_json, sentences
    from rearguard.filters.acceptance import shared_out, together
    from rearguard.filters.compile import compile_filter, edges
    from rearguard.filters.flowspec.files import FLOWSPEC, files_of
    from rearguard.filters.flowspec.plan import plan_for
    from rearguard.filters.guards import check
    from rearguard.filters.hits import read_hits
    from rearguard.filters.platforms import compile_for, platform_of
    from rearguard.filters.residual import ResidualError
    from rearguard.filters.ticket import overdue, ticket
    from rearguard.policy import load_policy

    catalogue = load()
    policy = load_policy(policy_file, catalogue)
    made = datetime.now(UTC).date()
    names = edges(policy)
    if only is not None and only not in names:
        raise UsageError(f"the policy has no edge {only!r}", remedy=f"its edges are {', '.join(names)}")
    asked = list(dict.fromkeys(name.strip() for name in platforms.split(",")))
    chosen = [platform_of(name) for name in asked if name != FLOWSPEC]
    told = shared_out(accepted, asked)
    hits = None if replayed is None else read_hits(read_text(replayed), replayed, policy.digest)
    texts = None if existing is None else {existing: read_text(existing)}
    room = room_of(hardware, entries)
    files: dict[str, str] = {}
    late: dict[str, None] = {}
    results: list[Compiled] = []
    plans: list[Plan] = []
    refused: dict[str, ResidualError] = {}
    for edge in names if only is None else (only,):
        given = compile_filter(policy, catalogue, edge)
        check(policy, catalogue, given)
        late |= dict.fromkeys(overdue(given, made))
        stem = "border" if len(names) == 1 else f"border-{edge}"
        for platform in chosen:
            try:
                one = compile_for(
                    given,
                    platform,
                    stem=stem,
                    made=made,
                    accepted=told[platform.name],
                    existing=texts,
                    room=room,
                )
            except ResidualError as error:
                refused.setdefault(platform.name, error)
                continue
            files |= one.written.files
            files[f"{stem}-{platform.name}.md"] = ticket(given, one, made, sentences(one.filter), hits)
            results.append(one)
        if FLOWSPEC in asked:
            try:
                plans.append(plan_for(policy, catalogue, edge, told[FLOWSPEC], entries=entries))
            except ResidualError as error:
                refused.setdefault(FLOWSPEC, error)
                continue
            files |= files_of(plans[-1], stem, sentences(plans[-1].filter), hits)
    if refused:
        raise together(refused)
    write_files(Path(output), files)
    if not settings().quiet:
        for text in late:
            say(f"warning: {text}")
        if hits is not None and hits.cuts:
            say(
                f"warning: by {replayed} the filter cuts {hits.cuts:,} authorised initiations: do not apply it"
            )
    if as_json:
        click.echo(compiled_json(files, results, plans))
    elif not settings().quiet:
        for one in results:
            _tell(one)
        say(f"{len(files)} files written to {output}")


def _tell(one: Compiled) -> None:
    for change in one.written.changes:
        say(
            f"{one.platform.name}: {change.name}: {change.after:,} entries ({change.before:,} written out), "
            f"{change.cost:,} of hardware; {change.place}"
        )
    for residual in one.residuals:
        say(f"{one.platform.name}: residual {residual}")
