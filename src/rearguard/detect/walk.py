"""Three tests for sources on TCP ports that the catalogue does not know, where an answer does clear a source.

**Threshold Random Walk** (Jung, Paxson, Berger, Balakrishnan 2004, https://doi.org/10.1109/SECPRI.2004.1301325).
Of each source only the first contact with each device counts: a success (answered, conversed) multiplies the
likelihood ratio by theta1 / theta0, a failure by (1 - theta1) / (1 - theta0). The first bound that is reached
decides: beta / alpha accuses, (1 - beta) / (1 - alpha) clears. Contacts whose outcome is unknown say nothing,
except in unsampled records where the opener was seen to send SYNs and nothing more: had it been answered, its
own ACK or RST would show. Only inbound: a peer-to-peer program of ours would be accused by its failures.
Sampling makes ordinary sessions look like lone SYNs, so sampled contacts take no part (Mai et al. 2006,
https://doi.org/10.1145/1177080.1177102).

**Fan-out**: one source, one port, enough failing devices within the scan window, and hardly any success. It works
on sampled records too, because over many contacts the share of bare SYNs tells scanners (1.0) from sessions (one
in the packets of a session, about 0.2).

**Vertical**: one source, one device, enough ports within ``scan_ports_window``. Catalogued ports count whatever
came back, but for the owner's use of a home network; others count only where nothing answered, so that passive
FTP or a busy server is none, and in sampled records only if hardly any of the source's ports there did.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rearguard.detect.sources import SECOND
from rearguard.model.bits import TCP

if TYPE_CHECKING:
    from rearguard.detect.shape import Context
    from rearguard.policy.thresholds import Thresholds

__all__ = ["find_searchers"]

LOOSE_SQL = """
CREATE OR REPLACE TEMP VIEW uncatalogued AS
SELECT
    source_hi, source_lo, way, device_hi, device_lo, port, begun, rate, opened,
    CASE WHEN result >= 3 THEN false WHEN result IN (1, 2) OR (bare AND sampling = 1) THEN true END AS failed,
    bare OR (result IN (1, 2) AND opened) AS lone
FROM touches
WHERE interface IS NULL AND proto = {tcp} AND packets_c > 0 AND way <> 1;

