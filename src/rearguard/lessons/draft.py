"""From an analysis to a half-filled incident record, fit to be completed and shared.

Theory of operation. Only what is counted, dated or named from fixed lists is taken over: kinds, interfaces,
ports, outcomes, fingerprints, CVE numbers, numbers of records. No address, no file name, no free text of a
finding goes in, because each may name a customer: addresses are not replaced by pseudonyms but left out,
which cannot be undone by anybody. What only a person can know is written as a text that begins with
``COMPLETE:``, which is no valid record yet: `rearguard lessons validate` asks for each until it is gone.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rearguard.catalogue import load as load_catalogue
from rearguard.lessons.validate import Complaint
from rearguard.model.errors import InputError, Place
from rearguard.model.finding import Kind

if TYPE_CHECKING:
    from rearguard.lessons.knowledge import Knowledge

__all__ = ["COMPLETE", "WARNINGS", "Draft", "draft", "open_lines", "read_findings", "unfinished"]

COMPLETE = "COMPLETE:"
LARGEST = 256 << 20
"""Bytes of a findings.json that is read."""

WARNINGS = (
    "Addresses of customers, attackers and controllers were left out; do not add them to what you share.",
    "Do not add names or numbers of customers, serial numbers, MAC addresses, line or case numbers.",
    "Do not add payloads: they may hold passwords or the URL of live malware. Name the CVE or the pattern.",
    "Do not name an unverified source as an attacker: sources of SYN and UDP packets are often forged.",
    "Ask whoever owns the traffic, and your legal department, before the scale and the time leave the house.",
    "Before you publish a flaw that is not known yet, tell the maker (RFC 9116 says how to find whom).",
)
"""What must not be shared; printed with every draft."""

KINDS = frozenset(str(kind) for kind in Kind)
OUTCOMES = frozenset({"unanswered", "refused", "answered", "conversed", "unknown"})

_CVE = re.compile(r"CVE-\d{4}-\d{4,7}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T[0-9:.]{8,18}Z")
MINUTE = len("2016-11-27T14:30")
"""How much of a time is told: the minute is enough for a lesson, and does not point at one packet."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The record as YAML with remarks, and how many findings and places to complete it has."""

    text: str
    name: str
    """The id of the record, which the file has to be called after."""
    findings: int
    open_lines: int


def read_findings(path: Path) -> dict[str, Any]:
    """The content of a findings.json. Raises :class:`InputError` for what is none."""
    where = Place(file=str(path))
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(
                "the file is too large", place=where, remedy="give a findings.json of one analysis"
            )
        made = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror}", place=where, remedy="name a findings.json"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            "this is no JSON", place=where, remedy="`rearguard analyze --output` writes one"
        ) from error
    if not isinstance(made, dict) or made.get("schema") != "1" or not isinstance(made.get("findings"), list):
        raise InputError(
            "this is no findings.json of schema 1",
            place=where,
            remedy="`rearguard analyze --output` writes one",
        )
    return made


def draft(knowledge: Knowledge, found: Mapping[str, Any], interface: str | None = None) -> Draft:
    """A record of the findings on one interface, by default the one that most contacts were on.

    Raises :class:`InputError` when there is no finding on a management interface, or none on the one asked for.
    """
    names = {each.id for each in load_catalogue().interfaces}
    findings = [
        each for each in found["findings"] if isinstance(each, dict) and each.get("interface") in names
    ]
    known = Counter[str]()
    for each in findings:
        known[each["interface"]] += _count(each.get("contacts"))
    if interface is None and known:
        interface = min(known, key=lambda name: (-known[name], name))
    chosen = [each for each in findings if each["interface"] == interface]
    if not chosen or interface is None:
        listed = ", ".join(sorted(known)) or "none"
        raise InputError(
            "there is no finding to make a record of",
            remedy=f"interfaces with findings: {listed}; choose one with --interface"
            if known
            else "it names no finding on a management interface; look at the report for why",
        )
    record = _record(knowledge, chosen, interface)
    body = yaml.dump(record, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False)
    head = ["# A draft. What begins with COMPLETE is for you to say; delete what does not apply.", "#"]
    head += [f"# - {line}" for line in WARNINGS]
    head += ["#", *(f"# {line}" for line in _evidence(found, chosen, _mechanisms(knowledge, chosen))), ""]
    return Draft("\n".join(head) + body, record["id"], len(chosen), len(open_lines(body)))


def open_lines(text: str) -> list[int]:
    """The lines, from 1, on which somebody still has to say something."""
    return [number for number, line in enumerate(text.splitlines(), start=1) if COMPLETE in line]


