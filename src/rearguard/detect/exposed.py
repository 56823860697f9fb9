"""``exposed-device``: a device of ours that answers strangers on a management interface (rule B7).

What proves it, the strongest first:

* one packet with exactly SYN and ACK from the device's port (OR-ed flags of a flow never count as one, unless both
  directions leave no other reading, see :mod:`rearguard.contacts.flows`);
* a UDP reply to a datagram; of sampled traffic, which does not tell who sent first, only from ports below 1024;
* payload from the port to enough different remotes, all on ephemeral ports: one remote alone could be a server
  to which a client of ours happens to speak from that port.

Where the answer itself was read (dialogues), it decides how bad it is: a login that is asked first is medium; a
page, a SOAP envelope or a shell without one is high; and whatever the payload proves to be made for the home side
is critical, on whichever port it answers.

Not concluded: ports on which customers commonly run services of their own, unless the payload proves a management
interface; networks where several subscribers share an address (rule A7); internal contacts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rearguard.detect import wording
from rearguard.detect.answers import Step
from rearguard.detect.making import make, transport
from rearguard.detect.portrait import Portrait, draw, rows
from rearguard.detect.shape import Conclusion, Context
from rearguard.detect.touches import table_sql
from rearguard.model.address import format_address, from_halves
from rearguard.model.bits import INBOUND
from rearguard.model.finding import Evidence, Finding, Kind, Severity, Subject

if TYPE_CHECKING:
    from rearguard.catalogue.model import Interface

__all__ = ["Exposed"]

MAX_ANSWERS = 20
"""Different answers that a finding lists; a device may make up statuses."""

TALKATIVE = 2048
"""Bytes of payload in one conversation, more than a refusal with its headers needs."""

CHOSEN_SQL = """
CREATE OR REPLACE TEMP VIEW answers AS
SELECT * FROM answering WHERE on_device;

CREATE OR REPLACE TEMP VIEW proofs AS
SELECT
    t.*,
    CASE
        WHEN proto = 6 AND synack THEN 'synack'
        WHEN proto = 17 AND result >= 3 AND packets_s > 0 AND tries > 0 AND (sampling = 1 OR port < 1024)
            THEN 'reply'
        WHEN spoke AND far_port >= 1024 AND far_port NOT IN (FROM known_ports) THEN 'payload'
    END AS proof
FROM answers t
WHERE interface IS NOT NULL AND NOT unproven
    AND coalesce(server_network NOT IN (FROM shared_networks), true);

CREATE OR REPLACE TEMP TABLE alike AS
SELECT device_hi, device_lo, count(DISTINCT (proto, port)) AS open_ports
FROM answers
WHERE (synack OR (proto = 17 AND result >= 3))
GROUP BY ALL
HAVING count(DISTINCT (proto, port)) >= {alike};

CREATE OR REPLACE TEMP TABLE chosen AS
WITH found AS (
    SELECT
        device_hi, device_lo, interface, count(DISTINCT (server_hi, server_lo)) AS addresses,
        min(server_hi) AS high, min(server_lo) AS low,
        count(*) FILTER (proof = 'synack') AS synacks,
        count(*) FILTER (proof = 'synack' AND grouped) AS by_flows, count(*) FILTER (proof = 'reply') AS replies,
        count(DISTINCT (source_hi, source_lo)) FILTER (proof = 'payload') AS payloads, max(result) AS result,
        max(CASE WHEN result = 4 THEN payload_s END) AS most
    FROM proofs
    WHERE proof IS NOT NULL
    GROUP BY device_hi, device_lo, interface
)
SELECT
    row_number() OVER (ORDER BY device_hi, device_lo, interface)::INTEGER AS gid, found.*, open_ports,
    list_contains({lan_only}, interface) AS lan_only, count(*) OVER () AS total
FROM found LEFT JOIN alike USING (device_hi, device_lo)
WHERE synacks > 0 OR replies > 0 OR payloads >= {remotes}
ORDER BY open_ports IS NOT NULL, lan_only DESC, result DESC, gid LIMIT {limit};

CREATE OR REPLACE TEMP VIEW members AS
SELECT c.gid, p.*, p.source_hi AS peer_hi, CASE
    WHEN p.source_lo = 0 AND p.source_hi <> 0 THEN p.client_lo ELSE p.source_lo