CREATE OR REPLACE TEMP TABLE loose AS
SELECT * FROM uncatalogued SEMI JOIN (
    SELECT source_hi, source_lo, way FROM uncatalogued GROUP BY ALL HAVING count(*) FILTER (lone) >= {fewest}
) USING (source_hi, source_lo, way);
"""

WALKS_SQL = """
CREATE OR REPLACE TEMP TABLE walks AS
WITH contacts AS (
    SELECT source_hi, source_lo, device_hi, device_lo, begun, port, failed::INTEGER AS failed
    FROM loose WHERE opened AND way = 0 AND rate = 1
),
firsts AS (
    SELECT
        source_hi, source_lo, device_hi, device_lo, min(begun) AS begun,
        arg_min(failed, {{'begun': begun, 'port': port}}) AS failed
    FROM contacts
    WHERE failed IS NOT NULL
    GROUP BY source_hi, source_lo, device_hi, device_lo
),
steps AS (
    SELECT
        source_hi, source_lo, failed, row_number() OVER path AS step,
        sum(CASE failed WHEN 1 THEN {up}::DOUBLE ELSE {down}::DOUBLE END) OVER path AS ratio
    FROM firsts
    WINDOW path AS (
        PARTITION BY source_hi, source_lo ORDER BY begun, device_hi, device_lo ROWS UNBOUNDED PRECEDING
    )
),
ends AS (
    SELECT
        source_hi, source_lo, count(*) AS devices, sum(failed) AS failures, max(ratio) AS ratio,
        min(step) FILTER (ratio >= {accuse}) AS accused, min(step) FILTER (ratio <= {clear}) AS cleared
    FROM steps
    GROUP BY source_hi, source_lo
)
SELECT source_hi, source_lo, 0::UTINYINT AS way, devices, failures, ratio, accused
FROM ends
WHERE accused IS NOT NULL AND (cleared IS NULL OR accused < cleared);
"""

FANS_SQL = """
CREATE OR REPLACE TEMP TABLE fans AS
WITH firsts AS (
    SELECT
        source_hi, source_lo, way, port, device_hi, device_lo, min(begun) AS begun, min(rate) AS rate,
        bool_and(lone) AS failed
    FROM loose
    GROUP BY ALL
),
counted AS (
    SELECT source_hi, source_lo, way, port, min(rate) AS rate, count(*) FILTER (failed) AS devices
    FROM firsts
    GROUP BY ALL
    HAVING count(*) FILTER (failed) >= {share} * count(*)
),
peaks AS (
    SELECT source_hi, source_lo, way, port, max(recent) AS peak
    FROM (
        SELECT source_hi, source_lo, way, port, count(*) OVER (
            PARTITION BY source_hi, source_lo, way, port
            ORDER BY begun RANGE BETWEEN {window} PRECEDING AND CURRENT ROW
        ) AS recent
        FROM firsts SEMI JOIN (
            SELECT source_hi, source_lo, way, port FROM counted JOIN required USING (rate)
            WHERE devices >= in_fan
        ) USING (source_hi, source_lo, way, port)
        WHERE failed
    )
    GROUP BY ALL
)
SELECT source_hi, source_lo, way, max(devices) AS devices
FROM counted JOIN required USING (rate) JOIN peaks USING (source_hi, source_lo, way, port)
WHERE peak >= in_fan
GROUP BY ALL;
"""

VERTICALS_SQL = """
CREATE OR REPLACE TEMP TABLE verticals AS
WITH knocks AS (
    SELECT
        source_hi, source_lo, way, device_hi, device_lo, port, proto, begun, rate,
        CASE WHEN interface IS NULL OR lan THEN result IN (1, 2) OR bare AND result < 3 ELSE true END AS counts
    FROM touches
    WHERE opened AND way <> 1 AND (proto = {tcp} OR interface IS NOT NULL)
),
busy AS (
    SELECT source_hi, source_lo, way
    FROM (SELECT DISTINCT source_hi, source_lo, way, port, proto FROM knocks WHERE counts)
    GROUP BY ALL HAVING count(*) >= (SELECT min(in_ports) FROM required)
),
firsts AS (
    SELECT
        source_hi, source_lo, way, device_hi, device_lo, port, proto, min(begun) AS begun, min(rate) AS rate,
        bool_and(counts) AS counts
    FROM knocks SEMI JOIN busy USING (source_hi, source_lo, way)
    GROUP BY ALL
),
counted AS (
    SELECT source_hi, source_lo, way, device_hi, device_lo
    FROM firsts JOIN required USING (rate)
    GROUP BY ALL
    HAVING count(*) FILTER (counts) >= min(in_ports)
        AND (max(rate) = 1 OR count(*) FILTER (counts) >= {share} * count(*))
)
SELECT source_hi, source_lo, way, device_hi, device_lo, max(recent) AS ports
FROM (
    SELECT source_hi, source_lo, way, device_hi, device_lo, in_ports, count(*) OVER (
        PARTITION BY source_hi, source_lo, way, device_hi, device_lo
        ORDER BY begun RANGE BETWEEN {window} PRECEDING AND CURRENT ROW
    ) AS recent
    FROM firsts JOIN required USING (rate)
    SEMI JOIN counted USING (source_hi, source_lo, way, device_hi, device_lo)
    WHERE counts
)
GROUP BY source_hi, source_lo, way, device_hi, device_lo
HAVING max(recent) >= min(in_ports)
"""


def find_searchers(context: Context) -> bool:
    """Leave the tables ``walks``, ``fans`` and ``verticals``; false, and none, where too little was tried."""
    thresholds, overview = context.policy.thresholds, context.overview
    odds = _odds(thresholds)
    failures = min(math.ceil(odds["accuse"] / odds["up"]), overview.least(thresholds.fan_targets))
    ports = overview.least(thresholds.scan_ports)
    if overview.knocked < min(failures, ports) or (overview.loose < failures and overview.ports < ports):
        return False
    share = thresholds.compromised_bare_share
    window, ports_window = thresholds.scan_window * SECOND, thresholds.scan_ports_window * SECOND
    context.con.execute(
        LOOSE_SQL.format(tcp=TCP, fewest=failures)
        + WALKS_SQL.format(**odds)
        + FANS_SQL.format(share=share, window=window)
        + VERTICALS_SQL.format(tcp=TCP, share=share, window=ports_window)
    )
    return True


def _odds(thresholds: Thresholds) -> dict[str, float]:
    """The steps of the random walk and its bounds, as logarithms."""
    theta0, theta1 = thresholds.trw_theta0, thresholds.trw_theta1
    alpha, beta = thresholds.trw_alpha, thresholds.trw_beta
    return {
        "up": math.log((1 - theta1) / (1 - theta0)),
        "down": math.log(theta1 / theta0),
        "accuse": math.log(beta / alpha),
        "clear": math.log((1 - beta) / (1 - alpha)),
    }
