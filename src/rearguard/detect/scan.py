"""``scan``: one source that tries many devices, or many ports of one device (rules B1, B3, B4, B6, B14).

* horizontal: enough devices on one catalogued interface within ``scan_window``; answers do not clear it, because
  on a management interface a stranger has no innocent way out;
* slow: enough devices on one catalogued interface over the whole input;
* vertical: enough ports of one device within ``scan_ports_window``; uncatalogued ones only where nothing answered;
* on uncatalogued TCP ports: the random walk and the fan-out of :mod:`rearguard.detect.walk`.

Inbound and internal only: outward, a device of ours is a ``compromised-device`` or on its owner's business.
One finding a source, interface and direction; what has no interface (vertical, uncatalogued) is one together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from rearguard.detect import wording
from rearguard.detect.making import make
from rearguard.detect.members import of_sources
from rearguard.detect.portrait import Portrait, draw, rows
from rearguard.detect.shape import Conclusion, Context
from rearguard.detect.sources import build_groups, subject_of, taken_sql
from rearguard.detect.touch_rows import OPENED
from rearguard.detect.walk import find_searchers
from rearguard.model.finding import Finding, Kind

__all__ = ["Scan"]

HORIZONTAL_SQL = """
CREATE OR REPLACE TEMP TABLE chosen AS
SELECT row_number() OVER ()::INTEGER AS gid, *
FROM (FROM scans ORDER BY result DESC, devices DESC, source_hi, source_lo, interface, way LIMIT {limit})
"""

FORMLESS_SQL = """
CREATE OR REPLACE TEMP TABLE chosen AS
WITH found AS (
    SELECT source_hi, source_lo, way FROM walks
    UNION SELECT source_hi, source_lo, way FROM fans
    UNION SELECT source_hi, source_lo, way FROM verticals
),
swept AS (
    SELECT source_hi, source_lo, way, count(*) AS swept, max(ports) AS ports FROM verticals GROUP BY ALL
),
seen AS (
    SELECT source_hi, source_lo, way, min(client_lo) AS low, max(client_lo) AS high, min(rate) AS rate
    FROM touches SEMI JOIN found USING (source_hi, source_lo, way) GROUP BY ALL
)
SELECT
    row_number() OVER ()::INTEGER AS gid, NULL::VARCHAR AS interface, seen.*, swept, ports,
    walks.accused, walks.ratio, walks.failures, fans.devices AS fan, in_fan, in_ports, count(*) OVER () AS total
FROM seen
JOIN required USING (rate)
LEFT JOIN walks USING (source_hi, source_lo, way)
LEFT JOIN fans USING (source_hi, source_lo, way)
LEFT JOIN swept USING (source_hi, source_lo, way)
ANTI JOIN taken ON taken.source_hi = seen.source_hi AND taken.source_lo = seen.source_lo
    AND taken.way = seen.way AND taken.interface IS NULL
ORDER BY coalesce(fan, 0) + coalesce(ports, 0) DESC, source_hi, source_lo, way LIMIT {limit};

CREATE OR REPLACE TEMP VIEW members AS
SELECT c.gid, t.*, t.device_hi AS peer_hi, t.device_lo AS peer_lo
FROM touches t JOIN chosen c ON c.source_hi = t.source_hi AND c.source_lo = t.source_lo AND c.way = t.way
LEFT JOIN verticals v ON v.source_hi = t.source_hi AND v.source_lo = t.source_lo AND v.way = t.way
    AND v.device_hi = t.device_hi AND v.device_lo = t.device_lo
