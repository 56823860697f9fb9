"""``rearguard filter``: the group, and ``prove``, which says what a text does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rearguard.cli import (
    filter_announce,
    filter_apply,
    filter_compile,
    filter_confirm,
    filter_replay,
    filter_status,
    filter_withdraw,
)
from rearguard.cli.filter_files import read_text
from rearguard.cli.filter_options import ENTRIES, EXISTING, HARDWARE, POLICY, RESIDUALS, room_of
from rearguard.model.errors import InputError, Place, UsageError

if TYPE_CHECKING:
    from rearguard.filters.lines import AccessList
    from rearguard.filters.platforms import Platform
    from rearguard.filters.prove.proof import Proof

__all__ = ["command"]

EXIT_NOT_PROVEN = 3
SHOWN = 20
"""Packets that are printed; ``--json`` has all of them."""


@click.group("filter")
def command() -> None:
    """Write filters that follow from the policy, and prove what a filter does."""


for _each in (
    filter_announce,
    filter_apply,
    filter_compile,
    filter_confirm,
    filter_replay,
    filter_status,
    filter_withdraw,
):
    command.add_command(_each.command)


@command.command("prove")
@POLICY
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--platform", "name", metavar="NAME", help="What the text is written for; told from its name else."
)
@click.option("--edge", metavar="NAME", help="The edge that it is for, where the policy has several.")
@EXISTING
@RESIDUALS
@HARDWARE
@ENTRIES
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def prove_command(
    policy_file: str,
    paths: tuple[str, ...],
    name: str | None,
    edge: str | None,
    existing: str | None,
    accepted: tuple[str, ...],
    hardware: str | None,
    entries: int | None,
    as_json: bool,
) -> int:
    """Show that a text does what the policy says and changes nothing else, or packets that show the contrary.

    Exit code 0: proven. 3: not. With --existing everything outside the policy's filter must be as the list in
    force has it; without, everything else must pass.

    \b
    Example: rearguard filter prove filters/border-cisco-ios.acl --existing running.acl
    """
    from rearguard.catalogue import load
    from rearguard.filters.acceptance import shared_out
    from rearguard.filters.budget import check_budget
    from rearguard.filters.compile import compile_filter, edges
    from rearguard.filters.guards import check
    from rearguard.filters.platforms import PLATFORMS, platform_of
    from rearguard.filters.prove.proof import prove
    from rearguard.filters.residual import adapted
    from rearguard.policy import load_policy

    catalogue = load()
    policy = load_policy(policy_file, catalogue)
    names = edges(policy)
    chosen = edge or _edge_of(paths[0], names)
    if chosen not in names:
        raise UsageError(f"the policy has no edge {chosen!r}", remedy=f"its edges are {', '.join(names)}")
    known = name or _of_name(paths[0], "-", tuple(PLATFORMS))
    if known is None:
        raise UsageError(
            "what platform the text is for cannot be told from its name", remedy="say --platform NAME"
        )
    platform = platform_of(known)
    filter_ = compile_filter(policy, catalogue, chosen)
    check(policy, catalogue, filter_)
    told = shared_out(accepted, (platform.name,))[platform.name]
    given, residuals = adapted(filter_, platform.ability, told, platform.title)
    lists = _lists(platform, paths)
    before = None if existing is None else _lists(platform, (existing,))
    proof = prove(given, lists, before, residuals, paths[0], wary=platform.ability.wary)
    room = room_of(hardware, entries)
    if as_json:
        click.echo(json.dumps({"edge": chosen, "platform": platform.name, **proof.to_json()}, indent=2))
    else:
        _show(proof)
    if room is not None:
        check_budget(lists, room.entries, room.table)
    return 0 if proof.holds else EXIT_NOT_PROVEN


def _show(proof: Proof) -> None:
    from rearguard.filters.prove.proof import Property

    for each in proof.lists:
        spare = f"; lines that change nothing: {', '.join(map(str, each.unneeded))}" if each.unneeded else ""
        click.echo(f"{each.name}: {each.lines:,} lines, IPv{each.family} {each.attachment}{spare}")
    for state in Property:
        word = {True: "yes", False: "NO", None: "not known"}[proof.state(state)]
        click.echo(f"  {state}: {word}")
    for residual in proof.residuals:
        click.echo(f"  residual {residual}")
    for witness in proof.witnesses[:SHOWN]:
        click.echo(f"  {witness.text}")
    if len(proof.witnesses) > SHOWN:
        click.echo(f"  and {len(proof.witnesses) - SHOWN:,} more; --json has them all")
    click.echo("proven" if proof.holds else "NOT proven")


def _lists(platform: Platform, paths: tuple[str, ...]) -> tuple[AccessList, ...]:
    """What the files say. ``InputError``: there is no list in them."""
    found = platform.read({path: read_text(path) for path in paths})
    if not found:
        raise InputError(
            f"there is no list for {platform.title} in it",
            remedy="name the files as `rearguard filter compile` does, or say --platform NAME",
            place=Place(file=paths[0]),
        )
    return found


def _edge_of(path: str, names: tuple[str, ...]) -> str:
    """The edge that a file's name tells. ``UsageError``: it does not, and the policy has several."""
    stem = Path(path).name
    told = [name for name in names if stem.startswith((f"border-{name}-", f"border-{name}."))]
    if not told and len(names) > 1:
        raise UsageError(
            "for which edge the text is cannot be told from its name",
            remedy=f"say --edge; the policy has {', '.join(names)}",
        )
    return max(told or names, key=len)


def _of_name(path: str, before: str, names: tuple[str, ...]) -> str | None:
    """Which of these names a file's name has in it, the longest first."""
    stem = Path(path).name
    return next((each for each in sorted(names, key=len, reverse=True) if f"{before}{each}" in stem), None)
