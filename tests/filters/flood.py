"""A flood of strangers' SYNs while the filter is replaced again and again: how many come through?

``python -m tests.filters.flood`` (as root) compares our file with the usual way to replace a table.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from datetime import date

from tests.filters.build import DUE, compiled, tcp
from tests.filters.net import Border, Wire
from tests.filters.wire import Plain, frame, number_of

from rearguard.filters.render.nftables import TABLE, render

POLICY = f"""\
networks:
  customers: {{prefixes: [198.51.100.0/24, "2001:db8:c::/48"]}}
edges:
  border: {{outside: [wan0]}}
drop:
  - {{interfaces: [cwmp-cr, telnet], toward: [customers], {DUE}}}
"""


@dataclass(frozen=True, slots=True)
class Flooded:
    """What was sent while the filter was replaced, and what of it arrived."""

    sent: int
    reloads: int
    leaked: int
    counted: int


def flood(net: Border, text: str, seconds: float) -> Flooded:
    """Load ``text`` as often as possible under a flood of SYNs to tcp/7547, IPv4 and IPv6."""
    packets = [tcp("192.0.2.130", "198.51.100.20"), tcp("2001:db8:a::66", "2001:db8:c::20")]
    stop = threading.Event()
    sent = reloads = 0
    with Wire(net, "outside") as wire:
        frames = [wire.ethernet(frame(packet, 1, Plain())) for packet in packets]

        def send() -> None:
            nonlocal sent
            while not stop.is_set():
                for _ in range(64):
                    for data in frames:
                        wire.out.send(data)
                        sent += 1

        sender = threading.Thread(target=send)
        sender.start()
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                net.load(text)
                reloads += 1
        finally:
            stop.set()
            sender.join()
        leaked = sum(number_of(data)[1] == 1 for data in wire.receive())
    counters = net.counters()
    return Flooded(sent, reloads, leaked, counters["drop0_tcp_new_v4"] + counters["drop0_tcp_new_v6"])


def main(seconds: float) -> None:
    """Print both."""
    text = render(compiled(POLICY), made=date(2026, 11, 22))
    with Border() as net:
        for name, file in (
            ("border.nft", text),
            (
                "the table deleted and made again, in one transaction",
                f"table {TABLE}\ndelete table {TABLE}\n{text}",
            ),
        ):
            net.clear()
            net.load(file)
            found = flood(net, file, seconds)
            print(
                f"{name}: {found.reloads:,} reloads, {found.sent:,} packets sent, {found.leaked:,} came through"
            )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20)
