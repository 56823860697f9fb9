"""Rules B7, B10, B11: what payloads prove about devices, controllers and secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from detect.build import contact, detect, kinds, of, policy, strangers
from detect.talk import ATTACKS, attacked, exchange, inform, secret
from rearguard.detect import Result
from rearguard.dialogue.exchange import Exchange
from rearguard.model.finding import Finding

STRANGER = "203.0.113.7"
DEVICE = "198.51.100.20"
FOREIGN = "203.0.113.120"
CONTROLLER: dict[str, Any] = {
    "controllers": {
        "acs": {
            "requests_from": ["192.0.2.8/30"],
            "sessions_at": ["192.0.2.20/32"],
            "manages": ["cwmp", "telnet"],
        }
    }
}


def result(*exchanges: Exchange, **more: Any) -> Result:
    return detect(exchanges=exchanges, attacks=ATTACKS, **more)


# exposed-device


def reached(answer: str, port: int = 7547, **more: Any) -> list[Finding]:
    row = contact(client=STRANGER, server=DEVICE, port=port, outcome="conversed")
    told = exchange(STRANGER, DEVICE, port, answer=answer, **more)
    return of(result(told, contacts=[row]), "exposed-device")


@pytest.mark.parametrize(
    ("answer", "port", "more", "severity"),
    [
        ("digest", 7547, {}, "medium"),
        ("basic", 7547, {}, "medium"),
        ("refused", 7547, {}, "medium"),
        ("prompt", 23, {}, "medium"),
        ("banner", 23, {}, "medium"),
        ("page", 7547, {}, "high"),
        ("soap", 7547, {}, "high"),
        ("fault", 7547, {}, "high"),
        ("shell", 23, {}, "high"),
        ("prompt", 23, {"login": "succeeded"}, "high"),
        ("soap", 7547, {"identity": "tr064"}, "critical"),
        ("digest", 7547, {"identity": "cwmp-cr"}, "medium"),
    ],
)
def test_what_it_said_to_a_stranger_decides_how_bad_it_is(
    answer: str, port: int, more: dict[str, Any], severity: str
) -> None:
    [exposed] = reached(answer, port, **more)
    assert exposed.severity == severity
    assert exposed.details["payload_read"]
    [words] = exposed.details["came_back"]
    assert words in [one.note for one in exposed.evidence]


def test_a_lan_service_on_another_interfaces_port_is_named() -> None:
    [exposed] = reached("soap", identity="tr064")
    assert exposed.interface == "cwmp-cr"
    assert exposed.details["identities"] == ["tr064"]
    assert "home side" in exposed.severity_reason


def test_the_worst_answer_to_any_stranger_counts_and_each_is_told() -> None:
    rows, told = [], []
    for number, (client, answer) in enumerate(zip(strangers(3), ("digest", "page", "digest"), strict=True)):
        rows.append(contact(client=client, server=DEVICE, outcome="conversed", at=number))
        told.append(exchange(client, DEVICE, at=number, answer=answer))
    [exposed] = of(result(*told, contacts=rows), "exposed-device")
    assert exposed.severity == "high"
    assert exposed.details["came_back"] == {
        "200, gave a page without a login": 1,
        "401, asked for a Digest login": 2,
    }


def test_what_it_said_to_its_own_controller_says_nothing_about_strangers() -> None:
    rows = [contact(client=STRANGER, server=DEVICE, outcome="answered")]
    told = exchange("192.0.2.9", DEVICE, answer="page")
    [exposed] = of(result(told, contacts=rows, given=policy(**CONTROLLER)), "exposed-device")
    assert (exposed.severity, exposed.details["payload_read"]) == ("medium", False)


@pytest.mark.parametrize(
    ("port", "identity", "found"),
    [
        (5555, None, False),
        (5555, "adb", True),
        (80, None, False),
        (80, "hnap", True),
        (8080, "tr064", True),
        (22, "ssh", False),
        (1883, "mqtt", False),
    ],
)
def test_on_shared_ports_only_a_payload_that_proves_management_counts(
    port: int, identity: str | None, found: bool
) -> None:
    interface = {5555: "adb", 22: "ssh", 1883: "mqtt"}.get(port, "http-admin")
    rows = [contact(client=STRANGER, server=DEVICE, port=port, outcome="conversed", interface=interface)]
    rows[0]["listener"] = "device"
    told = exchange(STRANGER, DEVICE, port, answer="reply", identity=identity)
    assert ("exposed-device" in kinds(result(told, contacts=rows))) == found
    assert ("probe" in kinds(result(told, contacts=rows))) == found


def test_an_identity_that_anybody_proved_makes_later_visits_tries() -> None:
    """A stranger's scan over devices whose ADB is known is a scan, although each answered."""
    rows = [
        contact(client=STRANGER, server=f"10.0.0.{n}", port=5555, outcome="answered", at=n)
        for n in range(1, 13)
    ]
    told = [
        exchange("203.0.113.9", f"10.0.0.{n}", 5555, answer="reply", identity="adb") for n in range(1, 13)
    ]
    assert "scan" not in kinds(detect(*rows))
    [scan] = of(result(*told, contacts=rows), "scan")
    assert scan.peers.count == 12


