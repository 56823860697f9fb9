"""Where to read on from a rule that drops: the names that ``rearguard lessons show`` takes.

A drop closes what listens at its ports, so it leads to these interfaces of the catalogue, and over them to
mechanisms and incidents. Those that the policy names there come first, moved ports included; then what else it
closes: an interface all of whose ports of one transport on one side of 1024 are in the rule (rule C1 gives the two
sides rules of their own). Of each, the one with most ports comes first. Rules that every filter has lead to their
shape.

Only the catalogue is asked here; a test of the lessons shows that each name is an entry of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from rearguard.catalogue import Listener, load
from rearguard.filters.model import Filter, PortSet, Rule, Verdict
from rearguard.model.bits import TCP

__all__ = ["pointer", "read_on", "reading_lines", "reading_list"]

FIRST_SHARED = 1024
LONGEST = 32
"""Characters of the names in a remark; the first is written whatever it takes."""


def read_on(rule: Rule) -> tuple[str, ...]:
    """The entries of the lessons behind a rule, the nearest first; empty for what passes."""
    if rule.verdict is not Verdict.DROP:
        return ()
    ports = rule.box.dports or rule.box.sports
    if ports is None:
        return ("anti-spoof",) if rule.box.sources is not None else ("fragments",)
    transport = "tcp" if rule.box.protocols == frozenset({TCP}) else "udp"
    return tuple(dict.fromkeys((*rule.interfaces, *_closed(transport, ports))))


def pointer(rule: Rule) -> str:
    """``lessons show cwmp-cr, telnet +3``, for a remark; empty for what passes."""
    names = read_on(rule)
    if not names:
        return ""
    shown = [names[0]]
    while len(shown) < len(names) and len(", ".join([*shown, names[len(shown)]])) <= LONGEST:
        shown.append(names[len(shown)])
    more = len(names) - len(shown)
    return f"lessons show {', '.join(shown)}{f' +{more}' if more else ''}"


def reading_list(given: Filter) -> dict[str, tuple[str, ...]]:
    """Each name of :func:`read_on` with the rules that lead to it, in the order of the filter."""
    found: dict[str, list[str]] = {}
    for rule in given.rules:
        for name in read_on(rule):
            found.setdefault(name, []).append(rule.id)
    return {name: tuple(rules) for name, rules in found.items()}


def reading_lines(given: Filter, lessons: Mapping[str, str] | None) -> Iterator[str]:
    """Items of a Markdown list. ``lessons``: what a name stands for, in sentences from above."""
    for name, rules in reading_list(given).items():
        told = (lessons or {}).get(name, "")
        yield f"- `{name}`{f': {told}' if told else ''} Rules {', '.join(rules)}. `rearguard lessons show {name}`"


@lru_cache(maxsize=256)
def _closed(transport: str, ports: PortSet) -> tuple[str, ...]:
    """The interfaces of devices that are closed."""
    found: dict[str, int] = {}
    for entry in load().interfaces:
        if entry.listener is not Listener.DEVICE:
            continue
        mine = [each for each in entry.ports if each.transport == transport]
        always = [each.port for each in mine if not each.opt_in]
        low = [port for port in always if port < FIRST_SHARED]
        high = [port for port in always if port >= FIRST_SHARED]
        if any(side and all(port in ports for port in side) for side in (low, high)):
            found[entry.id] = sum(each.port in ports for each in mine)
    return tuple(sorted(found, key=lambda name: -found[name]))
