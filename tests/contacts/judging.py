"""The judged view, column by column in numpy: what the kernel of ``rearguard.contacts.verdict`` must agree with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from rearguard.catalogue import Catalogue
from rearguard.contacts.flows import CLOCK
from rearguard.contacts.interfaces import NONE, Rights
from rearguard.contacts.judge import CERTAINTIES, OUTCOMES
from rearguard.contacts.single import NEVER_FIRST, NEVER_LAST, NO_RECORD
from rearguard.model.address import V4_MAPPED, prefix_range
from rearguard.model.bits import (
    DIRECTIONS,
    FIN,
    INBOUND,
    INTERNAL,
    KNOWN_FLAGS,
    OUTBOUND,
    PSH,
    ROLE_BOTH,
    ROLE_HANDSHAKE,
    ROLE_PORT,
    RST,
    SEEN_ACK,
    SEEN_DATA,
    SEEN_DATAGRAM,
    SEEN_FLOW_SYN,
    SEEN_ICMP_UNREACH,
    SEEN_RST,
    SEEN_SYN,
    SEEN_SYNACK,
    TCP,
    TRANSIT,
)
from rearguard.model.prefixes import PrefixTable
from rearguard.policy import Policy

__all__ = ["Reference"]

Mask = npt.NDArray[np.bool_]
_FLOW = 1


@dataclass(frozen=True, slots=True)
class Words:
    """A column of few different words: indices into ``words``, -1 is NULL."""

    index: npt.NDArray[np.int32]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """Built once a run; ``columns`` judges a batch."""

    rights: Rights
    networks: PrefixTable
    network_names: tuple[str, ...]
    surveyors: PrefixTable
    surveyor_names: tuple[str, ...]
    exceptions: tuple[tuple[int, frozenset[int], str], ...]
    exception_table: tuple[Any, ...]
    heard: npt.NDArray[np.bool_]  # [hearing, network]: return traffic was seen there (rule A6)
    heard_by: npt.NDArray[np.uint32]  # [observer group]: its hearing
    senders: npt.NDArray[np.uint64]  # sorted low halves of own IPv4 addresses that were seen sending

    @classmethod
    def build(
        cls,
        policy: Policy,
        catalogue: Catalogue,
        hosts: npt.NDArray[Any],
        heard_by: npt.NDArray[np.uint32],
        today: date,
    ) -> Reference:
        """``hosts`` are folded HOST rows whose observer is a hearing; ``heard_by`` the hearing of each group."""
        networks = policy.network_table()
        rights = Rights.build(policy, catalogue)
        number = {name: index for index, name in enumerate(rights.names)}
        label = networks.lookup(hosts["addr_hi"], hosts["addr_lo"])
        heard = np.zeros((int(heard_by.max(initial=0)) + 1, max(1, len(policy.networks))), dtype=np.bool_)
        heard[hosts["observer"][label >= 0], label[label >= 0]] = True
        v4 = (hosts["addr_hi"] == 0) & (hosts["addr_lo"] >> np.uint64(32) == np.uint64(V4_MAPPED >> 32))
        valid = [entry for entry in policy.exceptions if today <= entry.expires]
        return cls(
            rights,
            networks,
            policy.network_names,
            policy.surveyor_table(),
            tuple(policy.surveyors),
            tuple(
                (at, frozenset(number[name] for name in entry.interfaces), entry.reason)
                for at, entry in enumerate(valid)
            ),
            tuple(prefix_range(entry.subject) for entry in valid),
            heard,
            heard_by,
            np.unique(hosts["addr_lo"][v4]),
        )

    def columns(self, rows: npt.NDArray[Any], observers: npt.NDArray[np.uint32]) -> dict[str, Any]:
        """The ``judged`` columns of folded rows; ``observers`` is at how many places each was seen."""
        rows = read_flows(rows)
        client = self.networks.lookup(rows["client_hi"], rows["client_lo"])
        server = self.networks.lookup(rows["server_hi"], rows["server_lo"])
        direction = np.select(
            [(client < 0) & (server >= 0), (client >= 0) & (server < 0), (client >= 0) & (server >= 0)],
            [INBOUND, OUTBOUND, INTERNAL],
            TRANSIT,
        )
        interface, session = self._interface(rows, server)
        allowed, by = self._authorised(rows, client, server, interface, session)
        certainty, target = _roles(rows)
        target &= ~_to_many(rows)
        heard = (server >= 0) & self.heard[self.heard_by[rows["observer"]], np.maximum(server, 0)]
        columns: dict[str, Any] = {
            name: rows[name] for name in ("client_hi", "client_lo", "server_hi", "server_lo", "port", "proto")
        }
        columns |= {
            "observers": observers,
            "sampling": rows["sampling"],
            "interface": Words(interface, self.rights.names),
            "listener": Words(_listener(interface, self.rights.device_listens), ("device", "controller")),
            "target": target,
            "certainty": Words(certainty, CERTAINTIES),
            "direction": Words(direction.astype(np.int32), DIRECTIONS),
            "client_network": Words(client, self.network_names),
            "server_network": Words(server, self.network_names),
            "authorised": allowed,
            "authorised_by": by,
            "surveyor": Words(
                self.surveyors.lookup(rows["client_hi"], rows["client_lo"]), self.surveyor_names
            ),
            "exception": self._exception(rows, interface),
            "outcome": Words(_outcome(rows, heard), OUTCOMES),
            "verified": _verified(rows),
            "dark": self._dark(rows, heard),
        }
        return columns | _facts(rows)

    def _interface(
        self, rows: npt.NDArray[Any], server: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        session = self.rights.sessions.lookup(rows["server_hi"], rows["server_lo"])
        at_controller = self.rights.at_controller(session, rows["proto"], rows["port"])
        device = self.rights.of_device(rows["proto"], rows["port"], server)
        return np.where(at_controller != NONE, at_controller, device).astype(np.int32), session

    def _authorised(
        self,
        rows: npt.NDArray[Any],
        client: npt.NDArray[np.int32],
        server: npt.NDArray[np.int32],
        interface: npt.NDArray[np.int32],
        session: npt.NDArray[np.int32],
    ) -> tuple[Mask, Words]:
        """Rule A1: judged on the initiator's role, the listener's role and the pair, never on the port."""
        request = self.rights.requests.lookup(rows["client_hi"], rows["client_lo"])
        known = interface != NONE
        to_controller = known & ~self.rights.device_listens[interface] & (session >= 0) & (client >= 0)
        may = np.zeros(len(rows), dtype=np.bool_)
        if self.rights.may_request.size:
            may = self.rights.may_request[np.maximum(request, 0), np.maximum(interface, 0)]
        to_device = known & self.rights.device_listens[interface] & (request >= 0) & may & (server >= 0)
        names = (*self.rights.request_names, *self.rights.session_names)
        offset = len(self.rights.request_names)
        by = np.where(to_device, request, np.where(to_controller, session + offset, NONE))
        return to_device | to_controller, Words(by.astype(np.int32), names)

    def _exception(self, rows: npt.NDArray[Any], interface: npt.NDArray[np.int32]) -> Words:
        found = np.full(len(rows), NONE, dtype=np.int32)
        for (at, interfaces, _), (first, last) in zip(self.exceptions, self.exception_table, strict=True):
            subject = _within(rows["client_hi"], rows["client_lo"], first, last) | _within(
                rows["server_hi"], rows["server_lo"], first, last
            )
            found[subject & np.isin(interface, list(interfaces)) & (found == NONE)] = at
        return Words(found, tuple(reason for _, _, reason in self.exceptions))

    def _dark(self, rows: npt.NDArray[Any], heard: Mask) -> Mask:
        """Rule B6: an own IPv4 address that sent nothing where its network's traffic was seen unsampled."""
        v4 = (rows["server_hi"] == 0) & (rows["server_lo"] >> np.uint64(32) == np.uint64(V4_MAPPED >> 32))
        dark: Mask = heard & v4 & (rows["sampling"] == 1) & ~np.isin(rows["server_lo"], self.senders)
        return dark


