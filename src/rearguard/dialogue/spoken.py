"""What one protocol's listener makes of a dialogue, and what a pattern may look at in it."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from rearguard.dialogue.exchange import Hit, Inform, Secret

__all__ = ["Asked", "Heard", "Value"]


class Value(NamedTuple):
    """Some part of a request: its name where it has one, its bytes, and its place in the client's stream."""

    name: bytes
    text: bytes
    at: int


class Asked(Protocol):
    """A request, as patterns look at it."""

    def parts(self) -> Set[str]:
        """The parts that it may have (see :attr:`rearguard.catalogue.attacks.Sign.needs`)."""
        ...

    def values(self, part: str, name: bytes) -> Iterable[Value]:
        """The values of a part (``catalogue.attacks.PARTS``), for parts with names those of this name."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """What a dialogue says; the fields are those of :class:`~rearguard.dialogue.exchange.Exchange`."""

    speaks: str = ""
    identity: str | None = None
    answer: str = ""
    status: int = 0
    method: str = ""
    path: str = ""
    login: str = ""
    hits: tuple[Hit, ...] = ()
    secrets: tuple[Secret, ...] = ()
    inform: Inform | None = None
    rpcs: tuple[str, ...] = ()
    fetch: tuple[str, ...] = ()
