"""What an announcement is like at this moment: for ``filter status``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rearguard.filters.apply.state import State, boot_clock
from rearguard.filters.flowspec.announce import announced
from rearguard.filters.flowspec.readback import Readers
from rearguard.filters.flowspec.record import ENDED, IN_FORCE, ORDER, Order

__all__ = ["Announced", "Receiver", "look"]


@dataclass(frozen=True, slots=True)
class Receiver:
    """One peer."""

    session: str
    rules: int
    """That it was given and that were not taken back."""
    read_back: str
    """What it holds: asked now while the rules are in force, else when it was last asked."""
    falls: int


@dataclass(frozen=True, slots=True)
class Announced:
    """The last announcement of this machine."""

    state: str
    reason: str
    edge: str
    policy: str
    """Digest of the policy that it was compiled from."""
    since: str
    ends: str
    left: float | None
    """Seconds until all is withdrawn; None: it has ended."""
    rules: int
    peers: dict[str, Receiver]
    attention: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values under the names of the fields."""
        return asdict(self)


def look(state: State, policy: str | None) -> Announced | None:
    """Ask who keeps it and, while it is in force, each peer that can be asked. None: nothing was ever announced.

    ``policy``: the digest of the policy as it is now, if it is known. ``UsageError``: the program with which a peer
    is asked is gone.
    """
    found = announced(state)
    kept = state.read(ORDER)
    if found is None or kept is None or kept["token"] != found["token"]:
        return None
    order = Order.of(kept)
    lives = found["state"] != ENDED
    differences = _held(order) if found["state"] == IN_FORCE else {}
    peers = {
        name: Receiver(
            each["session"] if lives else "closed",
            each["rules"] if lives else 0,
            _words(differences[name]) if name in differences else each["read_back"],
            each["falls"],
        )
        for name, each in found["peers"].items()
    }
    return Announced(
        found["state"],
        found["reason"],
        found["edge"],
        found["policy"],
        found["since"],
        found["ends"],
        max(0.0, order.deadline - boot_clock()) if lives else None,
        len(order.routes),
        peers,
        tuple(_attention(found, peers, differences, policy)),
    )


def _held(order: Order) -> dict[str, tuple[str, ...]]:
    """How what each peer holds differs from what was announced, of those that can be asked."""
    readers = Readers(order.read_back, str(order.session.local))
    return {name: readers.look(name, order.routes) for name in order.read_back}


def _words(differences: tuple[str, ...]) -> str:
    return f"not as meant: {'; '.join(differences[:5])}" if differences else "as meant, asked now"


def _attention(
    found: Mapping[str, Any],
    peers: Mapping[str, Receiver],
    differences: Mapping[str, tuple[str, ...]],
    policy: str | None,
) -> Iterator[str]:
    if found["state"] == ENDED:
        if not found.get("meant"):
            yield f"the announcement ended otherwise than it was asked for: {found['reason']}"
        return
    if found["state"] == IN_FORCE:
        for name, peer in peers.items():
            if not peer.rules:
                yield f"the peer {name} has none of the announced rules: its session is {peer.session}"
            elif differences.get(name):
                yield f"the peer {name} does not hold what was announced: {differences[name][0]}"
    if policy is not None and policy != found["policy"]:
        yield "what is announced was compiled from another policy: withdraw it and announce again"
