"""What was said: attacks and readable logins, out of the dialogues. Others wrote everything shown here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rearguard.model.address import format_address
from rearguard.report import words
from rearguard.report.escape import visible

if TYPE_CHECKING:
    from rearguard.contacts.view import View
    from rearguard.dialogue.exchange import Exchange, Hit, Proof

__all__ = ["MOST_ATTACKS", "MOST_SECRETS", "answer_text", "attacks_said", "secrets_said"]

MOST_ATTACKS = 40
MOST_SECRETS = 40
MOST_NAMES = 5
LONGEST = 240

_ANSWERS = {
    "": "nothing",
    "digest": "a demand to log in (Digest)",
    "basic": "a demand to log in (Basic)",
    "page": "a page, without a login",
    "soap": "the answer to a command, without a login",
    "fault": "a SOAP fault: the command was understood, not done",
    "refused": "a refusal",
    "no-content": "consent without content",
    "prompt": "a prompt for a login",
    "shell": "a shell",
    "banner": "a banner",
    "reply": "a reply",
}


def answer_text(exchange: Exchange) -> str:
    """What the listener said, for readers."""
    text = _ANSWERS.get(exchange.answer, exchange.answer)
    if exchange.status:
        text += f" (HTTP {exchange.status})"
    if exchange.login == "succeeded":
        text += ", and the login succeeded"
    elif exchange.login == "tried":
        text += ", and a login was tried"
    return visible(text, LONGEST)


def attacks_said(view: View, titles: Mapping[str, str], command: Callable[[str, int], str]) -> dict[str, Any]:
    """One row for the same attack by the same sender in the same words, earliest first.

    ``titles`` are those of attacks by id, ``command`` gives what shows a record of a source.
    """
    groups: dict[tuple[str, int, int, str], list[tuple[Exchange, Hit]]] = {}
    for exchange in view.exchanges:
        for hit in exchange.hits:
            key = (hit.attack, exchange.client_hi, exchange.client_lo, hit.excerpt)
            groups.setdefault(key, []).append((exchange, hit))
    ordered = sorted(groups.values(), key=lambda told: (told[0][1].proof.ts, told[0][1].attack))
    return {
        "rows": [_attack(told, view, titles, command) for told in ordered[:MOST_ATTACKS]],
        "hidden": max(len(ordered) - MOST_ATTACKS, 0),
    }


def secrets_said(view: View, command: Callable[[str, int], str]) -> dict[str, Any]:
    """Credentials and commands that were readable on the wire, masked, earliest first."""
    found = [(exchange, secret) for exchange in view.exchanges for secret in exchange.secrets]
    found.sort(key=lambda each: each[1].proof.ts)
    return {
        "rows": [
            {
                "time": words.time_text(secret.proof.ts),
                "client": _client(exchange),
                "server": _server(exchange),
                "kind": visible(secret.kind.replace("-", " "), LONGEST),
                "shown": visible(secret.shown, LONGEST),
                "command": _shown(view, secret.proof, command),
            }
            for exchange, secret in found[:MOST_SECRETS]
        ],
        "hidden": max(len(found) - MOST_SECRETS, 0),
    }


def _attack(
    told: list[tuple[Exchange, Hit]],
    view: View,
    titles: Mapping[str, str],
    command: Callable[[str, int], str],
) -> dict[str, str]:
    exchange, hit = told[0]
    servers = {(each.server_hi, each.server_lo): each for each, _ in told}
    answers = dict.fromkeys(answer_text(each) for each, _ in told)
    return {
        "time": words.time_text(hit.proof.ts),
        "title": visible(titles.get(hit.attack, hit.attack), LONGEST),
        "client": _client(exchange),
        "servers": words.count(len(servers), "device")
        if len(servers) > 3
        else ", ".join(map(_server, servers.values())),
        "request": visible(f"{exchange.method} {exchange.path}".strip(), LONGEST),
        "excerpt": visible(hit.excerpt, LONGEST),
        "named": _some(
            [*hit.urls, *(name for name in hit.named if not any(name in url for url in hit.urls))]
        ),
        "answers": _some(answers),
        "command": _shown(view, hit.proof, command),
    }


def _some(texts: Iterable[str]) -> str:
    known = list(dict.fromkeys(texts))
    more = len(known) - MOST_NAMES
    return "; ".join(visible(text, LONGEST) for text in known[:MOST_NAMES]) + (
        f" and {more} more" if more > 0 else ""
    )


def _shown(view: View, proof: Proof, command: Callable[[str, int], str]) -> str:
    return command(*view.pointer(proof.rec))


def _client(exchange: Exchange) -> str:
    return words.end(format_address(exchange.client_hi, exchange.client_lo), exchange.client_port)


def _server(exchange: Exchange) -> str:
    return words.end(format_address(exchange.server_hi, exchange.server_lo), exchange.port)
