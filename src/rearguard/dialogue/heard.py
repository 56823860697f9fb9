"""All dialogues of a run, understood: those that have something to tell, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from rearguard.dialogue.hear import hear

if TYPE_CHECKING:
    from rearguard.catalogue import Catalogue
    from rearguard.catalogue.attacks import Attacks
    from rearguard.dialogue.exchange import Exchange
    from rearguard.dialogue.fold import Dialogue

__all__ = ["heard"]

_CONVERSATION = attrgetter("client_hi", "client_lo", "client_port", "server_hi", "server_lo", "port", "proto")
_ORDER = attrgetter(
    "first", "client_hi", "client_lo", "client_port", "server_hi", "server_lo", "port", "proto", "observer"
)


def heard(dialogues: Iterable[Dialogue], attacks: Attacks, catalogue: Catalogue) -> tuple[Exchange, ...]:
    """What was said in them, ascending by time. A conversation that several observers saw is told once: as the
    one saw it that understood most (rule A5).
    """
    told = [each for each in (hear(one, attacks, catalogue) for one in dialogues) if _tells(each)]
    told.sort(key=lambda each: (_CONVERSATION(each), each.first))
    found = [one for _, group in groupby(told, key=_CONVERSATION) for one in _once(group)]
    return tuple(sorted(found, key=_ORDER))


def _tells(one: Exchange) -> bool:
    if one.incidental:
        return bool(one.hits)
    return bool(one.hits or one.secrets or one.inform or one.rpcs or one.identity or one.answer or one.speaks)


def _once(group: Iterable[Exchange]) -> Iterator[Exchange]:
    """Exchanges of one conversation, ascending; those of different observers that overlap are the same one."""
    same: list[Exchange] = []
    for each in group:
        if same and each.first > max(one.last for one in same):
            yield max(same, key=_weight)
            same = []
        same.append(each)
    if same:
        yield max(same, key=_weight)


def _weight(one: Exchange) -> tuple[int, int, int, bool, bool, int]:
    return (
        len(one.hits),
        len(one.secrets) + len(one.rpcs),
        len(one.answer) > 0,
        one.inform is not None,
        one.complete,
        -one.observer,
    )