def unfinished(file: Path) -> list[Complaint]:
    """An error for each place of a record on which somebody still has to say something."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "it cannot be read", place=Place(file=str(file)), remedy="name a YAML file with one incident"
        ) from error
    return [
        Complaint(
            True,
            "this is left to complete",
            "write what the line asks for, or delete it",
            Place(str(file), number),
        )
        for number in open_lines(text)
    ]


def _record(knowledge: Knowledge, chosen: list[dict[str, Any]], interface: str) -> dict[str, Any]:
    first = min((each["first_seen"] for each in chosen if _timed(each.get("first_seen"))), default="")
    day = first[:10] or f"{COMPLETE} ISO 8601 day"
    ports = sorted({(str(each.get("transport")), port) for each in chosen for port in _ports(each)})
    mechanisms = _mechanisms(knowledge, chosen)
    cves = sorted({cve for each in chosen for cve in _list(each, "cves") if _CVE.fullmatch(cve)})
    return {
        "id": f"{interface}-{day[:4]}" if first else interface,
        "title": f"{COMPLETE} one line that a reader recognises, without the name of a customer",
        "kind": "attack",
        "date": day,
        "date_precision": "day (first record of the analysis)" if first else f"{COMPLETE} day, month or year",
        "what_happened": f"{COMPLETE} two to six sentences of your own. Measured so far: {_measured(chosen)}",
        "interface": {
            "name": f"{COMPLETE} what listens; the catalogue calls it {interface}",
            "transport": f"{COMPLETE} such as SOAP/HTTP",
            "ports": [f"{transport}/{port}" for transport, port in ports if transport in ("tcp", "udp")],
        },
        "interfaces": [interface],
        "managed_by": f"{COMPLETE} who was meant to manage the devices",
        "management": f"{COMPLETE} one of the fixed list; `rearguard lessons schema` has it",
        "devices": [f"{COMPLETE} makes and models, if you know them"],
        "cve": [{"id": cve} for cve in cves],
        "cwe": [],
        "scale": [
            {
                "figure": _scale(chosen),
                "source_url": None,
                "source_locator": f"{COMPLETE} your report of this incident",
            }
        ],
        "mechanisms": list(mechanisms) or [f"{COMPLETE} root causes; `rearguard lessons` lists them"],
        "mechanisms_inferred": True,
        "what_stopped_it": [f"{COMPLETE} what ended or eased it"],
        "border_filter": _border(chosen),
        "sources": [
            {
                "title": f"{COMPLETE} title of your report",
                "publisher": f"{COMPLETE} who publishes it",
                "url": None,
                "locator": f"{COMPLETE} how to find it",
                "verified": True,
            }
        ],
        "conflicts_or_limits": [
            "Mechanisms are those that interface and attack patterns suggest; nobody has looked into a device."
        ],
    }


def _mechanisms(knowledge: Knowledge, chosen: list[dict[str, Any]]) -> dict[str, float]:
    """Those that the findings name, with the highest confidence of such a finding; the most certain first."""
    sure: dict[str, float] = {}
    known = {each.id for each in knowledge.mechanisms}
    for each in chosen:
        for name in _list(each, "mechanisms"):
            if name in known:
                sure[name] = max(sure.get(name, 0.0), _confidence(each))
    return dict(sorted(sure.items(), key=lambda each: (-each[1], each[0])))


def _measured(chosen: list[dict[str, Any]]) -> str:
    kinds = Counter(str(each.get("kind")) for each in chosen if each.get("kind") in KINDS)
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    prints = sorted({each for one in chosen for each in _list(one, "fingerprints") if _NAME.fullmatch(each)})
    return f"findings {said}{f'; fingerprints {chr(44).join(prints)}' if prints else ''}."


def _scale(chosen: list[dict[str, Any]]) -> str:
    contacts = sum(_count(each.get("contacts")) for each in chosen)
    outcomes: Counter[str] = Counter()
    for each in chosen:
        given = each.get("outcomes")
        for name, count in given.items() if isinstance(given, dict) else ():
            if name in OUTCOMES:
                outcomes[name] += _count(count)
    said = ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items()))
    devices = sum(1 for each in chosen if each.get("kind") in ("exposed-device", "compromised-device"))
    return f"measured: {contacts} contacts ({said}); {devices} findings about own devices"


def _border(chosen: list[dict[str, Any]]) -> dict[str, str]:
    crossing = any(each.get("direction") == "inbound" for each in chosen)
    hint = "part of it crossed the border inwards" if crossing else "nothing of it crossed the border inwards"
    return {
        "would_help": f"{COMPLETE} yes, partly, no or unknown, in quotes",
        "why": f"{COMPLETE} one sentence; {hint}",
        "reason": f"{COMPLETE} one of the fixed list; `rearguard lessons schema` has it",
    }


def _evidence(
    found: Mapping[str, Any], chosen: list[dict[str, Any]], sure_of: Mapping[str, float]
) -> list[str]:
    """What the draft rests on, as remarks: counts and times only."""
    records = sum(_count(each.get("records")) for each in found.get("sources", []) if isinstance(each, dict))
    lines = [f"Evidence: {records} records were read; {len(chosen)} findings on this interface."]
    if sure_of:
        said = ", ".join(f"{name} {confidence:.2f}" for name, confidence in sure_of.items())
        lines.append(f"  Mechanisms, with the confidence of the findings that suggest them: {said}")
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in chosen:
        if each.get("kind") in KINDS:
            by_kind[each["kind"]].append(each)
    for kind, some in sorted(by_kind.items()):
        times = sorted(
            each[key] for each in some for key in ("first_seen", "last_seen") if _timed(each.get(key))
        )
        span = f", {times[0][:MINUTE]}Z to {times[-1][:MINUTE]}Z" if times else ""
        sure = max(_confidence(each) for each in some)
        proofs = sum(len(each["evidence"]) for each in some if isinstance(each.get("evidence"), list))
        lines.append(
            f"  {kind}: {len(some)} findings, confidence up to {sure:.2f}, {proofs} records as proof{span}"
        )
    return lines


def _timed(value: object) -> bool:
    return isinstance(value, str) and _TIME.fullmatch(value) is not None


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else 0


def _confidence(each: Mapping[str, Any]) -> float:
    value = each.get("confidence")
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else 0.0


def _ports(each: Mapping[str, Any]) -> Iterable[int]:
    given = each.get("ports")
    return [port for port in given if 0 < _count(port) < 65_536] if isinstance(given, list) else []


def _list(each: Mapping[str, Any], key: str) -> list[str]:
    given = each.get(key)
    return [text for text in given if isinstance(text, str)] if isinstance(given, list) else []
