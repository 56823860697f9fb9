"""``rearguard filter apply``: put the policy's filter in force on this machine, with a way back."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rearguard.cli.console import say
from rearguard.cli.group import settings
from rearguard.model.errors import Place, UsageError

if TYPE_CHECKING:
    from rearguard.filters.apply.intent import Intent
    from rearguard.filters.apply.transact import Plan

__all__ = ["command", "intent_of", "links_of"]

NFTABLES = "nftables"
LEAST, MOST = 1, 24 * 3600


@click.command("apply")
@click.option("--platform", default=NFTABLES, show_default=True, metavar="NAME", help="For what it is.")
@click.option(
    "--policy", "policy_file", metavar="FILE", default="rearguard.yaml", show_default=True, help="The policy."
)
@click.option(
    "--edge", metavar="NAME", help="At which edge this machine stands, where the policy has several."
)
@click.option(
    "--outside",
    multiple=True,
    metavar="INTERFACE,...",
    help="This machine's interfaces that face the outside, where the policy names none.",
)
@click.option(
    "--confirm-within",
    metavar="TIME",
    default="120s",
    show_default=True,
    help="Take it back unless `rearguard filter confirm` is run in that time.",
)
@click.option("--dry-run", is_flag=True, help="Let the kernel check it, say what would change, and stop.")
@click.option(
    "--state-dir", metavar="DIR", default="/var/lib/rearguard", show_default=True, help="What is remembered."
)
@click.option(
    "--write-unit",
    metavar="FILE",
    help="Only write the systemd unit that loads the confirmed filter; - prints it.",
)
@click.option("--output", metavar="DIR", help="Routers: write candidate, rollback and commands there.")
@click.option(
    "--accept-residual",
    "accepted",
    multiple=True,
    metavar="NAME",
    help="Routers: leave out what it cannot match.",
)
@click.option("--existing", metavar="FILE", help="Routers: the list that is in force.")
@click.option("--device", metavar="HOST", help="Routers: load it there with NAPALM; asks for the password.")
@click.option("--user", metavar="NAME", help="Routers: whom to log in as.")
def command(
    platform: str,
    policy_file: str,
    edge: str | None,
    outside: tuple[str, ...],
    confirm_within: str,
    dry_run: bool,
    state_dir: str,
    write_unit: str | None,
    output: str | None,
    accepted: tuple[str, ...],
    existing: str | None,
    device: str | None,
    user: str | None,
) -> int:
    """Put the policy's filter in force; without a confirmation it is taken back.

    With --platform nftables, on this machine, as root: the kernel's own check first, then one transaction without
    a gap, then what the kernel holds is read back. A process of its own takes the filter back in time, also when
    this terminal dies. For a router, candidate, rollback and the exact commands are written to --output.

    \b
    Examples:
      rearguard filter apply --outside eth0 --dry-run
      rearguard filter apply --outside eth0 --confirm-within 120s
      rearguard filter apply --platform junos --output change/
    """
    from rearguard.filters.apply.durations import seconds_of

    if write_unit is not None:
        _unit(write_unit, state_dir)
        return 0
    seconds = seconds_of(confirm_within, "--confirm-within", LEAST, MOST)
    if platform != NFTABLES:
        from rearguard.cli.filter_router import apply_to_router

        return apply_to_router(
            platform, policy_file, edge, seconds, output, accepted, existing, device, user, dry_run
        )
    _only_here(output, accepted, existing, device, user)
    from rearguard.filters.apply.kernel import find_nft
    from rearguard.filters.apply.state import State
    from rearguard.filters.apply.transact import apply, plan

    nft = find_nft()
    intent = intent_of(policy_file, edge, outside)
    for link in intent.missing_links():
        say(f"note: this machine has no interface {link} now; the filter guards it when it comes")
    if dry_run:
        _tell(plan(nft, intent), intent)
        return 0
    apply(nft, State(state_dir, make=True), intent, seconds)
    if not settings().quiet:
        place = "" if state_dir == "/var/lib/rearguard" else f" --state-dir {state_dir}"
        click.echo(
            f"in force: {intent.rules} rules at {', '.join(intent.filter.outside)}, read back from the kernel.\n"
            f"In {seconds} s it is taken back. Look whether everything works, from a new session; then keep it:\n"
            f"  rearguard filter confirm{place}"
        )
    return 0


def intent_of(policy_file: str, edge: str | None, outside: tuple[str, ...]) -> Intent:
    """The policy's filter for this machine; what is wrong with the policy is told before anything is done."""
    from rearguard.catalogue import load
    from rearguard.filters.apply.intent import intended
    from rearguard.policy import load_policy

    catalogue = load()
    policy = load_policy(policy_file, catalogue)
    return intended(policy, catalogue, edge, links_of(outside), datetime.now(UTC).date())


def links_of(outside: tuple[str, ...]) -> list[str]:
    """Interfaces of a repeatable option that takes several."""
    return [name for text in outside for name in text.split(",") if name]


def _tell(planned: Plan, intent: Intent) -> None:
    click.echo(f"the kernel accepts it: {intent.rules} rules at {', '.join(intent.filter.outside)}")
    if planned.first:
        click.echo("no filter of Rearguard's is in force; this would be the first")
    elif not planned.changes:
        click.echo("the filter in force does the same already")
    for text in planned.changes:
        click.echo(f"now {text}")
    click.echo("nothing was changed (--dry-run)")


def _only_here(
    output: str | None, accepted: tuple[str, ...], existing: str | None, *login: str | None
) -> None:
    given = {"--output": output, "--accept-residual": accepted, "--existing": existing}
    given |= dict(zip(("--device", "--user"), login, strict=True))
    for name, value in given.items():
        if value:
            raise UsageError(
                f"{name} is for routers; nftables is applied on this machine",
                remedy="name the router's --platform, or leave it out",
                place=Place(key=name),
            )


def _unit(file: str, state_dir: str) -> None:
    import shutil

    from rearguard.filters.apply.unit import NAME, unit_text

    text = unit_text(state_dir, shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") or "/usr/sbin/nft")
    if file == "-":
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the unit cannot be written: {error.strerror}",
            remedy="name a file where you may write",
            place=Place(file=file),
        ) from None
    if not settings().quiet:
        say(f"{file} written, and not enabled: systemctl daemon-reload && systemctl enable {NAME}")