def test_answers_that_a_device_makes_up_are_bounded() -> None:
    rows = [contact(client=client, server=DEVICE, outcome="conversed") for client in strangers(60)]
    told = [
        exchange(client, DEVICE, answer="refused", status=400 + n) for n, client in enumerate(strangers(60))
    ]
    [exposed] = of(result(*told, contacts=rows), "exposed-device")
    assert len(exposed.details["came_back"]) == 20
    assert len(exposed.evidence) == policy().limits.evidence


def test_lan_only_on_the_wan_is_critical() -> None:
    rows = [contact(client=STRANGER, server=DEVICE, port=5555, outcome="conversed")]
    told = exchange(STRANGER, DEVICE, 5555, answer="reply", identity="adb")
    [exposed] = of(result(told, contacts=rows), "exposed-device")
    assert (exposed.severity, exposed.interface) == ("critical", "adb")


# unauthorised-controller


def session(
    *events: str, server: str = FOREIGN, client: str = DEVICE, at: float = 0.0, **more: Any
) -> Exchange:
    known: dict[str, Any] = {"port": 80, "answer": "soap", "rpcs": ("Inform",)}
    return exchange(client, server, at=at, inform=inform(*events, at=at), **(known | more))


def controllers(*exchanges: Exchange, **more: Any) -> list[Finding]:
    return of(result(*exchanges, **more), "unauthorised-controller")


def test_a_bootstrap_to_a_server_that_nobody_listed_is_the_alarm() -> None:
    [found] = controllers(session("0 BOOTSTRAP", "1 BOOT"))
    assert (found.subject.role, found.subject.address, found.interface) == ("remote", FOREIGN, "cwmp-acs")
    assert (found.direction, found.ports, found.contacts) == ("outbound", (80,), 1)
    assert (found.severity, found.labels, found.confidence) == ("critical", ("certain",), 0.99)
    assert found.peers.sample == (DEVICE,)
    [shown] = found.evidence
    assert (shown.src, shown.dst, shown.note) == (DEVICE, FOREIGN, "Inform: 0 BOOTSTRAP, 1 BOOT")
    assert found.details["models"][0]["product_class"] == "Gateway"


@pytest.mark.parametrize(
    ("events", "methods", "severity"),
    [
        (("2 PERIODIC",), ("Inform",), "high"),
        (("2 PERIODIC",), ("Inform", "Download"), "critical"),
        (("0 BOOTSTRAP",), ("Inform",), "critical"),
        ((), ("Inform",), "high"),
    ],
)
def test_severity_of_a_foreign_controller(
    events: tuple[str, ...], methods: tuple[str, ...], severity: str
) -> None:
    [found] = controllers(session(*events, rpcs=methods))
    assert found.severity == severity


def test_many_devices_at_one_server_are_one_finding() -> None:
    told = [session("2 PERIODIC", client=f"10.0.0.{n}", at=n) for n in range(1, 31)]
    told.append(session("0 BOOTSTRAP", client="10.0.0.99", at=99, port=9090))
    told.append(session("2 PERIODIC", server="203.0.113.121"))
    found = {one.subject.address: one for one in controllers(*told)}
    assert found.keys() == {FOREIGN, "203.0.113.121"}
    assert (found[FOREIGN].peers.count, found[FOREIGN].ports) == (31, (80, 9090))
    assert found[FOREIGN].evidence[-1].note == "Inform: 0 BOOTSTRAP"  # shown although it came last


