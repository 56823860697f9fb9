"""``probe``: an unauthorised source that tried fewer devices than a scan (rule B1).

Inbound and internal only. Inside one home network, what its owner may open is the owner's use, not a
probe; nor is a visit that got an answer on a port where customers run services of their own.

One finding a source, interface and direction. What is a ``scan``, a ``compromised-device`` or the victim of a
reflection is not also a probe, nor is a source whose vertical scan went over the interface's ports, or that tried
nobody but those that it attacked (``exploit-attempt``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rearguard.detect import wording
from rearguard.detect.making import make
from rearguard.detect.members import of_sources
from rearguard.detect.portrait import Portrait, draw, rows
from rearguard.detect.shape import Conclusion, Context
from rearguard.detect.sources import source_key, subject_of
from rearguard.detect.touch_rows import FLAGLESS, GUEST, LAN, OPENED
from rearguard.detect.touches import table_sql
from rearguard.model.bits import DIRECTIONS
from rearguard.model.finding import Finding, Kind

__all__ = ["Probe"]

ATTACKERS_SQL = """
CREATE OR REPLACE TEMP TABLE attackers AS
SELECT t.source_hi, t.source_lo, t.interface, t.way
FROM touches t SEMI JOIN attacks USING (source_hi, source_lo, interface, way)
LEFT JOIN attacks a ON a.source_hi = t.source_hi AND a.source_lo = t.source_lo AND a.interface = t.interface
    AND a.way = t.way AND a.server_hi = t.server_hi AND a.server_lo = t.server_lo
WHERE t.opened
GROUP BY ALL
HAVING bool_and(a.way IS NOT NULL);
"""

CHOSEN_SQL = """
CREATE OR REPLACE TEMP TABLE chosen AS
WITH probes AS (
    SELECT *
    FROM groups
    ANTI JOIN scans USING (number)
    ANTI JOIN swept USING (source_hi, source_lo, way)
    ANTI JOIN attackers USING (source_hi, source_lo, interface, way)
    WHERE strange > 0
)
SELECT row_number() OVER ()::INTEGER AS gid, *, (SELECT count(*) FROM probes) AS total
FROM (
    FROM probes
    ORDER BY result DESC, touches DESC, dark DESC, source_hi, source_lo, interface, way LIMIT {limit}
)
"""


@dataclass(frozen=True)
class Probe:
    """Sources that tried one device or a few."""

    kind: ClassVar[Kind] = Kind.PROBE
    needs: ClassVar[frozenset[str]] = frozenset({"touches"})
    after: ClassVar[frozenset[Kind]] = frozenset({Kind.COMPROMISED_DEVICE, Kind.SCAN})

    def conclude(self, context: Context) -> Conclusion:
        if not context.overview.tried:
            return Conclusion()
        swept = [
            (*source_key(finding.subject.address), DIRECTIONS.index(finding.direction))
            for finding in context.of(Kind.SCAN)
            if finding.subject.address is not None and "vertical" in finding.details["shape"]
        ]
        _note_attackers(context)
        context.con.execute(
            table_sql("swept (source_hi UBIGINT, source_lo UBIGINT, way UTINYINT)", swept)
            + CHOSEN_SQL.format(limit=context.policy.limits.findings_per_kind)
        )
        chosen = rows(context.con, "SELECT * FROM chosen ORDER BY gid")
        if not chosen:
            return Conclusion()
        ledger = context.ledger
        members = of_sources(ledger, ledger.groups(chosen), needed=OPENED, refused=LAN | GUEST | FLAGLESS)
        portraits = draw(context, (group["gid"] for group in chosen), members)
        findings = tuple(_finding(group, portraits[group["gid"]], context) for group in chosen)
        return Conclusion(findings, chosen[0]["total"] - len(chosen))


def _note_attackers(context: Context) -> None:
    """Leave in ``attackers`` the groups all of whose devices were attacked."""
    attacks = {
        (*campaign.source, campaign.interface, campaign.way, *attempt.voice.server)
        for campaign in context.campaigns
        for attempt in campaign.attempts
    }
    if not attacks:
        shape = "attackers (source_hi UBIGINT, source_lo UBIGINT, interface VARCHAR, way UTINYINT)"
        context.con.execute(table_sql(shape, []))
        return
    import pyarrow as pa

    kinds = {
        "source_hi": pa.uint64(),
        "source_lo": pa.uint64(),
        "interface": pa.string(),
        "way": pa.uint8(),
        "server_hi": pa.uint64(),
        "server_lo": pa.uint64(),
    }
    columns = zip(*attacks, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds.values(), strict=True)]
    context.con.register("attacks", pa.table(arrays, names=[*kinds]))
    context.con.execute(ATTACKERS_SQL)
    context.con.unregister("attacks")


def _finding(group: dict[str, Any], portrait: Portrait, context: Context) -> Finding:
    entry = context.catalogue.get(group["interface"])
    subject = subject_of(group, portrait)
    details: dict[str, Any] = {"tries": portrait.tries, "dark_devices": portrait.dark}
    if portrait.identity_unknown:
        details["answered_identity_unknown"] = portrait.identity_unknown
    estimate = (
        "" if portrait.peers.count == portrait.seen else f" (about {portrait.peers.count:,} by sampling)"
    )
    return make(
        Kind.PROBE,
        portrait,
        subject=subject,
        entry=entry,
        way=group["way"],
        severity=wording.severity_of(portrait, entry, group["way"], scan=False),
        confidence=_confidence(portrait),
        labels=wording.labels(portrait),
        reason=(
            f"{wording.who(subject, group['way'])} tried"
            f" {wording.many(portrait.seen, 'device')}{estimate} on {entry.id} without being authorised:"
            f" {wording.outcome_words(portrait)}."
        ),
        details=details
        | wording.hit_details(portrait)
        | wording.sampling_details(portrait, group["in_window"]),
    )


def _confidence(portrait: Portrait) -> float:
    """That it was meant: 0.5 for one lone try, more with each further device, a dark address or a handshake."""
    doubt = 0.5 * 0.9 ** (portrait.seen - 1)
    if portrait.dark:
        doubt *= 0.5
    if portrait.verified:
        doubt *= 0.5
    if portrait.fingerprints:
        doubt *= 0.1
    return min(wording.CEILING, 1 - doubt)
