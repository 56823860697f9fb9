"""Which platform each accepted residual is for, when a filter is written for several in one call.

``NAME`` is for every platform that has such a residual, ``PLATFORM:NAME`` for one. What FlowSpec cannot help and
routers can is never taken for both by one word: routers would lose a guard that nobody wanted to give up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rearguard.filters.flowspec.files import FLOWSPEC
from rearguard.filters.flowspec.residuals import NAMES
from rearguard.filters.residual import EFFECTS, ResidualError
from rearguard.model.errors import UsageError

__all__ = ["shared_out", "together"]

_CHOICE = "own-sources"
"""On routers a choice of the operator's; FlowSpec has no other way."""


def shared_out(accepted: Collection[str], asked: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The names that each platform is told. A name that nobody knows goes to all, so that they refuse it.

    ``UsageError``: a platform is named that is not asked for, or one word would weaken platforms that need not be.
    """
    found: dict[str, list[str]] = {platform: [] for platform in asked}
    for each in accepted:
        platform, colon, name = each.rpartition(":")
        if colon and platform not in found:
            raise UsageError(
                f"--accept-residual {each} is for {platform!r}, which is not written here",
                remedy=f"the platforms of this call are {', '.join(asked)}",
            )
        if name == _CHOICE and not colon and FLOWSPEC in found and len(found) > 1:
            raise UsageError(
                f"--accept-residual {name} would take the guard against forged own sources from every platform of "
                f"this call, and only {FLOWSPEC} cannot have it",
                remedy=f"say --accept-residual {FLOWSPEC}:{name}, and PLATFORM:{name} for each other that shall "
                "do without it",
            )
        for other, names in found.items():
            if other == platform or (not colon and _knows(other, name)):
                names.append(name)
    return {platform: tuple(names) for platform, names in found.items()}


def _knows(platform: str, name: str) -> bool:
    known, unknown = (NAMES, EFFECTS) if platform == FLOWSPEC else (EFFECTS, NAMES)
    return name in known or name not in unknown


def together(refused: Mapping[str, ResidualError]) -> UsageError:
    """One error for what several platforms (by name) cannot say, so that nobody learns it one call at a time."""
    if len(refused) == 1:
        return next(iter(refused.values()))
    needed = [
        f"--accept-residual {platform}:{name}" for platform, one in refused.items() for name in one.names
    ]
    problems = "\n".join(one.problem for one in refused.values())
    return UsageError(problems, remedy="accept it by name: " + " ".join(needed))
