"""RouterOS filters as they act on packets: address lists, and the chains of ours (``rearguard-...``).

``fragment=yes`` takes later fragments; rules that ask for ports or flags take packets that show them. What
leads into the chains is not part of the text: it is the change ticket's.
"""

from __future__ import annotations

import re
from collections import defaultdict

from rearguard.filters.lines import ALL_FLAGS, READABLE, AccessList, Match, flags_with
from rearguard.filters.model import Attachment, Piece
from rearguard.filters.parse.chains import ChainRule, flattened
from rearguard.filters.parse.cisco import LEAVES
from rearguard.filters.parse.words import FaultError, failed, lines_of, port_of, prefix_of, protocol_of
from rearguard.filters.spans import Spans, merged
from rearguard.model.bits import ACK, FIN, PSH, RST, SYN, TCP, UDP, URG

__all__ = ["parse"]

_WORD = re.compile(r'([a-z0-9-]+)=("(?:[^"\\$]*)"|[A-Za-z0-9_.:/,!-]+)(?: +|$)')
_FLAGS = {"fin": FIN, "syn": SYN, "rst": RST, "psh": PSH, "ack": ACK, "urg": URG, "ece": 0x40, "cwr": 0x80}
_PATHS = {"/ip": 4, "/ipv6": 6}
_LATER = frozenset({Piece.OFFSET_ONE, Piece.LATER})


def parse(text: str, file: str) -> tuple[AccessList, ...]:
    """The chains of a text. ``InputError`` names the first line that is not understood."""
    lists: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    chains: dict[tuple[int, str], list[ChainRule]] = defaultdict(list)
    family, menu = 0, ""
    for number, raw in lines_of(text, file):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            if line.startswith("/"):
                path, _, rest = line.partition(" ")
                family, menu = _PATHS.get(path, 0), rest
                if not family or menu not in ("firewall address-list", "firewall filter"):
                    raise FaultError("only address lists and filters are understood")
                continue
            values = _values(line)
            if menu == "firewall address-list":
                if set(values) - {"comment"} != {"list", "address"}:
                    raise FaultError("a list and an address are expected")
                lists[family, values["list"]] += prefix_of(values["address"], family)
            elif menu == "firewall filter":
                rule = _rule(values, family, lists, number, line)
                chains[family, values.pop("chain")].append(rule)
            else:
                raise FaultError("no menu was entered")
        except FaultError as fault:
            failed(file, number, raw, fault)
    found = []
    for (version, name), rules in chains.items():
        attachment = Attachment.LEAVING if LEAVES.search(name) else Attachment.ENTERING
        found.append(AccessList(name, attachment, version, flattened({name: rules}, name)))
    return tuple(found)


def _values(line: str) -> dict[str, str]:
    if not line.startswith("add "):
        raise FaultError("only add is understood")
    values: dict[str, str] = {}
    at = 4
    while at < len(line):
        match = _WORD.match(line, at)
        if match is None or match[1] in values:
            raise FaultError(f"{line[at:]!r} is not understood")
        values[match[1]] = match[2].strip('"')
        at = match.end()
    return values


def _rule(
    values: dict[str, str],
    family: int,
    lists: dict[tuple[int, str], list[tuple[int, int]]],
    number: int,
    text: str,
) -> ChainRule:
    if "chain" not in values:
        raise FaultError("a chain is missing")
    ends: dict[str, Spans | None] = {"src": None, "dst": None}
    ports: dict[str, Spans | None] = {"src": None, "dst": None}
    protocols: frozenset[int] | None = None
    pieces: frozenset[Piece] | None = None
    flags: int | None = None
    action = values.get("action", "accept")
    for key, value in values.items():
        end, _, kind = key.partition("-")
        if end in ends and kind in ("address", "address-list"):
            if ends[end] is not None:
                raise FaultError(f"two {end} addresses")
            if kind == "address":
                ends[end] = prefix_of(value, family)
            elif (family, value) in lists:
                ends[end] = merged(lists[family, value])
            else:
                raise FaultError(f"there is no address list {value!r}")
        elif end in ports and kind == "port":
            ports[end] = _ports(value)
        elif key == "protocol":
            protocols = frozenset({protocol_of(value)})
        elif key == "fragment" and value == "yes" and family == 4:
            pieces = _LATER
        elif key == "tcp-flags":
            flags = _tcp_flags(value)
        elif key not in ("chain", "action", "comment"):
            raise FaultError(f"{key}={value} is not understood")
    if action not in ("drop", "return", "passthrough"):
        raise FaultError(f"action={action} is not understood in a chain of ours")
    if flags is not None or any(each is not None for each in ports.values()):
        needs = {TCP} if flags is not None else {TCP, UDP}
        if protocols is None or not protocols <= needs or pieces is not None:
            raise FaultError("ports and flags need tcp or udp beside them, and no fragment=yes")
        pieces = READABLE
    match = Match(ends["src"], ends["dst"], protocols, pieces, ports["src"], ports["dst"], flags)
    return ChainRule((match,), "count" if action == "passthrough" else action, "", number, text)


def _ports(value: str) -> Spans:
    spans = []
    for part in value.split(","):
        first, dash, last = part.partition("-")
        low = port_of(first)
        high = port_of(last) if dash else low
        if low > high:
            raise FaultError(f"the range {part} is empty")
        spans.append((low, high))
    if len(spans) > 15:
        raise FaultError("a rule takes 15 ports")
    return merged(spans)


def _tcp_flags(value: str) -> int:
    found = ALL_FLAGS
    for word in value.split(","):
        bit = _FLAGS.get(word.removeprefix("!"))
        if bit is None:
            raise FaultError(f"{word!r} is no TCP flag")
        found &= flags_with(bit, 0 if word.startswith("!") else bit)
    return found
