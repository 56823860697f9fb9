"""From a filter to the text of a Cisco-like platform: sections, their place, and nothing that does nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rearguard.filters.budget import hardware_cost, naive_lines
from rearguard.filters.lines import AccessList, lists_of
from rearguard.filters.model import Attachment, Filter
from rearguard.filters.parse.cisco import parse
from rearguard.filters.prove.equal import compare, unneeded
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
    drafts: list[tuple[str | None, str, int, int, tuple[str, ...]]] = []
    for section in sections(given, dialect):
        leaving = "-leaving" if section.attachment is Attachment.LEAVING else ""
        old = existing.of(section.attachment, section.family) if existing else None
        rules = rules_of(given, section.attachment, section.family)
        before = sum(naive_lines(rule) for rule in rules)
        if old is None:
            whole = replace(
                section, items=(*section.items, (_END, f"permit {dialect.any_ip[section.family]} any any"))
            )
            name = f"REARGUARD-{given.edge}{leaving}-v{section.family}"
            whole = _lean(whole, dialect, name, discovery, ())
            place = "alone: the interface carries no list for this family yet"
            drafts.append((None, place, before, len(whole.items) - 1, ()))
        else:
            assert existing is not None
            whole, at, count = _merged(
                section, wanted[section.attachment, section.family], old, existing, dialect, discovery
            )
            name = f"{_MERGED.sub('', old.name)}-RG" if dialect.digest else old.name
            place = _place_words(old, at)
            drafts.append((old.name, place, before, count, _difference(old, whole)))
        made.append((whole, name))
    text = text_of(given, made, dialect, head)
    lists = parse(text, file, discovery=discovery)
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


def _lean(section: Section, dialect: Dialect, name: str, discovery: bool, kept: tuple[int, ...]) -> Section:
    """Without the entries that change nothing; those at the positions ``kept`` are not ours to remove."""
    while True:
        read = _read(section, dialect, name, discovery)
        spare = [
            at
            for at in unneeded(read)
            if at < len(section.items)
            and at not in kept
            and not (dialect.keep_fragments and section.items[at][1].endswith(" fragments"))
        ]
        if not spare:
            return section
        # Two entries may each be spare because of the other: the last one goes, then it is asked again, unless
        # all of them can go together.
        for gone in (spare, spare[-1:]):
            items = tuple(item for at, item in enumerate(section.items) if at not in gone)
            lean = replace(section, items=items)
            if len(gone) == 1 or _same(read, _read(lean, dialect, name, discovery)):
                kept = tuple(at - sum(1 for each in gone if each < at) for at in kept)
                section = lean
                break


def _same(one: AccessList, other: AccessList) -> bool:
    return compare(one, other).equal


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
) -> tuple[Section, int, int]:
    """The old list with the section in its place, where that is, and how many entries the section has."""
    name = old.name
    ours = _read(section, dialect, name, discovery).lines[: len(section.items)]
    at = place_of(wanted, ours, old)
    theirs = _items(old, existing.text)
    items = (*theirs[:at], *section.items, *theirs[at:])
    foreign = (*range(at), *range(at + len(section.items), len(items)))
    lean = _lean(replace(section, items=items), dialect, name, discovery, foreign)
    return lean, at, len(lean.items) - len(theirs)


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
