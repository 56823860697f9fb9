"""``rearguard filter announce``: the policy's filter as BGP FlowSpec, for a limited time."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rearguard.cli.console import say
from rearguard.model.address import Address
from rearguard.model.errors import Place, UsageError
from rearguard.report.escape import visible

if TYPE_CHECKING:
    from rearguard.filters.flowspec.plan import Plan
    from rearguard.filters.flowspec.speaker import Peer, Session

__all__ = ["command", "status_lines"]

PLATFORM = "flowspec"
LEAST, MOST = 5, 24 * 3600
"""Seconds. What must last longer belongs into a filter on the router."""
EXIT_NOT_IN_FORCE = 3
SHOWN = 40


@click.command("announce")
@click.option("--platform", default=PLATFORM, show_default=True, metavar="NAME", help="How: flowspec.")
@click.option(
    "--policy", "policy_file", metavar="FILE", default="rearguard.yaml", show_default=True, help="The policy."
)
@click.option("--edge", metavar="NAME", help="The edge whose routers are the peers.")
@click.option("--ttl", metavar="TIME", default="1h", show_default=True, help="Then all is withdrawn.")
@click.option("--peer", "peers", multiple=True, metavar="ADDRESS[=AS]", help="A receiver; repeatable.")
@click.option("--local", metavar="ADDRESS", help="Our own address, from which peers are called.")
@click.option("--local-as", type=click.IntRange(1, (1 << 32) - 1), help="Our own autonomous system.")
@click.option("--router-id", metavar="ADDRESS", help="Our BGP identifier; the local address if that is IPv4.")
@click.option("--password-file", metavar="FILE", help="Its line signs the sessions (TCP MD5, RFC 2385).")
@click.option("--canary", metavar="PEER", help="This peer gets the rules first, and is watched.")
@click.option(
    "--canary-wait", metavar="TIME", default="30s", show_default=True, help="How long it is watched."
)
@click.option(
    "--read-back",
    "read_back",
    multiple=True,
    metavar="PEER=HOW",
    help="Ask the peer what it holds: gobgp:HOST[:PORT] or bird:/path/of/bird.ctl; repeatable.",
)
@click.option(
    "--accept-residual",
    "accepted",
    multiple=True,
    metavar="NAME",
    help="Leave out what FlowSpec cannot match; repeatable.",
)
@click.option("--most-rules", type=click.IntRange(1), help="Rules that one peer may get (1500).")
@click.option(
    "--entries", type=click.IntRange(1), help="Entries that a peer's table has; half is planned for."
)
@click.option("--emit", metavar="FORM", help="Only print the rules: exabgp, gobgp or bird.")
@click.option("--dry-run", is_flag=True, help="Compile, prove and check everything, and send nothing.")
@click.option(
    "--state-dir", metavar="DIR", default="/var/lib/rearguard", show_default=True, help="What is remembered."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    platform: str,
    policy_file: str,
    edge: str | None,
    ttl: str,
    peers: tuple[str, ...],
    local: str | None,
    local_as: int | None,
    router_id: str | None,
    password_file: str | None,
    canary: str | None,
    canary_wait: str,
    read_back: tuple[str, ...],
    accepted: tuple[str, ...],
    most_rules: int | None,
    entries: int | None,
    emit: str | None,
    dry_run: bool,
    state_dir: str,
    as_json: bool,
) -> int:
    """Announce the policy's filter to routers by BGP FlowSpec, and withdraw it in time.

    A process of its own speaks BGP (with ExaBGP), takes all back after --ttl, and survives this terminal. When it
    dies, the peers drop the rules: it fails open. Exit code 3: the rules are not
    in force at every peer.

    \b
    Examples:
      rearguard filter announce --emit bird --accept-residual every-interface ...
      rearguard filter announce --ttl 2h --local 192.0.2.1 --local-as 64500 --peer 192.0.2.2 \\
          --peer 192.0.2.3 --canary 192.0.2.2 --read-back 192.0.2.2=gobgp:192.0.2.2
    """
    from rearguard.catalogue import load
    from rearguard.filters.apply.durations import seconds_of
    from rearguard.filters.flowspec.plan import CAP, plan_for
    from rearguard.policy import load_policy

    if platform != PLATFORM:
        raise UsageError(
            f"{platform!r} cannot be announced", remedy=f"--platform {PLATFORM}; or rearguard filter apply"
        )
    seconds = seconds_of(ttl, "--ttl", LEAST, MOST)
    watched = seconds_of(canary_wait, "--canary-wait", 1, 3600)
    catalogue = load()
    plan = plan_for(
        load_policy(policy_file, catalogue), catalogue, edge, accepted, most_rules or CAP, entries
    )
    if emit is not None:
        _emit(plan, emit)
        return 0
    told: dict[str, Any] = {"plan": _plan_json(plan), "ttl": seconds}
    from rearguard.filters.flowspec.announce import FAILS_OPEN, order_of, start, wait_for

    told["when_the_speaker_dies"] = FAILS_OPEN
    session = _session(local, local_as, router_id, password_file)
    if dry_run:
        _check(plan)
        _show(told, as_json, plan)
        return 0
    if session is None:
        raise UsageError("our own side is not named", remedy="say --local ADDRESS and --local-as NUMBER")
    from rearguard.filters.apply.state import State

    order = order_of(
        plan, session, _peers(peers, session.number), canary, watched, _pairs(read_back), seconds
    )
    state = State(state_dir, make=True)
    start(state, order)
    told["status"] = wait_for(state, order)
    _show(told, as_json, plan)
    everywhere = all(peer["rules"] for peer in told["status"]["peers"].values())
    return 0 if told["status"]["state"] == "in force" and everywhere else EXIT_NOT_IN_FORCE


def _plan_json(plan: Plan) -> dict[str, Any]:
    from rearguard.filters.flowspec.wire import encode
    from rearguard.filters.flowspec.written import exabgp

    return {
        "edge": plan.edge,
        "policy": plan.filter.policy_digest,
        "permits": len(plan.permits),
        "drops": len(plan.drops),
        "entries": plan.cost,
        "residuals": [
            {"name": each.name, "family": each.family, "rules": list(each.rules)} for each in plan.losses
        ],
        "without_permit": list(plan.unpermitted),
        "rules": [
            {
                "id": each.id,
                "family": each.family,
                "drops": each.action.drops,
                "nlri": encode(each.rule).hex(),
                "text": exabgp(each),
            }
            for each in plan.routes
        ],
    }


def _show(told: dict[str, Any], as_json: bool, plan: Plan) -> None:
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(
        f"edge {plan.edge}: {len(plan.permits)} permits and {len(plan.drops)} drops, {plan.cost:,} entries; proven "
        "from their bytes to do what the policy says, but for:"
    )
    for loss in plan.losses:
        click.echo(f"  residual {loss}")
    if plan.unpermitted:
        click.echo(f"  no permit here for controllers that enter elsewhere: {', '.join(plan.unpermitted)}")
    status = told.get("status")
    if status is None:
        for rule in told["plan"]["rules"][:SHOWN]:
            click.echo(f"  {rule['text']}")
        if len(plan.routes) > SHOWN:
            click.echo(f"  and {len(plan.routes) - SHOWN:,} more; --json has them all")
        click.echo("nothing was sent (--dry-run)")
    else:
        click.echo("\n".join(status_lines(status)))
        if status["state"] == "in force":
            click.echo(f"withdrawn at {status['ends']} at the latest; sooner: rearguard filter withdraw")
    click.echo(told["when_the_speaker_dies"])


def status_lines(found: dict[str, Any]) -> Iterator[str]:
    """What became of an announcement, for people."""
    yield visible(f"{found['state']}{': ' if found.get('reason') else ''}{found.get('reason', '')}")
    for name, peer in found["peers"].items():
        told = f"  {name}: session {peer['session']}, {peer['rules']} rules; read back: {peer['read_back']}"
        yield visible(told)


def _emit(plan: Plan, form: str) -> None:
    from rearguard.filters.flowspec.written import EMITTED

    if form not in EMITTED:
        raise UsageError(
            f"there is no form {form!r}",
            remedy=f"the forms are {', '.join(EMITTED)}",
            place=Place(key="--emit"),
        )
    if form == "exabgp":
        _check(plan)
    head = [f"Rearguard: FlowSpec of the edge {plan.edge}, policy {plan.filter.policy_digest}"]
    sys.stdout.write(EMITTED[form](plan.routes, head))
    for loss in plan.losses:
        say(f"residual {loss}")


def _check(plan: Plan) -> None:
    from rearguard.filters.flowspec.speaker import check_commands, find_exabgp

    find_exabgp()
    check_commands(plan.routes)


def _session(
    local: str | None, number: int | None, router_id: str | None, password_file: str | None
) -> Session | None:
    from rearguard.filters.flowspec.speaker import Session

    if local is None or number is None:
        return None
    address = _address(local, "--local")
    known = address if router_id is None else _address(router_id, "--router-id")
    if not isinstance(known, IPv4Address):
        raise UsageError("a BGP identifier looks like an IPv4 address", remedy="say --router-id ADDRESS")
    file = None if password_file is None else str(Path(password_file).absolute())
    return Session(address, number, known, file)


def _peers(texts: tuple[str, ...], own: int) -> list[Peer]:
    from rearguard.filters.flowspec.speaker import Peer

    found = []
    for text in texts:
        name, _, number = text.partition("=")
        if number and not (number.isascii() and number.isdigit() and 0 < int(number) < 1 << 32):
            raise UsageError(f"{number!r} is no autonomous system", remedy="write --peer ADDRESS=NUMBER")
        found.append(Peer(_address(name, "--peer"), int(number or own)))
    return found


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, sign, how = text.partition("=")
        if not sign:
            raise UsageError(
                f"{text!r} does not say how a peer is asked", remedy="write --read-back PEER=HOW"
            )
        found[str(_address(name, "--read-back"))] = how
    return found


def _address(text: str, option: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no address", remedy="write an IPv4 or IPv6 address", place=Place(key=option)
        ) from None
    if getattr(address, "scope_id", None):
        raise UsageError(f"{text!r} has a zone", remedy="use an address without one", place=Place(key=option))
    return address
