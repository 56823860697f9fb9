"""iptables, ip6tables and ipset: three files, for ``ipset restore``, ``iptables-restore -n``, ``ip6tables-restore
-n``.

Quirks. A rule that asks for ports does not say what it does to a packet that does not show them: the old kernel
code drops such a packet on the spot, the nft-based one goes on. Here it makes no difference: TCP and UDP
packets that show their flags and ports are sent to chains of their own first (two rules that together hold all
values), and what is left is dropped by a rule that counts it. Later fragments go before that: ``-f`` for IPv4;
for IPv6 whatever has a fragment header and is no first fragment. TCP at offset 1 is found by ``u32`` for IPv4,
and by nothing for IPv6.

Our chains drop or return, so what the other rules deny stays denied. One ``restore`` is one commit, and flushes
and fills our chains in it; sets have names that change with their content, so no set is ever changed while it
is used. ``-p`` follows IPv6 extension headers. A rule takes up to 15 ports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rearguard.filters.model import Attachment, Filter, Piece, Rule, TcpClass, Verdict
from rearguard.filters.render.flat import rules_of
from rearguard.filters.render.plain import digest_of, plain, remark
from rearguard.filters.render.routeros import port_groups
from rearguard.filters.residual import Ability
from rearguard.model.bits import TCP, UDP
from rearguard.model.prefixes import PrefixSet

__all__ = ["ABILITY", "CHAINS", "files_of", "hooks"]

ABILITY = Ability(offset_one=frozenset({4}), wary=frozenset({4, 6}))
CHAINS = {Attachment.ENTERING: "REARGUARD", Attachment.LEAVING: "REARGUARD-LEAVING"}
"""The chains that FORWARD calls, in each family's own table."""
_NAMES = {TCP: "tcp", UDP: "udp"}
_FLAGS = {TcpClass.OPENING: "ACK,RST NONE", TcpClass.ANSWER: "FIN,SYN,RST,ACK SYN,ACK"}
_SHOWS = {
    TCP: ("-m tcp --tcp-flags FIN FIN", "-m tcp --tcp-flags FIN NONE"),
    UDP: ("-m udp --dport 1:65535", "-m udp --dport 0"),
}
"""Two rules that together hold every packet that shows its flags or ports."""
_UNREADABLE = frozenset({Piece.UNREADABLE})


def files_of(given: Filter, stem: str, head: Sequence[str]) -> dict[str, str]:
    """The three files, by name."""
    top = [f"# {plain(line, 110)}" if line else "#" for line in head]
    sets: dict[str, PrefixSet] = {}
    texts = {}
    for family in (4, 6):
        chains = {
            name: body
            for attachment in Attachment
            for name, body in _Chains(given, attachment, family, sets).chains()
        }
        lines = [*top, "*filter", *(f":{name} - [0:0]" for name in chains)]
        lines += [f"-A {name} {rule}" for name, body in chains.items() for rule in body]
        texts[f"{stem}.v{family}"] = "\n".join([*lines, "COMMIT"]) + "\n"
    listed = list(top)
    for name, prefixes in sets.items():
        kind = "inet" if next(iter(prefixes)).version == 4 else "inet6"
        listed.append(f"create {name} hash:net family {kind} maxelem 1048576 -exist")
        listed += [f"add {name} {text} -exist" for text in prefixes.texts()]
    return {f"{stem}.ipset": "\n".join(listed) + "\n", **texts}


def hooks(given: Filter) -> list[str]:
    """Commands that make FORWARD call the chains, once."""
    found = []
    for family, program in ((4, "iptables"), (6, "ip6tables")):
        for attachment in Attachment:
            if rules_of(given, attachment, family):
                way = "-i" if attachment is Attachment.ENTERING else "-o"
                for link in given.outside or ("eth0",):
                    rule = f"FORWARD {way} {plain(link)} -j {CHAINS[attachment]}"
                    found.append(f"{program} -C {rule} || {program} -I {rule}")
    return found