def _listener(interface: npt.NDArray[np.int32], device: Mask) -> npt.NDArray[np.int32]:
    return np.where(interface == NONE, NONE, np.where(device[interface], 0, 1)).astype(np.int32)


def _within(hi: Any, lo: Any, first: tuple[int, int], last: tuple[int, int]) -> Mask:
    above = (hi > np.uint64(first[0])) | ((hi == np.uint64(first[0])) & (lo >= np.uint64(first[1])))
    below = (hi < np.uint64(last[0])) | ((hi == np.uint64(last[0])) & (lo <= np.uint64(last[1])))
    inside: Mask = above & below
    return inside


def _roles(rows: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int32], Mask]:
    """Rule A3: how sure it is that the server listens, and whether findings may rest on it.

    A handshake makes it certain. Without one: a port that is alone in the catalogue makes it likely; where
    both are services only the order of first packets helps, and only with datagrams and with flows that hold
    a SYN each way, for any other TCP packet may come from the middle of anything. A handshake that starts at
    the "listener" says that it is none, and so does the order of two such flows.
    """
    role = rows["role"]
    opened = role & ROLE_HANDSHAKE > 0
    udp = rows["proto"] != TCP
    # Of sampled datagrams the first one that was seen may well be a reply.
    whole = rows["sampling"] == 1
    client_first = whole & (rows["first_c"] < rows["first_s"]) & (rows["first_s"] != NEVER_FIRST)
    alone = (role & ROLE_PORT > 0) & (role & ROLE_BOTH == 0)
    both = role & ROLE_BOTH > 0
    likely = alone | (udp & both & client_first) | (~udp & both & opener_first(rows))
    certainty = np.where(opened, 0, np.where(likely, 1, 2)).astype(np.int32)
    listener_opened = (rows["seen_s"] & SEEN_SYN > 0) | (rows["seen_c"] & SEEN_SYNACK > 0)
    server_first = np.where(udp, whole & (rows["first_s"] < rows["first_c"]), answer_first(rows))
    target = (opened | (likely & ~listener_opened)) & ~server_first
    return certainty, target


