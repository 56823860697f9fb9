"""``compromised-device``: a device of ours that obeys an attacker, or scans like a worm (rule B9).

Three signs, each is enough:

* fetch: it was attacked, and within minutes it contacted the very host that the attack had named (rule B9a, see
  :mod:`rearguard.detect.falls`). Whatever else is concluded about the device is linked to that attack.

* spread: enough destinations in enough networks on one interface within ``compromised_window``, nearly all of them
  bare SYNs. A browser, a mail server and a crawler are answered; a peer-to-peer client fails on many different
  ports; a technician works in few networks; a device with a foreign controller calls one address. Outbound and
  TCP only: a datagram without a reply says nothing where replies may take another way (rule A6).
* Mirai's property (the SYN's sequence number is the IPv4 destination) toward two different destinations, on any
  port, outbound or internal. One destination is not enough, because a stack that retransmits its SYN repeats the
  one chance in 2^32.

One finding a device, interface and direction; a fetch has no interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from rearguard.detect import wording
from rearguard.detect.fallen import attacks_of, by_device, felled_by, fetches, shared_label, with_attack
from rearguard.detect.making import make, transport
from rearguard.detect.portrait import Portrait, draw, rows
from rearguard.detect.shape import Conclusion, Context
from rearguard.detect.sources import SECOND, subject_of
from rearguard.detect.wording import CEILING
from rearguard.model.bits import OUTBOUND
from rearguard.model.finding import Finding, Kind, Severity

if TYPE_CHECKING:
    from rearguard.detect.falls import Fall

__all__ = ["Compromised"]

CHOSEN_SQL = """
CREATE OR REPLACE TEMP VIEW signs AS
SELECT * FROM ours
WHERE packets_c > 0 AND (way = 1 AND proto = 6 AND interface IS NOT NULL OR fp_mirai > 0);

CREATE OR REPLACE TEMP TABLE firsts AS
SELECT
    source_hi, source_lo, interface, way, server_hi, server_lo, min(begun) AS begun, min(rate) AS rate,
    bool_and(bare) AS bare, max(fp_mirai) > 0 AS mirai, min(client_lo) AS low, max(client_lo) AS high,
    any_value(CASE
        WHEN server_hi = 0 AND server_lo >> 32 = 65535 THEN server_lo >> 8 ELSE server_hi >> 16
    END) AS net
FROM signs SEMI JOIN (
    SELECT source_hi, source_lo, interface, way FROM signs GROUP BY ALL
    HAVING count(*) FILTER (bare) >= {fewest} OR count(*) FILTER (fp_mirai > 0) >= {hits}
) AS busy
    ON busy.source_hi = signs.source_hi AND busy.source_lo = signs.source_lo
    AND busy.way = signs.way AND busy.interface IS NOT DISTINCT FROM signs.interface
GROUP BY source_hi, source_lo, interface, way, server_hi, server_lo;

CREATE OR REPLACE TEMP TABLE chosen AS
WITH counted AS (
    SELECT
        source_hi, source_lo, interface, way, min(rate) AS rate, min(low) AS low, max(high) AS high,
        count(*) FILTER (bare) AS destinations, count(DISTINCT net) FILTER (bare) AS networks,
        (count(*) FILTER (bare) / count(*))::DOUBLE AS bare_share, count(*) FILTER (mirai) AS mirai
    FROM firsts
    GROUP BY source_hi, source_lo, interface, way
),
candidates AS (
    SELECT
        source_hi, source_lo, interface, way, rate, abroad, nets_abroad, bare_share, low, high, mirai,
        way = 1 AND interface IS NOT NULL AND bare_share >= {share} AS spreads
    FROM counted JOIN required USING (rate)
    WHERE mirai >= {hits} OR (
        way = 1 AND interface IS NOT NULL AND bare_share >= {share}
        AND destinations >= abroad AND networks >= nets_abroad
    )
),
windows AS (
    SELECT
        source_hi, source_lo, firsts.interface AS interface, way,
        count(*) OVER recent AS destinations, count(DISTINCT net) OVER recent AS networks
    FROM firsts JOIN candidates USING (source_hi, source_lo, way)
    WHERE firsts.bare AND firsts.interface IS NOT DISTINCT FROM candidates.interface AND spreads
    WINDOW recent AS (
        PARTITION BY source_hi, source_lo, firsts.interface, way
        ORDER BY firsts.begun RANGE BETWEEN {window} PRECEDING AND CURRENT ROW
    )
),
fast AS (
    SELECT source_hi, source_lo, windows.interface, way, max(destinations) AS peak, max(networks) AS networks
    FROM windows JOIN candidates USING (source_hi, source_lo, interface, way)
    WHERE destinations >= abroad AND networks >= nets_abroad
    GROUP BY ALL
)
SELECT
    row_number() OVER (ORDER BY c.source_hi, c.source_lo, c.way, c.interface)::INTEGER AS gid,
    c.*, fast.peak, fast.networks, count(*) OVER () AS total
FROM candidates c
LEFT JOIN fast ON fast.source_hi = c.source_hi AND fast.source_lo = c.source_lo
    AND fast.way = c.way AND fast.interface = c.interface
WHERE c.mirai >= {hits} OR fast.peak IS NOT NULL
ORDER BY coalesce(peak, 0) + c.mirai DESC, gid LIMIT {limit};

