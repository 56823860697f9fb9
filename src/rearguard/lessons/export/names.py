"""Identifiers that stay the same from one export to the next, so that a second import updates the first.

RFC 9562 section 5.5: a UUID of version 5 is the SHA-1 of a namespace and a name. The namespace is ours alone.
"""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

__all__ = ["uuid_of"]

NAMESPACE = uuid5(NAMESPACE_URL, "https://rearguard.example/lessons")


def uuid_of(*parts: str) -> UUID:
    """The identifier of what these words name together."""
    return uuid5(NAMESPACE, "\x1f".join(parts))
