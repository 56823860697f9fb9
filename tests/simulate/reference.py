"""What the kernels of the simulation do, said slowly: every packet as an object, a router's cache as a dict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rearguard.simulate.conversations import SHAPES, Shape
from rearguard.simulate.tables import tables

FIN, RST, ACK, SYN = 1, 4, 16, 2
LETTERS = {"S": SYN, "A": ACK, "P": 8, "F": FIN, "R": RST}


@dataclass(frozen=True)
class Packet:
    session: int
    up: bool
    time: int
    octets: int
    flags: int
    row: int


@dataclass
class Flow:
    first: int
    last: int
    packets: int = 0
    octets: int = 0
    flags: int = 0
    cut: bool = False


@dataclass
class Router:
    """One session's flows: a cache with one entry a direction, and what was exported."""

    active: int
    inactive: int
    cache: dict[bool, Flow] = field(default_factory=dict)
    exported: list[tuple[bool, Flow]] = field(default_factory=list)

    def see(self, packet: Packet) -> None:
        held = self.cache.get(packet.up)
        if held is not None:
            held.cut = packet.time - held.first >= self.active
            if held.cut or packet.time - held.last >= self.inactive:
                self.exported.append((packet.up, self.cache.pop(packet.up)))
        flow = self.cache.setdefault(packet.up, Flow(packet.time, packet.time))
        flow.last = packet.time
        flow.packets += 1
        flow.octets += packet.octets
        flow.flags |= packet.flags

    def end(self) -> list[tuple[bool, Flow]]:
        self.exported += sorted(self.cache.items(), reverse=True)
        return self.exported


def packets_of(session: Any, number: int) -> Iterator[Packet]:
    """All packets of one session, in order."""
    names = list(SHAPES)
    shape: Shape = SHAPES[names[session["kind"]]]
    start, trip = int(session["start"]), int(session["trip"])
    header = 40 if session["client_hi"] else 20
    first = int(tables().kinds["first"][session["kind"]])
    turns = int(session["loops"]) if shape.loop else 0
    parts = [(0, shape.head, 0, 0)]
    parts += [(len(shape.head), shape.loop, turn, turn + 1) for turn in range(turns)]
    parts += [(len(shape.head) + len(shape.loop), shape.tail, turns, turns)]
    rows = tables().rows
    for before, part, turn, waits in parts:
        for place, (at, who, letters, _) in enumerate(part):
            after = round(at * 1_000) + turn * round(shape.turn * 1_000)
            yield Packet(
                session=number,
                up=who == ">",
                time=start + after * trip // 1_000 + waits * round(shape.wait * 1e9),
                octets=header + int(rows["octets"][first + before + place]),
                flags=sum(LETTERS[letter] for letter in letters),
                row=before + place,
            )


def flows_of(
    sessions: Any, chosen: set[int] | None, active: int, inactive: int
) -> list[tuple[int, bool, Flow]]:
    """(session, opener's direction, flow) of the chosen packets (None: all), numbered over all sessions."""
    made, place = [], 0
    for number, session in enumerate(sessions):
        router = Router(active, inactive)
        for packet in packets_of(session, number):
            if chosen is None or place in chosen:
                router.see(packet)
            place += 1
        made += [(number, up, flow) for up, flow in router.end()]
    return made
