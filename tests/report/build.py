"""Builds an Analysis by hand: a real View over real tables, findings written out, hostile strings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

import duckdb
from tests.report.spoken import border, edge, exchange, not_stoppable, proof, replay, what_if

from rearguard.catalogue import Catalogue
from rearguard.contacts.view import (
    CENSUS_SQL,
    CROWD_SQL,
    INITIATIONS_SQL,
    JUDGED_SQL,
    RECORD_BITS,
    SourceInfo,
    View,
)
from rearguard.dialogue.exchange import Exchange, Hit, Inform, Secret
from rearguard.model.address import halves
from rearguard.model.finding import Evidence, Finding, Kind, Peers, Severity, Subject
from rearguard.policy.policy import Policy
from rearguard.report.analysis import Analysis, ContactCounts, InterfaceLine, SamplingLine

START = 1_480_154_400_000_000_000  # 2016-11-26 10:00:00 UTC
SECOND = 1_000_000_000

HOSTILE = (
    "<script>alert(1)</script>",
    "</style></title></svg><img src=x onerror=alert(1)>",
    "\" onmouseover='alert(1)' x=\"{{ 7*7 }}{% raw %}",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred",
    "\x9b31m\x85\x7f\r\nFAKE: nothing found\b\b",
    "[bold red]x[/bold red][link=http://evil.example]y[/link] :boom:",
    "\u202egpj.exe\u200b\u2066\ufeff",
    "\udcff\udc80 not utf-8",
    '}]}\\"\n{"findings": [], "x": NaN}',
    "'; touch owned; $(id) `id` #",
    "A" * 5000,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of ``judged``; what a test does not say is ordinary."""

    client: str
    server: str
    at: int = 0  # seconds after START
    interface: str | None = "cwmp-cr"
    port: int = 7547
    proto: int = 6
    direction: str = "inbound"
    outcome: str = "unanswered"
    authorised: bool = False
    target: bool = True
    tries: int = 1
    record: int = 1
    source: int = 0


def view(rows: list[Row], sources: tuple[SourceInfo, ...] | None = None) -> View:
    """A view with these judged rows and nothing else."""
    con = duckdb.connect()
    con.execute(JUDGED_SQL)
    con.execute(CENSUS_SQL)
    con.execute(CROWD_SQL)
    con.execute(INITIATIONS_SQL)
    for row in rows:
        values = _judged(row)
        marks = ", ".join("?" for _ in values)
        con.execute(f"INSERT INTO judged ({', '.join(values)}) VALUES ({marks})", list(values.values()))
    return View(con=con, sources=sources or (source(),), observers=("lab.pcap",))


def _judged(row: Row) -> dict[str, Any]:
    client, server = halves(ip_address(row.client)), halves(ip_address(row.server))
    first = START + row.at * SECOND
    answered = row.outcome in {"answered", "conversed", "refused"}
    record = (row.source << RECORD_BITS) | row.record
    return {
        "client_hi": client[0],
        "client_lo": client[1],
        "server_hi": server[0],
        "server_lo": server[1],
        "port": row.port,
        "proto": row.proto,
        "observers": 1,
        "sampling": 1,
        "interface": row.interface,
        "listener": "device",
        "target": row.target,
        "certainty": "certain",
        "direction": row.direction,
        "server_network": "customers",
        "authorised": row.authorised,
        "outcome": row.outcome,
        "verified": row.outcome == "conversed",
        "dark": False,
        "packets_c": row.tries,
        "packets_s": int(answered),
        "bytes_c": 40 * row.tries,
        "bytes_s": 40 * int(answered),
        "payload_c": 0,
        "payload_s": 0,
        "first": first,
        "last": first + SECOND // 4,
        "first_c": first,
        "last_c": first + SECOND // 4,
        "first_s": first + 5 if answered else None,
        "last_s": first + 6 if answered else None,
        "proof_rank_c": 0,
        "proof_time_c": first,
        "proof_rec_c": record,
        "proof_port_c": 40001,
        "proof_rank_s": 0 if answered else 255,
        "proof_time_s": first + 5 if answered else 2**63 - 1,
        "proof_rec_s": record + 1,
        "proof_port_s": 40001,
        "load_time_c": 2**63 - 1,
        "load_rec_c": 0,
        "load_port_c": 0,
        "load_time_s": 2**63 - 1,
        "load_rec_s": 0,
        "load_port_s": 0,
        "flags_c": 2,
        "flags_s": 0x12,
        "seen_c": 1,
        "seen_s": 0,
        "known": 0x3F,
        "tries": row.tries,
        "unacked": row.tries,
        "no_options": 0,
        "fp_mirai": 0,
        "fp_zmap": 0,
        "fp_masscan": 0,
    }


