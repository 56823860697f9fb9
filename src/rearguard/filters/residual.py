"""What a platform cannot match, by name (rule C4): left out of the filter only when the operator accepts it.

Nothing is approximated: a rule that a platform cannot say is either refused or taken out whole, and then the
text is proven to be exactly the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from rearguard.filters.model import Attachment, Filter, Piece, Rule, TcpClass
from rearguard.model.errors import UsageError

__all__ = ["EFFECTS", "Ability", "Residual", "ResidualError", "adapted"]

_BOTH = frozenset({4, 6})
EFFECTS = {
    "offset-one": "TCP fragments at offset 1, which overwrite the flags of a packet that was let through "
    "(RFC 3128), pass",
    "unreadable": "first fragments too short to show their ports, or with TCP their flags, pass",
    "answers": "mode: cut is not in force: answers of devices to strangers pass",
    "extension-headers": "packets whose TCP or UDP header stands behind IPv6 extension headers may be judged by "
    "the first header only, and pass",
    "fragment-data": "later IPv6 fragments whose data looks like a guarded port may be dropped",
    "own-sources": "packets with forged own sources are not stopped by this section; the router's own "
    "anti-spoofing must do it (rule C2, BCP 38)",
}
"""What happens instead, by name of the residual."""


@dataclass(frozen=True, slots=True)
class Ability:
    """The families in which a platform can match something exactly."""

    offset_one: frozenset[int] = _BOTH
    unreadable: frozenset[int] = _BOTH
    answers: frozenset[int] = _BOTH
    headers: frozenset[int] = _BOTH
    """It finds the transport behind IPv6 extension headers."""
    fragments: frozenset[int] = _BOTH
    """It never takes the data of a later fragment for ports, or ours lets these through before it could."""
    wary: frozenset[int] = frozenset()
    """Families in which it is not known what entries with ports do to later fragments (see
    :mod:`rearguard.filters.readings`)."""


@dataclass(frozen=True, slots=True)
class Residual:
    """Something that the policy's filter has and the platform's does not."""

    name: str
    family: int
    rules: tuple[str, ...]
    """Ids of the rules that are left out; empty: the rules stand, and the platform may see less than they say."""

    @property
    def effect(self) -> str:
        """What happens instead."""
        return EFFECTS[self.name]

    def __str__(self) -> str:
        return f"{self.name} (IPv{self.family}): {self.effect}"


class ResidualError(UsageError):
    """A platform cannot say all of a filter, and what it cannot say, ``names``, was not accepted."""

    def __init__(self, platform: str, words: str, names: Sequence[str]) -> None:
        super().__init__(
            f"{platform} cannot say all of this filter: {words}",
            remedy="accept it by name: " + " ".join(f"--accept-residual {name}" for name in names),
        )
        self.names = tuple(names)


def adapted(
    given: Filter, ability: Ability, accepted: Collection[str], platform: str
) -> tuple[Filter, tuple[Residual, ...]]:
    """The filter that the platform can say, and what is missing from it.

    ``ResidualError``: something is missing that was not accepted; ``UsageError``: what was accepted is no residual.
    """
    unknown = sorted(set(accepted) - set(EFFECTS))
    if unknown:
        raise UsageError(
            f"there is no residual {unknown[0]!r}", remedy=f"the names are {', '.join(sorted(EFFECTS))}"
        )
    found = tuple(_residuals(given, ability, "own-sources" in accepted))
    refused = [each for each in found if each.name not in accepted]
    if refused:
        names = sorted({each.name for each in refused})
        raise ResidualError(platform, "; ".join(map(str, refused)), names)
    gone = {rule for each in found for rule in each.rules}
    rules = tuple(rule for rule in given.rules if rule.id not in gone)
    return replace(given, rules=rules), found


def _residuals(given: Filter, ability: Ability, trusts_own: bool) -> Iterator[Residual]:
    for family in (4, 6):
        rules = [rule for rule in given.rules if rule.box.family == family]
        if not rules:
            continue
        for name, able, chosen in (
            ("offset-one", ability.offset_one, [rule for rule in rules if _asks(rule, Piece.OFFSET_ONE)]),
            ("unreadable", ability.unreadable, [rule for rule in rules if _asks(rule, Piece.UNREADABLE)]),
            ("answers", ability.answers, _leaving(rules)),
        ):
            if chosen and family not in able:
                yield Residual(name, family, tuple(rule.id for rule in chosen))
        if trusts_own:
            yield Residual("own-sources", family, (f"own_source_v{family}",))
        if family == 6 and family not in ability.headers:
            yield Residual("extension-headers", family, ())
        if family not in ability.fragments:
            yield Residual("fragment-data", family, ())


def _asks(rule: Rule, piece: Piece) -> bool:
    return rule.box.pieces == frozenset({piece})


def _leaving(rules: list[Rule]) -> list[Rule]:
    """All that judges what leaves, if some of it is about answers."""
    leaving = [rule for rule in rules if rule.box.attachment is Attachment.LEAVING]
    return leaving if any(rule.box.tcp is TcpClass.ANSWER for rule in leaving) else []
