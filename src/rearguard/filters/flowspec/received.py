"""What a receiver says that it holds, read as rules: GoBGP's JSON and BIRD's table.

Only routes that came from our speaker are read. What cannot be read is kept as text, because it differs from
all that was meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from rearguard.filters.flowspec.actions import Action
from rearguard.filters.flowspec.compiled import FlowRoute
from rearguard.filters.flowspec.components import FlowError, FlowRule, Kind, Part, Prefix, Term, Terms
from rearguard.filters.flowspec.wire import encode

__all__ = ["Held", "compared", "from_bird", "from_gobgp"]

_ROUTE = re.compile(r"flow([46]) \{ (.*?) \}\s*(.*)")
_SOURCE = re.compile(r"\[\S+ [^\]]*?from (\S+)\]")
_COMMUNITY = re.compile(r"\(([^()]*)\)")
_MORE = re.compile(r"\s+\[\S+ ")
_BIRD = {
    "dst": Kind.DESTINATION,
    "src": Kind.SOURCE,
    "proto": Kind.PROTOCOL,
    "next header": Kind.PROTOCOL,
    "dport": Kind.DPORT,
    "sport": Kind.SPORT,
    "tcp flags": Kind.TCP_FLAGS,
}
_ITEM = re.compile(r"(dst|src|proto|next header|dport|sport|tcp flags) (.*)")


@dataclass(frozen=True, slots=True)
class Held:
    """What a receiver has from us."""

    routes: frozenset[tuple[FlowRule, Action]]
    unread: tuple[str, ...] = ()
    """What it says that cannot be read."""


def compared(meant: Sequence[FlowRoute], held: Held) -> tuple[str, ...]:
    """In words, how what is held differs from what was meant; empty: not at all."""
    wanted = {(route.rule, route.action): route.id for route in meant}
    told = [f"not there: {wanted[each]}" for each in wanted if each not in held.routes]
    told += [f"not meant: {encode(rule).hex()}" for rule, _ in sorted(held.routes - wanted.keys(), key=repr)]
    return (*told, *(f"cannot be read: {text[:200]}" for text in held.unread))


def from_gobgp(text: str, family: int, speaker: str) -> Held:
    """The output of ``gobgp global rib -a ipv4-flowspec -j`` (or ipv6).

    ``FlowError``: it is no such thing.
    """
    try:
        table = json.loads(text)
        paths = [path for each in table.values() for path in each if path.get("neighbor-ip") == speaker]
    except (ValueError, AttributeError, TypeError):
        raise FlowError("GoBGP does not answer with a table of routes") from None
    found = set()
    unread = []
    for path in paths:
        try:
            found.add((_gobgp_rule(family, path["nlri"]["value"]), _gobgp_action(path["attrs"])))
        except (FlowError, KeyError, TypeError, ValueError):
            unread.append(json.dumps(path.get("nlri")))
    return Held(frozenset(found), tuple(unread))


def _gobgp_rule(family: int, listed: list[dict[str, Any]]) -> FlowRule:
    parts: list[Part] = []
    for item in listed:
        kind = Kind(item["type"])
        if kind in (Kind.DESTINATION, Kind.SOURCE):
            parts.append(Prefix(kind, ip_network(item["value"]["prefix"]), item.get("offset", 0)))
        else:
            bits = 3 if kind in (Kind.TCP_FLAGS, Kind.FRAGMENT) else 7
            terms = (
                Term(each["op"] & bits, each["value"], bool(each["op"] & 0x40)) for each in item["value"]
            )
            parts.append(Terms(kind, tuple(terms)))
    return FlowRule(family, tuple(parts))


def _gobgp_action(attributes: list[dict[str, Any]]) -> Action:
    """Attribute 16 holds extended communities: type 128, subtype 6 is a rate, 7 an action."""
    rate = None
    evaluates = samples = False
    for each in (each for attribute in attributes if attribute["type"] == 16 for each in attribute["value"]):
        if (each["type"], each["subtype"]) == (128, 6) and rate is None:
            rate = float(each["rate"])
        elif (each["type"], each["subtype"]) == (128, 7):
            evaluates, samples = bool(each["terminal"]), bool(each["sample"])
        else:
            raise ValueError("an action that was not asked for")
    return Action(rate, evaluates, samples)


def from_bird(text: str, speaker: str) -> Held:
    """The output of ``birdc show route all table all``; both families."""
    found = set()
    unread = []
    for head, body, communities in _bird_routes(text, speaker):
        try:
            data = b"".join(_bird_community(each) for each in _COMMUNITY.findall(communities))
            found.add((_bird_rule(int(head), body), Action.decode(data)))
        except (FlowError, ValueError):
            unread.append(f"flow{head} {{ {body} }} {communities}")
    return Held(frozenset(found), tuple(unread))


def _bird_routes(text: str, speaker: str) -> Iterator[tuple[str, str, str]]:
    """(family, components, extended communities) of each route from the speaker.

    A route that came from several has one line each; those after the first begin with blanks.
    """
    network: tuple[str, str] | None = None
    ours = False
    communities = ""
    for line in [*text.splitlines(), "end"]:
        begins = _ROUTE.match(line)
        if begins or _MORE.match(line) or not line.startswith((" ", "\t")):
            if ours and network is not None:
                yield (*network, communities)
            ours, communities = False, ""
        if begins:
            network = (begins[1], begins[2])
        elif not line.startswith((" ", "\t")):
            network = None
        came = _SOURCE.search(line)
        if came:
            ours = came[1] == speaker
        if line.strip().startswith("BGP.ext_community:"):
            communities = line.partition(":")[2]


def _bird_rule(family: int, body: str) -> FlowRule:
    parts: list[Part] = []
    for item in body.strip().rstrip(";").split(";"):
        found = _ITEM.fullmatch(item.strip())
        if found is None:
            raise ValueError(item)
        kind = _BIRD[found[1]]
        if kind in (Kind.DESTINATION, Kind.SOURCE):
            parts.append(Prefix(kind, ip_network(found[2])))
        elif kind is Kind.TCP_FLAGS:
            parts.append(Terms(kind, tuple(_bird_bits(found[2]))))
        else:
            parts.append(Terms(kind, tuple(_bird_numbers(found[2]))))
    return FlowRule(family, tuple(parts))


def _bird_numbers(text: str) -> Iterator[Term]:
    for each in text.split(","):
        first, dots, last = each.strip().partition("..")
        if dots:
            yield Term(3, int(first))
            yield Term(5, int(last), joined=True)
        else:
            yield Term(1, int(first))


def _bird_bits(text: str) -> Iterator[Term]:
    for group in text.split(","):
        for at, each in enumerate(group.split("&&")):
            value, _, mask = each.strip().partition("/")
            known = int(value, 16)
            if known not in (0, int(mask, 16)):
                raise ValueError(each)
            yield Term(1 if known else 2, int(mask, 16), joined=at > 0)


def _bird_community(text: str) -> bytes:
    name, high, low = (each.strip() for each in text.split(","))
    if name != "generic":
        raise ValueError(text)
    return int(high, 16).to_bytes(4, "big") + int(low, 16).to_bytes(4, "big")
