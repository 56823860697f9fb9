"""Protocols, pieces and TCP flags cut into atoms: kinds of packets that no line of the given lists tells apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rearguard.filters.lines import ALL_FLAGS, Match
from rearguard.filters.model import UNKNOWN_PROTOCOL, Piece
from rearguard.model.bits import ACK, ICMP, ICMPV6, RST, SYN, TCP, UDP

__all__ = ["Atom", "Atoms", "kind_of"]

Kind = tuple[frozenset[int] | None, frozenset[Piece] | None, int | None]
"""What a box asks of protocol, piece and flags."""

_FIRST_FLAGS = (SYN, ACK, SYN | ACK, RST, RST | ACK, 0)
_USUAL = (TCP, UDP)
_PIECES = tuple(Piece)
_REST = (47, 50, 132, 89, 4, 41, 103, 112, 2, 115, *range(256))
"""Protocols to stand for all that no line names; GRE and ESP come first because readers know them."""


@dataclass(frozen=True, slots=True)
class Atom:
    """One packet that stands for its kind."""

    protocol: int
    piece: Piece
    flags: int


@dataclass(frozen=True, slots=True)
class Atoms:
    """The kinds, and which of them a box holds."""

    atoms: tuple[Atom, ...]
    masks: dict[Kind, int]

    @classmethod
    def of(cls, matches: Iterable[Match], family: int) -> Atoms:
        """The atoms that these boxes tell apart."""
        kinds: list[Kind] = list(dict.fromkeys(kind_of(match) for match in matches))
        first: dict[int, int] = {}
        atoms: list[Atom] = []
        masks = dict.fromkeys(kinds, 0)
        for atom in _all(kinds, family):
            signature = sum(1 << at for at, kind in enumerate(kinds) if _in(atom, kind))
            # Pieces are kept apart, so that each has its own witness; so are TCP and UDP.
            signature = signature << 12 | _PIECES.index(atom.piece) << 10 | _protocol(atom.protocol)
            if signature in first:
                continue
            first[signature] = len(atoms)
            for at, kind in enumerate(kinds):
                if signature >> 12 >> at & 1:
                    masks[kind] |= 1 << len(atoms)
            atoms.append(atom)
        return cls(tuple(atoms), masks)


def _protocol(number: int) -> int:
    return number if number in (*_USUAL, UNKNOWN_PROTOCOL) else 0x200


def kind_of(match: Match) -> Kind:
    """What the box asks beside addresses and ports."""
    return match.protocols, match.pieces, match.flags


def _in(atom: Atom, kind: Kind) -> bool:
    protocols, pieces, flags = kind
    return (
        (protocols is None or atom.protocol in protocols)
        and (pieces is None or atom.piece in pieces)
        and (flags is None or bool(flags >> atom.flags & 1))
    )


def _all(kinds: list[Kind], family: int) -> Iterable[Atom]:
    """Packets of every kind there can be, those that a reader understands best first."""
    named = frozenset[int]().union(*(kind[0] for kind in kinds if kind[0] is not None))
    ping = ICMP if family == 4 else ICMPV6
    rest = next((number for number in _REST if number not in named | {*_USUAL, ping}), None)
    protocols = [*_USUAL, *sorted(named - {*_USUAL, UNKNOWN_PROTOCOL})]
    protocols += [] if ping in named else [ping]
    protocols += [] if rest is None else [rest]
    wanted = {kind[2] for kind in kinds} - {None, ALL_FLAGS}
    flags = [*_FIRST_FLAGS, *(range(256) if wanted else ())]
    for protocol in protocols:
        for piece in Piece:
            tells = protocol == TCP and piece is Piece.READABLE
            for value in flags if tells else (0,):
                yield Atom(protocol, piece, value)
    if family == 6:
        for piece in (Piece.UNREADABLE, Piece.OFFSET_ONE, Piece.LATER):
            yield Atom(UNKNOWN_PROTOCOL, piece, 0)