CREATE OR REPLACE TEMP VIEW members AS
SELECT c.gid, t.*, t.server_hi AS peer_hi, t.server_lo AS peer_lo
FROM ours t JOIN chosen c ON c.source_hi = t.source_hi AND c.source_lo = t.source_lo
    AND c.way = t.way AND c.interface IS NOT DISTINCT FROM t.interface
WHERE t.opened AND (c.interface IS NOT NULL OR t.fp_mirai > 0);
"""


@dataclass(frozen=True)
class Compromised:
    """Devices of ours that search for others, or that did what an attacker told them."""

    kind: ClassVar[Kind] = Kind.COMPROMISED_DEVICE
    needs: ClassVar[frozenset[str]] = frozenset({"touches", "exchanges", "initiations"})
    after: ClassVar[frozenset[Kind]] = frozenset()

    def conclude(self, context: Context) -> Conclusion:
        fallen = by_device(context)
        chosen = _spreading(context)
        portraits = draw(context, (group["gid"] for group in chosen)) if chosen else {}
        networks = (
            {
                row["gid"]: row["network"]
                for row in rows(
                    context.con, "SELECT gid, any_value(client_network) AS network FROM members GROUP BY gid"
                )
            }
            if chosen
            else {}
        )
        findings = []
        for group in chosen:
            fell = fallen.get((group["source_hi"], group["source_lo"]), ())
            gid = group["gid"]
            findings.append(_finding(group, portraits[gid], networks[gid], fell, context))
        told = {(one.subject.address, one.direction) for one in findings if one.interface is None}
        findings += [
            one
            for fell in fallen.values()
            for one in fetches(fell, context)
            if (one.subject.address, one.direction) not in told
        ]
        findings.sort(key=lambda one: (-one.severity.rank, -one.contacts, one.id))
        limit = context.policy.limits.findings_per_kind
        total = len(findings) + (chosen[0]["total"] - len(chosen) if chosen else 0)
        return Conclusion(tuple(findings[:limit]), max(0, total - limit))


def _spreading(context: Context) -> list[dict[str, Any]]:
    """The worst groups with one of the two signs of a worm; ``members`` are their touches."""
    thresholds, overview, con = context.policy.thresholds, context.overview, context.con
    fewest = overview.least(thresholds.compromised_targets)
    if overview.outward < fewest and overview.worm < thresholds.mirai_hits:
        return []
    con.execute(
        CHOSEN_SQL.format(
            fewest=fewest,
            hits=thresholds.mirai_hits,
            share=thresholds.compromised_bare_share,
            window=thresholds.compromised_window * SECOND,
            limit=context.policy.limits.findings_per_kind,
        )
    )
    return rows(con, "SELECT * FROM chosen")


def _finding(
    group: dict[str, Any], portrait: Portrait, network: str | None, fell: Sequence[Fall], context: Context
) -> Finding:
    thresholds = context.policy.thresholds
    entry = context.catalogue.get(group["interface"]) if group["interface"] is not None else None
    subject = subject_of(group | {"way": OUTBOUND}, portrait)
    where = entry.id if entry is not None else f"{transport(portrait.proto)} ports outside the catalogue"
    worm = group["mirai"] >= thresholds.mirai_hits
    signs = {}
    if group["peak"] is not None:
        signs["spread"] = (
            f"{group['peak']:,} bare tries in {group['networks']:,} networks within"
            f" {thresholds.compromised_window} s"
        )
    if worm:
        signs["mirai"] = (
            f"the sequence number of {portrait.hits['mirai']:,} SYNs is their destination, as Mirai does it"
        )
    if fell:
        signs["fetch"] = f"before that it contacted {fell[0].host}, which an attack had named"
    told = wording.labels(portrait)
    details: dict[str, Any] = {
        "signs": list(signs),
        "bare_share": round(group["bare_share"], 4),
        "tries": portrait.tries,
    }
    certain = 0.99 if worm or fell else _confidence(portrait, group["peak"] / group["abroad"])
    return make(
        Kind.COMPROMISED_DEVICE,
        replace(portrait, evidence=with_attack(portrait.evidence, fell, context)),
        subject=subject,
        entry=entry,
        way=group["way"],
        severity=_severity(worm, bool(fell), "muted" in told),
        confidence=CEILING if worm and fell else certain,
        labels=(*told, *shared_label(network, context)),
        attacks=attacks_of(fell),
        reason=(
            f"Our device {subject.address} tried {wording.many(portrait.seen, 'destination')} on {where}:"
            f" {'; '.join(signs.values())}."
        ),
        details=details | felled_by(fell) | wording.sampling_details(portrait, group["abroad"]),
    )


def _severity(worm: bool, fell: bool, muted: bool) -> tuple[Severity, str]:
    if muted:
        return Severity.LOW, "known and accepted by the policy"
    if fell:
        return Severity.CRITICAL, "it scans after it did what an attacker had told it to"
    if worm:
        return Severity.CRITICAL, "it carries the fingerprint of the Mirai family"
    return Severity.HIGH, "it scans like a worm"


def _confidence(portrait: Portrait, excess: float) -> float:
    """0.9 at the threshold; doubt halves with each further threshold's worth and when nothing answered."""
    doubt: float = 0.1 * 0.5 ** min(10.0, max(0.0, excess - 1))
    if portrait.answered == 0:
        doubt *= 0.5
    return min(CEILING, 1 - doubt)