OWNERS = {
    "networks": {
        "customers": {"prefixes": ["198.51.100.0/24"], "managed": "operator"},
        "homes": {"prefixes": ["10.0.0.0/8"], "managed": "vendor-cloud"},
    }
}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (session("0 BOOTSTRAP", server="192.0.2.20"), "a controller of the policy"),
        (session("0 BOOTSTRAP", server="192.0.2.20", port=12345), "on whatever port"),
        (session("0 BOOTSTRAP", client="10.0.0.9"), "the operator does not manage that network"),
        (session("0 BOOTSTRAP", client="203.0.113.1"), "no device of ours"),
        (
            session("0 BOOTSTRAP", client="203.0.113.1", server=DEVICE),
            "a customer runs a controller for others",
        ),
        (exchange(DEVICE, FOREIGN, 443, speaks="tls", answer="reply"), "ordinary TLS"),
        (exchange(DEVICE, FOREIGN, 7547, speaks="tls", answer=""), "nobody there"),
        (exchange(DEVICE, FOREIGN, 7547, speaks="http"), "somebody tries a port"),
    ],
)
def test_what_is_no_unauthorised_controller(told: Exchange, why: str) -> None:
    assert controllers(told, given=policy(**CONTROLLER | OWNERS)) == [], why


def test_tls_on_the_port_of_cwmp_is_possible() -> None:
    told = exchange(DEVICE, FOREIGN, 7547, speaks="tls", answer="reply")
    [found] = controllers(told, given=policy(**CONTROLLER))
    assert (found.severity, found.labels, found.confidence) == ("medium", ("possible",), 0.5)
    assert found.evidence[0].note == "TLS to tcp/7547"
    [both] = controllers(told, session("2 PERIODIC"), given=policy(**CONTROLLER))
    assert both.labels == ("certain",)


def test_a_foreign_controller_can_be_accepted_for_a_while() -> None:
    accepted = {"interfaces": ["cwmp-acs"], "reason": "migration", "expires": "2099-01-01"}
    [found] = controllers(
        session("0 BOOTSTRAP"), given=policy(exceptions=[accepted | {"subject": f"{FOREIGN}/32"}])
    )
    assert (found.severity, found.labels) == ("low", ("certain", "exception", "muted"))


def test_models_are_bounded_and_hostile_words_kept() -> None:
    told = [
        exchange(
            f"10.0.{n // 200}.{n % 200 + 1}", FOREIGN, 80, at=n, answer="soap",
            inform=inform("2 PERIODIC", f"{n} <script>", at=n, manufacturer=f"\x1b[31m{n}", serial="=1+1"),
            rpcs=(f"Method{n}",),
        )
        for n in range(300)
    ]  # fmt: skip
    [found] = controllers(*told)
    assert {len(found.details[name]) for name in ("models", "events", "methods")} == {20}
    assert found.details["models"][0]["manufacturer"].startswith("\x1b[31m")


# cleartext-management


def login(client: str = STRANGER, server: str = DEVICE, port: int = 23, **more: Any) -> Exchange:
    known: dict[str, Any] = {
        "answer": "prompt",
        "login": "tried",
        "speaks": "telnet",
        "secrets": (secret("telnet-login"),),
    }
    return exchange(client, server, port, **(known | more))


def clear(*exchanges: Exchange, **more: Any) -> list[Finding]:
    return of(result(*exchanges, **more), "cleartext-management")


def test_a_console_that_takes_passwords_in_clear_is_told_by_device() -> None:
    told = [login(), login(client="203.0.113.8", at=5), login(server="198.51.100.21", at=9)]
    first, second = sorted(clear(*told), key=lambda one: str(one.subject.address))
    assert (first.subject.address, first.subject.role, first.interface) == (DEVICE, "device", "telnet")
    assert (first.direction, first.contacts, first.peers.count, first.severity) == ("inbound", 2, 2, "medium")
    assert first.details["shown"] == ["root:*****"]
    assert (first.details["scope"], first.details["devices"]) == ("device", 1)
    assert [one.note for one in first.evidence] == ["console login in clear"] * 2
    assert second.subject.address == "198.51.100.21"


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({}, "medium"),
        ({"login": "succeeded"}, "high"),
        ({"secrets": (secret("telnet-command", "enable"),)}, "high"),
        ({"client": "192.0.2.9"}, "high"),
    ],
)
def test_severity_of_what_could_be_read(more: dict[str, Any], severity: str) -> None:
    [found] = clear(login(**more), given=policy(**CONTROLLER))
    assert found.severity == severity


