"""From a filter to the text of a Cisco-like platform: sections, their place, and nothing that does nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from rearguard.filters.budget import hardware_cost, naive_lines
from rearguard.filters.lines import AccessList, lists_of
from rearguard.filters.model import Attachment, Filter, Rule, TcpClass
from rearguard.filters.parse.cisco import parse
from rearguard.filters.prove.lean import lean
from rearguard.filters.readings import readings, warily
from rearguard.filters.render.cisco import Dialect, Section, sections, text_of
from rearguard.filters.render.flat import rules_of
from rearguard.filters.render.merge import place_of
from rearguard.filters.render.plain import plain
from rearguard.filters.render.written import Change, Written

__all__ = ["Existing", "write"]

_NUMBER = re.compile(r"^(?:access-list \S+ )?(?:(?:sequence |seq )?\d+ )?")
_MERGED = re.compile(r"-RG-[0-9a-f]{8}$")
_END = "rearguard: everything else"
_LINES = re.compile(r"^ +(?:sequence )?\d+ (?!remark)")


@dataclass(frozen=True, slots=True)
class Existing:
    """The text that is in force, and what it says."""

    text: str
    lists: tuple[AccessList, ...]

    def of(self, attachment: Attachment, family: int) -> AccessList | None:
        """The list that judges one family at one attachment."""
        return next(
            (each for each in self.lists if (each.attachment, each.family) == (attachment, family)), None
        )


def write(
    given: Filter,
    dialect: Dialect,
    head: Sequence[str],
    file: str,
    existing: Existing | None,
    discovery: bool,
) -> Written:
    """The lists of an adapted filter, merged with those in force where there are any."""
    wanted = {(each.attachment, each.family): each for each in lists_of(given)}
    made: list[tuple[Section, str]] = []
    read: list[AccessList] = []
    drafts: list[tuple[str | None, str, int, int, tuple[str, ...]]] = []
    for section in sections(given, dialect):
        leaving = "-leaving" if section.attachment is Attachment.LEAVING else ""
        old = existing.of(section.attachment, section.family) if existing else None
        rules = rules_of(given, section.attachment, section.family)
        before = sum(_written_out(rule, section.family in dialect.unset_flags) for rule in rules)
        if old is None:
            whole = replace(
                section, items=(*section.items, (_END, f"permit {dialect.any_ip[section.family]} any any"))
            )
            name = f"REARGUARD-{given.edge}{leaving}-v{section.family}"
            whole, said = _lean(whole, _read(whole, dialect, name, discovery), dialect)
            place = "alone: the interface carries no list for this family yet"
            drafts.append((None, place, before, len(whole.items) - 1, ()))
        else:
            assert existing is not None
            whole, said, at, count = _merged(
                section, wanted[section.attachment, section.family], old, existing, dialect, discovery
            )
            name = f"{_MERGED.sub('', old.name)}-RG" if dialect.digest else old.name
            place = _place_words(old, at)
            drafts.append((old.name, place, before, count, _difference(old, whole)))
        made.append((whole, name))
        read.append(said)
    text, names = text_of(given, made, dialect, head)
    lists = [replace(said, name=name) for said, name in zip(read, names, strict=True)]
    changes = tuple(
        Change(found.name, place, before, after, hardware_cost(found), difference)
        for found, (_, place, before, after, difference) in zip(lists, drafts, strict=True)
    )
    apply: list[str] = []
    back: list[str] = []
    for found, (old_name, *_) in zip(lists, drafts, strict=True):
        binds = dialect.bind(found.name, found.family, found.attachment)
        apply += binds
        if old_name is None:
            back += [f"no {line}" for line in binds]
        elif dialect.digest:
            back += dialect.bind(old_name, found.family, found.attachment)
        else:
            back.append(f"load the list {old_name} as it was before, and commit")
    return Written({file: text}, changes, tuple(apply), tuple(back))


def _written_out(rule: Rule, unset_flags: bool) -> int:
    """Entries of a rule if nothing were merged; what can open a connection is two where flags cannot be unset."""
    twice = rule.box.tcp is TcpClass.OPENING and not unset_flags
    return naive_lines(rule) * (2 if twice else 1)


def _lean(
    section: Section,
    read: AccessList,
    dialect: Dialect,
    foreign: Collection[int] = frozenset(),
    existing: AccessList | None = None,
) -> tuple[Section, AccessList]:
    """Without the entries that change nothing, and what is left says; ``foreign`` ones are not ours to remove."""
    ours = frozenset(range(len(section.items))).difference(foreign)
    gone = lean(readings([read], dialect.wary, existing), ours)
    items = tuple(item for at, item in enumerate(section.items) if at not in gone)
    return replace(section, items=items), read.without(*gone)


def _read(section: Section, dialect: Dialect, name: str, discovery: bool) -> AccessList:
    head = f"{dialect.headings[section.family]} {name}"
    text = "\n".join([head, *(entry for _, entry in section.items)])
    return parse(text, "section", discovery=discovery)[0]


def _merged(
    section: Section,
    wanted: AccessList,
    old: AccessList,
    existing: Existing,
    dialect: Dialect,
    discovery: bool,
) -> tuple[Section, AccessList, int, int]:
    """The old list with the section in its place, what that says, where it is, and how many entries it has."""
    name = old.name
    whole = _read(section, dialect, name, discovery)
    ours = replace(whole, lines=whole.lines[: len(section.items)])
    pairs = [(ours, old)]
    if section.family in dialect.wary:
        pairs.append((warily(ours, old), old))
    at = place_of(wanted, pairs)
    theirs = _items(old, existing.text)
    items = (*theirs[:at], *section.items, *theirs[at:])
    foreign = frozenset((*range(at), *range(at + len(section.items), len(items))))
    merged = replace(section, items=items)
    left, said = _lean(merged, _read(merged, dialect, name, discovery), dialect, foreign, old)
    return left, said, at, len(left.items) - len(theirs)


def _items(old: AccessList, text: str) -> tuple[tuple[str, str], ...]:
    """The entries of the list in force with the remarks above them, as they are written."""
    lines = text.split("\n")
    found = []
    for line in old.lines:
        if not line.number:
            continue
        above = []
        at = line.number - 2
        while at >= 0 and " remark " in f" {_NUMBER.sub('', lines[at].strip())} ":
            above.append(_NUMBER.sub("", lines[at].strip()).removeprefix("remark").strip())
            at -= 1
        note = plain("; ".join(reversed(above)))
        found.append((note, _NUMBER.sub("", line.text)))
    return tuple(found)


def _place_words(old: AccessList, at: int) -> str:
    own = [line for line in old.lines if line.number]
    if at == len(own):
        return f"at the end of {old.name}, before its implicit deny"
    if at == 0:
        return f"at the beginning of {old.name}, before line {own[0].number} ({own[0].text})"
    return (
        f"in {old.name}, after line {own[at - 1].number} ({own[at - 1].text}) "
        f"and before line {own[at].number} ({own[at].text})"
    )


def _difference(old: AccessList, new: Section) -> tuple[str, ...]:
    before = [_NUMBER.sub("", line.text) for line in old.lines if line.number]
    after = [entry for _, entry in new.items]
    return tuple(difflib.unified_diff(before, after, "in force", "merged", lineterm="", n=2))