WHERE t.opened AND (t.interface IS NULL AND (c.accused IS NOT NULL OR c.fan IS NOT NULL) OR v.ports IS NOT NULL)
"""


@dataclass(frozen=True)
class Scan:
    """Sources that search for devices."""

    kind: ClassVar[Kind] = Kind.SCAN
    needs: ClassVar[frozenset[str]] = frozenset({"touches"})
    after: ClassVar[frozenset[Kind]] = frozenset({Kind.COMPROMISED_DEVICE})

    def conclude(self, context: Context) -> Conclusion:
        con = context.con
        limit = context.policy.limits.findings_per_kind
        findings: list[Finding] = []
        total = 0
        con.execute(taken_sql(context.of(Kind.COMPROMISED_DEVICE)))
        if context.overview.tried:
            build_groups(context)
            con.execute(HORIZONTAL_SQL.format(limit=limit))
            groups = rows(con, "SELECT *, (SELECT count(*) FROM scans) AS total FROM chosen ORDER BY gid")
            ledger = context.ledger
            members = of_sources(ledger, ledger.groups(groups), needed=OPENED)
            portraits = draw(context, (group["gid"] for group in groups), members) if groups else {}
            findings += [_horizontal(group, portraits[group["gid"]], context) for group in groups]
            total += groups[0]["total"] if groups else 0
        if find_searchers(context):
            con.execute(FORMLESS_SQL.format(limit=limit))
            groups = rows(con, "SELECT * FROM chosen")
            portraits = draw(context, (group["gid"] for group in groups)) if groups else {}
            findings += [_formless(group, portraits[group["gid"]], context) for group in groups]
            total += groups[0]["total"] if groups else 0
        findings.sort(key=lambda finding: (-finding.severity.rank, finding.id))
        return Conclusion(tuple(findings[:limit]), max(0, total - limit))


def _horizontal(group: dict[str, Any], portrait: Portrait, context: Context) -> Finding:
    entry = context.catalogue.get(group["interface"])
    subject = subject_of(group, portrait)
    shapes = ["horizontal"] if group["is_fast"] else ["slow"]
    thresholds = context.policy.thresholds
    pace = (
        f"{group['peak']:,} of them within {thresholds.scan_window} s"
        if group["is_fast"]
        else f"slowly, at most {group['peak']:,} within {thresholds.scan_window} s"
    )
    estimate = (
        "" if portrait.peers.count == portrait.seen else f" (about {portrait.peers.count:,} by sampling)"
    )
    needs = group["in_window"] if group["is_fast"] else group["in_all"]
    return make(
        Kind.SCAN,
        portrait,
        subject=subject,
        entry=entry,
        way=group["way"],
        severity=wording.severity_of(portrait, entry, group["way"], scan=True),
        confidence=_confidence(portrait, group["peak"] / group["in_window"]),
        labels=wording.labels(portrait),
        reason=(
            f"{wording.who(subject, group['way'])} tried"
            f" {wording.many(portrait.seen, 'device')}{estimate} on {entry.id}, {pace}, without being"
            f" authorised: {wording.outcome_words(portrait)}."
        ),
        details={"shape": shapes, "peak_in_window": group["peak"], "window_s": thresholds.scan_window}
        | _details(portrait, needs),
    )


def _formless(group: dict[str, Any], portrait: Portrait, context: Context) -> Finding:
    thresholds = context.policy.thresholds
    subject = subject_of(group, portrait)
    shapes, said, confidence = [], [], 0.9
    if group["accused"] is not None:
        shapes.append("random-walk")
        said.append(
            f"{group['failures']:,} first tries failed, and the test decided after {group['accused']} devices"
        )
        confidence = max(confidence, min(wording.CEILING, 1 / (1 + math.exp(-group["ratio"]))))
    if group["fan"] is not None:
        shapes.append("fan-out")
        said.append(f"one port of {wording.many(group['fan'], 'device')} failed")
    if group["swept"] is not None:
        shapes.append("vertical")
        said.append(
            f"up to {group['ports']:,} ports of {wording.many(group['swept'], 'device')}"
            f" within {thresholds.scan_ports_window} s"
        )
        confidence = max(confidence, _confidence(portrait, group["ports"] / group["in_ports"]))
    details: dict[str, Any] = {"shape": shapes, "port_count": len(portrait.ports)}
    if group["swept"] is not None:
        details |= {"vertical_devices": group["swept"], "most_ports_of_a_device": group["ports"]}
    if group["accused"] is not None:
        details |= {"walk_decided_after": group["accused"], "walk_log_ratio": round(group["ratio"], 3)}
    return make(
        Kind.SCAN,
        portrait,
        subject=subject,
        entry=None,
        way=group["way"],
        severity=wording.severity_of(portrait, None, group["way"], scan=True),
        confidence=confidence,
        labels=wording.labels(portrait),
        reason=(
            f"{wording.who(subject, group['way'])} searched"
            f" {wording.many(portrait.seen, 'device')}: {'; '.join(said)}."
        ),
        details=details | _details(portrait, group["in_fan"]),
    )


def _details(portrait: Portrait, needs: int) -> dict[str, Any]:
    details: dict[str, Any] = {"tries": portrait.tries, "dark_devices": portrait.dark}
    if portrait.identity_unknown:
        details["answered_identity_unknown"] = portrait.identity_unknown
    return details | wording.hit_details(portrait) | wording.sampling_details(portrait, needs)


def _confidence(portrait: Portrait, excess: float) -> float:
    """0.9 at the threshold; doubt halves with each further threshold's worth, with dark addresses (rule B6) and
    is a tenth with a fingerprint."""
    doubt: float = 0.1 * 0.5 ** min(10.0, max(0.0, excess - 1))
    if portrait.dark:
        doubt *= 0.5
    if portrait.fingerprints:
        doubt *= 0.1
    return min(wording.CEILING, 1 - doubt)
