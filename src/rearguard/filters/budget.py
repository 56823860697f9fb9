"""What a filter costs in a router's hardware table, and whether it has the room.

Theory. A hardware table holds values with masks, not ranges: a range of ports is as many entries as its
smallest cover by aligned blocks (7547-7550: 3; 1024-65535: 6; 1-65534: 30), and an entry with two ranges is the
product. On Junos one term is the product of its lists of sources, destinations and ports, and adjacent prefixes
are not merged (Juniper KB30953). Replacing a list without a gap needs room for the old and the new one at once
(Cisco 214384), so at most half of the table is planned for.

The figures are those that vendors document for one table; what else uses the table is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from rearguard.filters.lines import AccessList, Match
from rearguard.filters.model import UNKNOWN_PROTOCOL, Rule
from rearguard.filters.spans import BITS, Spans
from rearguard.model.errors import UsageError

__all__ = ["BUDGETS", "Budget", "check_budget", "hardware_cost", "naive_lines", "range_cost"]


@dataclass(frozen=True, slots=True)
class Budget:
    """The room that a vendor documents, and where."""

    entries: int
    table: str
    source: str

    @property
    def planned(self) -> int:
        """What is used at most, so that old and new lists fit together."""
        return self.entries // 2


BUDGETS = {
    "qfx3500": Budget(
        768, "QFX3500/QFX3600, ingress terms", "Juniper, Planning the Number of Firewall Filters"
    ),
    "qfx5100": Budget(
        1536, "QFX5100/QFX5120, ingress terms", "Juniper, Planning the Number of Firewall Filters"
    ),
    "qfx5110": Budget(6144, "QFX5110, ingress terms", "Juniper, Planning the Number of Firewall Filters"),
    "qfx5200": Budget(768, "QFX5200, ingress terms", "Juniper, Planning the Number of Firewall Filters"),
    "qfx10000": Budget(8192, "QFX10000, ingress terms", "Juniper, Planning the Number of Firewall Filters"),
    "catalyst4500": Budget(
        4096, "Catalyst 4500, entries of one block", "Cisco, Understanding ACL on Catalyst 4500"
    ),
    "nexus7000": Budget(16384, "Nexus 7000, entries of one bank", "Cisco 214384, Nexus 7000 ACL TCAM"),
}
"""By hardware; ``--hardware NAME`` or ``--entries N`` says what a router has."""


def range_cost(first: int, last: int, bits: int = 16) -> int:
    """Aligned blocks that make up a range."""
    count = 0
    while first <= last:
        size = first & -first if first else 1 << bits
        while size > last - first + 1:
            size >>= 1
        first += size
        count += 1
    return count


@lru_cache(1 << 15)
def _spans(spans: Spans | None, bits: int) -> int:
    return 1 if spans is None else sum(range_cost(first, last, bits) for first, last in spans)


def _match_cost(match: Match, family: int) -> int:
    protocols = match.protocols or frozenset()
    one = not protocols or len(protocols) > 100 or UNKNOWN_PROTOCOL in protocols
    cost = 1 if one else len(protocols)
    cost *= _spans(match.sources, BITS[family]) * _spans(match.destinations, BITS[family])
    return cost * _spans(match.sports, 16) * _spans(match.dports, 16)


def hardware_cost(given: AccessList) -> int:
    """Entries of a table with masks; the second box of a line, for later fragments, is one more."""
    return sum(_match_cost(match, given.family) for line in given.lines for match in line.matches) + 1


def naive_lines(rule: Rule) -> int:
    """Lines of a rule if every prefix and every port were written out by itself."""
    box = rule.box
    count = len(box.sources or (0,)) * len(box.destinations or (0,))
    for ports in (box.sports, box.dports):
        count *= 1 if ports is None else sum(1 for _ in ports)
    return count * max(1, len((box.protocols or frozenset()) - {UNKNOWN_PROTOCOL}))


def check_budget(lists: Iterable[AccessList], entries: int, table: str) -> None:
    """``UsageError``: a list takes more than its share; says by how much and what to aggregate."""
    planned = entries // 2
    for given in lists:
        cost = hardware_cost(given)
        if cost <= planned:
            continue
        largest = max(
            given.lines, key=lambda line: sum(_match_cost(each, given.family) for each in line.matches)
        )
        prefixes = {
            match.destinations for line in given.lines for match in line.matches if match.destinations
        }
        count = sum(_spans(each, BITS[given.family]) for each in prefixes)
        raise UsageError(
            f"{given.name} takes {cost:,} entries, {cost - planned:,} more than half of the {entries:,} of {table}",
            remedy=f"aggregate the prefixes of the networks (its lists of destinations have {count:,} prefixes "
            f"in all; the largest line is {' '.join(largest.text.split())!r}), guard fewer ports in one drop, or "
            "filter where there is more room",
        )