class _Chains:
    """The chains of one attachment and family: one that sorts packets, one for each transport."""

    def __init__(
        self, given: Filter, attachment: Attachment, family: int, sets: dict[str, PrefixSet]
    ) -> None:
        self.rules = rules_of(given, attachment, family)
        self.name = CHAINS[attachment]
        self.family = family
        self.sets = sets
        self.reading = [
            rule for rule in self.rules if rule.box.sports is not None or rule.box.dports is not None
        ]
        self.last = next((rule for rule in self.rules if rule.box.pieces == _UNREADABLE), None)
        self.head = [rule for rule in self.rules if rule not in self.reading and rule is not self.last]
        last = [] if self.last is None else [self.last]
        if [*self.head, *last, *self.reading] != self.rules:
            raise ValueError(f"{self.name}: rules that read ports must come last")

    def chains(self) -> Iterator[tuple[str, list[str]]]:
        """(name, rules) of each chain."""
        if not self.rules:
            return
        sort = [line for rule in self.head for line in self._head(rule)]
        parts = {}
        for transport in (TCP, UDP):
            parts[transport] = [
                line
                for rule in self.reading
                if rule.box.protocols == frozenset({transport})
                for line in self._reads(rule)
            ]
        reads = []
        for transport, body in parts.items():
            goes = f"-g {self.name}-{_NAMES[transport]}" if body else "-j RETURN"
            if self.last is not None:
                reads += [f"-p {_NAMES[transport]} {shows} {goes}" for shows in _SHOWS[transport]]
            elif body:
                # Answers only. A match on ports drops what shows none, so nothing else may come to one.
                reads.append(f"-p tcp -m tcp --tcp-flags {_FLAGS[TcpClass.ANSWER]} {goes}")
        if self.last is not None:
            end = self._ends(self.last)
            if self.family == 4:
                reads += [f"{end}-p {name} {_tail(self.last)}" for name in ("tcp", "udp")]
            else:
                # What has another protocol goes; the rest is TCP, or does not even show what it is.
                reads += [f"{end}-p udp {_tail(self.last)}", "! -p tcp -j RETURN", f"{end}{_tail(self.last)}"]
        yield self.name, [*sort, *([f"-g {self.name}-first"] if self.family == 6 else reads)]
        if self.family == 6:
            yield f"{self.name}-first", reads
        for transport, body in parts.items():
            if body:
                yield f"{self.name}-{_NAMES[transport]}", body

    def _head(self, rule: Rule) -> Iterator[str]:
        box = rule.box
        end = self._ends(rule)
        if box.pieces == frozenset({Piece.OFFSET_ONE}):
            yield f'{end}-p tcp -m u32 --u32 "4&0x1FFF=1" {_tail(rule)}'
        elif box.pieces is not None and self.family == 4:
            yield f"{end}-f {_tail(rule)}"
        elif box.pieces is not None:
            yield f"-m frag --fragfirst -g {self.name}-first"
            yield f"{end}-m frag --fragid 0:4294967295 {_tail(rule)}"
        else:
            for name in (
                [""] if box.protocols is None else [f"-p {_NAMES[each]} " for each in sorted(box.protocols)]
            ):
                yield f"{end}{name}{_tail(rule)}"

    def _reads(self, rule: Rule) -> Iterator[str]:
        box = rule.box
        transport = next(iter(box.protocols or {TCP}))
        flags = "" if box.tcp is None else f"-m tcp --tcp-flags {_FLAGS[box.tcp]} "
        for which, ports in (("sports", box.sports), ("dports", box.dports)):
            if ports is not None:
                for group in port_groups(ports):
                    listed = group.replace("-", ":")
                    yield (
                        f"{self._ends(rule)}-p {_NAMES[transport]} -m multiport --{which} {listed} "
                        f"{flags}{_tail(rule)}"
                    )

    def _ends(self, rule: Rule) -> str:
        text = ""
        for prefixes, option, way in ((rule.box.sources, "-s", "src"), (rule.box.destinations, "-d", "dst")):
            if prefixes is None:
                continue
            if len(prefixes) == 1:
                text += f"{option} {prefixes.texts()[0]} "
                continue
            name = next((name for name, known in self.sets.items() if known == prefixes), None)
            if name is None:
                name = f"rg-v{self.family}-{digest_of(prefixes.texts())}"
                self.sets[name] = prefixes
            text += f"-m set --match-set {name} {way} "
        return text


def _tail(rule: Rule) -> str:
    return f'-m comment --comment "{remark(rule)}" -j {"DROP" if rule.verdict is Verdict.DROP else "RETURN"}'
