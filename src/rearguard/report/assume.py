"""Networks that nobody named: a first pass over the input suggests them, and says loudly what it assumed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rearguard.contacts.reading import Advance, read
from rearguard.contacts.suggest import Suggested, everything_guard, suggest_networks
from rearguard.policy import Policy, policy_from_flags
from rearguard.sources import Options

if TYPE_CHECKING:
    from rearguard.catalogue import Catalogue

__all__ = ["REASONS", "assume_networks", "notes"]

REASONS = {
    "private": "private or link-local addresses",
    "tried": "swept by clients that try many addresses or ports",
    "outward": "their hosts speak to scattered or multicast addresses",
    "partners": "they have more different partners than the other side",
    "listener": "a management interface of theirs was tried",
    "client": "their hosts opened toward a service",
}
"""What each reason of :class:`Suggested` means, as the end of a sentence."""


def assume_networks(
    uris: Sequence[str],
    policy: Policy,
    catalogue: Catalogue,
    folder: Path,
    workers: int | None,
    advance: Advance,
    options: Options | None = None,
) -> tuple[Policy, tuple[str, ...]]:
    """``policy`` with the networks that the input suggests, as assumed, and what must be said about them.

    Nothing but networks is ever assumed: no controller, so nothing becomes authorised by it. Where nothing
    can be decided the networks stay empty, and all traffic is transit.
    """
    guard = everything_guard(policy, catalogue)
    reading = read(uris, guard, folder, workers=workers, advance=advance, options=options)
    try:
        found = suggest_networks(reading.partials, catalogue)
    finally:
        reading.partials.close()
    texts = [str(prefix) for prefix in found.prefixes]
    assumed = policy_from_flags(texts, (), (), policy, catalogue, assumed=True)
    return assumed, notes(found)


def notes(found: Suggested) -> tuple[str, ...]:
    """What was assumed, why, what may be wrong about it, and how to do without."""
    if not found.prefixes:
        return (
            "NO NETWORKS WERE GIVEN, AND NONE COULD BE TOLD FROM THE INPUT: nothing counts as yours, so all "
            "traffic is transit and no finding is made about who reached your devices; "
            "name your prefixes with --network PREFIX or in a policy",
        )
    listed = ", ".join(str(prefix) for prefix in found.prefixes)
    told = [
        f"NO NETWORKS WERE GIVEN, SO THESE ARE ASSUMED TO BE YOURS: {listed}",
        f"why: {_why(found)}",
        "what may be wrong: an assumed prefix may be wider or narrower than yours, or the other side's; then "
        "inbound and outbound are exchanged and addresses of strangers count as devices; no controller is "
        "assumed, so your own controllers may show up as scanners",
        "say it yourself with --network PREFIX (repeatable) or a policy; `rearguard policy suggest` writes one "
        "to start from",
    ]
    if found.left_out:
        told.append(
            f"{found.left_out} more prefixes looked like yours and were left out: the list is limited"
        )
    return tuple(told)


def _why(found: Suggested) -> str:
    blocks = [
        f"{REASONS[name]} ({count} of their /24 or /48 blocks)" for name, count in found.reasons.items()
    ]
    return "; ".join(blocks)
