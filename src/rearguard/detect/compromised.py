"""``compromised-device``: a device of ours that scans like a worm (rule B9b).

Two signs, either is enough:

* spread: enough destinations in enough networks on one interface within ``compromised_window``, nearly all of them
  bare SYNs. A browser, a mail server and a crawler are answered; a peer-to-peer client fails on many different
  ports; a technician works in few networks; a device with a foreign controller calls one address. Outbound and
  TCP only: a datagram without a reply says nothing where replies may take another way (rule A6).
* Mirai's property (the SYN's sequence number is the IPv4 destination) toward two different destinations, on any
  port, outbound or internal. One destination is not enough, because a stack that retransmits its SYN repeats the
  one chance in 2^32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rearguard.detect import wording
from rearguard.detect.portrait import Portrait, draw, rows, transport
from rearguard.detect.shape import Conclusion, Context
from rearguard.detect.sources import SECOND, subject_of
from rearguard.model.finding import Finding, Kind, Severity

if TYPE_CHECKING:
    from rearguard.policy.policy import Policy

__all__ = ["Compromised"]

CHOSEN_SQL = """
CREATE OR REPLACE TEMP VIEW ours AS
SELECT * FROM touches
WHERE packets_c > 0 AND way <> 0 AND (way = 1 AND proto = 6 AND interface IS NOT NULL OR fp_mirai > 0);

CREATE OR REPLACE TEMP TABLE firsts AS
SELECT
    source_hi, source_lo, interface, way, server_hi, server_lo, min(begun) AS begun, min(rate) AS rate,
    bool_and(bare) AS bare, max(fp_mirai) > 0 AS mirai, min(client_lo) AS low, max(client_lo) AS high,
    any_value(CASE
        WHEN server_hi = 0 AND server_lo >> 32 = 65535 THEN server_lo >> 8 ELSE server_hi >> 16
    END) AS net
FROM ours SEMI JOIN (
    SELECT source_hi, source_lo, interface, way FROM ours GROUP BY ALL
    HAVING count(*) FILTER (bare) >= {fewest} OR count(*) FILTER (fp_mirai > 0) >= {hits}
) AS busy
    ON busy.source_hi = ours.source_hi AND busy.source_lo = ours.source_lo
    AND busy.way = ours.way AND busy.interface IS NOT DISTINCT FROM ours.interface
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
FROM touches t JOIN chosen c ON c.source_hi = t.source_hi AND c.source_lo = t.source_lo
    AND c.way = t.way AND c.interface IS NOT DISTINCT FROM t.interface
WHERE t.opened AND (c.interface IS NOT NULL OR t.fp_mirai > 0);
"""


@dataclass(frozen=True)
class Compromised:
    """Devices of ours that search for others."""

    kind: ClassVar[Kind] = Kind.COMPROMISED_DEVICE
    needs: ClassVar[frozenset[str]] = frozenset({"touches"})
    after: ClassVar[frozenset[Kind]] = frozenset()

    def conclude(self, context: Context) -> Conclusion:
        thresholds, overview, con = context.policy.thresholds, context.overview, context.con
        fewest = overview.least(thresholds.compromised_targets)
        if overview.outward < fewest and overview.worm < thresholds.mirai_hits:
            return Conclusion()
        con.execute(
            CHOSEN_SQL.format(
                fewest=fewest,
                hits=thresholds.mirai_hits,
                share=thresholds.compromised_bare_share,
                window=thresholds.compromised_window * SECOND,
                limit=context.policy.limits.findings_per_kind,
            )
        )
        chosen = rows(con, "SELECT * FROM chosen")
        if not chosen:
            return Conclusion()
        portraits = draw(context)
        shared = rows(con, "SELECT gid, any_value(client_network) AS network FROM members GROUP BY gid")
        networks = {row["gid"]: row["network"] for row in shared}
        findings = tuple(
            _finding(group, portraits[group["gid"]], networks[group["gid"]], context) for group in chosen
        )
        return Conclusion(findings, chosen[0]["total"] - len(chosen))


def _finding(group: dict[str, Any], portrait: Portrait, network: str | None, context: Context) -> Finding:
    thresholds = context.policy.thresholds
    entry = context.catalogue.get(group["interface"]) if group["interface"] is not None else None
    subject = subject_of(group | {"way": 1}, portrait)
    where = entry.id if entry is not None else f"{transport(portrait.proto)} ports outside the catalogue"
    signs = []
    if group["peak"] is not None:
        signs.append(
            f"{group['peak']:,} bare tries in {group['networks']:,} networks within"
            f" {thresholds.compromised_window} s"
        )
    if group["mirai"] >= thresholds.mirai_hits:
        signs.append(
            f"the sequence number of {portrait.hits['mirai']:,} SYNs is their destination, as Mirai does it"
        )
    worm = group["mirai"] >= thresholds.mirai_hits
    shared_address = network is not None and is_shared(context.policy, network)
    severity, severity_reason = Severity.HIGH, "it scans like a worm"
    if worm:
        severity, severity_reason = Severity.CRITICAL, "it carries the fingerprint of the Mirai family"
    told = wording.labels(portrait)
    if "muted" in told:
        severity, severity_reason = Severity.LOW, "known and accepted by the policy"
    details: dict[str, Any] = {
        "signs": [name for name, there in (("spread", group["peak"] is not None), ("mirai", worm)) if there],
        "bare_share": round(group["bare_share"], 4),
        "tries": portrait.tries,
    }
    if shared_address:
        details["shared_address"] = "several subscribers share it; port and time of the evidence tell which"
    return Finding(
        kind=Kind.COMPROMISED_DEVICE,
        subject=subject,
        interface=group["interface"],
        transport=transport(portrait.proto),
        ports=portrait.ports,
        direction=wording.direction(group["way"]),
        severity=severity,
        severity_reason=severity_reason,
        confidence=0.99 if worm else _confidence(portrait, group["peak"] / group["abroad"]),
        peers=portrait.peers,
        contacts=portrait.contacts,
        packets=portrait.packets,
        bytes=portrait.bytes,
        first_seen=portrait.first,
        last_seen=portrait.last,
        outcomes=portrait.outcomes,
        fingerprints=portrait.fingerprints,
        labels=(*told, *(("shared-address",) if shared_address else ())),
        evidence=portrait.evidence,
        reason=(
            f"Our device {subject.address} tried {wording.many(portrait.seen, 'destination')} on {where}:"
            f" {'; '.join(signs)}."
        ),
        details=details | wording.sampling_details(portrait, group["abroad"]),
        **wording.entry_ids(entry),
    )


def is_shared(policy: Policy, network: str) -> bool:
    """Whether several subscribers stand behind an address of this network (rule A7)."""
    entry = policy.networks.get(network)
    return entry is not None and entry.kind in {"cgn", "dslite", "map"}


def _confidence(portrait: Portrait, excess: float) -> float:
    """0.9 at the threshold; doubt halves with each further threshold's worth and when nothing answered."""
    doubt: float = 0.1 * 0.5 ** min(10.0, max(0.0, excess - 1))
    if portrait.answered == 0:
        doubt *= 0.5
    return min(wording.CEILING, 1 - doubt)
