"""What the kernel holds, read back: the table's JSON as lists that can be compared with what was meant.

Only what a file of :mod:`rearguard.filters.render.nftables` leaves in the kernel is understood (see
libnftables-json(5); nftables 1.0 and later). Anything else in our table is somebody else's, and is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rearguard.filters.apply.kernel import Listing
from rearguard.filters.lines import READABLE, AccessList, Match, crossed, flags_with
from rearguard.filters.model import Attachment, Piece
from rearguard.filters.parse.chains import ChainRule, flattened
from rearguard.filters.parse.words import FaultError, port_of, prefix_of
from rearguard.filters.spans import BITS, Spans, merged
from rearguard.model.bits import ACK, FIN, PSH, RST, SYN, TCP, UDP, URG

__all__ = ["ForeignError", "Installed", "read"]

_BASE = "forward"
_LATER = frozenset({Piece.OFFSET_ONE, Piece.LATER})
_BITS = {"fin": FIN, "syn": SYN, "rst": RST, "psh": PSH, "ack": ACK, "urg": URG, "ecn": 0x40, "cwr": 0x80}
_TRANSPORT = {"tcp": TCP, "udp": UDP}
_KNOWN = frozenset(range(256))
_WAYS = {"iifname": Attachment.ENTERING, "oifname": Attachment.LEAVING}


class ForeignError(Exception):
    """The table holds something that Rearguard did not write; the text says what."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The table as it acts on packets."""

    hook: tuple[str, str, int, str]
    """Type, hook, priority and policy of the base chain."""
    asleep: bool
    """The table has a flag, and the only ones there are take it out of force or bind it to a process."""
    lists: tuple[AccessList, ...]
    outside: Mapping[str, frozenset[str]]
    """Interfaces by name of the list."""
    counted: Mapping[str, str]
    """What is done with the packets of a counter: ``drop`` or ``return``."""


