"""The reduction told slowly: what one row says of which contact, and partials that merge as the tables say.

Every row becomes partials of its own, and equal keys merge by the ``merge`` attribute of the field tables. No
cache, no singles, no eviction, no order: if the compiled kernels agree with this, none of those shows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.contacts.rows import Row

from rearguard.model import bits
from rearguard.model.address import from_halves
from rearguard.model.fields import CENSUS, CONTACT, HOST, Field, key_names

__all__ = ["World", "census", "contacts", "distinct", "hosts", "merge"]

Values = dict[str, int]
Cell = dict[str, int | list[int]]
Table = tuple[Field, ...]

NEVER_FIRST, NEVER_LAST = 2**63 - 1, -(2**63)
NO_RECORD = 2**64 - 1
MINUTE = 60 * 10**9


@dataclass(frozen=True)
class World:
    """Which addresses are ours, and the (IP protocol, port) pairs of the guard's three kinds."""

    own: tuple[str, ...]
    listed: frozenset[tuple[int, int]]
    own_only: frozenset[tuple[int, int]] = frozenset()
    well_known: frozenset[tuple[int, int]] = frozenset()

    def is_own(self, hi: int, lo: int) -> bool:
        address = from_halves(hi, lo)
        return any(
            address.version == network.version and address in network
            for network in map(ipaddress.ip_network, self.own)
        )

    def lists(self, proto: int, port: int, own: bool) -> bool:
        """The port is a management interface, web ports only of an own address."""
        return (proto, port) in self.listed or (own and (proto, port) in self.own_only)

    def serves(self, proto: int, port: int) -> bool:
        """The port is that of any service that we know."""
        return (proto, port) in self.listed | self.own_only | self.well_known


