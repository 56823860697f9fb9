"""The tables of ``docs/dialogues.md``: made from the data, so that page and attacks cannot drift apart.

``python -m rearguard.catalogue.attacks_page docs/dialogues.md`` renews them in place; with ``--check`` it only
says, by its exit code, whether the page is current.
"""

from __future__ import annotations

import sys

from rearguard.catalogue.attacks import PARTS, Attack, Attacks
from rearguard.catalogue.attacks_read import ATTACK, load_attacks
from rearguard.catalogue.page import filled, keys, renewed, row

__all__ = ["main", "refresh"]


def refresh(text: str, attacks: Attacks) -> str:
    """The page, made anew between its markers; raises :class:`~rearguard.model.errors.InputError`."""
    known = [attack for attack in attacks.attacks if attack.certain]
    ways = [attack for attack in attacks.attacks if not attack.certain]
    return filled(
        text, {"keys": keys(ATTACK), "parts": _parts(), "known": _attacks(known), "ways": _attacks(ways)}
    )


def main(arguments: list[str]) -> int:
    """Renew or check the page named; 0 when it is current afterwards, 1 when a check finds it stale."""
    return renewed(arguments, lambda text: refresh(text, load_attacks()), "rearguard.catalogue.attacks_page")


def _parts() -> str:
    rows = ["| protocol | part | what it is |", "|---|---|---|"]
    rows += [
        row(protocol, f"`{part}`", meaning)
        for protocol, parts in PARTS.items()
        for part, meaning in parts.items()
    ]
    return "\n".join(rows)


def _attacks(attacks: list[Attack]) -> str:
    rows = ["| attack | made for | severity | CVE | incidents | marks |", "|---|---|---|---|---|---|"]
    rows += [
        row(
            f"`{attack.id}` {attack.title}",
            ", ".join(attack.interfaces),
            str(attack.severity),
            ", ".join(attack.cves),
            ", ".join(attack.incidents),
            ", ".join(_marks(attack)),
        )
        for attack in attacks
    ]
    return "\n".join(rows)


def _marks(attack: Attack) -> list[str]:
    return [
        mark
        for mark, true in (
            ("from outside only", attack.outside),
            ("these interfaces' ports only", attack.bound),
        )
        if true
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
