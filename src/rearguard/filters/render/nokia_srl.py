"""Nokia SR Linux from 24.3: ``acl-filter NAME type ipv4`` and ``type ipv6``, each version under a name of its own.

Quirks, from Nokia's YANG model srl_nokia-acl. An entry has one prefix and one range of ports an end, and a number
from 1 to 65535. ``tcp-flags`` knows ack, rst and syn only, so what is exactly SYN+ACK cannot be asked. ``fragment``
with ``first-fragment`` tells later fragments, for IPv4 only; what entries with ports do to these is not said, so
they are let through by an entry of their own before any port is asked. ``next-header`` is the first header of an
IPv6 packet. The last entry says what becomes of everything else, so that nothing hangs on a default. A commit is
atomic. ``statistics-per-entry`` counts by entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rearguard.filters.model import Attachment, Filter, Piece, Verdict
from rearguard.filters.parse.nokia_srl import parse
from rearguard.filters.prove.lean import lean
from rearguard.filters.readings import readings
from rearguard.filters.render.flat import Entry, entries, rules_of
from rearguard.filters.render.plain import digest_of, plain, remark
from rearguard.filters.residual import Ability
from rearguard.model.bits import TCP, UDP
from rearguard.model.errors import UsageError

__all__ = ["ABILITY", "MOST_ENTRIES", "filter_names", "hooks", "text_of"]

ABILITY = Ability(
    offset_one=frozenset(),
    unreadable=frozenset(),
    answers=frozenset(),
    headers=frozenset({4}),
    wary=frozenset({4}),
)
MOST_ENTRIES = 65_535
STEP = 10
_NAMES = {TCP: "tcp", UDP: "udp"}


def text_of(given: Filter, head: Sequence[str]) -> str:
    """The commands of the candidate mode. ``UsageError``: more entries than a filter has numbers for."""
    lines = [f"# {plain(line, 110)}" if line else "#" for line in head]
    for attachment in Attachment:
        for family in (4, 6):
            rules = [
                rule
                for rule in rules_of(given, attachment, family)
                # For IPv6 there is no such condition, and none is needed: a fragment's first header is not TCP.
                if family == 4 or rule.box.pieces is None or Piece.LATER not in rule.box.pieces
            ]
            if rules:
                lines += _filter(given, attachment, family, entries(rules, unset_flags=True))
    return "\n".join(lines) + "\n"


def filter_names(text: str) -> list[tuple[str, str]]:
    """Name and type of the filters of a text, in order."""
    words = [line.split() for line in text.splitlines() if line.startswith("set / acl acl-filter ")]
    return list(dict.fromkeys((word[4], word[6]) for word in words))


def hooks(given: Filter, text: str) -> list[str]:
    """Commands that put the filters in force."""
    links = [plain(name) for name in given.outside] or ["INTERFACE"]
    return [
        f"set / acl interface {link} {'output' if '-leaving-' in name else 'input'} acl-filter {name} type {kind}"
        for link in links
        for name, kind in filter_names(text)
    ]


def _filter(given: Filter, attachment: Attachment, family: int, made: list[Entry]) -> Iterator[str]:
    leaving = "-leaving" if attachment is Attachment.LEAVING else ""
    name = f"REARGUARD-{given.edge}{leaving}-v{family}"
    start = f"set / acl acl-filter {name} type ipv{family}"
    read = parse("\n".join(f"{start} {line}" for line in _body(made, family)), name)
    gone = lean(readings(read, ABILITY.wary), range(len(made)))
    body = _body([entry for at, entry in enumerate(made) if at not in gone], family)
    start = f"set / acl acl-filter {name}-{digest_of(body)} type ipv{family}"
    yield f"{start} statistics-per-entry true"
    yield from (f"{start} {line}" for line in body)


def _body(made: Sequence[Entry], family: int) -> list[str]:
    count = len(made) + 1
    if count > MOST_ENTRIES:
        raise UsageError(
            f"this filter is {count:,} entries for IPv{family}, and SR Linux numbers {MOST_ENTRIES:,} at most",
            remedy="aggregate the prefixes of the networks, or accept the residual own-sources",
        )
    step = STEP if count * STEP <= MOST_ENTRIES else 1
    body = [line for at, entry in enumerate(made, 1) for line in _entry(entry, family, at * step)]
    return [*body, f"entry {count * step} action accept"]


def _entry(entry: Entry, family: int, number: int) -> Iterator[str]:
    here, match = f"entry {number}", f"entry {number} match"
    yield f'{here} description "{remark(entry.rule)}"'
    if entry.protocol is not None:
        yield f"{match} ipv{family} {'protocol' if family == 4 else 'next-header'} {_NAMES[entry.protocol]}"
    for end, prefix in (("source", entry.source), ("destination", entry.destination)):
        if prefix is not None:
            yield f"{match} ipv{family} {end}-ip prefix {prefix}"
    if entry.fragments:
        yield f"{match} ipv4 fragment true"
        yield f"{match} ipv4 first-fragment false"
    for end, ports in (("source", entry.sport), ("destination", entry.dport)):
        if ports is None:
            continue
        first, last = ports
        if first == last:
            yield f"{match} transport {end}-port operator eq"
            yield f"{match} transport {end}-port value {first}"
        else:
            yield f"{match} transport {end}-port range start {first}"
            yield f"{match} transport {end}-port range end {last}"
    if entry.opening:
        yield f'{match} transport tcp-flags "!(ack|rst)"'
    yield f"{here} action {'drop' if entry.verdict is Verdict.DROP else 'accept'}"
