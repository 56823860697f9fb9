"""Junos filters, ours and operators' own, as they act on packets.

Terms are tried in order; what none holds is discarded. Conditions of different kinds must all hold, values of
one kind are alternatives. Ports, flags and ICMP types are taken to be asked of packets that show them: in a
term for IPv4 that does not also ask for ``fragment-offset 0`` the router reads them in the data of later
fragments as well, which is no property of a packet that could be proven. ``next-header`` is refused: it is not
the transport.
"""

from __future__ import annotations

from collections.abc import Iterator

from rearguard.filters.lines import AccessList, Line, Match
from rearguard.filters.model import Attachment, Verdict
from rearguard.filters.parse.cisco import LEAVES
from rearguard.filters.parse.junos_term import Conditions
from rearguard.filters.parse.junos_tree import Node, tokens, tree
from rearguard.filters.parse.words import FaultError, failed, lines_of

__all__ = ["parse"]

_COUNTS_ONLY = frozenset({"count", "log", "syslog"})


def parse(text: str, file: str) -> tuple[AccessList, ...]:
    """All filters of a configuration. ``InputError`` names the first line that is not understood."""
    lines = [line for _, line in lines_of(text, file)]
    at = [1]
    try:
        nodes = tree(list(tokens(text, at)), at)
        lists = _prefix_lists(nodes, at)
        return tuple(_filter(each, family, lists, lines, at) for each, family in _filters(nodes, at))
    except FaultError as fault:
        failed(file, at[0], lines[at[0] - 1] if at[0] <= len(lines) else "", fault)


def _inside(nodes: list[Node], at: list[int], *path: str) -> Iterator[Node]:
    """The statements below a path, and no others may stand beside it."""
    for node in nodes:
        at[0] = node.words[0].line if node.words else at[0]
        if node.name == path[0]:
            if len(path) == 1:
                yield from node.inside
            else:
                yield from _inside(node.inside, at, *path[1:])


def _prefix_lists(nodes: list[Node], at: list[int]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for node in _inside(nodes, at, "policy-options"):
        at[0] = node.words[0].line
        if node.name != "prefix-list" or len(node.values) != 1:
            raise FaultError("only prefix lists are understood here")
        if node.values[0] in found:
            raise FaultError(f"the prefix list {node.values[0]} stands here twice")
        if any(each.values for each in node.inside):
            raise FaultError("only prefixes are understood in a prefix list")
        found[node.values[0]] = tuple(each.name for each in node.inside)
    return found


def _filters(nodes: list[Node], at: list[int]) -> Iterator[tuple[Node, int]]:
    for node in nodes:
        at[0] = node.words[0].line if node.words else at[0]
        if node.name == "policy-options":
            continue
        if node.name != "firewall":
            raise FaultError("only firewall and policy-options are understood")
        for part in node.inside:
            at[0] = part.words[0].line
            found = {"inet": 4, "inet6": 6}.get(" ".join(part.values)) if part.name == "family" else None
            if part.name != "filter" and found is None:
                raise FaultError("only filters of family inet and inet6 are understood")
            for each in [part] if found is None else part.inside:
                at[0] = each.words[0].line
                if each.name != "filter" or len(each.values) != 1:
                    raise FaultError("a filter is expected")
                yield each, found or 4


def _filter(
    node: Node, family: int, lists: dict[str, tuple[str, ...]], text: list[str], at: list[int]
) -> AccessList:
    lines = []
    names: set[str] = set()
    for term in node.inside:
        at[0] = term.words[0].line
        if term.name == "interface-specific":
            continue
        if term.name != "term" or len(term.values) != 1:
            raise FaultError("a term is expected")
        if term.values[0] in names:
            raise FaultError(f"the term {term.values[0]} stands here twice: the router makes one of them")
        names.add(term.values[0])
        number = at[0]
        conditions: list[Node] = []
        verdict: Verdict | None = Verdict.PASS
        for part in term.inside:
            at[0] = part.words[0].line
            if part.name == "from":
                conditions += part.inside
            elif part.name == "then":
                verdict = _verdict(part, at)
            else:
                raise FaultError(f"{part.name!r} is not understood")
        matches = _matches(conditions, family, lists, at)
        if verdict is not None:
            lines.append(Line(matches, verdict, number, text[number - 1].strip().rstrip(" {")))
    name = node.values[0]
    attachment = Attachment.LEAVING if LEAVES.search(name) else Attachment.ENTERING
    return AccessList(name, attachment, family, tuple(lines), Verdict.DROP)


def _verdict(node: Node, at: list[int]) -> Verdict | None:
    """What a term does; None: it only counts and the next term decides. Without an action it accepts."""
    actions = [node.values] if node.values else [[each.name, *each.values] for each in node.inside]
    verdict: Verdict | None = Verdict.PASS
    for action in actions:
        if action[:1] == ["accept"]:
            verdict = Verdict.PASS
        elif action[:1] == ["discard"] or action[:1] == ["reject"]:
            verdict = Verdict.DROP
        elif action == ["next", "term"]:
            verdict = None
        elif action[0] not in _COUNTS_ONLY:
            raise FaultError(f"the action {' '.join(action)!r} is not understood")
    return verdict


def _matches(
    conditions: list[Node], family: int, lists: dict[str, tuple[str, ...]], at: list[int]
) -> tuple[Match, ...]:
    found = Conditions(family, lists)
    for node in conditions:
        at[0] = node.words[0].line
        found.take(node)
    return found.matches()
