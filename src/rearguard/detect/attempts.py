"""Who attacked what (rule B8), grouped as findings are: one source, one interface, one direction.

Several kinds need this: ``exploit-attempt`` tells it, ``compromised-device`` asks what an attacked device did next,
and ``probe`` leaves out whom worse was said of. A hit counts where somebody without the right to it said it to a
listener (never the listener's own words, such as a page that quotes an attack), and an attack that is one only
from outside counts only from outside. The victims of a reflection are no attackers (rule B4).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rearguard.model import bits
from rearguard.model.address import format_address
from rearguard.model.finding import Kind, Subject, finding_id

if TYPE_CHECKING:
    import duckdb

    from rearguard.catalogue.attacks import Attack, Attacks
    from rearguard.catalogue.catalogue import Catalogue
    from rearguard.detect.voices import End, Voice
    from rearguard.dialogue.exchange import Hit

__all__ = ["Attempt", "Campaign", "campaigns"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attack in one exchange."""

    voice: Voice
    hit: Hit
    attack: Attack


@dataclass(frozen=True, slots=True)
class Campaign:
    """All attempts of one source on one interface in one direction, in the order of time."""

    source: End
    interface: str
    way: int
    attempts: tuple[Attempt, ...]

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The exchanges, each once."""
        return tuple({id(one.voice): one.voice for one in self.attempts}.values())

    @property
    def address(self) -> str:
        """Of the source; an IPv6 /64 when several addresses in it took part (rule A8)."""
        clients = {one.voice.client for one in self.attempts}
        if len(clients) == 1:
            return format_address(*clients.pop())
        return f"{format_address(*self.source)}/64"

    @property
    def subject(self) -> Subject:
        """Verified by a TCP handshake (rule B4)."""
        proven = any(
            one.voice.exchange.complete and one.voice.exchange.proto == bits.TCP for one in self.attempts
        )
        return Subject("remote" if self.way == bits.INBOUND else "device", self.address, proven)

    @property
    def finding(self) -> str:
        """The id of the finding that tells it."""
        return finding_id(Kind.EXPLOIT_ATTEMPT, self.subject, self.interface, bits.DIRECTIONS[self.way])


def campaigns(
    voices: Iterable[Voice], con: duckdb.DuckDBPyConnection, catalogue: Catalogue, attacks: Attacks
) -> tuple[Campaign, ...]:
    """All of them, by source, interface and direction; ``con`` has the table ``reflections``."""
    asked: dict[tuple[End, str, int], list[Attempt]] = defaultdict(list)
    for voice in voices:
        if voice.authorised:
            continue
        for hit in voice.exchange.hits:
            attack = attacks.get(hit.attack)
            if hit.proof.from_server or (attack.outside and voice.way != bits.INBOUND):
                continue
            interface = voice.interface or next(
                (name for name in attack.interfaces if _listens(name, catalogue)), None
            )
            if interface is not None:
                asked[voice.source, interface, voice.way].append(Attempt(voice, hit, attack))
    if not asked:
        return ()
    victims = _victims(con)
    return tuple(
        Campaign(*key, tuple(sorted(found, key=_order)))
        for key, found in sorted(asked.items())
        if not all(_is_victim(one.voice, victims) for one in found)
    )


def _listens(name: str, catalogue: Catalogue) -> bool:
    """Whether a device listens on this interface."""
    return catalogue.get(name).listener == "device"


def _victims(con: duckdb.DuckDBPyConnection) -> set[tuple[int, int, int]]:
    """(server_hi, server_lo, source_net) of the reflections that were found."""
    found = con.execute("SELECT DISTINCT server_hi, server_lo, source_net FROM reflections").fetchall()
    return {(high, low, net) for high, low, net in found}


def _is_victim(voice: Voice, victims: set[tuple[int, int, int]]) -> bool:
    if voice.exchange.proto != bits.UDP or not victims:
        return False
    high, low = voice.source
    return (*voice.server, low >> 8 if high == 0 else high >> 16) in victims


def _order(one: Attempt) -> tuple[int, int, str, str]:
    return one.hit.proof.ts, one.hit.proof.rec, one.attack.id, one.hit.excerpt
