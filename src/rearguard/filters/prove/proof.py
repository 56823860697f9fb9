"""The proof of a text: it does what the policy's filter does, and elsewhere what the filter in force does.

Theory. Let *wanted* be the policy's filter, *existing* the list that is in force (none: everything passes) and
*found* what the text says. Wanted is that ``found`` drops a packet exactly if ``wanted`` or ``existing`` drops
it: then no controller is cut, no stranger passes and nothing else changes, and nothing that was denied becomes
permitted. This is one equality of functions over all packets, and it is decided, not sampled. Each way in which
it fails gives a packet.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rearguard.filters.lines import AccessList, decide, lists_of
from rearguard.filters.model import UNKNOWN_PROTOCOL, Attachment, Filter, Packet, Piece, Verdict
from rearguard.filters.prove.equal import compare, unneeded
from rearguard.filters.prove.words import by_line, by_policy, nicer, packet_words
from rearguard.filters.readings import readings
from rearguard.filters.residual import Residual
from rearguard.model.errors import InputError, Place

__all__ = ["Proof", "Property", "Proven", "Witness", "prove"]


class Property(StrEnum):
    """What is shown; each is the absence of one kind of witness."""

    CONTROLLERS = "no controller is dropped"
    STRANGERS = "no stranger passes"
    NEVER_BLOCK = "what never_block lists passes"
    OUTSIDE = "nothing else changes"
    FRAGMENTS = "fragments are judged as the policy says"
    HEADERS = "packets whose IPv6 headers are cut off are judged as the policy says"


@dataclass(frozen=True, slots=True)
class Witness:
    """A packet that the text judges otherwise than wanted."""

    packet: Packet
    broken: Property
    wanted: Verdict
    line: int | None
    """The line of the text that decides; None: its end."""
    text: str

    def to_json(self) -> dict[str, Any]:
        """With plain values."""
        packet = self.packet
        return {
            "property": str(self.broken),
            "family": packet.family,
            "attachment": str(packet.attachment),
            "source": str(packet.source),
            "destination": str(packet.destination),
            "protocol": packet.protocol,
            "piece": str(packet.piece),
            "sport": packet.sport,
            "dport": packet.dport,
            "flags": packet.flags,
            "wanted": str(self.wanted),
            "line": self.line,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class Proven:
    """One list, compared."""

    name: str
    attachment: Attachment
    family: int
    lines: int
    unneeded: tuple[int, ...]
    """Line numbers of what could be taken out without any effect, in whichever way the list is read."""
    witnesses: tuple[Witness, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """All lists of a text."""

    lists: tuple[Proven, ...]
    residuals: tuple[Residual, ...]

    @property
    def holds(self) -> bool:
        """Whether the text is proven."""
        return all(each.complete and not each.witnesses for each in self.lists)

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """Of all lists."""
        return tuple(witness for each in self.lists for witness in each.witnesses)

    def state(self, each: Property) -> bool | None:
        """Whether a property holds; None: the comparison was broken off."""
        if any(witness.broken is each for witness in self.witnesses):
            return False
        return True if all(proven.complete for proven in self.lists) else None

    def to_json(self) -> dict[str, Any]:
        """With plain values."""
        return {
            "proven": self.holds,
            "properties": {str(each): self.state(each) for each in Property},
            "lists": [
                {
                    "name": each.name,
                    "attachment": str(each.attachment),
                    "family": each.family,
                    "lines": each.lines,
                    "unneeded": list(each.unneeded),
                    "complete": each.complete,
                }
                for each in self.lists
            ],
            "residuals": [
                {"name": each.name, "family": each.family, "rules": list(each.rules), "effect": each.effect}
                for each in self.residuals
            ],
            "witnesses": [witness.to_json() for witness in self.witnesses],
        }


def prove(
    given: Filter,
    found: Sequence[AccessList],
    existing: Sequence[AccessList] | None = None,
    residuals: tuple[Residual, ...] = (),
    file: str | None = None,
    *,
    wary: Collection[int] = (),
) -> Proof:
    """Compare the lists of a text with the (adapted) filter, one family and attachment after the other.

    Those of the ``wary`` families must be right in both of their :mod:`~rearguard.filters.readings`.
    """
    wanted = {(each.attachment, each.family): each for each in lists_of(given)}
    texts = _by_place(found, file)
    before = _by_place(existing or (), "the filter in force")
    proven = []
    for place in sorted({*wanted, *texts}):
        empty = AccessList("none", *place, ())
        missing = AccessList(f"no list for IPv{place[1]} {place[0]}", *place, ())
        kept = before[place][0] if place in before else None
        here = readings(texts.get(place, [missing]), wary, kept)
        numbers = {line.number for each in here for line in each.lines if line.number}
        spare = numbers.difference(*map(_needed, here))
        proven += [_proven(wanted.get(place, empty), each, kept, spare) for each in here]
    return Proof(tuple(proven), residuals)


def _by_place(
    lists: Sequence[AccessList], file: str | None
) -> dict[tuple[Attachment, int], list[AccessList]]:
    found: dict[tuple[Attachment, int], list[AccessList]] = {}
    for each in lists:
        others = found.setdefault((each.attachment, each.family), [])
        if others and (others[0].name != each.name or each.view in [other.view for other in others]):
            raise InputError(
                f"two lists judge IPv{each.family} {each.attachment}: {others[0].name} and {each.name}",
                remedy="prove them one by one: put each in a file of its own",
                place=Place(file=file),
            )
        others.append(each)
    return found


def _needed(found: AccessList) -> set[int]:
    """Line numbers of what cannot be taken out of one reading without any effect."""
    # A line of a chain that is reached in several ways is spare when it is so in all of them. One that leads into
    # a chain is not looked into: it would take all of the chain with it.
    spare = frozenset(unneeded(found))
    return {line.number for at, line in enumerate(found.lines) if line.leads or at not in spare}


def _proven(
    wanted: AccessList, found: AccessList, existing: AccessList | None, spare: Collection[int]
) -> Proven:
    sides = [wanted] if existing is None else [wanted, existing]
    compared = compare(sides, found)
    witnesses = []
    for packet in compared.witnesses:
        better = nicer(packet, [*sides, found])
        verdict, line = decide(found, better)
        asked = by_policy(wanted, better, existing)
        text = f"{packet_words(better)} {by_line(verdict, line)}, {asked}"
        number = None if line is None else line.number or None
        target = Verdict.PASS if verdict is Verdict.DROP else Verdict.DROP
        witnesses.append(Witness(better, _broken(wanted, better), target, number, text))
    return Proven(
        f"{found.name}, {found.view}" if found.view else found.name,
        found.attachment,
        found.family,
        len({line.number for line in found.lines if line.number}),
        tuple(sorted(spare)),
        tuple(witnesses),
        compared.complete,
    )


def _broken(wanted: AccessList, packet: Packet) -> Property:
    verdict, line = decide(wanted, packet)
    rule = "" if line is None or line.rule is None else line.rule.id
    if packet.protocol == UNKNOWN_PROTOCOL:
        return Property.HEADERS
    if rule.startswith("never_block"):
        return Property.NEVER_BLOCK
    if packet.piece is not Piece.READABLE and rule:
        return Property.FRAGMENTS
    if verdict is Verdict.DROP:
        return Property.STRANGERS
    if rule.startswith(("permit_", "answer_")):
        return Property.CONTROLLERS
    return Property.OUTSIDE
