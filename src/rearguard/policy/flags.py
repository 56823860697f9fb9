"""The policy of a quick look: networks, controllers and drops given on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from rearguard.model.errors import UsageError
from rearguard.policy.load import build_policy
from rearguard.policy.places import Path, Places
from rearguard.policy.policy import Policy
from rearguard.policy.values import InterfaceNames

__all__ = ["policy_from_flags"]

DEFAULT_MANAGES = "cwmp"
"""What a controller given by a flag without interfaces may manage; the least that makes it a controller."""

REVIEW_AFTER = timedelta(days=30)
"""A drop asked for by a flag is meant for the incident at hand."""


def policy_from_flags(
    networks: Iterable[str],
    controllers: Iterable[str],
    drops: Iterable[str],
    base: Policy | None,
    known: InterfaceNames,
    *,
    today: date | None = None,
    assumed: bool = False,
) -> Policy:
    """The policy of a quick look, on top of ``base``.

    ``networks``: prefixes, together one network of managed devices. ``controllers``: ``PREFIX`` (it manages
    cwmp) or ``PREFIX=INTERFACE,...``, in both roles, reachable from inside. ``drops``: ``INTERFACE,...``
    toward all networks. ``assumed``: the networks were guessed. ``PolicyError`` names the flag.
    """
    day = today or datetime.now(UTC).date()
    content: dict[str, Any] = base.meaning() if base else {}
    guarded = content.setdefault("networks", {})
    managing = content.setdefault("controllers", {})
    flags: dict[Path, str] = {}
    prefixes = list(networks)
    if prefixes:
        name = _free(guarded)
        guarded[name] = {"prefixes": prefixes}
        flags |= {("networks", name, "prefixes", at): f"--network {text}" for at, text in enumerate(prefixes)}
        flags["networks", name] = "--network"
    for text in controllers:
        name = _free(managing)
        prefix, _, interfaces = text.partition("=")
        managing[name] = {
            "requests_from": [prefix],
            "sessions_at": [prefix],
            "manages": interfaces.split(",") if interfaces else [DEFAULT_MANAGES],
        }
        flags["controllers", name] = f"--controller {text}"
    for text in drops:
        flags["drop", len(content.setdefault("drop", []))] = f"--drop {text}"
        if not guarded:
            raise UsageError(
                f"--drop {text} guards nothing", remedy="say where devices live with --network PREFIX"
            )
        content["drop"].append(
            {
                "interfaces": text.split(","),
                "toward": list(guarded),
                "basis": "asked for on the command line",
                "review_by": day + REVIEW_AFTER,
            }
        )
    places = replace(base.places, flags=flags) if base else Places(flags=flags)
    guessed = base is not None and base.assumed
    return build_policy(content, known, places, today=day, assumed=assumed or guessed)


def _free(taken: Mapping[str, Any]) -> str:
    """A name for something given by a flag that the policy does not use yet."""
    return next(name for name in (f"command-line-{n}" for n in count(1)) if name not in taken)
