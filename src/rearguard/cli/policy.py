"""``rearguard policy``: begin a policy, check it, and ask it about an address."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rearguard.cli import suggest
from rearguard.cli.group import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rearguard.model.address import Address
    from rearguard.model.errors import RearguardError
    from rearguard.policy import Notice, Policy
    from rearguard.policy.explain import Explanation, Right, Service

__all__ = ["command"]

DEFAULT_FILE = "rearguard.yaml"
UNUSABLE = 2


@click.group()
def command() -> None:
    """Who may manage what, from where: begin, check and query rearguard.yaml."""


command.add_command(suggest.command)


@command.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    default=DEFAULT_FILE,
    show_default=True,
    help="Where to write.",
)
def init(output: str) -> None:
    """Write a commented policy to start from; an existing file is never overwritten.

    \b
    Example: rearguard policy init --output rearguard.yaml
    """
    from rearguard.model.errors import Place, UsageError
    from rearguard.policy.starter import starter_text

    try:
        with Path(output).open("x", encoding="utf-8") as file:
            file.write(starter_text())
    except FileExistsError:
        raise UsageError(
            "the file exists and is left as it is",
            remedy="name another one with --output, or move it away",
            place=Place(file=output),
        ) from None
    except OSError as error:
        raise UsageError(
            f"the file cannot be written: {error.strerror}",
            remedy="name a place where you may write with --output",
            place=Place(file=output),
        ) from None
    click.echo(f"{output} written: put your prefixes in, then run `rearguard policy check {output}`")


@command.command()
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(file: str, as_json: bool) -> None:
    """Say what is wrong with a policy; exit code 0 when it can be used, 2 when not.

    \b
    Example: rearguard policy check rearguard.yaml
    """
    from rearguard.catalogue import load
    from rearguard.model.errors import PolicyError
    from rearguard.policy import load_policy

    policy: Policy | None = None
    problems: list[RearguardError] = []
    try:
        policy = load_policy(file, load())
    except PolicyError as error:
        problems = error.problems
    notices = policy.warnings if policy else ()
    if as_json:
        click.echo(json.dumps(_report(file, policy, problems, notices), indent=2))
    else:
        for item in (*problems, *notices):
            click.echo(str(item), err=True)
        if policy:
            click.echo(_summary(file, policy))
    sys.exit(UNUSABLE if problems else 0)


def _report(
    file: str, policy: Policy | None, problems: list[RearguardError], notices: tuple[Notice, ...]
) -> dict[str, object]:
    def entry(item: RearguardError | Notice) -> dict[str, object]:
        place = item.place
        return {
            "file": place.file,
            "line": place.line,
            "key": place.key,
            "problem": item.problem,
            "remedy": item.remedy,
        }

    return {
        "file": file,
        "usable": policy is not None,
        "digest": policy.digest if policy else None,
        "errors": [entry(problem) for problem in problems],
        "warnings": [entry(notice) for notice in notices],
    }


def _summary(file: str, policy: Policy) -> str:
    """One line: what the policy holds, so that a section left out by mistake is seen."""
    parts = [
        f"{len(policy.networks)} networks ({len(policy.own())} prefixes)",
        f"{len(policy.controllers)} controllers",
        f"{len(policy.drop)} drops",
        f"{len(policy.exceptions)} exceptions",
        f"{len(policy.warnings)} warnings",
    ]
    return f"{file}: can be used: {', '.join(parts)}; {policy.digest[:19]}"


@command.command()
@click.argument("address")
@click.argument("port", required=False)
@click.option(
    "--policy", "file", type=click.Path(), default=DEFAULT_FILE, show_default=True, help="The policy to ask."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(address: str, port: str | None, file: str, as_json: bool) -> None:
    """Say who may manage an address, what it may do, and what would stop whom.

    PORT is a number, such as 7547, or one with its transport, such as udp/1900.

    \b
    Example: rearguard policy explain 198.51.100.7 7547 --policy rearguard.yaml
    """
    import ipaddress
    from datetime import UTC, datetime

    from rearguard.catalogue import load
    from rearguard.model.errors import UsageError
    from rearguard.policy import load_policy
    from rearguard.policy.explain import explain as explain_address

    try:
        asked = ipaddress.ip_address(address)
    except ValueError:
        raise UsageError(
            f"{address!r} is no address", remedy="write one IPv4 or IPv6 address, such as 198.51.100.7"
        ) from None
    policy = load_policy(file, load())
    services = _services(policy, asked, port) if port else []
    found = explain_address(policy, asked, services, datetime.now(UTC).date())
    if as_json:
        click.echo(json.dumps(found.to_json() | {"policy": policy.digest, "port": port}, indent=2))
    else:
        for notice in () if settings().quiet else policy.warnings:
            click.echo(str(notice), err=True)
        click.echo("\n".join(_lines(found, port)))


def _services(policy: Policy, address: Address, text: str) -> list[Service]:
    """The interfaces that a port may mean: those of the catalogue, and those the network moved there."""
    from rearguard.catalogue import load
    from rearguard.policy.explain import Service, moved_to, ports_meant

    catalogue = load()
    found: dict[Service, None] = {}
    for port in ports_meant(text):
        entries = [catalogue.get(name) for name in moved_to(policy, address, port)]
        for side in ("device", "controller"):
            entries += catalogue.listening(port.transport, port.number, side)
        for entry in entries:
            found[Service(entry.id, "device" if entry.listener == "device" else "controller", str(port))] = (
                None
            )
    return list(found)


def _lines(found: Explanation, port: str | None) -> Iterator[str]:
    """The answer as one reads it; what does not apply is left out."""
    yield found.address
    if found.network:
        yield f"  network      {found.network} ({found.kind}, managed: {found.managed})"
        yield f"  device       {found.device}"
    else:
        yield "  network      none: outside"
    for right in found.controller:
        yield f"  controller   {right.controller}: {', '.join(right.interfaces)}"
    if found.surveyor:
        yield f"  surveyor     {found.surveyor}: labelled, not alerted"
    for right in found.managed_by:
        yield f"  managed by   {_right(right)}"
    if found.network and not found.managed_by:
        yield "  managed by   nobody: every initiation on a management interface is unauthorised"
    yield from (f"  drop         {text}" for text in found.drops)
    yield from (f"  exception    {text}" for text in found.exceptions)
    if found.never_block:
        yield "  never block  no drop may touch it"
    if port and not found.verdicts:
        yield f"port {port}: no management interface of the catalogue or of the policy; only counted"
    for verdict in found.verdicts:
        yield f"{verdict.port} as {verdict.interface} (the {verdict.listener} listens)"
        yield f"  may open it  {', '.join(verdict.may_open) or 'nobody'}"
        yield f"  a stranger   {verdict.stranger}"
        yield f"  it opens it  {verdict.itself}"
        if verdict.drop:
            yield f"  border       {verdict.drop}"
        if verdict.exception:
            yield f"  accepted     {verdict.exception}"


def _right(right: Right) -> str:
    parts = [f"{right.controller}: {', '.join(right.interfaces)}"]
    if right.requests_from:
        parts.append(f"requests from {', '.join(right.requests_from)} (enters at {right.enters_at})")
    if right.sessions_at:
        parts.append(f"sessions at {', '.join(right.sessions_at)}")
    return "; ".join(parts)


@command.command()
def schema() -> None:
    """Print the JSON Schema of rearguard.yaml, for editors that complete and check while one types.

    \b
    Example: rearguard policy schema > rearguard.schema.json
    """
    from rearguard.policy import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
