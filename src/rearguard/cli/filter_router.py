"""``rearguard filter apply --platform ROUTER``: a change that takes itself back, as files or through NAPALM."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from rearguard.cli.console import say
from rearguard.cli.filter_files import read_text, write_files
from rearguard.cli.group import settings
from rearguard.model.errors import Place, UsageError
from rearguard.report.escape import visible

__all__ = ["apply_to_router"]


def apply_to_router(
    platform: str,
    policy_file: str,
    edge: str | None,
    seconds: int,
    output: str | None,
    accepted: tuple[str, ...],
    existing: str | None,
    device: str | None,
    user: str | None,
    dry_run: bool,
) -> int:
    """Write candidate, rollback and commands for each edge; with a device, load it there on probation."""
    from rearguard.catalogue import load
    from rearguard.filters.apply.router import rollout
    from rearguard.filters.compile import compile_filter, edges
    from rearguard.filters.guards import check
    from rearguard.filters.platforms import compile_for, platform_of
    from rearguard.policy import load_policy

    _complete(output, device, user, dry_run)
    catalogue = load()
    policy = load_policy(policy_file, catalogue)
    chosen = platform_of(platform)
    names = edges(policy)
    if edge is not None and edge not in names:
        raise UsageError(f"the policy has no edge {edge!r}", remedy=f"its edges are {', '.join(names)}")
    if device is not None and edge is None and len(names) > 1:
        raise UsageError("one device stands at one edge", remedy=f"say which: --edge {'|'.join(names)}")
    old = None if existing is None else read_text(existing)
    in_force = None if existing is None or old is None else {existing: old}
    files: dict[str, str] = {}
    made = datetime.now(UTC).date()
    candidate = ""
    for name in names if edge is None else (edge,):
        given = compile_filter(policy, catalogue, name)
        check(policy, catalogue, given)
        stem = "border" if len(names) == 1 else f"border-{name}"
        compiled = compile_for(given, chosen, stem=stem, made=made, accepted=accepted, existing=in_force)
        found = rollout(given, compiled, stem, old)
        candidate = found.candidate
        files |= found.files
        files[f"{found.stem}-commands.txt"] = found.commands(platform, seconds)
        if not settings().quiet:
            for residual in compiled.residuals:
                say(f"residual {residual}")
    if output is not None:
        write_files(Path(output), files)
        if not settings().quiet:
            say(f"{len(files)} files written to {output}: follow {', '.join(_commands(files))}")
    if device is not None and user is not None:
        _push(platform, device, user, candidate, seconds, dry_run)
    return 0


def _push(platform: str, device: str, user: str, candidate: str, seconds: int, dry_run: bool) -> None:
    from rearguard.filters.apply.devices import driver_for, push

    driver_for(platform, device, user, "")  # what is missing is told before a password is asked for
    password = click.prompt(f"password of {user} at {device}", hide_input=True, err=True)
    difference = push(driver_for(platform, device, user, password), candidate, seconds, dry_run=dry_run)
    for line in difference.splitlines():
        click.echo(visible(line))
    if not difference.strip():
        click.echo(f"{device} is as it should be already; nothing was changed")
    elif dry_run:
        click.echo("nothing was changed (--dry-run)")
    else:
        click.echo(
            f"in force at {device} for {seconds} s; confirm it there as the commands say, or it goes back"
        )


def _complete(output: str | None, device: str | None, user: str | None, dry_run: bool) -> None:
    if output is None and device is None:
        raise UsageError(
            "a router's change is written to files or loaded into a device",
            remedy="name a folder with --output, or a router with --device and --user",
        )
    if (device is None) != (user is None):
        raise UsageError("--device and --user belong together", remedy="give both")
    if dry_run and device is None:
        raise UsageError(
            "--dry-run asks the kernel or a device; files change nothing",
            remedy="leave it out, or name a --device",
            place=Place(key="--dry-run"),
        )


def _commands(files: dict[str, str]) -> list[str]:
    return [name for name in files if name.endswith("-commands.txt")]
