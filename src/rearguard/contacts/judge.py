"""The judged view: policy and catalogue applied to folded contacts (SEMANTICS A).

Everything here is a pure function of one folded contact, the policy, the catalogue and which of our
addresses were seen sending. What is decided is in the kernel (:mod:`rearguard.contacts.verdict`); here its tables
are laid out, and its columns become Arrow's without a copy. Nothing is stored back into the facts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rearguard.catalogue import Catalogue
from rearguard.contacts.arrow import bits_of, numbers, words_of
from rearguard.contacts.interfaces import Rights
from rearguard.contacts.ranges import ranges_of
from rearguard.contacts.senders import listen
from rearguard.contacts.verdict import (
    MARKS,
    MIDDLE,
    NARROW,
    SMALL,
    WIDE,
    WORDS,
    Law,
    Verdicts,
    judge_rows,
    new_verdicts,
)
from rearguard.model.address import prefix_range
from rearguard.model.bits import DIRECTIONS
from rearguard.model.prefixes import PrefixTable
from rearguard.policy import Policy

__all__ = ["Judge"]

OUTCOMES = ("unanswered", "refused", "answered", "conversed", "unknown")
CERTAINTIES = ("certain", "likely", "unsure")

_COLUMNS = (
    "client_hi", "client_lo", "server_hi", "server_lo", "port", "proto", "observers", "sampling",
    "interface", "listener", "target", "certainty", "direction", "client_network", "server_network",
    "authorised", "authorised_by", "surveyor", "exception", "outcome", "verified", "dark", "first", "last",
    *(f"{name}_{side}" for name in ("packets", "bytes", "payload", "flags", "seen") for side in "cs"),
    *(
        f"{name}_{side}"
        for side in "cs"
        for name in ("first", "last", "proof_time", "proof_rec", "proof_port", "load_time", "load_rec",
                     "load_port", "proof_rank")
    ),
    "unacked", "known", "tries", "no_options", "fp_mirai", "fp_zmap", "fp_masscan",
)  # fmt: skip
_TIMES = frozenset({"first", "last"}) | {
    f"{name}_{side}" for name in ("first", "last", "proof_time", "load_time") for side in "cs"
}
_TOLD_BY = {"unacked": "unacked"} | {
    f"{name}_{side}": f"{mark}_{side}"
    for side in "cs"
    for name, mark in (
        ("first", "first"),
        ("last", "last"),
        *(
            (f"{pointer}_{part}", pointer)
            for pointer in ("proof", "load")
            for part in ("time", "rec", "port")
        ),
    )
}
"""Which columns may be NULL, and the mark that says where they are not."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Built once a run; ``table`` judges a batch."""

    rights: Rights
    networks: PrefixTable
    network_names: tuple[str, ...]
    law: Law
    words: dict[str, tuple[str, ...]]
    """The words of each column that has few."""

    @classmethod
    def build(
        cls,
        policy: Policy,
        catalogue: Catalogue,
        hosts: Iterable[npt.NDArray[Any]],
        hearing: npt.NDArray[np.uint32],
        heard_by: npt.NDArray[np.uint32],
        today: date,
    ) -> Judge:
        """``hosts`` are HOST rows in batches; ``hearing`` is that of each observer, ``heard_by`` of each group."""
        networks = policy.network_table()
        rights = Rights.build(policy, catalogue)
        number = {name: index for index, name in enumerate(rights.names)}
        heard, senders = listen(hosts, hearing, ranges_of(networks), len(policy.networks))
        valid = [entry for entry in policy.exceptions if today <= entry.expires]
        subjects = np.zeros((len(valid), 4), dtype=np.uint64)
        excepted = np.zeros((len(valid), len(rights.names)), dtype=np.bool_)
        for at, entry in enumerate(valid):
            first, last = prefix_range(entry.subject)
            subjects[at] = (*first, *last)
            excepted[at, [number[name] for name in entry.interfaces]] = True
        law = Law(
            ranges_of(networks),
            ranges_of(policy.surveyor_table()),
            ranges_of(rights.requests),
            ranges_of(rights.sessions),
            len(rights.request_names),
            rights.may_request,
            rights.device_listens,
            rights.by_port,
            np.array(rights.moved, dtype=np.int64).reshape(-1, 4),
            np.array([(*key, name) for key, name in rights.controller_ports.items()], np.int64).reshape(
                -1, 4
            ),
            subjects,
            excepted,
            heard,
            heard_by,
            senders,
        )
        words = {
            "interface": rights.names,
            "listener": ("device", "controller"),
            "certainty": CERTAINTIES,
            "direction": DIRECTIONS,
            "client_network": policy.network_names,
            "server_network": policy.network_names,
            "authorised_by": (*rights.request_names, *rights.session_names),
            "surveyor": tuple(policy.surveyors),
            "exception": tuple(entry.reason for entry in valid),
            "outcome": OUTCOMES,
        }
        return cls(rights, networks, policy.network_names, law, words)

    def table(
        self, rows: npt.NDArray[Any], order: npt.NDArray[np.int64], observers: npt.NDArray[np.uint32]
    ) -> pa.Table:
        """The ``judged`` rows of ``rows[order]``; ``observers`` is at how many places each of the rows was seen."""
        out = new_verdicts(len(order))
        judge_rows(rows, order, observers, self.law, out)
        columns = self._columns(out, len(order))
        always = {"certainty", "direction", "outcome"} | columns.keys() - _TOLD_BY.keys() - set(WORDS)
        fields = [pa.field(name, columns[name].type, nullable=name not in always) for name in _COLUMNS]
        return pa.Table.from_arrays([columns[name] for name in _COLUMNS], schema=pa.schema(fields))

    def _columns(self, out: Verdicts, count: int) -> dict[str, pa.Array]:
        packed = np.packbits(out.marks[:, :count], axis=1, bitorder="little")
        marks = {name: bits_of(line) for name, line in zip(MARKS, packed, strict=True)}
        columns = {
            name: words_of(line[:count], self.words[name])
            for name, line in zip(WORDS, out.words, strict=True)
        }
        for name in ("target", "authorised", "verified", "dark"):
            columns[name] = pa.Array.from_buffers(pa.bool_(), count, [None, marks[name]])
        for names, block in (
            (WIDE, out.wide),
            (MIDDLE, out.middle),
            (NARROW, out.narrow),
            (SMALL, out.small),
        ):
            for name, line in zip(names, block, strict=True):
                values = line[:count].view(np.int64) if name in _TIMES else line[:count]
                columns[name] = numbers(values, marks[_TOLD_BY[name]] if name in _TOLD_BY else None)
        return columns
