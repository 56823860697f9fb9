"""Our terms in Junos filters that are in force: in their place, between the operator's own, which stay as they are.

A filter keeps its name, so no interface is touched, and one commit replaces it as a whole. The operator's terms are
taken line by line from the text, comments with them; what is written is read back and proven like any other text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from rearguard.filters.budget import hardware_cost, naive_lines
from rearguard.filters.lines import AccessList, lists_of
from rearguard.filters.model import Attachment, Filter
from rearguard.filters.parse.junos import parse
from rearguard.filters.parse.junos_tree import Node, tokens, tree
from rearguard.filters.prove.lean import lean
from rearguard.filters.render import junos
from rearguard.filters.render.cisco_write import Existing
from rearguard.filters.render.flat import rules_of
from rearguard.filters.render.merge import joined, place_of
from rearguard.filters.render.plain import plain, set_name
from rearguard.filters.render.written import Change, Written
from rearguard.model.errors import UsageError
from rearguard.model.prefixes import PrefixSet

__all__ = ["merged", "put_back"]

_FAMILIES = {4: "inet", 6: "inet6"}
_OWN = "read back"
_Place = tuple[Attachment, int]


@dataclass(frozen=True, slots=True)
class _Filter:
    """One filter of the text in force."""

    node: Node
    family: str
    """``family inet``, or nothing where it stands right below ``firewall``."""
    chunks: tuple[tuple[Node, tuple[str, ...]], ...]
    """What stands in it, with the lines of each statement and the comments above it."""


@dataclass(frozen=True, slots=True)
class _Text:
    """The text in force: its filters and prefix lists by name."""

    filters: dict[str, _Filter]
    prefix_lists: dict[str, tuple[Node, tuple[str, ...]]]


def merged(given: Filter, head: Sequence[str], file: str, existing: Existing) -> Written:
    """The filters in force with our terms in them; a filter of our own where an interface has none yet.

    ``UsageError``: no place is right, or the text in force does not stand line by line.
    """
    text = _read(existing.text)
    used = _renamed(junos.lists_of_prefixes(given), text)
    wanted = {(each.attachment, each.family): each for each in lists_of(given)}
    blocks: dict[str, list[str]] = {}
    changes: list[Change] = []
    binds: list[str] = []
    back: list[str] = []
    for place in wanted:
        old = existing.of(*place)
        if old is None:
            family, block, change = _alone(given, place, used)
            label = junos.filter_name(given, *place)
            binds += [line for line in junos.bindings(given) if line.endswith(f" {label}")]
        else:
            family, block, change = _joined(given, place, used, wanted[place], old, text)
            back.append(f"load the list {old.name} as it was before, and commit")
        blocks.setdefault(family, []).extend(block)
        changes.append(change)
    lines = [f"/* {plain(line, 110)} */" if line else "" for line in head]
    lines += _policy_options(used, text, "\n".join(line for block in blocks.values() for line in block))
    lines.append("firewall {")
    for family, block in blocks.items():
        lines += [f"    {family} {{", *block, "    }"] if family else block
    lines.append("}")
    apply = (f"load replace {file}", *binds, "show | compare", "commit check", "commit confirmed 5", "commit")
    back += [f"delete {line.removeprefix('set ')}" for line in binds]
    return Written({file: "\n".join(lines) + "\n"}, tuple(changes), apply, (*back, "commit"))


def put_back(existing: str) -> str:
    """The text in force, so written that loading it replaces each of its filters as a whole."""
    lines = existing.removeprefix("\ufeff").split("\n")
    for each in _read(existing).filters.values():
        at = each.node.words[0].line - 1
        if "replace:" not in lines[at]:
            lines[at] = lines[at].replace("filter ", "replace: filter ", 1)
    return "\n".join(lines)


def _alone(given: Filter, place: _Place, used: dict[str, PrefixSet]) -> tuple[str, list[str], Change]:
    attachment, family = place
    block = [f"        replace: filter {junos.filter_name(given, *place)} {{"]
    block += [line for term in junos.terms(given, attachment, family, used) for line in term]
    block += [
        "            term rg-everything-else {",
        "                then accept;",
        "            }",
        "        }",
    ]
    (read,) = _said(used, f"family {_FAMILIES[family]}", block)
    where = "alone: the interface carries no filter for this family yet"
    change = Change(read.name, where, _before(given, place), len(read.lines) - 1, hardware_cost(read))
    return f"family {_FAMILIES[family]}", block, change


def _joined(
    given: Filter,
    place: _Place,
    used: dict[str, PrefixSet],
    wanted: AccessList,
    old: AccessList,
    text: _Text,
) -> tuple[str, list[str], Change]:
    found = text.filters[old.name]
    names = {node.values[0] for node, _ in found.chunks if node.name == "term"}
    ours = list(junos.terms(given, *place, used, names))
    header = f"        replace: filter {old.name} {{"
    block = [header, *(line for term in ours for line in term), "        }"]
    (section,) = _said(used, f"family {_FAMILIES[place[1]]}", block)
    at = place_of(wanted, [(section, old)])
    whole = joined(old, section.lines, at)
    gone = lean([whole], range(at, at + len(ours)))
    kept = [term for position, term in enumerate(ours, at) if position not in gone]
    before = old.lines[at].number if at < len(old.lines) else None
    body: list[str] = []
    for node, lines in found.chunks:
        if node.words[0].line == before:
            body += [line for term in kept for line in term]
        body += lines
    if before is None:
        body += [line for term in kept for line in term]
    theirs = [line for _, lines in found.chunks for line in lines]
    difference = difflib.unified_diff(theirs, body, "in force", "merged", lineterm="", n=2)
    change = Change(
        old.name,
        _place_words(old, at),
        _before(given, place),
        len(kept),
        hardware_cost(whole.without(*gone)),
        tuple(difference),
    )
    return found.family, [header, *body, "        }"], change


def _before(given: Filter, place: _Place) -> int:
    return sum(naive_lines(rule) for rule in rules_of(given, *place))


def _said(used: dict[str, PrefixSet], family: str, block: Sequence[str]) -> tuple[AccessList, ...]:
    """What the lines of a filter of ours mean."""
    lists = [line for name, prefixes in used.items() for line in junos.prefix_list(name, prefixes)]
    lines = ["policy-options {", *lists, "}"] if lists else []
    return parse("\n".join([*lines, "firewall {", f"{family} {{", *block, "}", "}"]), _OWN)


def _place_words(old: AccessList, at: int) -> str:
    if at == len(old.lines):
        return f"at the end of {old.name}, before its implicit discard"
    if at == 0:
        return f"at the beginning of {old.name}, before {old.lines[0].text}"
    return f"in {old.name}, after {old.lines[at - 1].text} and before {old.lines[at].text}"


def _renamed(used: dict[str, PrefixSet], text: _Text) -> dict[str, PrefixSet]:
    """A prefix list in force keeps its content, for the terms that ask for it stay."""
    found = {}
    for name, prefixes in used.items():
        free = (set_name(f"{name.removeprefix('rg-')}-{at}") for at in count(2))
        here = name
        while here in text.prefix_lists and _prefixes(text, here) != set(prefixes.texts()):
            here = next(free)
        found[here] = prefixes
    return found


def _prefixes(text: _Text, name: str) -> set[str]:
    return {each.name for each in text.prefix_lists[name][0].inside}


def _policy_options(used: dict[str, PrefixSet], text: _Text, body: str) -> Iterator[str]:
    """Our prefix lists, and those in force that the filters ask for, so that the text means something by itself."""
    named = {each.strip(";") for each in body.split()}
    theirs = [lines for name, (_, lines) in text.prefix_lists.items() if name in named and name not in used]
    ours = {name: prefixes for name, prefixes in used.items() if name in named}
    if theirs or ours:
        yield "policy-options {"
        for lines in theirs:
            yield from lines
        for name, prefixes in ours.items():
            yield from junos.prefix_list(name, prefixes)
        yield "}"


def _read(text: str) -> _Text:
    """The statements of a text that was parsed before."""
    at = [1]
    plain_text = text.removeprefix("\ufeff")
    lines = [line.removesuffix("\r") for line in plain_text.split("\n")]
    filters: dict[str, _Filter] = {}
    prefix_lists: dict[str, tuple[Node, tuple[str, ...]]] = {}
    for node in tree(list(tokens(plain_text, at)), at):
        for part in node.inside:
            if node.name == "policy-options":
                prefix_lists[part.values[0]] = part, _lines(lines, part, part.words[0].line)
                continue
            family = "" if part.name == "filter" else f"family {part.values[0]}"
            for each in part.inside if family else [part]:
                filters[each.values[0]] = _Filter(each, family, tuple(_chunks(lines, each)))
    return _Text(filters, prefix_lists)


def _chunks(lines: Sequence[str], node: Node) -> Iterator[tuple[Node, tuple[str, ...]]]:
    end = node.words[-1].line
    for each in node.inside:
        if each.words[0].line <= end or each.last >= node.last:
            raise UsageError(
                f"the filter {node.values[0]} does not stand line by line, so its terms cannot be kept as they are",
                remedy="give it as `show configuration` prints it",
            )
        yield each, _lines(lines, each, end + 1)
        end = each.last


def _lines(lines: Sequence[str], node: Node, first: int) -> tuple[str, ...]:
    return tuple(lines[first - 1 : node.last])
