"""``cases.csv``: one line for each finding of each case, for people with a spreadsheet.

A cell that begins with ``= + - @``, a tab, a line end or a full-width relative of these would run as a formula
(CWE-1236): it gets an apostrophe in front. So does the same behind a semicolon, where spreadsheets of many
countries begin a new cell. Other characters that do not print become visible escapes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rearguard.model.finding import Kind, format_time
from rearguard.report.cases.advice import advice
from rearguard.report.cases.concern import OWN_DOING, own_end, read_network, sent_from
from rearguard.report.escape import visible

if TYPE_CHECKING:
    from rearguard.model.finding import Evidence
    from rearguard.report.cases.case import Case, Cases
    from rearguard.report.cases.concern import Concern

__all__ = ["COLUMNS", "cell", "other_role", "sheet"]

COLUMNS = (
    "case", "state", "severity", "subscriber", "contact", "addresses", "happened", "tell_the_customer",
    "kind", "finding", "interface", "ports", "first_seen", "last_seen",
    "records", "time", "proto", "device_address", "device_port", "other_address", "other_port", "other_is",
    "source", "record", "model", "firmware", "fixed", "reason", "notes",
)  # fmt: skip

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
_NEXT_CELL = re.compile(r"(;[\s\"']*)([=+\-@＝＋－＠])")
_LONGEST = 2_000
_OTHERS = {
    "compromised": "destination",
    "scanning": "destination",
    "attacking": "destination",
    "exposed": "visitor",
    "reflecting": "victim or surveyor, may be forged",
    "readable": "other end of the conversation",
    "foreign-managed": "controller",
}


def sheet(cases: Cases) -> str:
    """The whole file, CRLF line ends as RFC 4180 has them."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for case in cases.cases:
        writer.writerows([cell(text) for text in line] for line in _lines(case))
    return out.getvalue()


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula and no terminal for a command."""
    shown = visible(text, _LONGEST)
    if ";" in shown:
        shown = _NEXT_CELL.sub(r"\1'\2", shown)
    return f"'{shown}" if text.lstrip(" ").startswith(_FORMULA) else shown


def other_role(concern: Concern, item: Evidence) -> str:
    """What the far end of a record is; nobody whose address may be forged is called an attacker (rule B4)."""
    if concern.happened in _OTHERS and (
        concern.happened not in OWN_DOING or sent_from(item, concern.address)
    ):
        return _OTHERS[concern.happened]
    finding = concern.finding
    subject = read_network(finding.subject.address)
    proven = finding.subject.verified and subject is not None and own_end(item, subject) is not None
    if finding.kind is Kind.EXPLOIT_ATTEMPT and proven:
        return "attacker"
    return "sender, not verified"


def _lines(case: Case) -> Iterator[tuple[str, ...]]:
    device = case.device
    fixed = "" if device is None or device.fixed is None else "yes" if device.fixed else "no"
    for concern in case.concerns:
        finding = concern.finding
        yield (
            case.id,
            case.state,
            str(finding.severity),
            case.subscriber or "",
            case.contact,
            " ".join(case.addresses),
            concern.happened,
            advice(concern),
            str(finding.kind),
            finding.id,
            finding.interface or "",
            " ".join(f"{finding.transport}/{port}" for port in finding.ports),
            format_time(concern.first_seen),
            format_time(concern.last_seen),
            str(len(concern.evidence)),
            *_record(concern),
            "" if device is None else device.model,
            "" if device is None else device.firmware,
            fixed,
            finding.reason,
            "; ".join(case.notes),
        )


def _record(concern: Concern) -> tuple[str, ...]:
    """The first record that shows it: time, 5-tuple from the device's side, where it stands."""
    if not concern.shown:
        return ("",) * 9
    item = concern.shown[0]
    device, other = (item.src, item.sport), (item.dst, item.dport)
    if not sent_from(item, concern.address):
        device, other = other, device
    return (
        format_time(item.time),
        item.proto,
        device[0],
        str(device[1]),
        other[0],
        str(other[1]),
        other_role(concern, item),
        item.source,
        str(item.record),
    )
