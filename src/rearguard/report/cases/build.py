"""From findings to cases: whom each concerns, who held the address at that time, one case for each subscriber.

Theory: a record has a time and two ends with ports; one end is ours. Whoever held that address (and, where
addresses are shared, that port) at that time is concerned, nobody else. The records of one finding may therefore
go to several cases. Where no lease is known, or leases contradict each other, the address stands for its
subscriber, and the case says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rearguard.catalogue.model import Initiator
from rearguard.model.address import Address, Network
from rearguard.model.finding import Evidence
from rearguard.report.cases.case import Case, Cases, case_id, concern_order
from rearguard.report.cases.concern import Concern, Hits, concerns, own_end
from rearguard.report.cases.witness import MOST_WANTED, Wanted, witnesses

if TYPE_CHECKING:
    from rearguard.report.analysis import Analysis
    from rearguard.report.subscribers import Lease, Subscribers

__all__ = ["MAX_CASES", "build_cases"]

MAX_CASES = 10_000
"""Cases of one analysis; the worst are kept, the rest is counted. More is an incident, not a list of cases."""

_NO_LEASE = "no lease tells who held the address at that time"
_CHANGED = "the address changed hands in that time, and no record tells whose device it was"


@dataclass(slots=True)
class _Draft:
    """A case that is being put together."""

    id: str
    subscriber: str | None
    contact: str
    addresses: dict[str, None] = field(default_factory=dict)
    concerns: list[Concern] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    shared: bool = False
    sample: Address | None = None


@dataclass(frozen=True, slots=True)
class _Share:
    """The part of a concern that one holder of the address gets."""

    concern: Concern
    lease: Lease | None
    device: Network
    note: str


def build_cases(analysis: Analysis, *, limit: int = MAX_CASES) -> Cases:
    """All cases of an analysis, the worst first."""
    builder = _Builder(analysis)
    drafts: dict[tuple[bool, str], _Draft] = {}
    for share in builder.shares():
        named = share.lease is not None
        text = share.lease.subscriber if share.lease is not None else _text(share.device)
        draft = drafts.get((named, text))
        if draft is None:
            contact = share.lease.contact if share.lease is not None else ""
            draft = drafts[named, text] = _Draft(case_id(text, named=named), text if named else None, contact)
        builder.enter(share, draft)
    made = sorted((builder.finish(draft) for draft in drafts.values()), key=lambda case: case.order)
    return Cases(tuple(made[:limit]), max(0, len(made) - limit))


class _Builder:
    """What is asked again and again while cases are put together."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.policy = analysis.policy
        self.subscribers: Subscribers | None = analysis.subscribers
        self.own_prefixes = analysis.policy.own()

    def shares(self) -> Iterator[_Share]:
        """Every concern of every finding, divided among those who held the address."""
        for concern in self._completed(list(self._concerns())):
            yield from self._divided(concern)

    def _concerns(self) -> Iterator[Concern]:
        hits = Hits(self.analysis.view)
        for finding in self.analysis.findings:
            yield from concerns(finding, self.own_prefixes.covers, hits)

    def _completed(self, found: list[Concern]) -> list[Concern]:
        """With records for each lease of an address that changed hands while it was concerned."""
        if self.subscribers is None:
            return found
        wanted: list[Wanted] = []
        whose: list[int] = []
        for place, concern in enumerate(found):
            for one in self._unproven_leases(concern, self.subscribers):
                wanted.append(one)
                whose.append(place)
            if len(wanted) >= MOST_WANTED:
                break
        more = witnesses(self.analysis.view, wanted, self.policy.limits.evidence)
        for place, records in zip(whose, more, strict=True):
            found[place] = replace(found[place], evidence=(*found[place].evidence, *records))
        return found

    def _unproven_leases(self, concern: Concern, subscribers: Subscribers) -> Iterator[Wanted]:
        """The leases in the time of a finding about a device that none of its records lies in."""
        finding = concern.finding
        if concern.address.prefixlen != concern.address.max_prefixlen or concern.happened == "attacked":
            return
        address = concern.address.network_address
        leases = subscribers.within(address, finding.first_seen, finding.last_seen)
        if len({lease.subscriber for lease in leases}) < 2:
            return
        for lease in leases:
            if not any(lease.start <= item.time < lease.end for item in concern.evidence):
                start, end = max(lease.start, finding.first_seen), min(lease.end, finding.last_seen + 1)
                yield Wanted(address, finding.interface, min(finding.ports, default=0), start, end)

    def _divided(self, concern: Concern) -> Iterator[_Share]:
        """One share a holder; records stay in their order."""
        parts: dict[tuple[str | None, str], tuple[_Share, list[Evidence]]] = {}
        for item in concern.evidence:
            end = own_end(item, concern.address)
            if end is not None:
                share = self._share(concern, *end, item.time)
                parts.setdefault(_key(share), (share, []))[1].append(item)
        if not parts:
            yield self._without_record(concern)
        elif len(parts) == 1:
            [(share, records)] = parts.values()
            yield replace(share, concern=_clipped(replace(concern, evidence=tuple(records)), share.lease))
        else:
            for share, records in parts.values():
                yield replace(share, concern=concern.told_by(records))

    def _without_record(self, concern: Concern) -> _Share:
        """Only who held the address from the beginning of the finding to its end may be named."""
        address = concern.address.network_address
        first = self._share(concern, address, None, concern.first_seen)
        last = self._share(concern, address, None, concern.last_seen)
        if _key(first) == _key(last):
            return first
        return _Share(concern, None, first.device, _CHANGED)

    def _share(self, concern: Concern, address: Address, port: int | None, time: int) -> _Share:
        lease, note = self._holder(address, port, time)
        return _Share(concern, lease, self._device(concern.address, address), note)

    def _holder(self, address: Address, port: int | None, time: int) -> tuple[Lease | None, str]:
        if self.subscribers is None:
            return None, ""
        leases = self.subscribers.at(address, port, time)
        if len(leases) == 1:
            return leases[0], ""
        if not leases:
            return None, _NO_LEASE
        lines = " and ".join(str(lease.line) for lease in sorted(leases, key=lambda each: each.line)[:2])
        return None, f"leases name {len(leases)} subscribers for that time, see lines {lines} of the table"

    def _device(self, concerned: Network, address: Address) -> Network:
        """What stands for the subscriber when nobody knows him: the delegated prefix or the address (rule A8)."""
        name = self.policy.network_of(address)
        device = self.policy.networks[name].device(address) if name is not None else concerned
        return concerned if concerned.prefixlen < device.prefixlen else device

    def enter(self, share: _Share, draft: _Draft) -> None:
        """Add a share to its case."""
        concern = replace(share.concern, ours=self._is_ours(share.concern))
        name = self.policy.network_of(concern.address.network_address)
        network = self.policy.networks.get(name) if name is not None else None
        if network is not None and network.shared and concern.address.version == 4 and share.lease is None:
            draft.shared = True
            draft.notes[
                f"{concern.text} is shared by several subscribers ({network.kind}): the port and the time of "
                "each record tell which of them it was"
            ] = None
        if share.note:
            draft.notes[f"{concern.text}: {share.note}"] = None
        draft.addresses[concern.text] = None
        draft.concerns.append(concern)
        draft.sample = draft.sample or concern.address.network_address

    def _is_ours(self, concern: Concern) -> bool:
        """Whether the interface serves nobody but the operator, who manages these devices."""
        if "own-controller" in concern.finding.labels:
            return True
        name = self.policy.network_of(concern.address.network_address)
        if name is None or self.policy.networks[name].managed != "operator":
            return False
        entries = self.analysis.catalogue.interfaces
        entry = next((each for each in entries if each.id == concern.finding.interface), None)
        return entry is not None and entry.initiators == (Initiator.OPERATOR_CONTROLLER,)

    def finish(self, draft: _Draft) -> Case:
        """The case, complete."""
        inventory = self.analysis.inventory
        return Case(
            id=draft.id,
            subscriber=draft.subscriber,
            contact=draft.contact,
            addresses=tuple(draft.addresses),
            concerns=tuple(sorted(draft.concerns, key=concern_order)),
            shared=draft.shared,
            device=None if inventory is None else inventory.device(draft.sample, draft.subscriber),
            notes=tuple(draft.notes),
            first_seen=min(concern.first_seen for concern in draft.concerns),
            last_seen=max(concern.last_seen for concern in draft.concerns),
        )


def _key(share: _Share) -> tuple[str | None, str]:
    return (None, str(share.device)) if share.lease is None else (share.lease.subscriber, "")


def _clipped(concern: Concern, lease: Lease | None) -> Concern:
    """What a subscriber is told happened while the lease held; records are inside of it anyway."""
    if lease is None:
        return concern
    inside = [item.time for item in concern.evidence]
    return replace(
        concern,
        first_seen=min([*inside, max(concern.first_seen, lease.start)]),
        last_seen=max([*inside, min(concern.last_seen, lease.end - 1)]),
    )


def _text(device: Network) -> str:
    single = device.prefixlen == device.max_prefixlen
    return str(device.network_address if single else device)
