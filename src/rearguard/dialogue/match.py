"""Requests against attack patterns: which are recognised, and by which part of the request (rule B8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rearguard.catalogue.attacks import Attack, Group, Sign, Test
from rearguard.dialogue import shell
from rearguard.dialogue.exchange import Hit, Proof
from rearguard.dialogue.spoken import Asked, Value
from rearguard.dialogue.text import MASK, SHOWN, shown

__all__ = ["Matching", "hits", "recognised"]

VALUE = 4096
"""The most bytes of a value that are looked at."""
_LEAD = 40


@dataclass(frozen=True, slots=True)
class Matching:
    """The patterns of one protocol, and which of their attacks count in this dialogue."""

    groups: Sequence[Group]
    counts: Callable[[Attack], bool]


@dataclass(frozen=True, slots=True)
class _Found:
    attack: Attack
    value: Value
    begin: int
    """Where in the value the telling part begins."""
    part: str


def recognised(request: Asked, groups: Sequence[Group], counts: Callable[[Attack], bool]) -> list[_Found]:
    """The attacks that the request shows, of those that count. A mechanism pattern is left out where known
    attacks that were recognised work by the same mechanisms: it would say the same again, with less certainty.
    """
    parts = request.parts()
    found: dict[str, _Found] = {}
    for needs, signs in groups:
        if not needs <= parts:
            continue
        for attack, sign in signs:
            if attack.id not in found and (value := _sign(request, sign)) and counts(attack):
                found[attack.id] = _Found(attack, *value)
    if len(found) < 2:
        return list(found.values())
    certain = [match.attack for match in found.values() if match.attack.certain]
    told = {mechanism for attack in certain for mechanism in attack.mechanisms}
    return [
        match
        for match in found.values()
        if match.attack.certain or not told.issuperset(match.attack.mechanisms)
    ]


def hits(
    request: Asked,
    matching: Matching,
    prove: Callable[[int], Proof],
    *,
    context: bytes = b"",
    status: int = 0,
    answer: str = "",
) -> list[Hit]:
    """The attacks as hits. ``prove`` gives the packet of a place. Hosts are taken from the value that told, or
    else from ``context``, the rest of the request.
    """
    told = []
    for match in recognised(request, matching.groups, matching.counts):
        text = match.value.text[:VALUE]
        named, urls = shell.hosts(text)
        if not named and context:
            named, urls = shell.hosts(context)
        told.append(
            Hit(
                attack=match.attack.id,
                proof=prove(match.value.at + match.begin),
                excerpt=_excerpt(match),
                named=named,
                urls=tuple(url[:SHOWN] for url in urls),
                status=status,
                answer=answer,
            )
        )
    return told


def _excerpt(match: _Found) -> str:
    """What told; of a login the user only."""
    text = match.value.text
    if match.part == "login":
        return f"{shown(text.partition(b':')[0], 64)} / {MASK}"
    begin = match.begin - _LEAD if match.begin > SHOWN // 2 else 0
    label = match.value.name + b"=" if match.value.name else b""
    return shown(label + text[begin : begin + SHOWN])


def _sign(request: Asked, sign: Sign) -> tuple[Value, int, str] | None:
    """The most telling value: one with a command in it, or else that of the last test."""
    best: tuple[Value, int, str] | None = None
    told = False
    for test in sign.tests:
        found = _test(request, test)
        if found is None:
            return None
        if test.shell or test.command or not told:
            best = (*found, test.part)
            told = told or test.shell or test.command
    return best


def _test(request: Asked, test: Test) -> tuple[Value, int] | None:
    for value in request.values(test.part, test.name):
        begin = _holds(test, value)
        if begin >= 0:
            return value, begin
    return None


def _holds(test: Test, value: Value) -> int:
    """Where in the value its telling part begins; -1 when the test does not hold."""
    text = value.text[:VALUE]
    if test.longer and len(value.text) <= test.longer:
        return -1
    plain = text if test.part == "login" else text.lower()
    if test.equals and plain not in test.equals:
        return -1
    if test.begins and not plain.startswith(test.begins):
        return -1
    begin = 0
    if test.has:
        places = [place for literal in test.has if (place := plain.find(literal)) >= 0]
        if not places:
            return -1
        begin = min(places)
    if test.like is not None:
        found = test.like.search(text)
        if found is None:
            return -1
        begin = found.start()
    if test.command and not shell.command(text):
        return -1
    if test.shell:
        span = shell.injection(text)
        if span is None:
            return -1
        begin = span[0]
    return begin