def _to_many(rows: npt.NDArray[Any]) -> Mask:
    """Multicast and limited broadcast: a question to all on the link (SSDP, WSD), not a try at one device."""
    hi, lo = rows["server_hi"], rows["server_lo"]
    v4 = (hi == 0) & (lo >> np.uint64(32) == np.uint64(V4_MAPPED >> 32))
    first = (lo >> np.uint64(24)) & np.uint64(0xFF)
    v4_many = v4 & (((first >= 224) & (first < 240)) | (lo == np.uint64(V4_MAPPED | 0xFFFF_FFFF)))
    many: Mask = v4_many | (hi >> np.uint64(56) == 0xFF)
    return many


def _outcome(rows: npt.NDArray[Any], heard: Mask) -> npt.NDArray[np.int32]:
    seen_c, seen_s = rows["seen_c"], rows["seen_s"]
    udp = rows["proto"] != TCP
    both = (seen_c & SEEN_DATA > 0) & (seen_s & SEEN_DATA > 0)
    # One datagram each way is question and answer; a conversation goes on after the answer.
    conversed = both & (~udp | (rows["last_c"] > rows["first_s"]))
    answered = np.where(udp, seen_s & SEEN_DATAGRAM > 0, seen_s & SEEN_SYNACK > 0)
    refused = seen_s & (SEEN_RST | SEEN_ICMP_UNREACH) > 0
    # A client that acknowledges was answered, on a way that nobody saw (rule A6).
    went_on = ~udp & (seen_c & (SEEN_ACK | SEEN_FLOW_SYN) > 0)
    silent = (rows["packets_s"] == 0) & (rows["tries"] > 0) & heard & (rows["sampling"] == 1) & ~went_on
    return np.select([conversed, answered, refused, silent], [3, 2, 1, 0], 4).astype(np.int32)


def _verified(rows: npt.NDArray[Any]) -> Mask:
    """Rule B4: our side sent SYN+ACK and the client went on, which a spoofed source cannot see to do."""
    verified: Mask = (rows["seen_s"] & SEEN_SYNACK > 0) & (rows["seen_c"] & (SEEN_ACK | SEEN_DATA) > 0)
    return verified