def test_what_own_controllers_say_in_clear_is_one_finding_for_the_network() -> None:
    told = [login(client="192.0.2.9", server=f"198.51.100.{n}", at=n) for n in range(20, 50)]
    [found] = clear(*told, given=policy(**CONTROLLER))
    assert (found.subject.address, found.labels) == ("customers", ("own-controller",))
    assert (found.details["scope"], found.details["devices"], found.contacts) == ("network", 30, 30)
    assert found.peers.sample == ("192.0.2.9",)
    assert found.reason.endswith("in sessions with 1 controller.")


def test_credentials_that_a_controller_sets_in_clear_are_told() -> None:
    told = session("2 PERIODIC", server="192.0.2.20", secrets=(secret("cwmp-credentials", "Password=*****"),))
    [found] = clear(told, given=policy(**CONTROLLER))
    assert (found.subject.address, found.interface, found.direction) == ("customers", "cwmp-acs", "outbound")
    assert (found.severity, found.details["devices_sample"]) == ("high", [DEVICE])
    [foreign] = clear(replace(told, server_lo=told.server_lo + 1), given=policy(**CONTROLLER))
    assert (foreign.subject.address, foreign.severity, foreign.labels) == (DEVICE, "high", ())


def test_an_snmp_community_that_is_answered_was_taken() -> None:
    community = (secret("snmp-community", "p*****"),)
    [found] = clear(
        login(port=161, proto="udp", login="", identity="snmp", answer="reply", secrets=community)
    )
    assert (found.interface, found.severity) == ("snmp", "high")


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (login(secrets=(secret("digest-auth"),)), "the password does not cross the line"),
        (login(secrets=()), "nothing could be read"),
        (session("2 PERIODIC", server="192.0.2.20"), "an own session without a secret in it"),
        (login(answer=""), "nobody answered"),
        (login(incidental=True), "no management listener"),
        (login(client=DEVICE, server=STRANGER), "what customers open outward is their business"),
        (login(client=STRANGER, server="203.0.113.8"), "neither end is ours"),
        (login(port=80, secrets=(secret("basic-auth"),), answer="page"), "a customer's own web server"),
        (login(port=22, identity="ssh"), "a shared port and no proof of management"),
    ],
)
def test_what_is_not_cleartext_management(told: Exchange, why: str) -> None:
    assert clear(told, given=policy(**CONTROLLER)) == [], why


def test_a_proven_management_page_with_a_basic_login_counts() -> None:
    told = login(port=80, secrets=(secret("basic-auth"),), answer="page", identity="hnap")
    assert len(clear(told)) == 1


def test_the_use_of_a_home_network_is_not_told() -> None:
    row = contact(client="10.0.0.9", server="10.0.0.1", port=23, outcome="conversed")
    assert clear(login("10.0.0.9", "10.0.0.1"), contacts=[row]) == []
    far = contact(client="10.0.9.9", server="10.0.0.1", port=23, outcome="conversed")
    assert len(clear(login("10.0.9.9", "10.0.0.1"), contacts=[far])) == 1


def test_what_is_shown_is_bounded() -> None:
    told = [login(at=n, secrets=(secret("telnet-login", f"user{n}:*****"),)) for n in range(100)]
    [found] = clear(*told)
    assert len(found.details["shown"]) == policy().limits.peers_sample
    assert len(found.evidence) <= policy().limits.evidence
    assert found.details["secrets"] == {"telnet-login": 100}


# certain confounders


def test_an_authorised_controller_is_a_subject_of_nothing() -> None:
    rows = [contact(client="192.0.2.9", server=DEVICE, outcome="conversed", authorised=True)]
    told = [
        attacked("192.0.2.9", DEVICE, "192.0.2.20"),
        login(client="192.0.2.9"),
        session("0 BOOTSTRAP", server="192.0.2.20"),
        exchange(DEVICE, "192.0.2.20", 7547, speaks="tls", answer="reply"),
    ]
    found = result(*told, contacts=rows, given=policy(**CONTROLLER))
    assert [(one.kind, one.subject.address) for one in found.findings] == [
        ("cleartext-management", "customers")  # the operator's own way, no accusation of the controller
    ]


def test_a_peer_to_peer_client_and_a_tester_inside_are_neither_attackers_nor_fallen() -> None:
    rows = [
        contact(client="198.51.100.9", server=server, port=6881, outcome="unknown", at=n, interface=None)
        for n, server in enumerate(strangers(60))
    ]
    tests = enumerate(strangers(5))
    told = [exchange("198.51.100.9", server, method="GET", at=n) for n, server in tests]
    assert kinds(result(*told, contacts=rows)) == []
