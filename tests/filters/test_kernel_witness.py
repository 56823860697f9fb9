"""The prover's witnesses are true in the kernel: a broken filter does to them what the prover says."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from tests.filters.net import Border, Wire
from tests.filters.platforms import made_for
from tests.filters.test_prove_mutations import edited
from tests.filters.wire import Plain, frame, number_of

from rearguard.filters.lines import decide
from rearguard.filters.model import Attachment, Packet, Verdict
from rearguard.filters.platforms import PLATFORMS
from rearguard.filters.prove.proof import prove
from rearguard.filters.readings import readings
from rearguard.model.errors import InputError

pytestmark = pytest.mark.netns
NFTABLES = PLATFORMS["nftables"]
WANTED = 30
LINK = ("224.", "127.", "0.", "ff", "::", "10.")


def test_broken_filters_in_the_kernel_do_what_the_prover_says(net: Border) -> None:
    """But for later fragments that come to a rule which asks for ports: there their data decides."""
    made = made_for("nftables", accepted=())
    chance = random.Random(5)
    asked = 0
    ((file, text),) = made.written.files.items()
    while asked < WANTED:
        broken = edited(chance, text)
        try:
            lists = readings(NFTABLES.read({file: broken}), NFTABLES.ability.wary)
            proof = prove(made.filter, lists, wary=NFTABLES.ability.wary)
        except InputError:
            continue
        packets = [
            replace(each.packet, sport=each.packet.sport or 1)
            for each in proof.witnesses
            if each.packet.attachment is Attachment.ENTERING and not _unroutable(each.packet)
        ][:8]
        if not packets:
            continue
        net.clear()
        try:
            net.load(broken)
        except AssertionError:
            continue  # the kernel's own check refuses it
        with Wire(net, "outside") as wire:
            for number, packet in enumerate(packets, 1):
                wire.send(frame(packet, number, Plain()))
            arrived = {number for _, number in map(number_of, _ip(wire))}
        for number, packet in enumerate(packets, 1):
            said = [
                decide(each, packet)
                for each in lists
                if (each.attachment, each.family) == (packet.attachment, packet.family)
            ]
            if len({line.number if line else 0 for _, line in said}) == 1:
                assert (number in arrived) == (said[0][0] is Verdict.PASS), packet
                asked += 1
    net.clear()


def _ip(wire: Wire) -> list[bytes]:
    return [data for data in wire.receive(0.1) if data[0] >> 4 in (4, 6)]


def _unroutable(packet: Packet) -> bool:
    """Addresses that the kernel itself refuses, or that do not lie behind the border."""
    ends = str(packet.source), str(packet.destination)
    inside = ends[1].startswith(("198.51.100.", "2001:db8:c:"))
    return not inside or any(end.startswith(LINK) for end in ends)
