"""``reflector``: a device of ours whose UDP service is made to answer somebody who never asked (rule B4).

The sender of a datagram is not proven, so whoever seems to ask a service that answers more than it is asked is
held to be the victim: role ``victim`` among the peers, never an attacker. Requests are added up by device and
by the victim's /24 (IPv6: /48), because attacks are spread over a victim's network. A survey that asks each
device once stays below ``reflector_min_packets``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rearguard.detect import wording
from rearguard.detect.making import make
from rearguard.detect.portrait import Portrait, draw, rows
from rearguard.detect.shape import Conclusion, Context
from rearguard.model.address import format_address
from rearguard.model.bits import INBOUND
from rearguard.model.finding import Finding, Kind, Severity, Subject

__all__ = ["Reflector"]

STRONG = 10.0
"""Bytes out per byte in from which one device alone is a weapon worth calling about at once."""

CHOSEN_SQL = """
CREATE OR REPLACE TEMP TABLE chosen AS
SELECT
    row_number() OVER (ORDER BY server_hi, server_lo, interface)::INTEGER AS gid,
    server_hi, server_lo, interface,
    sum(tries * rate)::DOUBLE AS requests, sum(bytes_c * rate)::DOUBLE AS asked,
    sum(bytes_s * rate)::DOUBLE AS sent, count(*) OVER () AS total
FROM answering SEMI JOIN reflections USING (server_hi, server_lo, interface, source_net)
WHERE forgeable
GROUP BY server_hi, server_lo, interface
ORDER BY sent DESC, gid LIMIT {limit}
"""

MEMBERS_SQL = """
CREATE OR REPLACE TEMP VIEW members AS
SELECT c.gid, t.*, t.client_hi AS peer_hi, t.client_lo AS peer_lo
FROM answering t JOIN chosen c USING (server_hi, server_lo, interface)
SEMI JOIN reflections r USING (server_hi, server_lo, interface, source_net)
WHERE t.forgeable
"""


@dataclass(frozen=True)
class Reflector:
    """Devices of ours that are used against others."""

    kind: ClassVar[Kind] = Kind.REFLECTOR
    needs: ClassVar[frozenset[str]] = frozenset({"touches"})
    after: ClassVar[frozenset[Kind]] = frozenset()

    def conclude(self, context: Context) -> Conclusion:
        if context.overview.asked < context.policy.thresholds.reflector_min_packets:
            return Conclusion()
        con = context.con
        con.execute(CHOSEN_SQL.format(limit=context.policy.limits.findings_per_kind))
        chosen = rows(con, "SELECT * FROM chosen")
        if not chosen:
            return Conclusion()
        con.execute(MEMBERS_SQL)
        portraits = draw(context, (group["gid"] for group in chosen), by_listener=True)
        findings = tuple(_finding(group, portraits[group["gid"]], context) for group in chosen)
        return Conclusion(findings, chosen[0]["total"] - len(chosen))


def _finding(group: dict[str, Any], portrait: Portrait, context: Context) -> Finding:
    entry = context.catalogue.get(group["interface"])
    address = format_address(group["server_hi"], group["server_lo"])
    ratio = group["sent"] / max(1.0, group["asked"])
    if portrait.all_exception:
        severity, severity_reason = Severity.LOW, "accepted by an exception of the policy"
    elif ratio >= STRONG:
        severity, severity_reason = Severity.HIGH, f"it sends {ratio:.1f} bytes for each byte it is asked"
    else:
        severity, severity_reason = Severity.MEDIUM, f"it sends {ratio:.1f} bytes for each byte it is asked"
    excess = group["requests"] / context.policy.thresholds.reflector_min_packets
    return make(
        Kind.REFLECTOR,
        portrait,
        subject=Subject("device", address, True),
        entry=entry,
        way=INBOUND,
        severity=(severity, severity_reason),
        confidence=min(wording.CEILING, 1 - 0.2 * 0.5 ** min(10.0, max(0.0, excess - 1))),
        labels=("exception", "muted") if portrait.all_exception else (),
        reason=(
            f"Our device {address} answered {round(group['requests']):,} requests on {entry.id} that seem to come"
            f" from {wording.many(portrait.seen, 'address')} with {ratio:.1f} times as many bytes; nothing proves"
            " those senders, so they are held to be victims."
        ),
        details={
            "peer_role": "victim",
            "requests": round(group["requests"]),
            "bytes_in": round(group["asked"]),
            "bytes_out": round(group["sent"]),
            "ratio": round(ratio, 2),
        }
        | wording.sampling_details(portrait, 1),
    )