def source(uri: str = "lab.pcap", records: int = 170, **more: Any) -> SourceInfo:
    """A readable capture of five minutes."""
    values: dict[str, Any] = {
        "uri": uri,
        "format": "pcap",
        "records": records,
        "bytes": 88_103,
        "skipped": {"truncated": 2, "arp": 10},
        "first_seen": START,
        "last_seen": START + 300 * SECOND,
        **more,
    }
    return SourceInfo(**values)


def evidence(record: int = 17, **more: Any) -> Evidence:
    """A bare SYN of the worm."""
    values: dict[str, Any] = {
        "source": "lab.pcap",
        "record": record,
        "time": START + 123,
        "proto": "tcp",
        "src": "203.0.113.7",
        "sport": 40001,
        "dst": "198.51.100.20",
        "dport": 7547,
        "note": "SYN, sequence equals destination",
        **more,
    }
    return Evidence(**values)


def finding(kind: Kind = Kind.SCAN, address: str | None = "203.0.113.7", **more: Any) -> Finding:
    """A scan of the Connection Request port, unless told otherwise."""
    roles = {Kind.EXPOSED_DEVICE: "device", Kind.COMPROMISED_DEVICE: "device", Kind.PORT_SURGE: "port"}
    values: dict[str, Any] = {
        "kind": kind,
        "subject": Subject(roles.get(kind, "remote"), address, verified=True),
        "interface": "cwmp-cr",
        "transport": "tcp",
        "ports": (7547,),
        "direction": "inbound",
        "severity": Severity.MEDIUM,
        "severity_reason": "a worm's fingerprint",
        "confidence": 0.99,
        "peers": Peers(1964, (1964, 1964), ("198.51.100.20", "198.51.100.21")),
        "contacts": 1964,
        "packets": 1964,
        "bytes": 78_560,
        "first_seen": START,
        "last_seen": START + 200 * SECOND,
        "reason": "tried 1,964 devices in ten minutes and is no controller of the policy",
        "evidence": (evidence(),),
        "outcomes": {"answered": 4, "unanswered": 1900, "refused": 60},
        "fingerprints": ("mirai",),
        "details": {"targets": 1964, "window": 600},
        **more,
    }
    return Finding(**values)


def incident() -> tuple[list[Row], tuple[Finding, ...]]:
    """A small worm: two scanners, one device that answered, one that fell."""
    rows = [
        Row(
            "203.0.113.7",
            f"198.51.100.{n}",
            at=n,
            record=n,
            outcome="answered" if n % 40 == 0 else "unanswered",
        )
        for n in range(1, 120)
    ]
    rows += [
        Row("203.0.113.9", f"198.51.100.{n}", at=80 + n, record=200 + n, outcome="refused")
        for n in range(1, 40)
    ]
    rows += [
        Row(
            "2001:db8:bad::1",
            f"2001:db8:c::{n:x}",
            at=n * 9,
            record=300 + n,
            interface="telnet",
            port=23,
            outcome="conversed" if n == 3 else "unanswered",
        )
        for n in range(1, 30)
    ]
    rows.append(Row("192.0.2.9", "198.51.100.20", authorised=True, outcome="conversed", record=400))
    findings = (
        finding(Kind.PROBE, "203.0.113.9", severity=Severity.LOW, contacts=39, fingerprints=()),
        finding(),
        finding(
            Kind.EXPOSED_DEVICE,
            "198.51.100.40",
            severity=Severity.HIGH,
            contacts=1,
            packets=2,
            bytes=80,
            severity_reason="a stranger reached the management port",
            peers=Peers(1, (1, 1), ("203.0.113.7",)),
            outcomes={"answered": 1},
            reason="answered a SYN of an unauthorised address with SYN+ACK",
            evidence=(
                evidence(40),
                evidence(41, src="198.51.100.40", sport=7547, dst="203.0.113.7", dport=40001),
            ),
        ),
        finding(
            Kind.COMPROMISED_DEVICE,
            "198.51.100.80",
            severity=Severity.CRITICAL,
            direction="outbound",
            contacts=300,
            peers=Peers(300, (280, 320)),
            reason="scans outward with the sequence property of the Mirai family",
        ),
    )
    return rows, findings


