"""From the policy to the rules of one edge.

The order of the rules, in each family, for packets that enter through the edge toward guarded networks:

 1. what ``never_block`` holds on the inside passes;
 2. TCP and UDP from addresses of one's own is forged, and dropped (rule C2);
 3. what ``never_block`` holds on the outside passes;
 4. TCP fragments at offset 1 are dropped (RFC 3128), other later fragments pass: without their first
    fragment nobody can use them;
 5. first packets that do not show their ports, or with TCP their flags, are dropped;
 6. controllers that enter at this edge pass to the guarded ports of what they manage, and to nothing else;
 7. the shapes of rule C1: below port 1024, and with UDP, everything to the port is dropped; from 1024 up only TCP
    packets with neither ACK nor RST.

With ``mode: cut``, of what leaves: SYN+ACK from a guarded TCP port to anybody but such a controller is dropped.
Everything else passes. A controller that enters inside has no permit here: its address coming from outside is
a stranger's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count

from rearguard.catalogue import Catalogue
from rearguard.filters.guarded import PROTOCOL, Cell, guard, listening
from rearguard.filters.model import (
    UNKNOWN_PROTOCOL,
    Attachment,
    Box,
    Filter,
    Piece,
    PortSet,
    Rule,
    TcpClass,
    Verdict,
)
from rearguard.model.address import Network
from rearguard.model.bits import TCP, UDP
from rearguard.model.prefixes import PrefixSet
from rearguard.policy import Policy, Port
from rearguard.policy.entries import INSIDE

__all__ = ["ONLY_EDGE", "compile_filter", "edges"]

ONLY_EDGE = "border"
"""The name of the edge where the policy names none."""

_READABLE = frozenset({Piece.READABLE})
_BOTH = frozenset({TCP, UDP})
_TRANSPORT = {number: name for name, number in PROTOCOL.items()}


def edges(policy: Policy) -> tuple[str, ...]:
    """The edges that need a filter: those of the policy, else those that ``enters_at`` names, else one."""
    named = [entry.enters_at for entry in policy.controllers.values() if entry.enters_at != INSIDE]
    return tuple(policy.edges) or tuple(dict.fromkeys(named)) or (ONLY_EDGE,)


def compile_filter(policy: Policy, catalogue: Catalogue, edge: str) -> Filter:
    """The filter of one edge; it has no rules when nothing is guarded."""
    guarded = guard(policy, catalogue)
    rules: list[Rule] = []
    sets: dict[str, PrefixSet] = {}
    for family in (4, 6):
        cells = [cell for cell in guarded.cells if cell.family == family]
        if cells:
            rules.extend(_Family(policy, catalogue, edge, family, cells, sets).rules())
    outside = policy.edges[edge].outside if edge in policy.edges else ()
    return Filter(edge, outside, tuple(rules), guarded.left, policy.digest, tuple(sets.items()))


_Group = tuple[int, PrefixSet, PortSet, int, tuple[str, ...]]
"""Transport, prefixes, ports, which one it is of its transport, from 1, and whose ports they are."""


_Place = tuple[str, Port, tuple[str, ...]]
"""A network, a port in it, and whose port it is."""


class _Family:
    """The rules of one family."""

    def __init__(
        self,
        policy: Policy,
        catalogue: Catalogue,
        edge: str,
        family: int,
        cells: list[Cell],
        sets: dict[str, PrefixSet],
    ) -> None:
        self.policy = policy
        self.catalogue = catalogue
        self.edge = edge
        self.family = family
        self.cells = cells
        self.sets = sets
        self._known: dict[frozenset[str], PrefixSet] = {}
        self.guarded = self._named("guarded", self._prefixes({cell.network for cell in cells}))
        self.enters = Box(Attachment.ENTERING, family, destinations=self.guarded)

    def rules(self) -> Iterator[Rule]:
        """In the order of the module's text."""
        yield from self._head()
        yield from self._permits(self.cells, Attachment.ENTERING)
        for number in sorted({cell.drop for cell in self.cells}):
            yield from self._drops(number)
        cut = [cell for cell in self.cells if cell.cut and cell.port.transport == "tcp"]
        if cut:
            yield from self._answers(cut)

    def _head(self) -> Iterator[Rule]:
        never = _of_family(self.policy.never_block, self.family)
        inside = self._named("never_block_inside", _common(never, self.guarded))
        if inside:
            box = replace(self.enters, destinations=inside)
            yield self._rule("never_block_to", box, Verdict.PASS, "listed under never_block")
        own = self._named("own", _of_family(self.policy.own(), self.family))
        box = replace(self.enters, sources=own, protocols=_BOTH)
        yield self._rule("own_source", box, Verdict.DROP, "an own address from outside is forged (rule C2)")
        if never:
            box = replace(self.enters, sources=self._named("never_block", never))
            yield self._rule("never_block_from", box, Verdict.PASS, "listed under never_block")
        box = replace(self.enters, protocols=frozenset({TCP}), pieces=frozenset({Piece.OFFSET_ONE}))
        yield self._rule("tcp_offset_one", box, Verdict.DROP, "would overwrite TCP flags (RFC 3128)")
        box = replace(self.enters, pieces=frozenset({Piece.OFFSET_ONE, Piece.LATER}))
        yield self._rule("later_fragment", box, Verdict.PASS, "of no use without its first fragment")
        box = replace(self.enters, protocols=_BOTH | {UNKNOWN_PROTOCOL}, pieces=frozenset({Piece.UNREADABLE}))
        yield self._rule("unreadable", box, Verdict.DROP, "shows no ports, or no TCP flags (rule C1)")

    def _permits(self, cells: Iterable[Cell], attachment: Attachment) -> Iterator[Rule]:
        """For each controller that enters here: the guarded ports of what it manages (rule C2)."""
        entering = attachment is Attachment.ENTERING
        places = dict.fromkeys((cell.network, cell.port) for cell in cells)
        here = {place: listening(self.policy, self.catalogue, *place) for place in places}
        groups: dict[frozenset[str], list[_Group]] = {}
        for name, controller in self.policy.controllers.items():
            remote = _of_family(controller.addresses("requests_from"), self.family)
            if controller.enters_at != self.edge or not remote:
                continue
            remote = self._named(f"controller_{name}", remote)
            if controller.manages not in groups:
                mine = [place for place in places if controller.manages & here[place]]
                groups[controller.manages] = list(self._grouped((*place, ()) for place in mine))
            for transport, devices, ports, number, _ in groups[controller.manages]:
                box = Box(attachment, self.family, protocols=frozenset({transport}), pieces=_READABLE)
                if entering:
                    box = replace(box, sources=remote, destinations=devices, dports=ports)
                else:
                    box = replace(box, sources=devices, destinations=remote, sports=ports)
                which = "permit" if entering else "answer"
                rule_id = f"{which}_{name}_{_TRANSPORT[transport]}{_suffix(number)}"
                yield self._rule(rule_id, box, Verdict.PASS, f"controller {name} enters here")

    def _drops(self, number: int) -> Iterator[Rule]:
        for by_port in (True, False):
            cells = [cell for cell in self.cells if cell.drop == number and cell.by_port == by_port]
            tcp = None if by_port else TcpClass.OPENING
            for transport, devices, ports, part, names in self._grouped(map(_place, cells)):
                box = replace(
                    self.enters,
                    destinations=devices,
                    protocols=frozenset({transport}),
                    pieces=_READABLE,
                    dports=ports,
                    tcp=tcp,
                )
                shape = "port" if by_port else "new"
                rule_id = f"drop{number}_{_TRANSPORT[transport]}_{shape}{_suffix(part)}"
                text = "everything to the port" if by_port else "what can open a connection, and nothing else"
                yield self._rule(rule_id, box, Verdict.DROP, text, number, names)

    def _answers(self, cut: list[Cell]) -> Iterator[Rule]:
        """What devices answer to strangers; the SYN may have come in through an edge without a filter."""
        devices = self._named("cut", self._prefixes({cell.network for cell in cut}))
        leaves = Box(Attachment.LEAVING, self.family, sources=devices)
        never = _of_family(self.policy.never_block, self.family)
        inside = self._named("never_block_cut", _common(never, devices))
        if inside:
            box = replace(leaves, sources=inside)
            yield self._rule("never_block_answer", box, Verdict.PASS, "listed under never_block")
        if never:
            box = replace(leaves, destinations=never)
            yield self._rule("never_block_answered", box, Verdict.PASS, "listed under never_block")
        box = replace(leaves, pieces=frozenset({Piece.OFFSET_ONE, Piece.LATER}))
        yield self._rule("leaving_fragment", box, Verdict.PASS, "shows no ports")
        yield from self._permits(cut, Attachment.LEAVING)
        for number in sorted({cell.drop for cell in cut}):
            places = [_place(cell) for cell in cut if cell.drop == number]
            for transport, sources, ports, part, names in self._grouped(places):
                box = replace(
                    leaves,
                    sources=sources,
                    protocols=frozenset({transport}),
                    pieces=_READABLE,
                    sports=ports,
                    tcp=TcpClass.ANSWER,
                )
                rule_id = f"drop{number}_tcp_answer{_suffix(part)}"
                text = "a device's answer to a stranger"
                yield self._rule(rule_id, box, Verdict.DROP, text, number, names)

    def _grouped(self, places: Iterable[_Place]) -> Iterator[_Group]:
        """Networks that have the same ports share a rule."""
        ports: dict[tuple[int, str], set[int]] = {}
        named: dict[tuple[int, str], list[str]] = {}
        for network, port, interfaces in places:
            key = PROTOCOL[port.transport], network
            ports.setdefault(key, set()).add(port.number)
            named.setdefault(key, []).extend(interfaces)
        groups: dict[tuple[int, frozenset[int]], list[str]] = {}
        for (transport, network), numbers in ports.items():
            groups.setdefault((transport, frozenset(numbers)), []).append(network)
        seen: dict[int, int] = {}
        for (transport, together), names in groups.items():
            seen[transport] = seen.get(transport, 0) + 1
            prefixes = self._prefixes(names)
            if prefixes != self.guarded:
                prefixes = self._named("toward_" + "_".join(sorted(names))[:63], prefixes)
            asked = Counter(each for name in names for each in named[transport, name])
            closed = tuple(each for each, _ in asked.most_common())
            yield transport, prefixes, PortSet.of(together), seen[transport], closed

    def _prefixes(self, networks: Iterable[str]) -> PrefixSet:
        """All prefixes of these networks in this family."""
        names = frozenset(networks)
        if names not in self._known:
            prefixes = (prefix for name in names for prefix in self.policy.networks[name].prefixes)
            self._known[names] = _of_family(prefixes, self.family)
        return self._known[names]

    def _named(self, name: str, prefixes: PrefixSet) -> PrefixSet:
        """The same set, known by a name; equal sets share one, different sets never do."""
        if prefixes and prefixes not in self.sets.values():
            names = (f"{name}{_suffix(part)}_v{self.family}" for part in count(1))
            self.sets[next(name for name in names if name not in self.sets)] = prefixes
        return prefixes

    def _rule(
        self,
        rule_id: str,
        box: Box,
        verdict: Verdict,
        text: str,
        drop: int | None = None,
        interfaces: tuple[str, ...] = (),
    ) -> Rule:
        rule_id = f"{rule_id}_v{self.family}"
        if drop is None:
            return Rule(rule_id, box, verdict, text)
        entry = self.policy.drop[drop]
        return Rule(rule_id, box, verdict, text, drop, entry.basis, entry.review_by, interfaces)


def _place(cell: Cell) -> _Place:
    return cell.network, cell.port, cell.interfaces


def _suffix(part: int) -> str:
    return "" if part == 1 else f"_{part}"


def _of_family(prefixes: Iterable[Network], family: int) -> PrefixSet:
    return PrefixSet.of(prefix for prefix in prefixes if prefix.version == family)


def _common(first: PrefixSet, second: PrefixSet) -> PrefixSet:
    """The addresses of both: of two prefixes that share one, the longer is what they share."""
    return PrefixSet.of(
        [prefix for prefix in first if second.covers(prefix)]
        + [prefix for prefix in second if first.covers(prefix)]
    )
