"""The operator's policy: who may manage what, from where, and what the border shall stop.

One question runs through it, and :meth:`Policy.authorised` answers it. Authorisation is judged on who opens
toward whom in which role, never on a port number alone (rule A1): a controller opens Connection Requests from
``requests_from`` toward devices, and devices open sessions toward its ``sessions_at``. Whatever is not listed
is nobody's right; nothing listed under ``drop`` drops nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, PrivateAttr

from rearguard.model.address import Address, Network
from rearguard.model.prefixes import PrefixSet, PrefixTable
from rearguard.policy.columns import ColumnRule
from rearguard.policy.entries import (
    Controller,
    Drop,
    Edge,
    Entry,
    Exemption,
    GuardedNetwork,
    ObserverRule,
    Operator,
    Sampling,
    Surveyor,
)
from rearguard.policy.notice import Notice
from rearguard.policy.places import Places
from rearguard.policy.thresholds import Limits, Thresholds
from rearguard.policy.values import OnePrefix, Word

__all__ = ["Authorisation", "Policy", "Role"]

Role = Literal["requests_from", "sessions_at"]
Listener = Literal["device", "controller"]

_TEXTS = frozenset({"basis", "review_by", "reason", "note"})
"""Keys that say why, and change nothing that is concluded or dropped."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Whether the policy lets an initiator use an interface of a listener, by whose right, and why."""

    allowed: bool
    by: str | None
    reason: str