def analysis(
    rows: list[Row] | None = None, findings: tuple[Finding, ...] | None = None, **more: Any
) -> Analysis:
    """An analysis of :func:`incident`, or of what is given; ``more`` replaces fields."""
    given, concluded = incident()
    rows = given if rows is None else rows
    targets = [row for row in rows if row.target and row.interface]
    foreign = [row for row in targets if not row.authorised]
    lines = []
    for key in sorted({(row.interface or "", row.direction) for row in foreign}):
        here = [row for row in foreign if (row.interface, row.direction) == key]
        lines.append(
            InterfaceLine(
                *key,
                remotes=len({row.client for row in here}),
                devices=len({row.server for row in here}),
                contacts=len(here),
                tries=sum(row.tries for row in here),
                outcomes=_tally(here),
            )
        )
    result = Analysis(
        policy=Policy(),
        catalogue=Catalogue(()),
        view=view(rows),
        findings=concluded if findings is None else findings,
        contacts=ContactCounts(len(targets), len(targets) - len(foreign), len(foreign), _tally(targets)),
        interfaces=tuple(lines),
        sampling=(SamplingLine("lab.pcap", 1, "capture"),),
        timings={"read": 0.5, "fold": 0.25},
    )
    return replace(result, **more)


def nothing() -> Analysis:
    """Records, but not one contact with a management interface."""
    return analysis(rows=[], findings=())


def hostile(text: str) -> Analysis:
    """The same text in every field of every value that an input can have written."""
    storable = text.encode("utf-8", "replace").decode()  # what no database would take cannot come out of one
    bad = finding(
        address=storable,
        interface=storable,
        transport=text,
        severity_reason=text,
        reason=text,
        fingerprints=(text,),
        cves=(text,),
        mechanisms=(text,),
        incidents=(text,),
        recommendations=(text,),
        labels=(text,),
        peers=Peers(2, (1, 3), (text, text)),
        details={text: text, "list": [text, float("nan")]},
        evidence=(evidence(source=text, proto=text, src=text, dst=text, note=text),),
    )
    minor = replace(bad, kind=Kind.PROBE, severity=Severity.LOW)
    devices = tuple(
        replace(bad, kind=kind, subject=Subject("device", storable))
        for kind in (Kind.EXPOSED_DEVICE, Kind.REFLECTOR)
    )
    rows = [Row("203.0.113.7", "198.51.100.1", interface=storable, outcome="answered")]
    bad_source = source(text, format=text, skipped={text: 1}, damaged=text)
    made = analysis(
        rows=rows,
        findings=(bad, minor, *devices),
        sampling=(SamplingLine(text, 10, text),),
        approximations=(text,),
        notes=(text,),
    )
    made.view = replace(made.view, sources=(bad_source,), observers=(text,), exchanges=(_said(text),))
    made.border = border(
        edges=(edge(f"# {text}"),),
        platform=text,
        replay=replay(text),
        not_stoppable=(not_stoppable(text, text),),
        what_ifs=(what_if(storable, text=text, breaks=text),),
    )
    return made


def _said(text: str) -> Exchange:
    """The same text wherever a peer can have written it."""
    return exchange(
        speaks=text,
        answer=text,
        method=text,
        path=text,
        hits=(Hit(text, proof(1, 1), text, (text, text[::-1]), (text,)),),
        secrets=(Secret(text, proof(2, 2), text),),
        inform=Inform(text, text, text, text, text, (text,), text, proof(3, 3)),
        rpcs=(text,),
        fetch=(text,),
    )


def _tally(rows: list[Row]) -> dict[str, int]:
    tally: dict[str, int] = {}
    for row in rows:
        tally[row.outcome] = tally.get(row.outcome, 0) + 1
    return tally
