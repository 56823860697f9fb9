"""FlowSpec NLRI: the RFCs' own examples, what is refused, round trips, and ExaBGP's other opinion."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import absent
from tests.filters.flow_rules import rules, shown

from rearguard.filters.flowspec.actions import DISCARD, PERMIT, Action
from rearguard.filters.flowspec.compiled import FlowRoute
from rearguard.filters.flowspec.components import (
    FlowError,
    FlowRule,
    Kind,
    Part,
    Prefix,
    Term,
    Terms,
    one_of,
    values_of,
)
from rearguard.filters.flowspec.speaker import check_commands
from rearguard.filters.flowspec.wire import decode, decode_all, encode


def to(text: str, offset: int = 0) -> Prefix:
    return Prefix(Kind.DESTINATION, ip_network(text), offset)


def by(text: str, offset: int = 0) -> Prefix:
    return Prefix(Kind.SOURCE, ip_network(text), offset)


def terms(kind: Kind, *given: tuple[int, int] | tuple[int, int, bool]) -> Terms:
    return Terms(kind, tuple(Term(*each) for each in given))


TCP = terms(Kind.PROTOCOL, (1, 6))
CWMP = terms(Kind.DPORT, (1, 7547))


@pytest.mark.parametrize(
    ("family", "parts", "bytes_"),
    [
        # RFC 8955 section 4.3
        (4, (to("192.0.2.0/24"), TCP, terms(Kind.PORT, (1, 25))), "0b 0118c00002 038106 048119"),
        (
            4,
            (
                to("192.0.2.0/24"),
                by("203.0.0.0/8"),
                terms(Kind.PORT, (3, 137), (5, 139, True), (1, 8080)),
            ),
            "10 0118c00002 0208cb 040389 458b 911f90",
        ),
        (4, (to("192.0.2.1/32"), terms(Kind.FRAGMENT, (0, 5))), "09 0120c0000201 0c8005"),
        # RFC 8956 section 3.8
        (
            6,
            (to("2001:db8::/32"), by("::1234:5678:9a00:0/104", 64), TCP),
            "12 01200020010db8 026840123456789a 038106",
        ),
        (
            6,
            (to("2001:db8::/32"), by("::1234:5678:9a00:0/104", 65)),
            "0f 01200020010db8 0268412468acf134",
        ),
        # An IPv6 flow label has four bytes (RFC 8956 section 3.7).
        (6, (terms(Kind.FLOW_LABEL, (1, 5)),), "06 0da100000005"),
        (
            4,
            (to("198.51.100.0/24"), TCP, CWMP, terms(Kind.TCP_FLAGS, (2, 0x14))),
            "0f 0118c63364 038106 05911d7b 098214",
        ),
        (4, (by("0.0.0.0/0"), CWMP), "06 0200 05911d7b"),
    ],
)
def test_a_rule_has_the_bytes_that_the_standard_gives_it(
    family: int, parts: tuple[Part, ...], bytes_: str
) -> None:
    rule = FlowRule(family, parts)
    assert encode(rule) == bytes.fromhex(bytes_)
    assert decode(family, bytes.fromhex(bytes_)) == (rule, len(bytes.fromhex(bytes_)))


@pytest.mark.parametrize("count", [26, 78, 79, 1200])
def test_the_length_takes_two_bytes_from_240(count: int) -> None:
    ports = one_of(Kind.DPORT, tuple((1000 + 2 * at, 1000 + 2 * at) for at in range(count)))
    data = encode(FlowRule(4, (TCP, ports)))
    # 3 bytes of protocol, 1 of type, 3 of each port.
    size = 4 + 3 * count
    assert data.startswith(bytes((size,)) if size < 240 else (0xF000 | size).to_bytes(2, "big"))
    assert decode(4, data)[1] == len(data)


def test_a_rule_that_no_length_can_tell_is_refused() -> None:
    ports = one_of(Kind.DPORT, tuple((1000 + 2 * at, 1000 + 2 * at) for at in range(1400)))
    with pytest.raises(FlowError, match="4,095"):
        encode(FlowRule(4, (TCP, ports)))


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ((), "every packet"),
        ((to("0.0.0.0/0"),), "every packet"),
        # Two sources closed the sessions of BIRD and GoBGP.
        ((by("198.51.100.0/24"), by("198.51.101.0/24")), "each type once"),
        ((TCP, to("198.51.100.0/24")), "ascending order"),
        ((to("198.51.100.0/24"), terms(Kind.PROTOCOL, (1, 17)), terms(Kind.TCP_FLAGS, (1, 2))), "a protocol"),
        ((terms(Kind.PROTOCOL, (1, 1)), CWMP), "a protocol that has none"),
        ((to("2001:db8::/32"),), "cannot stand in a rule for IPv4"),
        ((terms(Kind.FLOW_LABEL, (1, 5)),), "no flow label"),
    ],
)
def test_a_malformed_rule_cannot_be_built(parts: tuple[Part, ...], told: str) -> None:
    with pytest.raises(FlowError, match=told):
        FlowRule(4, parts)


@pytest.mark.parametrize(
    ("kind", "given_terms", "told"),
    [
        (Kind.DPORT, ((1, 99_999),), "no packet has the value 99,999"),
        # The rule of 3 March 2013: lengths that no packet has.
        (Kind.LENGTH, ((3, 99_971), (5, 99_985, True)), "no packet has the value 99,971"),
        (Kind.LENGTH, ((1, 19),), "no packet"),
        (Kind.PROTOCOL, ((1, 256),), "no packet"),
        (Kind.DSCP, ((1, 64),), "no packet"),
        (Kind.TCP_FLAGS, ((1, 0x100),), "no packet"),
        (Kind.DPORT, ((3, 7550), (5, 7547, True)), "no value fulfils"),
        (Kind.TCP_FLAGS, ((0, 0),), "no value fulfils"),
        (Kind.DPORT, ((3, 0),), "every value"),
        (Kind.DPORT, ((7, 1),), "says nothing"),
        (Kind.DPORT, ((1, 7547, True),), "no first term"),
        (Kind.DPORT, (), "no first term"),
        (Kind.TCP_FLAGS, ((4, 2),), "no operator"),
        (Kind.DESTINATION, ((1, 1),), "is a prefix"),
    ],
)
def test_terms_that_cannot_be_meant_are_refused(
    kind: Kind, given_terms: tuple[tuple[int, int], ...], told: str
) -> None:
    with pytest.raises(FlowError, match=told):
        terms(kind, *given_terms)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ((terms(Kind.FRAGMENT, (0, 1)),), "Don't Fragment"),
        ((terms(Kind.LENGTH, (5, 39)),), "40 bytes"),
        ((to("192.0.2.0/24"),), "IPv6"),
    ],
)
def test_what_ipv6_does_not_have_is_refused(parts: tuple[Part, ...], told: str) -> None:
    with pytest.raises(FlowError, match=told):
        FlowRule(6, parts)


@pytest.mark.parametrize(
    ("family", "data", "at"),
    [
        (4, "", 0),
        (4, "00", 1),
        (4, "05 0118c633", 0),
        (4, "04 0121c633", 2),
        (4, "04 0118c633", 2),
        (4, "03 058117 00", 5),
        (4, "03 0e8117", 1),
        (4, "03 05911d", 2),
        (4, "02 0501", 2),
        (4, "f0", 1),
        (6, "04 01206020", 2),
        (6, "0b 01200020010db8 02202001", 9),
        (4, "0a 0118c63364 0118c63365", 11),
    ],
)
def test_bytes_that_are_no_rule_are_refused_with_their_place(family: int, data: str, at: int) -> None:
    with pytest.raises(FlowError) as error:
        decode_all(family, bytes.fromhex(data)) or decode(family, b"")
    assert error.value.place.offset == at


@given(rules())
@settings(max_examples=200, deadline=None)
def test_a_rule_is_read_as_it_was_written(rule: FlowRule) -> None:
    data = encode(rule)
    assert decode(rule.family, data) == (rule, len(data))
    assert decode_all(rule.family, data + data) == (rule, rule)


@given(st.sampled_from((4, 6)), st.binary(max_size=40))
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_a_rule_with_one_canonical_form_or_refused(family: int, data: bytes) -> None:
    try:
        rule, end = decode(family, data)
    except FlowError:
        return
    assert end <= len(data)
    assert decode(family, encode(rule))[0] == rule


@pytest.mark.parametrize(
    ("action", "data"),
    [
        (PERMIT, ""),
        (DISCARD, "8006000000000000"),
        (Action(rate=9600.0), "8006000046160000"),
        (Action(rate=0.0, evaluates=True), "8006000000000000 8007000000000001"),
        (Action(samples=True), "8007000000000002"),
    ],
)
def test_an_action_is_its_extended_communities(action: Action, data: str) -> None:
    assert action.encode() == bytes.fromhex(data)
    assert Action.decode(bytes.fromhex(data)) == action
    assert action.drops == (action.rate == 0)


@pytest.mark.parametrize(
    "data", ["80060000000000", "8006000000000000" * 2, "8008000000000001", "80060000bf800000"]
)
def test_actions_that_are_not_ours_are_refused(data: str) -> None:
    with pytest.raises(FlowError):
        Action.decode(bytes.fromhex(data))


@given(st.sets(st.integers(0, 0xFFFF), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_ports_as_terms_hold_exactly_these_ports(ports: set[int]) -> None:
    spans = values_of(one_of(Kind.DPORT, tuple((port, port) for port in sorted(ports))))
    assert {port for first, last in spans for port in range(first, last + 1)} == ports


def _exabgp() -> None:
    try:
        import exabgp  # noqa: F401
    except ImportError:
        absent("exabgp is not installed")


@given(st.lists(shown(), min_size=60, max_size=60, unique=True))
@settings(max_examples=3, deadline=None)
def test_exabgp_makes_the_same_bytes_of_its_commands(made: list[FlowRule]) -> None:
    _exabgp()
    check_commands([FlowRoute(rule, DISCARD if at % 2 else PERMIT, "x") for at, rule in enumerate(made)])


DROP = FlowRoute(
    FlowRule(4, (to("198.51.100.0/24"), TCP, terms(Kind.DPORT, (3, 7547), (5, 7550, True), (1, 30005)))),
    DISCARD,
    "x",
)


@pytest.mark.parametrize(
    "text",
    [
        # The last port is lost without brackets, and ExaBGP says "done".
        "flow route { match { destination 198.51.100.0/24; protocol =6; "
        "destination-port >=7547&<=7550 =30005; } then { discard; } }",
        # Two destinations are one malformed rule; the peers close their sessions.
        "flow route { match { destination 198.51.100.0/24; destination 198.51.101.0/24; protocol =6; "
        "destination-port [ >=7547&<=7550 =30005 ]; } then { discard; } }",
        "flow route { match { destination 198.51.100.0/24; protocol =6; "
        "destination-port [ >=7547&<=7550 =30005 ]; } then { accept; } }",
        "flow route { match { destination 198.51.100.0/24; destination-port =99999; } then { discard; } }",
        "flow route { match { } then { discard; } }",
    ],
)
def test_a_command_of_which_exabgp_makes_something_else_is_refused(text: str) -> None:
    _exabgp()
    with pytest.raises(FlowError, match=r"something else|own parser failed"):
        check_commands([DROP], [text])
