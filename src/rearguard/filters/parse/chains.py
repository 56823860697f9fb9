"""Packet filters that are programs of chains (nftables, iptables, RouterOS), flattened into first-match lists.

A rule of a chain drops, returns to whoever called the chain, goes on in another chain, or only counts. Seen
from our own chains, which are called once, to return is to pass: other rules may still judge the packet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rearguard.filters.lines import Line, Match, crossed
from rearguard.filters.model import Verdict
from rearguard.filters.parse.words import FaultError

__all__ = ["ChainRule", "flattened"]

DEEPEST = 8


@dataclass(frozen=True, slots=True)
class ChainRule:
    """One rule: its boxes and what becomes of a packet in one of them."""

    matches: tuple[Match, ...]
    action: str
    """``drop``, ``return``, ``count`` or ``goto``."""
    target: str
    number: int
    text: str


def flattened(chains: Mapping[str, Sequence[ChainRule]], entry: str) -> tuple[Line, ...]:
    """The lines that a chain amounts to. ``FaultError``: a chain is missing or calls itself."""
    return tuple(_walk(chains, entry, (Match(),), ()))


def _walk(
    chains: Mapping[str, Sequence[ChainRule]], name: str, within: tuple[Match, ...], above: tuple[str, ...]
) -> Iterator[Line]:
    if name in above or len(above) > DEEPEST:
        raise FaultError(f"the chain {name} leads back to itself")
    if name not in chains:
        raise FaultError(f"there is no chain {name}")
    for rule in chains[name]:
        matches = tuple(match for each in within for match in crossed(each, rule.matches))
        if not matches or rule.action == "count":
            continue
        if rule.action == "goto":
            yield from _walk(chains, rule.target, matches, (*above, name))
        verdict = Verdict.DROP if rule.action == "drop" else Verdict.PASS
        yield Line(matches, verdict, rule.number, rule.text, leads=rule.action == "goto")
