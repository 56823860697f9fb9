"""One XARF v4 report (xarf.org, schema 4.2.0) for each case, for ticket systems that read it.

XARF describes the source of an abuse, so ``source_identifier`` is our own address, and a case is written as what
its worst finding makes the device:

| the device is | category, type |
|---|---|
| compromised | infrastructure, botnet |
| scanning | connection, port_scan |
| attacking | connection, vulnerability_scan (of this type are exploit attempts) |
| exposed, or was reached by an attack over TCP | vulnerability, open_service |
| reflecting | vulnerability, open_service |
| readable, foreign-managed | vulnerability, misconfiguration |

A device that was only flooded, or that an unproven sender attacked, is the source of nothing: such a case has no
XARF report. What concerns the customer alone (account, contact, state) stands under ``_internal``, which the
format says is never sent to anybody else.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rearguard.model.finding import Evidence, format_time
from rearguard.report.cases.advice import advice
from rearguard.report.cases.concern import own_end, sent_from
from rearguard.report.cases.sheet import cell
from rearguard.report.escape import visible

if TYPE_CHECKING:
    from rearguard.policy import Operator
    from rearguard.report.cases.case import Case
    from rearguard.report.cases.concern import Concern

__all__ = ["UNTOLD", "VERSION", "report", "reporter", "speaker"]

VERSION = "4.2.0"

UNTOLD = {
    "org": "Operator of the analysed network",
    "contact": "abuse@operator.invalid",
    "domain": "operator.invalid",
}
"""XARF wants to know who reports. Reserved names (RFC 2606) where the policy does not say (``operator``)."""

_MOST_EVIDENCE = 50
_MOST_TAGS = 20
_TAG = re.compile(r"[^a-z0-9_+-]+")


def reporter(operator: Operator | None) -> dict[str, str]:
    """Who reports, as XARF has it."""
    if operator is None:
        return dict(UNTOLD)
    return {
        "org": visible(operator.name, 200),
        "contact": visible(operator.contact, 320),
        "domain": operator.domain,
    }


def speaker(case: Case) -> Concern | None:
    """The worst concern that makes our device the source of something; None when none does."""
    return next((concern for concern in case.concerns if _type(concern)), None)


def report(case: Case, sender: Mapping[str, str]) -> str | None:
    """The report as ASCII JSON with a newline at the end; None when the device is the source of nothing."""
    concern = speaker(case)
    if concern is None:
        return None
    content = {
        **_identity(case, concern, sender),
        **_source(concern),
        **(_type(concern) or {}),
        "confidence": round(concern.finding.confidence, 4),
        "description": visible(f"{advice(concern)} ({concern.finding.reason})", 1000),
        "first_seen": _time(concern.first_seen),
        "last_seen": _time(concern.last_seen),
        "tags": _tags(case),
        "evidence": [_item(each) for each in case.concerns if each.evidence][:_MOST_EVIDENCE],
        "_internal": _internal(case),
    }
    return json.dumps(content, ensure_ascii=True) + "\n"


def _identity(case: Case, concern: Concern, sender: Mapping[str, str]) -> dict[str, Any]:
    return {
        "xarf_version": VERSION,
        "report_id": _uuid(case),
        "timestamp": _time(concern.shown[0].time if concern.shown else concern.first_seen),
        "reporter": dict(sender),
        "sender": dict(sender),
        "evidence_source": "traffic_analysis",
    }


def _source(concern: Concern) -> dict[str, Any]:
    """Our address, and the port of it that tells who it was behind a shared address (rule A7)."""
    for item in concern.shown:
        end = own_end(item, concern.address)
        if end is not None:
            return {"source_identifier": str(end[0])} | ({"source_port": end[1]} if end[1] else {})
    return {"source_identifier": concern.text}


def _type(concern: Concern) -> dict[str, Any] | None:
    """Category, type, and what the schema of the type wants; None: XARF has no word for it."""
    finding, happened = concern.finding, concern.happened
    service = finding.interface or " ".join(f"{finding.transport}/{port}" for port in finding.ports[:10])
    if happened == "compromised":
        family = {"malware_family": "mirai"} if "mirai" in finding.fingerprints else {}
        evidence = visible(finding.reason, 1000)
        return {"category": "infrastructure", "type": "botnet", "compromise_evidence": evidence} | family
    if happened == "scanning" and _source(concern).get("source_port"):
        return {"category": "connection", "type": "port_scan"} | _target(concern)
    if happened in {"attacking", "scanning"}:
        scan = {"scan_type": "vulnerability_scan" if happened == "attacking" else "port_scan"}
        return {"category": "connection", "type": "vulnerability_scan"} | scan | _target(concern)
    reached = happened == "attacked" and finding.transport == "tcp" and finding.subject.verified
    if happened in {"exposed", "reflecting"} or reached:
        port = {"service_port": finding.ports[0]} if finding.ports else {}
        return {"category": "vulnerability", "type": "open_service", "service": service} | port
    if happened in {"readable", "foreign-managed"}:
        return {"category": "vulnerability", "type": "misconfiguration", "service": service}
    return None


def _target(concern: Concern) -> dict[str, Any]:
    """Protocol and the first destination of a device that searches or attacks."""
    finding = concern.finding
    told: dict[str, Any] = {"protocol": "udp" if finding.transport == "udp" else "tcp"}
    for item in concern.shown:
        if sent_from(item, concern.address) and item.dport:
            return told | {"destination_ip": item.dst, "destination_port": item.dport}
    return told


def _tags(case: Case) -> list[str]:
    """``namespace:predicate`` in the alphabet of the schema."""
    pairs: list[tuple[str, str]] = []
    for concern in case.concerns:
        finding = concern.finding
        pairs.append(("rearguard", finding.kind))
        pairs += [("interface", finding.interface)] if finding.interface else []
        pairs += [("cve", name) for name in finding.cves]
        pairs += [("fingerprint", name) for name in finding.fingerprints]
    tags = (f"{space}:{_TAG.sub('-', name.lower()).strip('-_+')[:80]}" for space, name in pairs)
    return [tag for tag in dict.fromkeys(tags) if not tag.endswith(":")][:_MOST_TAGS]


def _item(concern: Concern) -> dict[str, Any]:
    """The records of one finding as a small table."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("time", "proto", "src", "sport", "dst", "dport", "source", "record", "note"))
    for item in concern.evidence:
        writer.writerow([cell(text) for text in _record(item)])
    payload = out.getvalue().encode("ascii", "backslashreplace")
    return {
        "content_type": "text/csv",
        "description": visible(f"{concern.finding.kind}: {concern.finding.reason}", 500),
        "payload": base64.b64encode(payload).decode("ascii"),
        "hash": f"sha256:{hashlib.sha256(payload).hexdigest()}",
        "size": len(payload),
    }