def _facts(rows: npt.NDArray[Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "first": np.minimum(rows["first_c"], rows["first_s"]),
        "last": np.maximum(rows["last_c"], rows["last_s"]),
    }
    for name in ("packets", "bytes", "payload", "flags", "seen"):
        for side in "cs":
            facts[f"{name}_{side}"] = rows[f"{name}_{side}"]
    for side in "cs":
        facts[f"first_{side}"] = _or_null(rows[f"first_{side}"], NEVER_FIRST)
        facts[f"last_{side}"] = _or_null(rows[f"last_{side}"], NEVER_LAST)
        for pointer in ("proof", "load"):
            absent = rows[f"{pointer}_rec_{side}"] == NO_RECORD
            for part in ("time", "rec", "port"):
                facts[f"{pointer}_{part}_{side}"] = np.ma.MaskedArray(
                    rows[f"{pointer}_{part}_{side}"], absent
                )
        facts[f"proof_rank_{side}"] = rows[f"proof_rank_{side}"]
    unguarded = (rows["proto"] == TCP) & (rows["known"] & KNOWN_FLAGS == 0)
    facts["unacked"] = np.ma.MaskedArray(
        np.where(rows["proto"] == TCP, rows["unacked"], rows["packets_c"]), unguarded
    )
    for name in ("known", "tries", "no_options", "fp_mirai", "fp_zmap", "fp_masscan"):
        facts[name] = rows[name]
    return facts


def _or_null(values: Any, absent: int) -> np.ma.MaskedArray[Any, Any]:
    return np.ma.MaskedArray(values, values == absent)


def _both(rows: npt.NDArray[Any]) -> Mask:
    """Both directions hold a flow with SYN and ACK, and the pointers show the first one of each."""
    told: Mask = (rows["proto"] == TCP) & (rows["seen_c"] & rows["seen_s"] & SEEN_FLOW_SYN > 0)
    first: Mask = (rows["proof_rank_c"] == _FLOW) & (rows["proof_rank_s"] == _FLOW)
    return told & first


def opener_first(rows: npt.NDArray[Any]) -> Mask:
    """Rule A3, first-seen: the client's flow began first."""
    first: Mask = rows["proof_time_s"] > rows["proof_time_c"] + CLOCK
    return _both(rows) & first


def answer_first(rows: npt.NDArray[Any]) -> Mask:
    """The "server's" flow began first, so it is who opened."""
    first: Mask = rows["proof_time_c"] > rows["proof_time_s"] + CLOCK
    return _both(rows) & first


def read_flows(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The rows (a copy where anything changes) with what is certain about their flows: SEEN_SYNACK of the server,
    SEEN_ACK of the client; and its connections among ``tries`` and ``unacked``, as their SYNs would be."""
    flows = (rows["seen_c"] | rows["seen_s"]) & SEEN_FLOW_SYN > 0
    if not flows.any():
        return rows
    rows = rows.copy()
    opened = opener_first(rows)
    bare = rows["seen_c"] & SEEN_SYN > 0
    not_called = (rows["seen_s"] & SEEN_SYN > 0) | answer_first(rows)
    answered = (rows["seen_s"] & SEEN_FLOW_SYN > 0) & (bare | opened) & ~not_called
    rows["seen_s"] |= np.where(answered, SEEN_SYNACK, 0).astype(rows["seen_s"].dtype)
    went_on = (rows["seen_c"] & SEEN_FLOW_SYN > 0) & ~not_called
    rows["seen_c"] |= np.where(went_on & opened, SEEN_ACK, 0).astype(rows["seen_c"].dtype)
    # SYN+ACKs that were sent again have the same two bits; a client's connection has more in it (rule B5).
    more = (rows["flags_c"] & (PSH | FIN | RST) > 0) | (rows["seen_c"] & SEEN_DATA > 0)
    sessions = np.where(went_on & (opened | more), rows["sessions"], 0).astype(np.uint64)
    rows["tries"] += sessions
    rows["unacked"] += sessions
    return rows
