"""Which of several rules a peer looks at first (RFC 8955 section 5.1, RFC 8956 section 4)."""

from __future__ import annotations

from functools import cmp_to_key

from rearguard.filters.flowspec.components import FlowRule, Part, Prefix
from rearguard.filters.flowspec.wire import encode_part

__all__ = ["PRECEDENCE", "precedence"]


def precedence(one: FlowRule, other: FlowRule) -> int:
    """Negative: ``one`` is looked at first; 0: they are the same.

    Component by component: the lower type first, and one that has a component before one that has none left. Of
    two prefixes the longer if they overlap, else the lower address; with IPv6, the lower offset before that. Of
    other components the one whose bytes are lower, or the longer one.
    """
    for mine, theirs in zip(one.parts, other.parts, strict=False):
        found = mine.kind - theirs.kind or _compare(mine, theirs)
        if found:
            return found
    return len(other.parts) - len(one.parts)


PRECEDENCE = cmp_to_key(precedence)
"""As a key for ``sorted``."""


def _compare(one: Part, other: Part) -> int:
    if isinstance(one, Prefix) and isinstance(other, Prefix):
        if one.offset != other.offset:
            return one.offset - other.offset
        shorter = min(one.network.prefixlen, other.network.prefixlen)
        gone = one.network.max_prefixlen - shorter
        first = int(one.network.network_address) >> gone
        second = int(other.network.network_address) >> gone
        return first - second or other.network.prefixlen - one.network.prefixlen
    first_bytes, second_bytes = encode_part(one)[1:], encode_part(other)[1:]
    size = min(len(first_bytes), len(second_bytes))
    if first_bytes[:size] != second_bytes[:size]:
        return -1 if first_bytes[:size] < second_bytes[:size] else 1
    return len(second_bytes) - len(first_bytes)