def _record(item: Evidence) -> tuple[str, ...]:
    ends = item.src, str(item.sport), item.dst, str(item.dport)
    return format_time(item.time), item.proto, *ends, item.source, str(item.record), item.note


def _internal(case: Case) -> dict[str, Any]:
    device = case.device
    return {
        "case": case.id,
        "state": case.state,
        "severity": str(case.severity),
        "subscriber": None if case.subscriber is None else visible(case.subscriber, 200),
        "contact": visible(case.contact, 200) or None,
        "addresses": list(case.addresses[:100]),
        "shared_address": case.shared,
        "model": None if device is None else visible(device.model, 200),
        "firmware": None if device is None else visible(device.firmware, 200),
        "fixed": None if device is None else device.fixed,
        "findings": [
            {
                "id": each.finding.id,
                "kind": str(each.finding.kind),
                "severity": str(each.finding.severity),
                "happened": each.happened,
                "tell_the_customer": advice(each),
            }
            for each in case.concerns[:100]
        ],
        "notes": [visible(note, 1000) for note in case.notes[:100]],
    }


def _uuid(case: Case) -> str:
    """Of version 4 in shape, and the same for the same case and time: a second run makes no second report."""
    text = f"{case.id}\x1f{case.first_seen}\x1f{case.last_seen}"
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def _time(ns: int) -> str:
    return f"{format_time(ns)[:26]}Z"
