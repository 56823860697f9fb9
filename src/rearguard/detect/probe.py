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
from rearguard.detect.portrait import Portrait, draw, rows
from rearguard.detect.shape import Conclusion, Context
from rearguard.detect.sources import source_key, subject_of
from rearguard.detect.touches import table_sql
from rearguard.model.bits import DIRECTIONS
from rearguard.model.finding import Finding, Kind

__all__ = ["Probe"]

ATTACKERS_SQL = """
CREATE OR REPLACE TEMP TABLE attackers AS
SELECT source_hi, source_lo, interface, way
FROM touches SEMI JOIN attacks USING (source_hi, source_lo, interface, way)
WHERE opened
GROUP BY ALL
HAVING bool_and((source_hi, source_lo, interface, way, server_hi, server_lo) IN (FROM attacks));
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
);

CREATE OR REPLACE TEMP VIEW members AS
SELECT c.gid, t.*, t.device_hi AS peer_hi, t.device_lo AS peer_lo
FROM touches t JOIN chosen c USING (source_hi, source_lo, interface, way)
ANTI JOIN reflections r USING (server_hi, server_lo, interface, source_net)
WHERE t.opened AND NOT t.lan AND NOT t.guest;
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
        context.con.execute(
            table_sql("swept (source_hi UBIGINT, source_lo UBIGINT, way UTINYINT)", swept)
            + _attackers_sql(context)
            + CHOSEN_SQL.format(limit=context.policy.limits.findings_per_kind)
        )
        chosen = rows(context.con, "SELECT * FROM chosen")
        if not chosen:
            return Conclusion()
        portraits = draw(context)
        findings = tuple(_finding(group, portraits[group["gid"]], context) for group in chosen)
        return Conclusion(findings, chosen[0]["total"] - len(chosen))


def _attackers_sql(context: Context) -> str:
    """Statements that leave in ``attackers`` the groups all of whose devices were attacked."""
    attacks = {
        (*campaign.source, campaign.interface, campaign.way, *voice.server)
        for campaign in context.campaigns
        for voice in campaign.voices
    }
    source = "source_hi UBIGINT, source_lo UBIGINT, interface VARCHAR, way UTINYINT"
    if not attacks:
        return table_sql(f"attackers ({source})", [])
    listed = table_sql(f"attacks ({source}, server_hi UBIGINT, server_lo UBIGINT)", sorted(attacks))
    return listed + ATTACKERS_SQL


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
