"""FlowSpec rules as values to test with: drawn at random, and judged the slow way."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rearguard.filters.flowspec.actions import DISCARD, PERMIT
from rearguard.filters.flowspec.compiled import FlowRoute
from rearguard.filters.flowspec.components import FlowError, FlowRule, Kind, Part, Prefix, Term, Terms
from rearguard.filters.flowspec.order import precedence
from rearguard.filters.model import Packet, Piece, Verdict

_MOST = {
    Kind.PROTOCOL: 0xFF,
    Kind.PORT: 0xFFFF,
    Kind.DPORT: 0xFFFF,
    Kind.SPORT: 0xFFFF,
    Kind.ICMP_TYPE: 0xFF,
    Kind.ICMP_CODE: 0xFF,
    Kind.TCP_FLAGS: 0xFF,
    Kind.LENGTH: 0xFFFF,
    Kind.DSCP: 0x3F,
    Kind.FRAGMENT: 0x0F,
    Kind.FLOW_LABEL: 0xFFFFF,
}
_BITWISE = (Kind.TCP_FLAGS, Kind.FRAGMENT)


@st.composite
def prefixes(draw: st.DrawFn, family: int, kind: Kind) -> Prefix:
    """A prefix; with IPv6 now and then with an offset."""
    bits = 32 if family == 4 else 128
    length = draw(st.integers(1, bits))
    offset = draw(st.integers(0, length - 1)) if family == 6 and draw(st.booleans()) else 0
    number = draw(st.integers(0, (1 << length - offset) - 1)) << bits - length
    network = IPv4Network((number, length)) if family == 4 else IPv6Network((number, length))
    return Prefix(kind, network, offset)


@st.composite
def lists(draw: st.DrawFn, kind: Kind, operators: tuple[int, ...] | None = None) -> Terms:
    """Terms that hold something and not everything; half of the values are small."""
    most = _MOST[kind]
    value = st.one_of(st.integers(0, min(most, 600)), st.integers(0, most))
    operator = st.sampled_from(operators or ((0, 1, 2, 3) if kind in _BITWISE else (1, 2, 3, 4, 5, 6)))
    drawn = draw(st.lists(st.tuples(operator, value, st.booleans()), min_size=1, max_size=4))
    terms = tuple(Term(how, each, joined and at > 0) for at, (how, each, joined) in enumerate(drawn))
    try:
        return Terms(kind, terms)
    except FlowError:
        first = drawn[0][1]
        how, small = (1, max(first & most, 1)) if kind in _BITWISE else (1, max(first, 40))
        return Terms(kind, (Term(how, min(small, most)),))


@st.composite
def rules(draw: st.DrawFn, family: int | None = None) -> FlowRule:
    """Any rule that can be built."""
    chosen = draw(st.sampled_from((4, 6))) if family is None else family
    kinds = [kind for kind in Kind if chosen == 6 or kind is not Kind.FLOW_LABEL]
    picked = draw(st.sets(st.sampled_from(kinds), min_size=1, max_size=5))
    parts: list[Part] = [
        draw(prefixes(chosen, kind) if kind in (Kind.DESTINATION, Kind.SOURCE) else lists(kind))
        for kind in sorted(picked)
    ]
    while True:
        try:
            return FlowRule(chosen, tuple(parts))
        except FlowError:
            # A pair of components that excludes each other: one of them goes.
            parts = [
                part for part in parts if part.kind not in (Kind.PROTOCOL, Kind.FRAGMENT, Kind.LENGTH)
            ] or [Terms(Kind.DPORT, (Term(1, 7547),))]


@st.composite
def shown(draw: st.DrawFn) -> FlowRule:
    """A rule of the kind that is announced, with what BIRD and GoBGP have a text for."""
    family = draw(st.sampled_from((4, 6)))
    network = draw(prefixes(family, Kind.DESTINATION)).network
    parts: list[Part] = [Prefix(Kind.DESTINATION, network)]
    if draw(st.booleans()):
        parts.append(Prefix(Kind.SOURCE, draw(prefixes(family, Kind.SOURCE)).network))
    parts.append(Terms(Kind.PROTOCOL, (Term(1, 6),)))
    for kind in (Kind.DPORT, Kind.SPORT):
        if draw(st.booleans()):
            cuts = sorted(draw(st.sets(st.integers(0, 0xFFFF), min_size=2, max_size=6)))
            terms: list[Term] = []
            for first, last in zip(cuts[::2], cuts[1::2], strict=False):
                if draw(st.booleans()):
                    terms += (Term(3, first), Term(5, last, joined=True))
                else:
                    terms += (Term(1, first), Term(1, last))
            parts.append(Terms(kind, tuple(terms)))
    if draw(st.booleans()):
        parts.append(Terms(Kind.TCP_FLAGS, (Term(2, draw(st.integers(1, 0xFF))),)))
    return FlowRule(family, tuple(parts))


def judged(routes: list[FlowRoute], packet: Packet) -> Verdict:
    """What a peer does with a packet: the rule that comes before all others that hold it decides."""
    held = [route for route in routes if route.family == packet.family and _holds(route.rule, packet)]
    for route in held:
        if all(other is route or precedence(route.rule, other.rule) < 0 for other in held):
            return Verdict.DROP if route.action.drops else Verdict.PASS
    assert not held, "no rule comes first"
    return Verdict.PASS


def _holds(rule: FlowRule, packet: Packet) -> bool:
    return all(_part_holds(part, packet) for part in rule.parts)


def _part_holds(part: Part, packet: Packet) -> bool:
    if isinstance(part, Prefix):
        address = packet.destination if part.kind is Kind.DESTINATION else packet.source
        return address in part.network
    if part.kind is Kind.PROTOCOL:
        return _some(part, packet.protocol)
    if packet.piece is not Piece.READABLE or packet.protocol not in (6, 17):
        return False
    if part.kind is Kind.TCP_FLAGS:
        return packet.protocol == 6 and _some(part, packet.flags)
    return _some(part, packet.dport if part.kind is Kind.DPORT else packet.sport)


def _some(part: Terms, value: int) -> bool:
    """AND binds tighter than OR."""
    groups: list[bool] = []
    for term in part.terms:
        one = _one(part.kind, term, value)
        if term.joined:
            groups[-1] = groups[-1] and one
        else:
            groups.append(one)
    return any(groups)


def _one(kind: Kind, term: Term, value: int) -> bool:
    if kind in _BITWISE:
        found = (value & term.value) == term.value if term.operator & 1 else (value & term.value) != 0
        return found != bool(term.operator & 2)
    return bool(
        (term.operator & 4 and value < term.value)
        or (term.operator & 2 and value > term.value)
        or (term.operator & 1 and value == term.value)
    )


def some(count: int) -> list[FlowRoute]:
    """Random rules, no two alike."""
    found: list[FlowRule] = []

    @given(st.lists(shown(), min_size=count, max_size=count, unique=True))
    @settings(max_examples=1, deadline=None, phases=[Phase.generate], derandomize=True)
    def draw(rules: list[FlowRule]) -> None:
        found.extend(rules)

    draw()
    network = ip_network("203.0.113.0/24")
    flags = Terms(Kind.TCP_FLAGS, (Term(1, 0x12), Term(2, 0x05, joined=True)))
    found.append(FlowRule(4, (Prefix(Kind.DESTINATION, network), Terms(Kind.PROTOCOL, (Term(1, 6),)), flags)))
    return [FlowRoute(rule, DISCARD if at % 2 else PERMIT, str(at)) for at, rule in enumerate(found)]