class _Ends:
    """Who is ours, remembered by address: asking a network each time is what made this slow."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[tuple[int, int], bool] = {}

    def own(self, hi: int, lo: int) -> bool:
        key = hi, lo
        if key not in self._known:
            self._known[key] = self._world.is_own(hi, lo)
        return self._known[key]


@dataclass(frozen=True)
class Saying:
    """What one row says of one contact."""

    server: str  # "src" | "dst"
    from_server: bool
    role: int
    rank: int


def contacts(rows: Iterable[Row], world: World) -> list[tuple[int, ...]]:
    """Merged CONTACT rows in table order, sorted by key."""
    ends = _Ends(world)
    return _fold((partial for row in rows for partial in _partials(row, world, ends)), CONTACT)


def merge(one: Values, other: Values, table: Table = CONTACT) -> Values:
    """Two partials of one key, by nothing but the ``merge`` attribute of their fields."""
    out = {}
    pointers: dict[tuple[str, str], list[str]] = {}
    for field in table:
        name, a, b = field.name, one[field.name], other[field.name]
        if field.merge == "first":
            pointers.setdefault((name.split("_")[0], name[-1]), []).append(name)
        else:
            out[name] = _MERGE[field.merge](a, b)
    for names in pointers.values():
        # In table order a pointer's columns begin with what it is compared by: rank, time, record.
        smaller = min((one, other), key=lambda values: [values[name] for name in names])
        out |= {name: smaller[name] for name in names}
    return out


_MERGE = {
    "key": lambda a, b: a,
    "+": lambda a, b: a + b,
    "|": lambda a, b: a | b,
    "&": lambda a, b: a & b,
    "min": min,
    "max": max,
    "hll": lambda a, b: [max(pair) for pair in zip(a, b, strict=True)],
}


def _fold(partials: Iterable[Values], table: Table) -> list[tuple[int, ...]]:
    keys = key_names(table)
    folded: dict[tuple[int, ...], Values] = {}
    for partial in partials:
        key = tuple(partial[name] for name in keys)
        folded[key] = merge(folded[key], partial, table) if key in folded else partial
    return [tuple(folded[key][field.name] for field in table) for key in sorted(folded)]


def _partials(row: Row, world: World, ends: _Ends) -> Iterator[Values]:
    src_own = ends.own(row["src_hi"], row["src_lo"])
    dst_own = ends.own(row["dst_hi"], row["dst_lo"])
    if not (src_own or dst_own) or row["proto"] not in (bits.TCP, bits.UDP):
        return
    if not row["why"] & (bits.WHY_PACKET | bits.WHY_QUOTED):
        return
    for saying in _sayings(row, world, src_own, dst_own):
        yield _partial(row, saying)


def _sayings(row: Row, world: World, src_own: bool, dst_own: bool) -> Iterator[Saying]:
    """The table in contacts/reduce.py, line by line."""
    proto, sport, dport, seen = row["proto"], row["sport"], row["dport"], _seen(row)
    listed = {"src": world.lists(proto, sport, src_own), "dst": world.lists(proto, dport, dst_own)}
    served = {"src": world.serves(proto, sport), "dst": world.serves(proto, dport)}
    keeps_dst, keeps_src = dst_own or listed["dst"], src_own or listed["src"]
    port_role = {
        side: bits.ROLE_BOTH if served[other] else bits.ROLE_PORT
        for side, other in (("src", "dst"), ("dst", "src"))
    }
    if row["why"] & bits.WHY_QUOTED:
        if keeps_dst:
            yield Saying("dst", True, 0, 1)
    elif proto == bits.UDP and row["why"] & (bits.WHY_INITIATOR | bits.WHY_RESPONDER):
        side = "dst" if row["why"] & bits.WHY_INITIATOR else "src"
        if listed[side]:
            yield Saying(side, side == "src", bits.ROLE_HANDSHAKE, 0)
    elif proto == bits.UDP:
        sides = [side for side in ("dst", "src") if listed[side]]
        if len(sides) == 2:
            dst_listens = dport < sport or (dport == sport and dst_own)
            sides = ["dst"] if dst_listens else ["src"]
        for side in sides:
            yield Saying(side, side == "src", port_role[side], 0)
    elif seen & bits.SEEN_SYN:
        if keeps_dst:
            yield Saying("dst", False, bits.ROLE_HANDSHAKE, 0)
        if listed["src"]:
            yield Saying("src", True, 0, 2)
    elif seen & bits.SEEN_SYNACK:
        if keeps_src:
            yield Saying("src", True, bits.ROLE_HANDSHAKE, 0)
        if listed["dst"]:
            yield Saying("dst", False, 0, 2)
    elif row["why"] & bits.WHY_INITIATOR:
        if keeps_dst:
            yield Saying("dst", False, bits.ROLE_HANDSHAKE, 2)
    elif row["why"] & bits.WHY_RESPONDER:
        if keeps_src:
            yield Saying("src", True, bits.ROLE_HANDSHAKE, 1 if seen & bits.SEEN_RST else 2)
    else:
        flow = seen & bits.SEEN_FLOW_SYN
        rank = 1 if seen & bits.SEEN_RST or flow else 2
        if listed["dst"]:
            yield Saying("dst", False, port_role["dst"], 1 if flow else 2)
        if listed["src"]:
            yield Saying("src", True, port_role["src"], rank)
        answers_a_syn = seen & bits.SEEN_RST and row["flags"] & bits.ACK and row["seq"] == 0
        answers_a_syn = answers_a_syn and row["known"] & bits.KNOWN_SEQ
        if src_own and not listed["src"] and not listed["dst"] and answers_a_syn:
            yield Saying("src", True, 0, rank)


def _seen(row: Row) -> int:
    """Bits SEEN_*: what kind of packet it is, as far as the source can tell."""
    if row["why"] & bits.WHY_QUOTED:
        return bits.SEEN_ICMP_UNREACH
    data = bits.SEEN_DATA if row["pay_wire"] else 0
    if row["proto"] == bits.UDP:
        return bits.SEEN_DATAGRAM | data
    flags, one_packet = row["flags"], row["known"] & bits.KNOWN_ONE_PACKET
    if not row["known"] & bits.KNOWN_FLAGS:
        return data
    syn, ack = flags & bits.SYN, flags & bits.ACK
    if syn and not ack:
        return data | bits.SEEN_SYN
    if syn and not flags & (bits.RST | bits.FIN) and one_packet:
        return data | bits.SEEN_SYNACK
    if syn and not one_packet:
        of_client = bits.SEEN_SYN | bits.SEEN_ACK if row["why"] & bits.WHY_INITIATOR else 0
        of_server = bits.SEEN_SYNACK if row["why"] & bits.WHY_RESPONDER else 0
        told = of_client or of_server or bits.SEEN_FLOW_SYN
        return data | told | (bits.SEEN_FIN if flags & bits.FIN else 0)
    plain_ack = ack and not syn and not flags & bits.RST
    return (
        data
        | (bits.SEEN_ACK if plain_ack else 0)
        | (bits.SEEN_RST if flags & bits.RST else 0)
        | (bits.SEEN_FIN if flags & bits.FIN else 0)
    )


def _partial(row: Row, saying: Saying) -> Values:
    seen, quoted = _seen(row), bool(row["why"] & bits.WHY_QUOTED)
    server, client = (saying.server, "src" if saying.server == "dst" else "dst")
    port_of = {"src": row["sport"], "dst": row["dport"]}
    partial = dict.fromkeys((field.name for field in CONTACT), 0)
    for side in "cs":
        partial |= {f"first_{side}": NEVER_FIRST, f"last_{side}": NEVER_LAST, f"proof_rank_{side}": 255}
        for pointer in ("proof", "load"):
            partial |= {f"{pointer}_time_{side}": NEVER_FIRST, f"{pointer}_rec_{side}": NO_RECORD}
    partial |= {
        **{f"client_{half}": row[f"{client}_{half}"] for half in ("hi", "lo")},
        **{f"server_{half}": row[f"{server}_{half}"] for half in ("hi", "lo")},
        **{name: row[name] for name in ("proto", "observer", "sampling")},
        "port": port_of[server],
        "role": saying.role,
        "known": 2**32 - 1 if quoted else row["known"],
    }
    side = "s" if saying.from_server else "c"
    pointer = {"time": row["ts"], "rec": row["source"] << 40 | row["record"], "port": port_of[client]}
    partial |= {f"first_{side}": row["ts"], f"last_{side}": row["end"], f"seen_{side}": seen}
    partial |= {f"proof_rank_{side}": saying.rank}
    partial |= {f"proof_{name}_{side}": value for name, value in pointer.items()}
    if quoted:
        return partial  # the error is not a packet of the contact: it counts nothing
    partial |= {f"packets_{side}": row["packets"], f"bytes_{side}": row["bytes"]}
    partial |= {f"payload_{side}": row["pay_wire"], f"flags_{side}": row["flags"]}
    if seen & bits.SEEN_DATA:
        partial |= {f"load_{name}_{side}": value for name, value in pointer.items()}
    opened = bool(row["why"] & bits.WHY_INITIATOR)
    if side == "c" and row["proto"] == bits.TCP and row["known"] & bits.KNOWN_FLAGS:
        whole = opened and bool(row["flags"] & bits.SYN)
        partial["unacked"] = int(whole) if row["flags"] & (bits.ACK | bits.RST) else row["packets"]
    if side == "c" and seen & bits.SEEN_FLOW_SYN:
        partial["sessions"] = 1
    elif side == "c" and opened and row["proto"] == bits.TCP and not row["known"] & bits.KNOWN_FLAGS:
        partial["tries"] = 1
    elif side == "c" and seen & (bits.SEEN_DATAGRAM | bits.SEEN_SYN):
        partial["tries"] = 1 if seen & bits.SEEN_SYN and row["flags"] & bits.ACK else row["packets"]
        if seen & bits.SEEN_SYN:
            partial |= _fingerprints(row)
    return partial


def _fingerprints(row: Row) -> Values:
    known = row["known"]
    found = {"no_options": int(bool(known & bits.KNOWN_OPTIONS) and row["doff"] == 5)}
    target = from_halves(row["dst_hi"], row["dst_lo"])
    if target.version == 4:
        has_seq, has_id = bool(known & bits.KNOWN_SEQ), bool(known & bits.KNOWN_IPID)
        mixed = (int(target) ^ row["dport"] ^ row["seq"]) & 0xFFFF
        found["fp_mirai"] = int(has_seq and row["seq"] == int(target))
        found["fp_zmap"] = int(has_id and row["ipid"] == 54321)
        found["fp_masscan"] = int(has_id and has_seq and row["ipid"] == mixed)
    return found


def census(rows: Iterable[Row], world: World) -> list[tuple[object, ...]]:
    """Merged CENSUS rows in table order, sorted by key; sketches as lists of registers."""
    ends = _Ends(world)
    return _fold((cell for row in rows if (cell := _cell(row, world, ends))["tries"]), CENSUS)


def distinct(rows: Iterable[Row], world: World) -> dict[tuple[int, ...], tuple[set[object], set[object]]]:
    """By CENSUS key the exact sets that its two sketches estimate: source /24s (v6: /48s), and targets."""
    ends = _Ends(world)
    found: dict[tuple[int, ...], tuple[set[object], set[object]]] = {}
    for row in rows:
        cell = _cell(row, world, ends)
        if not cell["tries"]:
            continue
        sets = found.setdefault(tuple(cell[name] for name in key_names(CENSUS)), (set(), set()))
        source = from_halves(row["src_hi"], row["src_lo"])
        width = 24 if source.version == 4 else 48
        sets[0].add(ipaddress.ip_network((source, width), strict=False))
        sets[1].add((row["dst_hi"], row["dst_lo"]))
    return found


def _cell(row: Row, world: World, ends: _Ends) -> Values:
    src, dst = ends.own(row["src_hi"], row["src_lo"]), ends.own(row["dst_hi"], row["dst_lo"])
    direction = {(0, 1): bits.INBOUND, (1, 0): bits.OUTBOUND, (1, 1): bits.INTERNAL}.get(
        (src, dst), bits.TRANSIT
    )
    proto, port = row["proto"], row["dport"]
    if proto not in (bits.TCP, bits.UDP) or not row["why"] & bits.WHY_PACKET:
        proto = port = 0
    tried = _tries(row, proto, world)
    cell: Cell = {"minute": row["ts"] // MINUTE, "port": port, "proto": proto, "direction": direction}
    cell |= {name: row[name] for name in ("observer", "sampling", "packets", "bytes")}
    cell |= {"tries": tried, "sources": [0] * 64, "targets": [0] * 64}
    if tried:
        source = from_halves(row["src_hi"], row["src_lo"])
        if source.version == 4:
            _insert(cell["sources"], 0, row["src_lo"] >> 8)
        else:
            _insert(cell["sources"], row["src_hi"] >> 16, 1)
        _insert(cell["targets"], row["dst_hi"], row["dst_lo"])
    return cell  # type: ignore[return-value]  # the two sketches are lists


def _tries(row: Row, proto: int, world: World) -> int:
    """Initial SYNs, datagrams from no service, and whole connections of which it is known who opened them."""
    opened, called = (bool(row["why"] & bit) for bit in (bits.WHY_INITIATOR, bits.WHY_RESPONDER))
    if called or proto not in (bits.TCP, bits.UDP):
        return 0
    if proto == bits.UDP:
        return row["packets"] if opened or not world.serves(proto, row["sport"]) else 0
    if not row["known"] & bits.KNOWN_FLAGS:
        return int(opened)
    if row["flags"] & bits.SYN and not row["flags"] & bits.ACK:
        return row["packets"]
    if not row["flags"] & bits.SYN or row["known"] & bits.KNOWN_ONE_PACKET:
        return 0
    to_service = world.serves(proto, row["dport"]) and not world.serves(proto, row["sport"])
    return int(opened or to_service)


def _insert(registers: object, a: int, b: int) -> None:
    """HyperLogLog: the low six bits choose a register, which keeps the longest run of zeros above them."""
    assert isinstance(registers, list)
    h = _hash(a, b)
    zeros = f"1{h >> 6:058b}"[::-1].index("1")
    registers[h & 63] = max(registers[h & 63], zeros + 1)


def _hash(a: int, b: int) -> int:
    mask = 2**64 - 1
    h = (a * 0x6A09E667F3BCC909 + (b ^ b >> 33) * 0xBB67AE8584CAA73B) & mask
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        h = (h ^ h >> 33) * factor & mask
    return h ^ h >> 33


def hosts(rows: Iterable[Row], world: World) -> list[tuple[int, ...]]:
    """Merged HOST rows in table order, sorted by key."""
    ends = _Ends(world)
    return _fold(
        (
            {
                "addr_hi": row["src_hi"],
                "addr_lo": row["src_lo"] if from_halves(row["src_hi"], row["src_lo"]).version == 4 else 0,
                "observer": row["observer"],
                "first": row["ts"],
                "last": row["end"],
                "packets": row["packets"],
            }
            for row in rows
            if ends.own(row["src_hi"], row["src_lo"]) and not row["why"] & bits.WHY_QUOTED
        ),
        HOST,
    )
