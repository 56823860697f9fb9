"""``intelmq.jsonl``: one event of the IntelMQ data format for each record of each case.

Names and types are those of IntelMQ's event page and harmonization (3.0 to 3.5; fields that only 3.5 knows, such as
``severity``, are under ``extra``). As in the feeds that IntelMQ usually reads, ``source`` is the machine that needs
attention: our device when it is compromised, exposed or misused. Only where the device is a victim is it the
``destination``, and then the sender is the ``source`` if a handshake proved its address, else it is not named
(rule B4). IntelMQ adds ``time.observation`` itself when it collects the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rearguard.model.finding import Evidence, format_time
from rearguard.report.cases.advice import advice
from rearguard.report.cases.concern import sent_from
from rearguard.report.cases.sheet import other_role
from rearguard.report.escape import visible

if TYPE_CHECKING:
    from rearguard.catalogue import Catalogue
    from rearguard.report.cases.case import Case, Cases
    from rearguard.report.cases.concern import Concern

__all__ = ["CLASSIFICATION", "events"]

CLASSIFICATION = {
    "compromised": ("infected-system", "malicious-code"),
    "attacking": ("exploit", "intrusion-attempts"),
    "scanning": ("scanner", "information-gathering"),
    "exposed": ("potentially-unwanted-accessible", "vulnerable"),
    "reflecting": ("ddos-amplifier", "vulnerable"),
    "readable": ("information-disclosure", "vulnerable"),
    "foreign-managed": ("undetermined", "other"),
    "attacked": ("exploit", "intrusion-attempts"),
    "flooded": ("ddos", "availability"),
}
"""``classification.type`` and its ``classification.taxonomy``, as IntelMQ's taxonomy expert pairs them."""

_VICTIM = frozenset({"attacked", "flooded"})
_MAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+", re.ASCII)
_LONGEST = 1_000


def events(cases: Cases, catalogue: Catalogue) -> Iterator[str]:
    """The lines, each a JSON object in ASCII."""
    families = {entry.id: entry.family for entry in catalogue.interfaces}
    for case in cases.cases:
        for concern in case.concerns:
            for item in concern.shown or (None,):
                event = {**_about(case, concern, families), **_ends(case, concern, item)}
                told = {name: value for name, value in event.items() if value not in (None, "", [])}
                yield json.dumps(told, ensure_ascii=True, sort_keys=True)


def _about(case: Case, concern: Concern, families: dict[str, str]) -> dict[str, Any]:
    """What does not depend on the record."""
    finding, device = concern.finding, case.device
    kind, taxonomy = CLASSIFICATION[concern.happened]
    application = families.get(finding.interface or "", "")
    return {
        "feed.name": "rearguard",
        "feed.accuracy": round(finding.confidence * 100, 2),
        "classification.type": kind,
        "classification.taxonomy": taxonomy,
        "classification.identifier": finding.kind,
        "event_description.text": visible(advice(concern), _LONGEST),
        "malware.name": "mirai" if "mirai" in finding.fingerprints else None,
        "protocol.transport": finding.transport if finding.transport in {"tcp", "udp"} else None,
        "protocol.application": application.lower(),
        "extra.case": case.id,
        "extra.state": case.state,
        "extra.severity": str(finding.severity),
        "extra.happened": concern.happened,
        "extra.finding": finding.id,
        "extra.interface": finding.interface,
        "extra.reason": visible(finding.reason, _LONGEST),
        "extra.first_seen": format_time(concern.first_seen),
        "extra.last_seen": format_time(concern.last_seen),
        "extra.cves": [visible(name, 40) for name in finding.cves],
        "extra.model": visible(device.model, 200) if device is not None else None,
        "extra.firmware": visible(device.firmware, 200) if device is not None else None,
        "extra.shared_address": case.shared or None,
        "extra.notes": [visible(note, _LONGEST) for note in case.notes],
    }


def _ends(case: Case, concern: Concern, item: Evidence | None) -> dict[str, Any]:
    """Time and 5-tuple, with our device as source or destination."""
    ours, theirs = ("destination", "source") if concern.happened in _VICTIM else ("source", "destination")
    mail = _MAIL.fullmatch(case.contact)
    told: dict[str, Any] = {
        "time.source": _utc(concern.first_seen if item is None else item.time),
        f"{ours}.account": visible(case.subscriber, 200) if case.subscriber is not None else None,
        f"{ours}.abuse_contact": case.contact.lower() if mail else None,
        "extra.contact": None if mail else visible(case.contact, 200),
    }
    if item is None:
        single = concern.address.prefixlen == concern.address.max_prefixlen
        return told | {f"{ours}.ip" if single else f"{ours}.network": concern.text}
    mine, other = (item.src, item.sport), (item.dst, item.dport)
    if not sent_from(item, concern.address):
        mine, other = other, mine
    told |= {
        f"{ours}.ip": mine[0],
        f"{ours}.port": mine[1] or None,
        "extra.source_file": visible(item.source, 500),
        "extra.record": item.record,
        "extra.note": visible(item.note, 200),
    }
    role = other_role(concern, item)
    if theirs == "destination" or role == "attacker":
        told |= {f"{theirs}.ip": other[0], f"{theirs}.port": other[1] or None}
    return told | {"extra.other_is": role}


def _utc(ns: int) -> str:
    """As IntelMQ writes times: microseconds, offset ``+00:00``."""
    return f"{format_time(ns)[:26]}+00:00"
