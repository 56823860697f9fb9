"""The entries of ``rearguard.yaml``: one model each for what stands under networks, controllers, drop ...

Keys that are not named here are errors, so a misspelt key can never mean "not set".
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rearguard.model.address import Address, Network
from rearguard.model.prefixes import PrefixSet
from rearguard.policy.values import (
    Day,
    InterfaceId,
    Interfaces,
    Labels,
    Links,
    Names,
    OnePrefix,
    Ports,
    Prefixes,
    Word,
    wrong,
)

__all__ = [
    "INSIDE",
    "Controller",
    "Drop",
    "Edge",
    "Entry",
    "Exemption",
    "GuardedNetwork",
    "NetworkKind",
    "ObserverRule",
    "Operator",
    "Rate",
    "Sampling",
    "Surveyor",
    "Text",
]

INSIDE = "inside"
"""The value of ``enters_at`` for a controller whose packets never come through a border."""

NetworkKind = Literal["native", "cgn", "dslite", "map", "business"]
Managed = Literal["operator", "owner", "vendor-cloud", "unknown"]
Rate = Annotated[int, Field(strict=True, ge=1, lt=1 << 32)]
Text = Annotated[str, Field(strict=True, min_length=1)]


class Entry(BaseModel):
    """What all entries have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GuardedNetwork(Entry):
    """Prefixes where managed devices live."""

    prefixes: Prefixes = Field(
        description="IPv4 and IPv6 prefixes of the devices; no address in two networks."
    )
    kind: NetworkKind = Field(
        default="native",
        description="How its addresses are used: native (one subscriber an address or prefix), cgn (IPv4 "
        "shared by port), dslite and map (softwires), business (customers run own services). Behind shared "
        "addresses nothing is concluded from a port alone (rule A7).",
    )
    managed: Managed = Field(
        default="unknown",
        description="Who manages the devices: operator, owner, vendor-cloud or unknown. Only on "
        "operator-managed networks can a controller be unauthorised (rule B10).",
    )
    ports: dict[InterfaceId, Ports] = Field(
        default_factory=dict,
        description="Ports on which this network's devices listen for an interface, beside those of the "
        "catalogue, which stay watched (rule A9).",
    )
    delegated: Annotated[int, Field(strict=True, ge=48, le=64)] | None = Field(
        default=None,
        description="Length of the IPv6 prefix that one subscriber gets; devices are then counted by it "
        "(rule A8). Unset: each address is a device.",
    )

    @property
    def shared(self) -> bool:
        """Whether several subscribers share one IPv4 address (rule A7)."""
        return self.kind in {"cgn", "dslite", "map"}

    def device(self, address: Address) -> Network:
        """What counts as one device: the delegated IPv6 prefix if it is known, else the address (rule A8)."""
        length = self.delegated if address.version == 6 else None
        return ip_network((address, address.max_prefixlen if length is None else length), strict=False)


class Controller(Entry):
    """Who may manage what, from where. What is not listed is nobody's right."""

    requests_from: Prefixes | None = Field(
        default=None, description="From here it opens connections to devices, such as Connection Requests."
    )
    sessions_at: Prefixes | None = Field(
        default=None, description="Here devices open sessions to it, such as CWMP sessions (rule A2)."
    )
    manages: Interfaces = Field(description="Interfaces or families it may use.")
    enters_at: Word = Field(
        default=INSIDE,
        description="Where its packets enter: inside, or the name of the one edge that may carry a permit "
        "for it (rule C2).",
    )

    @model_validator(mode="after")
    def _is_somewhere(self) -> Controller:
        if self.requests_from is None and self.sessions_at is None:
            raise wrong("it has no addresses", "give requests_from, sessions_at, or both")
        return self

    def addresses(self, role: Literal["requests_from", "sessions_at"]) -> PrefixSet:
        """The prefixes of one role; the empty set when it has none."""
        return getattr(self, role) or PrefixSet()


class Edge(Entry):
    """A router, or a pair of them, through which packets come in from outside and where a filter can stand."""

    outside: Links = Field(
        description="Its interfaces that face the outside, by their names on that router; a filter is bound "
        "to them (rule C3)."
    )
    addresses: Prefixes | None = Field(
        default=None,
        description="Addresses of the router itself: loopbacks and links. A filter that would guard one of them "
        "is refused, for its own sessions would be cut; list it under never_block to allow that.",
    )


class Drop(Entry):
    """What the border shall stop, toward which networks, why and until when."""

    interfaces: Interfaces = Field(description="Interfaces or families to stop.")
    toward: Names = Field(description="Names of the networks that are guarded.")
    mode: Literal["new-only", "cut"] = Field(
        default="new-only",
        description="new-only stops initiations and nothing else; cut also stops the answers of devices to "
        "anybody but their controllers (rule C1).",
    )
    accept_collateral: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="Needed for UDP ports from 1024 up, where "
        "replies to customers' own clients are hit (rule C1).",
    )
    basis: Text = Field(description="Why the drop is necessary; printed with every rule (rule C7).")
    review_by: Day = Field(
        description="When the drop must be looked at again; a warning once past (rule C7)."
    )


class ObserverRule(Entry):
    """One place where traffic is seen, or several that look alike."""

    match: Text = Field(
        description="A file pattern, the name of a capture interface, or an exporter's address."
    )
    external: Labels = Field(
        default=(),
        description="Its interfaces that face the outside, by name or number: what enters there is counted, "
        "the same packet elsewhere is not counted again (rule A5).",
    )
    group: Word | None = Field(
        default=None,
        description="Observers of one group together see both directions, so silence may be believed where "
        "one of them saw the network answer (rule A6).",
    )


class Sampling(Entry):
    """Sampling rates that the sources do not tell themselves: N for one of N packets (rule B14)."""

    default: Rate | None = Field(
        default=None, description="For observers that neither tell a rate nor have one here. Unset: unknown."
    )
    observers: dict[Word, Rate] = Field(
        default_factory=dict,
        description="By the name of an entry of observers. Of a capture it is believed; of flows only where "
        "neither options data nor the records tell a rate.",
    )


_MAILBOX = re.compile(r"[^@\s]{1,64}@(?P<domain>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)")


class Operator(Entry):
    """Who runs the networks: what a case says of its sender."""

    name: Text = Field(description="The organisation.")
    contact: Text = Field(description="The abuse desk's mail address.")

    @field_validator("contact")
    @classmethod
    def _is_a_mailbox(cls, contact: str) -> str:
        if not _MAILBOX.fullmatch(contact):
            raise wrong("it is no mail address", "write it as abuse@example.net")
        return contact

    @property
    def domain(self) -> str:
        """What stands behind the @ of the contact."""
        return self.contact.rpartition("@")[2]


class Surveyor(Entry):
    """A research scanner: labelled and not alerted, still counted (rule B3)."""

    prefixes: Prefixes = Field(description="Where it scans from.")
    note: Text | None = Field(default=None, description="Who it is and where this is published.")


class Exemption(Entry):
    """An entry under ``exceptions``: findings that are known and accepted for a while. Never a permit."""

    subject: OnePrefix = Field(description="The device or remote that the findings are about.")
    interfaces: Interfaces = Field(description="Interfaces or families that are accepted.")
    reason: Text = Field(description="Why it is accepted.")
    expires: Day = Field(description="The last day on which the exception holds.")

    def covers(self, address: Address) -> bool:
        """Whether the address is the subject, whatever the day."""
        return self.subject.version == address.version and address in self.subject
