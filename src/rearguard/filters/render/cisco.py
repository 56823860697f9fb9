"""What Cisco IOS, IOS XR, NX-OS and Arista EOS have in common: numbered lists of ``permit`` and ``deny``.

Theory. Such a list ends with an invisible "deny all", so a section that stands alone ends in a permit for
everything, neighbour discovery with it. An entry that asks for ports never matches later fragments if it
denies, and matches them by address and protocol if it permits (Cisco IOS IP Configuration Guide, "Specifying IP
Extended Access Lists with Fragment Control"); so no ``fragments`` entry is needed before the denies, and one
that would only repeat what the end of the list does is left out.

An interface carries one list a family and direction. The text therefore only *makes* lists, under names that
change with their content where a change would otherwise not be atomic; which list is in force is one command on
the interface, and taking it back is one more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rearguard.filters.model import Attachment, Filter, Verdict
from rearguard.filters.render.flat import Entry, entries, rules_of
from rearguard.filters.render.plain import digest_of, plain, remark
from rearguard.model.address import Network
from rearguard.model.bits import TCP, UDP

__all__ = ["Dialect", "Section", "ace", "sections", "text_of"]

STEP = 10


@dataclass(frozen=True, slots=True)
class Dialect:
    """In what these platforms differ."""

    headings: dict[int, str]
    """By family, before the name of the list."""
    number: dict[int, str]
    """By family, before an entry; ``{}`` is the number."""
    unset_flags: frozenset[int]
    """Families in which flags can be asked to be unset (``match-all -ack -rst``)."""
    any_ip: dict[int, str]
    """The protocol that means all of IP."""
    lengths: bool
    """IPv4 prefixes are written with a length; else with a wildcard mask."""
    digest: bool
    """Names change with the content, because editing a list that is in force is not atomic."""
    numbered_remarks: bool
    bind: Callable[[str, int, Attachment], Sequence[str]]
    """Commands below an interface that put a list in force."""
    preamble: tuple[str, ...] = ()
    """The first lines of every list."""
    wary: frozenset[int] = frozenset()
    """Families in which the vendor does not say what entries with ports do to later fragments."""


@dataclass(frozen=True, slots=True)
class Section:
    """One list: entries with their remarks, still without numbers."""

    attachment: Attachment
    family: int
    items: tuple[tuple[str, str], ...]
    """(remark, entry); a remark is written before the first of the entries that share it."""


def sections(given: Filter, dialect: Dialect) -> tuple[Section, ...]:
    """The lists of a filter, without the entry that ends one that stands alone."""
    made = []
    for attachment in Attachment:
        for family in (4, 6):
            rules = rules_of(given, attachment, family)
            if not rules:
                continue
            notes = {rule.id: remark(rule) for rule in rules}
            items = tuple(
                (notes[entry.rule.id], ace(entry, family, dialect))
                for entry in entries(rules, unset_flags=family in dialect.unset_flags)
            )
            made.append(Section(attachment, family, items))
    return tuple(made)


def ace(entry: Entry, family: int, dialect: Dialect) -> str:
    """An entry without its number."""
    verb = "deny" if entry.verdict is Verdict.DROP else "permit"
    protocol = {None: dialect.any_ip[family], TCP: "tcp", UDP: "udp"}[entry.protocol]
    words = [verb, protocol, _place(entry.source, dialect.lengths), *_port(entry.sport)]
    words += [_place(entry.destination, dialect.lengths), *_port(entry.dport)]
    words += ["established"] * entry.established + ["match-all -ack -rst"] * entry.opening
    words += ["match-all +ack -fin -rst +syn"] * entry.answer
    words += ["fragments"] * entry.fragments + ["undetermined-transport"] * entry.undetermined
    return " ".join(words)


@lru_cache(1 << 15)
def _place(prefix: Network | None, lengths: bool) -> str:
    if prefix is None:
        return "any"
    if prefix.num_addresses == 1:
        return f"host {prefix.network_address}"
    if prefix.version == 6 or lengths:
        return str(prefix)
    return f"{prefix.network_address} {prefix.hostmask}"


def _port(ports: tuple[int, int] | None) -> list[str]:
    if ports is None:
        return []
    first, last = ports
    return [f"eq {first}"] if first == last else [f"range {first} {last}"]


def text_of(
    given: Filter, made: Sequence[tuple[Section, str]], dialect: Dialect, head: Sequence[str]
) -> tuple[str, list[str]]:
    """The lists as text, and their names. ``made``: sections with names, to which digests are added here."""
    names = []
    lines = [f"! {plain(line, 110)}" if line else "!" for line in head]
    binds: list[str] = []
    for section, base in made:
        body = [*_body(section, dialect)]
        name = f"{base}-{digest_of(body)}" if dialect.digest else base
        names.append(name)
        heading = f"{dialect.headings[section.family]} {name}"
        # What an older version had under the same name would stay beside the new entries.
        lines += ["!"] if dialect.digest else ["!", f"no {heading}"]
        lines.append(heading)
        lines += [f" {line}" for line in (*dialect.preamble, *body)]
        binds += [f"!  {line}" for line in dialect.bind(name, section.family, section.attachment)]
    lines += ["!", "! To put it in force, on every interface that faces the outside"]
    lines += [f"! ({', '.join(plain(name) for name in given.outside) or 'the policy names none'}):"]
    return "\n".join([*lines, *binds, "!"]) + "\n", names


def _body(section: Section, dialect: Dialect) -> Iterator[str]:
    number = STEP
    last = ""
    for note, entry in section.items:
        if note and note != last:
            if dialect.numbered_remarks:
                yield f"{number} remark {note}"
                number += STEP
            else:
                yield f"remark {note}"
        last = note
        yield dialect.number[section.family].format(number) + entry
        number += STEP
