"""Taking a filter back: the table becomes what it was before, and that is read back too."""

from __future__ import annotations

from typing import Any

from rearguard.filters.apply.kernel import KernelError, Nft
from rearguard.filters.apply.state import State, now_text
from rearguard.filters.apply.transaction import removal, replacement

__all__ = ["take_back"]


def take_back(nft: Nft, state: State, waiting: dict[str, Any], why: str) -> None:
    """Put back what ``waiting`` says was there before, and forget it; the lock must be held.

    ``KernelError``: the kernel does not take it, or holds something else afterwards; ``waiting`` stays.
    """
    before = waiting["before"]
    listing = nft.listing()
    if listing.content() != waiting["before_content"]:
        nft.load(removal(listing) if before is None else replacement(listing, before))
        if nft.listing().content() != waiting["before_content"]:
            raise KernelError(
                "the table is not what it was before, though the kernel took it back",
                remedy="look at it: nft list table inet rearguard",
            )
    state.write(
        "last", {"event": "reverted", "at": now_text(), "why": why, "edge": waiting["record"]["edge"]}
    )
    state.forget("waiting")