class Policy(Entry):
    """A checked ``rearguard.yaml``; what it leaves out has the documented default."""

    operator: Operator | None = Field(
        default=None, description="Who runs the networks: the sender of the cases. Changes no finding."
    )
    networks: dict[Word, GuardedNetwork] = Field(
        default_factory=dict, description="Where managed devices live, by name."
    )
    controllers: dict[Word, Controller] = Field(
        default_factory=dict, description="Who may manage what, from where, by name."
    )
    edges: dict[Word, Edge] = Field(
        default_factory=dict, description="Where packets come in from outside, by name; one filter for each."
    )
    drop: tuple[Drop, ...] = Field(default=(), description="What the border shall stop. Empty: nothing.")
    observers: dict[Word, ObserverRule] = Field(
        default_factory=dict, description="Where traffic is seen, by name."
    )
    sampling: Sampling = Field(
        default_factory=Sampling, description="Sampling rates the sources do not tell."
    )
    columns: dict[Word, ColumnRule] = Field(
        default_factory=dict, description="What the columns of flow files mean, by name of the rule."
    )
    surveyors: dict[Word, Surveyor] = Field(
        default_factory=dict, description="Known research scanners, by name."
    )
    exceptions: tuple[Exemption, ...] = Field(default=(), description="Findings accepted for a while.")
    never_block: tuple[OnePrefix, ...] = Field(
        default=(), description="Prefixes that no drop may touch, such as one's own monitoring."
    )
    thresholds: Thresholds = Field(
        default_factory=Thresholds, description="When something becomes a finding."
    )
    limits: Limits = Field(default_factory=Limits, description="What is kept at most.")

    _assumed: bool = PrivateAttr(default=False)
    _places: Places = PrivateAttr(default_factory=Places)
    _warnings: tuple[Notice, ...] = PrivateAttr(default=())

    @property
    def assumed(self) -> bool:
        """Whether its networks were guessed from the input and not given by the operator."""
        return self._assumed

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What the writer should look at, in the order of the file; none of it widens anything."""
        return self._warnings

    @property
    def places(self) -> Places:
        """Where its keys stand in the file it was read from."""
        return self._places

    def with_notes(self, places: Places, warnings: Iterable[Notice], *, assumed: bool) -> Policy:
        """The same policy, with what its reader found out about it."""
        noted = self.model_copy()
        noted._places = places
        noted._warnings = tuple(warnings)
        noted._assumed = assumed
        return noted

    @cached_property
    def digest(self) -> str:
        """``sha256:`` over what it means: order, comments, reasons and review dates do not count."""
        meaning = self.meaning()
        meaning.pop("operator", None)
        for section in ("drop", "exceptions"):
            meaning[section] = sorted((_without_texts(entry) for entry in meaning[section]), key=_canonical)
        meaning["surveyors"] = {name: _without_texts(entry) for name, entry in meaning["surveyors"].items()}
        meaning["never_block"] = list(PrefixSet.of(self.never_block).texts())
        return "sha256:" + hashlib.sha256(_canonical(meaning).encode()).hexdigest()

    def meaning(self) -> dict[str, Any]:
        """The whole policy, defaults included, as plain values that read back to an equal one."""
        return self.model_dump(mode="json", exclude_none=True)

    @cached_property
    def network_names(self) -> tuple[str, ...]:
        """The names by label of :meth:`network_table`."""
        return tuple(self.networks)

    def own(self) -> PrefixSet:
        """All addresses of all networks."""
        return PrefixSet.of(net for network in self.networks.values() for net in network.prefixes)

    def network_table(self) -> PrefixTable:
        """Labels index :attr:`network_names`, the order of ``networks``."""
        return PrefixTable.build(
            (prefix, label)
            for label, network in enumerate(self.networks.values())
            for prefix in network.prefixes
        )

    def network_of(self, address: Address) -> str | None:
        """The name of the network that holds the address."""
        return next((name for name, net in self.networks.items() if net.prefixes.contains(address)), None)

    def controller_table(self, role: Role) -> PrefixTable:
        """Labels index :meth:`controller_sets`; a label below ``len(controllers)`` is that one alone."""
        label_of = {names: label for label, names in enumerate(self.controller_sets(role))}
        return PrefixTable.build((net, label_of[names]) for net, names in self._owners(role).items())

    def controller_sets(self, role: Role) -> tuple[tuple[str, ...], ...]:
        """Names by label: first each controller alone, in order, then the groups that share an address."""
        alone = [(name,) for name in self.controllers]
        groups = {names for names in self._owners(role).values() if len(names) > 1}
        return (*alone, *sorted(groups))

    def controller_interfaces(self, role: Role) -> tuple[frozenset[str], ...]:
        """Interface ids by label of :meth:`controller_table`: what somebody at that address may use."""
        return tuple(
            frozenset[str]().union(*(self.controllers[name].manages for name in names))
            for names in self.controller_sets(role)
        )

    def surveyor_table(self) -> PrefixTable:
        """Labels index the order of ``surveyors``; of two with the same prefix the first one holds."""
        labels: dict[Network, int] = {}
        for label, surveyor in enumerate(self.surveyors.values()):
            for prefix in surveyor.prefixes:
                labels.setdefault(prefix, label)
        return PrefixTable.build(labels.items())

    def controllers_at(self, address: Address, role: Role) -> tuple[str, ...]:
        """Names of the controllers that have this address in this role."""
        return tuple(
            name for name, entry in self.controllers.items() if entry.addresses(role).contains(address)
        )

    def exemption(self, subject: Address, interface: str, today: date) -> Exemption | None:
        """The exception that holds today for findings about this subject on this interface."""
        for entry in self.exceptions:
            if entry.covers(subject) and interface in entry.interfaces and today <= entry.expires:
                return entry
        return None

    def authorised(
        self, initiator: Address, listener: Address, interface: str, who_listens: Listener
    ) -> Authorisation:
        """Whether the initiator may open this interface (by id) at the listener (rules A1, A2).

        Where devices listen, the initiator must be in ``requests_from`` of a controller that manages the
        interface, and the listener in a network. Where controllers listen, the listener must be in
        ``sessions_at`` of such a controller and the initiator in a network.
        """
        device_listens = who_listens == "device"
        role: Role = "requests_from" if device_listens else "sessions_at"
        device, other = (listener, initiator) if device_listens else (initiator, listener)
        if self.network_of(device) is None:
            return Authorisation(False, None, f"{device} is in no network of the policy")
        here = self.controllers_at(other, role)
        if not here:
            return Authorisation(False, None, f"{other} is in {role} of no controller")
        for name in here:
            if interface in self.controllers[name].manages:
                return Authorisation(True, name, f"{other} is in {role} of {name}, which manages {interface}")
        return Authorisation(False, None, f"{other} belongs to {', '.join(here)}, without {interface}")

    def _owners(self, role: Role) -> dict[Network, tuple[str, ...]]:
        """Each prefix that a controller has in this role, with all controllers whose prefixes cover it."""
        prefixes = [net for entry in self.controllers.values() for net in entry.addresses(role)]
        return {
            net: tuple(name for name, entry in self.controllers.items() if entry.addresses(role).covers(net))
            for net in prefixes
        }


def _without_texts(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in _TEXTS}


def _canonical(value: object) -> str:
    """JSON with one way of writing: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
