"""Which of our own addresses a finding concerns, and what happened to each: from evidence, never from a guess.

| finding | concerns | what happened to it |
|---|---|---|
| compromised-device, exposed-device, reflector | the device | compromised, exposed, reflecting |
| scan, when a device of ours is the source | the device | scanning |
| exploit-attempt | each device that got the payload; the sender, when it is ours | attacked, attacking |
| flood of a device | the device | flooded |
| unauthorised-controller | each device that talks to that controller | foreign-managed |
| cleartext-management | the device, or each own end of the conversation | readable |

Whoever was only scanned or probed is not concerned: on the open Internet everybody is, every few minutes. What an
exception or a surveyor of the policy mutes makes no case.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from rearguard.model.address import Address, Network, format_address, halves
from rearguard.model.finding import Evidence, Finding, Kind

if TYPE_CHECKING:
    from rearguard.contacts.view import View
    from rearguard.dialogue.exchange import Exchange

__all__ = ["Concern", "Hits", "concerns", "own_end", "read_network", "sent_from"]

ABOUT_SUBJECT = {
    Kind.COMPROMISED_DEVICE: "compromised",
    Kind.EXPOSED_DEVICE: "exposed",
    Kind.REFLECTOR: "reflecting",
    Kind.SCAN: "scanning",
    Kind.EXPLOIT_ATTEMPT: "attacking",
    Kind.FLOOD: "flooded",
    Kind.CLEARTEXT_MANAGEMENT: "readable",
}
OWN_DOING = frozenset({"compromised", "scanning", "attacking"})
"""What a device does itself; a record of it is one that the device sent."""

ABOUT_OTHERS = {
    Kind.EXPLOIT_ATTEMPT: "attacked",
    Kind.UNAUTHORISED_CONTROLLER: "foreign-managed",
    Kind.CLEARTEXT_MANAGEMENT: "readable",
}
RECORDS = 20
"""Records that are kept of what one finding did to one device."""

_PROTOS = {6: "tcp", 17: "udp"}

Own = Callable[[Network], bool]


@dataclass(frozen=True, slots=True)
class Concern:
    """What one finding means for one address (or delegated prefix) of ours. Times are ns since the epoch."""

    finding: Finding
    happened: str
    address: Network
    evidence: tuple[Evidence, ...]
    first_seen: int
    last_seen: int
    ours: bool = False  # it is about the way by which the operator itself manages the device

    @property
    def shown(self) -> tuple[Evidence, ...]:
        """The records that show it: of what a device does itself those that it sent, to these ports first."""
        if self.happened not in OWN_DOING:
            return self.evidence
        sent = [item for item in self.evidence if sent_from(item, self.address)]
        return tuple(sorted(sent, key=lambda item: item.dport not in self.finding.ports)) or self.evidence

    @classmethod
    def about_device(cls, finding: Finding, happened: str, address: Network) -> Concern:
        """The finding is about this device alone, so its times are the device's too."""
        records = tuple(item for item in finding.evidence if own_end(item, address) is not None)
        return cls(finding, happened, address, records, finding.first_seen, finding.last_seen)

    def told_by(self, records: Iterable[Evidence]) -> Concern:
        """The same with these records only, and their times; without any the finding's times stay."""
        evidence = tuple(records)
        times = [item.time for item in evidence] or [self.first_seen, self.last_seen]
        return replace(self, evidence=evidence, first_seen=min(times), last_seen=max(times))

    @property
    def text(self) -> str:
        """The address as one writes it, a prefix with its length."""
        single = self.address.prefixlen == self.address.max_prefixlen
        return str(self.address.network_address if single else self.address)


class Hits:
    """The attacks among the exchanges of a view, by sender: a finding itself keeps a few records only."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._by_sender: dict[tuple[int, int], list[Exchange]] = {}
        for exchange in view.exchanges:
            if exchange.hits and not exchange.incidental:
                key = _sender(exchange.client_hi, exchange.client_lo)
                self._by_sender.setdefault(key, []).append(exchange)

    def of(self, sender: Network, ports: Sequence[int]) -> Iterator[Evidence]:
        """The payload packet of each attack by this sender on these ports."""
        for exchange in self._by_sender.get(_sender(*halves(sender.network_address)), ()):
            client = format_address(exchange.client_hi, exchange.client_lo)
            if exchange.port not in ports or not _inside(read_network(client), sender):
                continue
            hit = exchange.hits[0]
            source, record = self._view.pointer(hit.proof.rec)
            yield Evidence(
                source=source,
                record=record,
                time=hit.proof.ts,
                proto=_PROTOS.get(exchange.proto, str(exchange.proto)),
                src=client,
                sport=exchange.client_port,
                dst=format_address(exchange.server_hi, exchange.server_lo),
                dport=exchange.port,
                note=f"payload of {hit.attack}",
            )


def _sender(high: int, low: int) -> tuple[int, int]:
    """IPv4 by address, IPv6 by /64 (rule A8)."""
    return (high, low) if high == 0 else (high, 0)


def concerns(finding: Finding, own: Own, hits: Hits | None = None) -> list[Concern]:
    """The own addresses that a finding concerns, in a stable order; ``own`` knows which are ours."""
    if "muted" in finding.labels:
        return []
    subject = read_network(finding.subject.address)
    about = ABOUT_SUBJECT.get(finding.kind)
    if subject is not None and about is not None and own(subject):
        mine = [Concern.about_device(finding, about, subject)]
        if finding.kind is not Kind.EXPLOIT_ATTEMPT:
            return mine
    else:
        mine = []
    happened = ABOUT_OTHERS.get(finding.kind)
    return mine + (_others(finding, happened, subject, own, hits) if happened else [])


def _others(
    finding: Finding, happened: str, subject: Network | None, own: Own, hits: Hits | None
) -> list[Concern]:
    """The own addresses on the other side: of the evidence, of the exchanges, of the sample."""
    records = list(finding.evidence)
    if hits is not None and finding.kind is Kind.EXPLOIT_ATTEMPT and subject is not None:
        known = {(item.source, item.record) for item in records}
        more = hits.of(subject, finding.ports)
        records += [item for item in more if (item.source, item.record) not in known]
    found: dict[Network, list[Evidence]] = {}
    for item in records:
        for text in (item.src, item.dst):
            address = read_network(text)
            if address is not None and not _inside(address, subject) and own(address):
                found.setdefault(address, []).append(item)
    for text in finding.peers.sample:
        address = read_network(text)
        if address is not None and not _inside(address, subject) and own(address):
            found.setdefault(address, [])
    return [
        Concern(finding, happened, address, (), finding.first_seen, finding.last_seen).told_by(
            items[:RECORDS]
        )
        for address, items in found.items()
    ]


def own_end(item: Evidence, address: Network) -> tuple[Address, int] | None:
    """The end of a record that lies in ``address``, with its port."""
    for text, port in ((item.src, item.sport), (item.dst, item.dport)):
        end = read_network(text)
        if _inside(end, address):
            assert end is not None
            return end.network_address, port
    return None


def sent_from(item: Evidence, address: Network) -> bool:
    """Whether the sender of a record lies in ``address``."""
    return _inside(read_network(item.src), address)


@lru_cache(maxsize=1 << 16)  # the same few addresses stand in thousands of records
def read_network(text: str | None) -> Network | None:
    """An address or prefix of a finding; None for a port, a network's name, or what no address is."""
    if text is None:
        return None
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _inside(address: Network | None, network: Network | None) -> bool:
    if address is None or network is None or address.version != network.version:
        return False
    return address.prefixlen >= network.prefixlen and address.network_address in network