END AS peer_lo
FROM proofs p JOIN chosen c USING (device_hi, device_lo, interface)
WHERE p.proof IS NOT NULL;
"""

HEARD_SQL = """
WITH spoken AS (
    SELECT DISTINCT gid, client_hi, client_lo, server_hi, server_lo, port, proto FROM members
),
said AS (
    SELECT
        gid, came_back, answer, step, count(DISTINCT (client_hi, client_lo)) AS remotes,
        arg_min(
            {'client_hi': client_hi, 'client_lo': client_lo, 'server_hi': server_hi, 'server_lo': server_lo,
             'port': port, 'client_port': client_port, 'proto': proto, 'time': time, 'rec': rec},
            {'time': time, 'rec': rec}
        ) AS proof
    FROM spoken JOIN replies USING (client_hi, client_lo, server_hi, server_lo, port, proto)
    GROUP BY gid, came_back, answer, step
),
identities AS (
    SELECT gid, list_sort(list(DISTINCT identity)) AS identities
    FROM (SELECT DISTINCT gid, server_hi, server_lo, port, proto FROM spoken)
    JOIN replies USING (server_hi, server_lo, port, proto)
    WHERE identity IS NOT NULL
    GROUP BY gid
)
SELECT gid, identities, list(said ORDER BY step DESC, came_back, answer) AS said
FROM (SELECT gid, struct_pack(came_back, answer, step, remotes, proof) AS said, step, came_back, answer FROM said)
FULL JOIN identities USING (gid)
GROUP BY gid, identities
"""


@dataclass(frozen=True)
class Exposed:
    """Devices that a stranger reached."""

    kind: ClassVar[Kind] = Kind.EXPOSED_DEVICE
    needs: ClassVar[frozenset[str]] = frozenset({"touches", "exchanges"})
    after: ClassVar[frozenset[Kind]] = frozenset()

    def conclude(self, context: Context) -> Conclusion:
        policy, catalogue, con = context.policy, context.catalogue, context.con
        if not context.overview.answers:
            return Conclusion()
        shared = [(name,) for name, network in policy.networks.items() if network.shared]
        known = sorted({(port,) for _, port in catalogue.ports(opt_in=True)})
        con.execute(
            table_sql("shared_networks (network VARCHAR)", shared)
            + table_sql("known_ports (port USMALLINT)", known)
            + CHOSEN_SQL.format(
                alike=policy.thresholds.exposed_alike_ports,
                remotes=policy.thresholds.exposed_payload_remotes,
                limit=policy.limits.findings_per_kind,
                lan_only=[entry.id for entry in catalogue.interfaces if entry.lan_only] or "['']",
            )
        )
        chosen = rows(con, "SELECT * FROM chosen")
        if not chosen:
            return Conclusion()
        portraits = draw(context, (group["gid"] for group in chosen), by_listener=True)
        heard = {row["gid"]: Heard.of(row) for row in rows(con, HEARD_SQL)}
        findings = tuple(
            _finding(group, portraits[group["gid"]], heard.get(group["gid"], Heard()), context)
            for group in chosen
        )
        return Conclusion(findings, chosen[0]["total"] - len(chosen))


@dataclass(frozen=True, slots=True)
class Heard:
    """What the strangers of one finding got to read; nothing where no payload was read."""

    said: tuple[dict[str, Any], ...] = ()
    """By what came back, the worst first: ``came_back``, ``answer``, ``step``, ``remotes``, ``proof``."""
    identities: tuple[str, ...] = ()
    """The interfaces that payload proves to listen there, whoever it was said to."""

    @classmethod
    def of(cls, row: dict[str, Any]) -> Heard:
        said = (one for one in row["said"] or () if one is not None and one["step"])
        return cls(tuple(said), tuple(row["identities"] or ()))


def _finding(group: dict[str, Any], portrait: Portrait, heard: Heard, context: Context) -> Finding:
    entry = context.catalogue.get(group["interface"])
    proof, proven, confidence = _proof(group)
    labels = ["exception", "muted"] if portrait.all_exception else []
    remark = f" What came back: {heard.said[0]['came_back']}." if heard.said else ""
    if group["open_ports"] is not None:
        labels.append("answers-alike")
        confidence = 0.5
        remark += (
            f" The address answers on {group['open_ports']} ports alike: a SYN proxy in front of it, or a host"
            " to which everything is forwarded, looks the same."
        )
    address = _device_text(group, context)
    limit = context.policy.limits.evidence
    shown = tuple(_shown(one, context) for one in heard.said[: max(1, limit - 1)])
    evidence = sorted(
        {*shown, *portrait.evidence[: limit - len(shown)]}, key=lambda one: (one.time, one.record)
    )
    return make(
        Kind.EXPOSED_DEVICE,
        portrait,
        subject=Subject("device", address, True),
        entry=entry,
        way=INBOUND,
        severity=_severity(group, portrait, entry, heard, context),
        confidence=max(confidence, 0.99) if heard.said and group["open_ports"] is None else confidence,
        labels=labels,
        shows=("lan-protocol-on-wan",) if _inner(entry, heard, context) is not None else (),
        reason=(
            f"Our device {address} answered {wording.many(portrait.seen, 'unauthorised remote')} on {entry.id}:"
            f" {proven}.{remark}"
        ),
        details={
            "proof": proof,
            "payload_read": bool(heard.said),
            "came_back": {one["came_back"]: one["remotes"] for one in heard.said[:MAX_ANSWERS]},
            "identities": list(heard.identities),
            "only_surveyors": portrait.all_surveyor,
            "answers_on_ports": group["open_ports"],
        },
        evidence=tuple(evidence),
        fingerprints=(),
    )


def _shown(one: dict[str, Any], context: Context) -> Evidence:
    """The packet in which the device said it."""
    proof = one["proof"]
    source, record = context.pointer(proof["rec"])
    return Evidence(
        source,
        record,
        proof["time"],
        transport(proof["proto"]),
        format_address(proof["server_hi"], proof["server_lo"]),
        proof["port"],
        format_address(proof["client_hi"], proof["client_lo"]),
        proof["client_port"],
        one["came_back"],
    )


def _proof(group: dict[str, Any]) -> tuple[str, str, float]:
    """Which proof, in words, and how sure it makes."""
    if group["synacks"]:
        told = "exactly SYN+ACK" if not group["by_flows"] else "SYN+ACK, by both directions of its flows,"
        return "synack", f"{told} in {wording.many(group['synacks'], 'contact')}", 0.99
    if group["replies"]:
        return "reply", f"a UDP reply in {wording.many(group['replies'], 'contact')}", 0.95
    words = f"payload from the port to {wording.many(group['payloads'], 'remote')} on ephemeral ports"
    return "payload", words, 0.8


def _severity(
    group: dict[str, Any], portrait: Portrait, entry: Interface, heard: Heard, context: Context
) -> tuple[Severity, str]:
    if portrait.all_exception:
        return Severity.LOW, "accepted by an exception of the policy"
    if group["open_ports"] is not None:
        return Severity.LOW, "it answers on so many ports that the answer says little about this one"
    inner = _inner(entry, heard, context)
    if inner is not None:
        return Severity.CRITICAL, f"{inner.title} is made for the home side and answers the outside"
    if heard.said:
        return _by_answer(heard.said[0])
    if (group["most"] or 0) > TALKATIVE:
        return Severity.HIGH, (
            f"it sent a stranger {group['most']:,} bytes of payload, more than a refusal needs; the payload was"
            " not read, so whether a login was asked first is not known"
        )
    if portrait.outcomes.get("conversed"):
        return Severity.MEDIUM, (
            "payload went both ways; it was not read, so whether a login was demanded is not known"
        )
    return Severity.MEDIUM, "it accepts strangers' connections; no conversation was seen"


def _inner(entry: Interface, heard: Heard, context: Context) -> Interface | None:
    """The service made for the home side that answers here, by its port or by what it said."""
    answering = [entry, *(context.catalogue.get(name) for name in heard.identities)]
    return next((each for each in answering if each.lan_only), None)


def _by_answer(worst: dict[str, Any]) -> tuple[Severity, str]:
    """Rule B7: whether a login was asked first."""
    if worst["step"] == Step.TAKEN:
        return Severity.HIGH, "a login of a stranger was let in"
    if worst["step"] >= Step.OPEN or worst["answer"] == "fault":
        return Severity.HIGH, f"no login is in the way; what came back: {worst['came_back']}"
    return Severity.MEDIUM, f"strangers reach it; what came back: {worst['came_back']}"


def _device_text(group: dict[str, Any], context: Context) -> str:
    """Its address, or its delegated prefix where several addresses in it answered (rule A8)."""
    if group["addresses"] == 1:
        return format_address(group["high"], group["low"])
    address = from_halves(group["device_hi"], group["device_lo"])
    network = context.policy.network_of(address)
    length = context.policy.networks[network].delegated if network is not None else None
    return f"{address}/{length or 64}"
