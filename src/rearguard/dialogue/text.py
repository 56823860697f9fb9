"""The bytes of one side as one text in which every byte stands at its place in the stream.

Gaps are filled with NUL, so that lengths that a message announces still fit and each token's place names the
packet that brought it. A filler is no evidence: nothing that is looked for contains a NUL.
"""

from __future__ import annotations

from rearguard.dialogue.exchange import Proof
from rearguard.dialogue.stream import Stream

__all__ = ["MASK", "SHOWN", "first", "proof", "sewn", "shown"]

SHOWN = 200
"""The most characters of a hostile text that an exchange keeps."""

MASK = "********"
"""What stands for a secret; it does not tell the secret's length."""


def sewn(stream: Stream) -> bytes:
    """The stream's bytes, gaps filled; never longer than the head."""
    if not stream.islands:
        return stream.data
    place, island = stream.islands[-1]
    text = bytearray(place + len(island))
    for start, part in stream.parts():
        text[start : start + len(part)] = part
    return bytes(text)


def proof(stream: Stream, place: int, *, from_server: bool) -> Proof:
    """The packet that brought the byte at this place. The stream is not empty."""
    origin = stream.origin_of(place) or stream.origins[0]
    return Proof(origin.ts, origin.rec, from_server)


def first(stream: Stream, *, from_server: bool) -> Proof | None:
    """The packet with payload that came first; None for an empty stream."""
    if not stream.origins:
        return None
    origin = min(stream.origins, key=lambda each: (each.ts, each.rec))
    return Proof(origin.ts, origin.rec, from_server)


def shown(text: bytes, limit: int = SHOWN) -> str:
    """The beginning of a text as characters, one for each byte; raw, sinks escape it."""
    return text[:limit].decode("latin-1")
