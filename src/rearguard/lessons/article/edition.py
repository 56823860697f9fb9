"""What one edition of the article is: for whom, how long, of which day, from which records.

The day is given by SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/) where it is
set, and else by the newest date in the records, so that the same records always give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from rearguard import __version__
from rearguard.lessons.export.plain import base
from rearguard.lessons.model import AUDIENCES
from rearguard.model.errors import UsageError

if TYPE_CHECKING:
    from rearguard.lessons.knowledge import Knowledge
    from rearguard.lessons.model import Audience

__all__ = ["EDITIONS", "READERS", "Edition", "day_of", "digest_of", "edition_of"]

EDITIONS: Mapping[str, Audience] = {
    "manufacturer": "manufacturer",
    "operator": "operator",
    "cloud": "cloud-provider",
    "regulator": "regulator",
    "owner": "owner",
}
"""The names of the command line and the audiences of the records."""

READERS: Mapping[Audience, str] = {
    "operator": "Network operators",
    "manufacturer": "Manufacturers",
    "cloud-provider": "Cloud and platform providers",
    "regulator": "Regulators",
    "owner": "Owners",
}

_DAY = re.compile(r"\d{4}(-\d{2}){0,2}")
_LAST_SECOND = 253_402_300_799  # of the year 9999, the last that a date can have


@dataclass(frozen=True, slots=True)
class Edition:
    """For whom, how long, and of which state."""

    audience: Audience | None
    """None: for all readers."""
    short: bool
    version: str
    day: date
    digest: str
    """SHA-256 over the records."""

    @property
    def audiences(self) -> tuple[Audience, ...]:
        """Whose recommendations it has, in the order of the records."""
        return AUDIENCES if self.audience is None else (self.audience,)

    @property
    def epoch(self) -> int:
        """The day as seconds since 1970, midnight UTC, for file formats that want a time."""
        return int(datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC).timestamp())


def edition_of(knowledge: Knowledge, audience: str = "all", *, short: bool = False) -> Edition:
    """The edition for a reader; raises :class:`UsageError` for one who is not known."""
    if audience != "all" and audience not in EDITIONS:
        raise UsageError(
            f"there is no edition for {audience!r}", remedy=f"choose one of {', '.join(EDITIONS)} or all"
        )
    chosen = None if audience == "all" else EDITIONS[audience]
    return Edition(chosen, short, __version__, day_of(knowledge), digest_of(knowledge))


def digest_of(knowledge: Knowledge) -> str:
    """SHA-256 over all records in a canonical form."""
    text = json.dumps(base(knowledge), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def day_of(knowledge: Knowledge) -> date:
    """The day of the edition. Raises :class:`UsageError` when SOURCE_DATE_EPOCH is set and is no number."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        if not given.isascii() or not given.isdigit() or int(given) > _LAST_SECOND:
            raise UsageError(
                f"SOURCE_DATE_EPOCH is {given!r}",
                remedy="give seconds since 1970-01-01 00:00 UTC, or unset it",
            )
        return datetime.fromtimestamp(int(given), UTC).date()
    return max(_days(knowledge), default=date(1970, 1, 1))


def _days(knowledge: Knowledge) -> Iterator[date]:
    for incident in knowledge.incidents:
        for text in (incident.date, *(source.date or "" for source in incident.sources)):
            if _DAY.fullmatch(text):
                try:
                    yield date.fromisoformat(f"{text}-01-01"[:10])
                except ValueError:
                    continue
