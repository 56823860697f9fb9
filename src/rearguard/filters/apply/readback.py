"""Whether the kernel does what was meant, told from what it lists and not from what it was given."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from rearguard.filters.apply.installed import ForeignError, Installed, read
from rearguard.filters.apply.kernel import Listing
from rearguard.filters.lines import AccessList, Line, decide
from rearguard.filters.model import Verdict
from rearguard.filters.parse.nftables import parse
from rearguard.filters.render.nftables import PRIORITY, TABLE

__all__ = ["differences", "unequal"]

_HOOK = ("filter", "forward", PRIORITY, "accept")
_COUNTED = re.compile(r" counter name (\S+) (drop|return)")
MOST = 3
"""Packets that are told for one list."""


def differences(listing: Listing, text: str, outside: Collection[str]) -> tuple[str, ...]:
    """In words, each way in which the table does not do what the text says; empty: it does exactly that.

    ``text`` is a file of :mod:`rearguard.filters.render.nftables`, ``outside`` the interfaces that it is bound to.
    ``InputError``: it is none.
    """
    if not listing:
        return (f"there is no table {TABLE}: nothing is filtered",)
    try:
        found = read(listing)
    except ForeignError as error:
        return (str(error),)
    return tuple(_differences(found, text, frozenset(outside)))


def _differences(found: Installed, text: str, outside: frozenset[str]) -> Iterator[str]:
    if found.asleep:
        yield "the table is dormant: nothing is filtered"
    if found.hook != _HOOK:
        yield f"the chain forward is {_words(found.hook)}, and should be {_words(_HOOK)}"
    meant = {each.name: each for each in parse(text, "the filter")}
    held = {each.name: each for each in found.lists}
    if len(held) < len(found.lists):
        yield "packets of one kind are judged twice"
    for name in sorted({*meant, *held}):
        if name not in held:
            yield f"no packets are judged that are {_kind(meant[name])}"
        elif name not in meant:
            yield f"packets are judged that are {_kind(held[name])}"
        else:
            if (links := found.outside[name]) != outside:
                yield (
                    f"packets that are {_kind(held[name])} are judged at {', '.join(sorted(links))} "
                    f"and not at {', '.join(sorted(outside))}"
                )
            yield from unequal(held[name], meant[name])
    counted = dict(_COUNTED.findall(text))
    for name in sorted({*counted, *found.counted}):
        if counted.get(name) != found.counted.get(name):
            yield f"the counter {name} does not count what it should"


def unequal(held: AccessList, meant: AccessList) -> Iterator[str]:
    """Packets that are judged otherwise. Equal lines need no proof, and mostly they are equal."""
    if _lines(held) == _lines(meant) and held.default is meant.default:
        return
    from rearguard.filters.prove.equal import compare
    from rearguard.filters.prove.words import nicer, packet_words

    witnesses = compare(meant, held).witnesses
    for witness in witnesses[:MOST]:
        packet = nicer(witness, [held, meant])
        now, should = (_done(*decide(each, packet)) for each in (held, meant))
        yield f"{packet_words(packet)} is {now}, and should be {should}"
    if len(witnesses) > MOST:
        yield f"and so are more packets that are {_kind(held)}"


def _lines(given: AccessList) -> list[object]:
    return [(line.matches, line.verdict) for line in given.lines]


def _done(verdict: Verdict, line: Line | None) -> str:
    """A line of the kernel has its counter as text, one of a file the whole rule."""
    text = "" if line is None else line.text
    found = _COUNTED.search(f" {text}")
    name = found[1] if found else text if text and " " not in text else "by no rule of its own"
    return f"{'dropped' if verdict is Verdict.DROP else 'passed'} ({name})"


def _kind(given: AccessList) -> str:
    return f"{given.attachment} with IPv{given.family}"


def _words(hook: tuple[str, str, int, str]) -> str:
    return f"type {hook[0]} hook {hook[1]} priority {hook[2]} policy {hook[3]}"