def read(listing: Listing) -> Installed:
    """``ForeignError``: a rule, a set or a chain is none of ours."""
    sets = {str(value["name"]): _elements(value) for value in listing.of("set")}
    chains: dict[str, list[ChainRule]] = defaultdict(list)
    ways: list[tuple[Attachment, int, frozenset[str], ChainRule]] = []
    counted: dict[str, str] = {}
    for value in listing.of("rule"):
        chain = str(value["chain"])
        where = f"chain {chain}, handle {value.get('handle')}"
        try:
            if chain == _BASE:
                ways.append(_way(value, sets))
            else:
                chains[chain].append(_rule(value, value["expr"], sets, counted))
        except (FaultError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ForeignError(f"{where} is no rule of Rearguard's") from error
    others = [
        str(value["name"]) for value in listing.of("chain") if "hook" in value and value["name"] != _BASE
    ]
    if others:
        raise ForeignError(f"the chain {others[0]} hangs on a hook and is not Rearguard's")
    base = next((value for value in listing.of("chain") if value["name"] == _BASE and "hook" in value), None)
    if base is None:
        raise ForeignError(f"the chain {_BASE} does not hang on a hook")
    lists, outside = [], {}
    for attachment, family, links, way in ways:
        name = f"{attachment}_v{family}"
        try:
            lines = flattened({**chains, _BASE: [way]}, _BASE)
        except FaultError as error:
            raise ForeignError(f"the rules of {name} do not hang together: {error}") from error
        lists.append(AccessList(name, attachment, family, lines))
        outside[name] = links
    return Installed(
        (str(base["type"]), str(base["hook"]), int(base["prio"]), str(base["policy"])),
        any("flags" in value for value in listing.of("table")),
        tuple(lists),
        outside,
        counted,
    )


def _way(
    value: Mapping[str, Any], sets: Mapping[str, Spans]
) -> tuple[Attachment, int, frozenset[str], ChainRule]:
    """A rule of the base chain: interfaces, our end of the packet, and the chain that judges it."""
    first, *rest = value["expr"]
    match = first["match"]
    if match["op"] != "==":
        raise FaultError("interfaces are named, not excluded")
    links = frozenset(map(str, _values(match["right"])))
    family = 6 if rest[0]["match"]["left"]["payload"]["protocol"] == "ip6" else 4
    return _WAYS[match["left"]["meta"]["key"]], family, links, _rule(value, rest, sets, {})


def _rule(
    value: Mapping[str, Any], expressions: list[Any], sets: Mapping[str, Spans], counted: dict[str, str]
) -> ChainRule:
    matches: tuple[Match, ...] = (Match(),)
    counter = ""
    handle = int(value["handle"])
    for at, each in enumerate(expressions):
        ((kind, what),) = each.items()
        if kind == "match":
            matches = tuple(found for one in matches for found in crossed(one, (_match(what, sets),)))
        elif kind == "counter" and isinstance(what, str) and what not in counted:
            counter = what
        elif kind in ("drop", "return", "goto") and at == len(expressions) - 1:
            if counter:
                counted[counter] = kind
            return ChainRule(matches, kind, str(what["target"]) if kind == "goto" else "", handle, counter)
        else:
            raise FaultError(kind)
    raise FaultError("no verdict")


def _match(match: Mapping[str, Any], sets: Mapping[str, Spans]) -> Match:
    left, right, equal = match["left"], match["right"], match["op"] in ("==", "in")
    masked = left.get("&")
    field = masked[0] if masked else left
    if "meta" in field and field["meta"]["key"] == "l4proto":
        named = frozenset(_TRANSPORT[name] for name in _values(right))
        return Match(protocols=named if equal else _KNOWN - named)
    if "exthdr" in field:
        return _fragment(field["exthdr"]["name"] == "frag" and field["exthdr"]["field"], right, equal)
    protocol, name = field["payload"]["protocol"], field["payload"]["field"]
    if protocol == "ip" and name == "frag-off" and masked and masked[1] == 0x1FFF:
        return _fragment("frag-off", right, equal)
    if (protocol, name) == ("tcp", "flags"):
        return Match(protocols=frozenset({TCP}), pieces=READABLE, flags=_flags(masked, right, match["op"]))
    if masked or not equal:
        raise FaultError("a mask")
    if protocol in ("ip", "ip6") and name in ("saddr", "daddr"):
        spans = _addresses(right, sets, 4 if protocol == "ip" else 6)
        return Match(sources=spans) if name == "saddr" else Match(destinations=spans)
    ports = merged(_ports(right))
    transport = frozenset({_TRANSPORT[protocol]})
    if name == "sport":
        return Match(protocols=transport, pieces=READABLE, sports=ports)
    if name == "dport":
        return Match(protocols=transport, pieces=READABLE, dports=ports)
    raise FaultError(name)


def _fragment(field: str | bool, value: Any, equal: bool) -> Match:
    if field != "frag-off" or (value, equal) not in ((0, False), (1, True)):
        raise FaultError("fragments are asked for by offset 1 and by any offset")
    return Match(pieces=frozenset({Piece.OFFSET_ONE}) if equal else _LATER)


def _flags(masked: list[Any] | None, right: Any, operator: str) -> int | None:
    """None: every value, which is how a rule asks whether the flags are there at all."""
    if masked is None and operator == "!":
        return flags_with(_bits(right), 0)
    if masked is not None and operator == "==":
        return flags_with(_bits(masked[1]), _bits(right))
    if masked is None and operator == "==" and right == {"range": [0, 255]}:
        return None
    raise FaultError("flags")


def _bits(value: Any) -> int:
    if isinstance(value, int):
        return value
    found = 0
    for name in value["|"] if isinstance(value, dict) else [value] if isinstance(value, str) else value:
        found |= _bits(name) if isinstance(name, (dict, list, int)) else _BITS[name]
    return found


def _values(right: Any) -> list[Any]:
    if isinstance(right, dict):
        return list(right["set"])
    return [right]


def _ports(right: Any) -> Iterator[tuple[int, int]]:
    for value in [right] if isinstance(right, dict) and "range" in right else _values(right):
        first, last = value["range"] if isinstance(value, dict) else (value, value)
        yield port_of(str(first)), port_of(str(last))


def _addresses(right: Any, sets: Mapping[str, Spans], family: int) -> Spans:
    if isinstance(right, str) and right.startswith("@"):
        return sets[right[1:]]
    values = [right] if isinstance(right, dict) and "set" not in right else _values(right)
    return merged(span for value in values for span in _span(value, family))


def _elements(value: Mapping[str, Any]) -> Spans:
    families = {"ipv4_addr": 4, "ipv6_addr": 6}
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in families:
        raise ForeignError(f"the set {value.get('name')} is none of Rearguard's")
    try:
        return merged(span for each in value.get("elem", ()) for span in _span(each, families[kind]))
    except (FaultError, ValueError, KeyError, TypeError) as error:
        raise ForeignError(f"the set {value.get('name')} holds what is no address") from error


def _span(value: Any, family: int) -> Iterator[tuple[int, int]]:
    if isinstance(value, str):
        yield from prefix_of(value, family)
    elif "prefix" in value:
        yield from prefix_of(f"{value['prefix']['addr']}/{value['prefix']['len']}", family)
    else:
        low, high = (next(iter(prefix_of(each, family))) for each in value["range"])
        if not low[0] <= high[1] < 1 << BITS[family]:
            raise FaultError("a range that ends before it begins")
        yield low[0], high[1]
