"""ExaBGP, which speaks BGP for us: its configuration, and a look at the bytes that it makes of a command.

ExaBGP takes what it does not understand for something else now and then: values without brackets, two sources, a
prefix with host bits. So each command is given to its own parser first, and what it would send is compared byte
for byte with our own encoding; a difference is an error before anything is sent.
"""

from __future__ import annotations

import ipaddress
import json
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rearguard.filters.flowspec.compiled import FlowRoute
from rearguard.filters.flowspec.components import FlowError
from rearguard.filters.flowspec.wire import encode
from rearguard.filters.flowspec.written import exabgp
from rearguard.model.address import Address
from rearguard.model.errors import Place, UsageError

__all__ = ["Peer", "Session", "check_commands", "configuration", "environment", "find_exabgp", "password_of"]

_ASKED = """\
import json, sys
from exabgp.configuration.configuration import Configuration
from exabgp.environment import getenv
from exabgp.logger import log
log.init(getenv())
log.disable()
parser = Configuration([])
answer = []
for line in json.load(sys.stdin):
    parser.flow.clear()
    routes = []
    if parser.partial("flow", line.removeprefix("flow ")):
        parser.scope.to_context()
        routes = parser.scope.pop_routes()
    answer.append(
        [
            [int(each.nlri.afi), each.nlri.pack_nlri().hex(), b"".join(
                each.attributes[code].pack() if code in each.attributes else b"" for code in (16,)
            ).hex()]
            for each in routes
        ]
    )
json.dump(answer, sys.stdout)
"""
"""Run by the interpreter that ExaBGP is installed for."""
_HEAD = 3
"""Flags, type and length in front of an attribute of at most 255 bytes."""
_PATIENCE = 120.0
_LONGEST = 80
"""Bytes of a key (RFC 2385; the limit of Linux, TCP_MD5SIG_MAXKEYLEN)."""
_PASSWORD = re.compile(r"[A-Za-z0-9._:+/=@%^*~-]{1,80}")
HOLD = 30
"""Seconds after which a peer drops the routes of a speaker that is silent."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A receiver of routes."""

    address: Address
    number: int
    """Its autonomous system."""

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class Session:
    """Our side."""

    local: Address
    number: int
    router_id: ipaddress.IPv4Address
    password_file: str | None = None
    """Its first line signs the TCP segments of every session (RFC 2385); it is kept nowhere else but in ExaBGP's
    configuration."""


def find_exabgp() -> str:
    """The program beside this interpreter. ``UsageError``: it is not installed."""
    path = Path(sys.executable).parent / "exabgp"
    if not path.is_file() or not os.access(path, os.X_OK):
        raise UsageError(
            "ExaBGP is not installed, and it is what speaks BGP",
            remedy="pip install 'rearguard[flowspec]'; or print the rules with --emit gobgp or --emit bird",
        )
    return str(path)


def check_commands(routes: Sequence[FlowRoute], texts: Sequence[str] | None = None) -> None:
    """``FlowError``: ExaBGP would send other bytes for a command than we mean. ``texts``: commands of another
    origin, one for each rule."""
    lines = [exabgp(route) for route in routes] if texts is None else list(texts)
    answer = _asked(lines)
    if len(answer) != len(lines):
        raise FlowError("ExaBGP's own parser did not answer for every rule", remedy="nothing was sent")
    for route, line, made in zip(routes, lines, answer, strict=True):
        meant = [[{4: 1, 6: 2}[route.family], encode(route.rule).hex(), route.action.encode().hex()]]
        got = [[afi, nlri, bytes.fromhex(attribute)[_HEAD:].hex()] for afi, nlri, attribute in made]
        if got != meant:
            raise FlowError(
                f"ExaBGP would send something else than meant for {line!r}: {got} instead of {meant}",
                remedy="nothing was sent; report this defect with the version of ExaBGP",
            )


def configuration(session: Session, peers: Sequence[Peer], bridge: Sequence[str]) -> str:
    """ExaBGP's configuration: no route in it, so that all order is ours."""
    secret = password_of(session.password_file)
    signed = "" if secret is None else f"md5-password {secret}; "
    run = " ".join(_quoted(word) for word in bridge)
    lines = [f"process rearguard {{ run {run}; encoder text; }}"]
    for peer in peers:
        lines.append(
            f"neighbor {peer.address} {{ router-id {session.router_id}; local-address {session.local}; "
            f"local-as {session.number}; peer-as {peer.number}; hold-time {HOLD}; {signed}adj-rib-out false; "
            "family { ipv4 flow; ipv6 flow; } api { processes [ rearguard ]; neighbor-changes; } }"
        )
    return "\n".join(lines) + "\n"


def password_of(file: str | None) -> str | None:
    """``UsageError``: the file cannot be read, or has something that ExaBGP's configuration cannot say."""
    if file is None:
        return None
    try:
        with Path(file).open("rb") as stream:
            found = stream.read(_LONGEST + 2).decode("ascii", "replace").rstrip("\r\n")
    except OSError as error:
        raise UsageError(
            f"the password cannot be read: {error.strerror}",
            remedy="look at --password-file",
            place=Place(file=file),
        ) from None
    if _PASSWORD.fullmatch(found) is None:
        raise UsageError(
            "it is no password for BGP: one line of 1 to 80 letters, digits and simple marks is",
            remedy="use A-Z a-z 0-9 and . _ : + / = @ % ^ * ~ -",
            place=Place(file=file),
        )
    return found


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """For ExaBGP: it binds to no port, opens no pipe for commands, and stays who it is."""
    own = {name: value for name, value in given.items() if not name.lower().startswith("exabgp")}
    return own | {
        "exabgp_api_ack": "true",
        "exabgp_api_cli": "false",
        "exabgp_api_respawn": "false",
        "exabgp_daemon_daemonize": "false",
        "exabgp_daemon_drop": "false",
        "exabgp_daemon_user": pwd.getpwuid(os.geteuid()).pw_name,
        "exabgp_log_destination": "stderr",
        "exabgp_log_level": "WARNING",
        "exabgp_tcp_bind": "",
    }


def _quoted(word: str) -> str:
    if any(each in word for each in "\"'{};\\\n") or not word:
        raise UsageError(
            f"ExaBGP's configuration has no way to write {word!r}",
            remedy="name a state folder without quotes, braces or semicolons",
        )
    return f'"{word}"' if " " in word else word


def _asked(lines: Sequence[str]) -> list[list[list[str]]]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _ASKED],
        input=json.dumps(lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
        env=environment(os.environ),
        cwd="/",
    )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        raise FlowError(
            f"ExaBGP's own parser failed: {last[:300]}",
            remedy="nothing was sent; is it ExaBGP 5 or newer?",
        ) from None
    return found if isinstance(found, list) else []
