"""What a network does on any day: the controller at work, customers on the web, a neighbour who is nosy."""

from __future__ import annotations

import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab import plan
from lab.acs import call_device
from lab.cpe import request_path
from lab.services import ask_dns
from lab.stage import Stage
from lab.wire import connect

__all__ = [
    "boot_sessions",
    "connection_requests",
    "everyday_traffic",
    "foreign_controller",
    "games",
    "neighbour",
    "odd_client_ports",
    "periodic_sessions",
]

ODD_PORTS = (7547, 37215, 52869, 5555)
_GAME_PORT = 25565
_SURFERS = ("pc-larch", "pc-maple", "pc-nettle", "gw-fir", "gw-pine", "gw-dogwood", "stb-kale", "cam-iris")


def boot_sessions(stage: Stage) -> None:
    """Every device with a controller reports that it has booted."""
    for cpe in stage.cpes.values():
        if cpe.device.acs is not None:
            cpe.session("1 BOOT")


def periodic_sessions(stage: Stage) -> None:
    """Every device with a controller reports as scheduled."""
    for cpe in stage.cpes.values():
        if cpe.device.acs is not None:
            cpe.session("2 PERIODIC")


def connection_requests(stage: Stage) -> None:
    """The controller calls every device of its inventory over IPv4, and some over IPv6.

    By distinct addresses it looks busier than any scanner (rule B2).
    """
    calls = [(item, False) for item in plan.DEVICES]
    calls += [(plan.device(name), True) for name in ("gw-alder", "gw-birch", "gw-oak")]
    for item, six in calls:
        target = item.v6 if six else item.v4
        with stage.journal.act(
            "controller",
            f"the controller calls {item.name}",
            interface="cwmp-cr",
            ports=[plan.CPE_PORT],
            remotes=[plan.ACS_CALLS_FROM_V6 if six else plan.ACS_CALLS_FROM_V4],
        ) as event:
            event.saw(target, call_device(stage.topology, item, v6=six, path=request_path))
            event.count("calls")
    for cpe in stage.cpes.values():
        cpe.join(5)


def foreign_controller(stage: Stage) -> None:
    """A device is led to a controller that is not the operator's (rule B10)."""
    stage.cpes["gw-oak"].session("0 BOOTSTRAP", "1 BOOT", acs=f"http://{plan.FOREIGN_ACS}:80/acs")


def _fetch(
    stage: Stage, device: plan.Device, page: str, *, v6: bool = False, local_port: int | None = None
) -> None:
    host = f"[{plan.WEB_V6}]" if v6 else plan.WEB_V4
    own = ("--local-port", str(local_port)) if local_port else ()
    command = stage.topology.command(
        stage.topology.of(device),
        *("curl", "--silent", "--globoff", "--noproxy", "*", "--max-time", "3", "--output", "/dev/null"),
        *("--interface", device.v6 if v6 else device.v4, *own, f"http://{host}/{page}"),
    )
    subprocess.run(command, check=True)


def odd_client_ports(stage: Stage) -> None:
    """A customer's own clients whose port happens to be one of the catalogue (rule A3)."""
    larch = plan.device("pc-larch")
    with stage.journal.act(
        "ordinary",
        "web visits from client ports that are management ports elsewhere",
        ports=[80],
        direction="outbound",
        remotes=[plan.WEB_V4, plan.WEB_V6],
    ) as event:
        event.payload = {"client_ports": list(ODD_PORTS), "page": "quotes the request of 2016"}
        for port in ODD_PORTS:
            for six in (False, True):
                _fetch(stage, larch, "advisory.html", v6=six, local_port=port)
                event.saw(larch.v6 if six else larch.v4, "conversed")
                event.count("connections")


@contextmanager
def everyday_traffic(stage: Stage) -> Iterator[None]:
    """Customers look names up and visit pages, in the background, while the body plays."""
    stop = threading.Event()
    order = random.Random(7547)

    def surf() -> None:
        with stage.journal.act(
            "ordinary",
            "names and pages",
            transport="tcp+udp",
            ports=[53, 80],
            direction="outbound",
            remotes=[plan.DNS, plan.WEB_V4, plan.WEB_V6],
        ) as event:
            for _ in range(60):
                device = plan.device(order.choice(_SURFERS))
                ask_dns(stage.topology, device, order.choice(("www.shop.example", "www.news.example")))
                six = order.random() < 0.4
                _fetch(stage, device, order.choice(("index.html", "news.html", "shop.html")), v6=six)
                event.saw(device.v6 if six else device.v4, "conversed")
                event.count("names")
                event.count("pages")
                if stop.wait(order.uniform(0.3, 1.0)):
                    return

    thread = threading.Thread(target=surf, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def games(stage: Stage) -> None:
    """Friends visit a customer's game server; the client port of one of them happens to be 7547."""
    maple = plan.device("pc-maple")
    with stage.topology.inside(maple.name):
        server = socket.create_server((maple.v4, _GAME_PORT))
    with (
        stage.journal.act(
            "ordinary",
            "visits to a customer's own game server",
            ports=[_GAME_PORT],
            remotes=plan.GAMERS,
        ) as event,
        server,
    ):
        for number, source in enumerate(plan.GAMERS):
            with stage.topology.inside("outside"):
                visitor = connect(source, maple.v4, _GAME_PORT, sport=0 if number else plan.CPE_PORT)
            with visitor, server.accept()[0] as seat:
                visitor.sendall(b"hello\n")
                seat.sendall(seat.recv(16) + b"welcome\n")
                visitor.recv(64)
            event.saw(maple.v4, "conversed")
            event.count("connections")
            time.sleep(0.05)


def neighbour(stage: Stage) -> None:
    """A customer tries the telnet ports of a dozen neighbours: it never leaves the network (rule A4)."""
    nettle = plan.device("pc-nettle")
    others = [item for item in plan.DEVICES if item.name not in ("pc-nettle", "gw-fir")][:12]
    with stage.journal.act(
        "internal",
        "a customer tries its neighbours' telnet ports",
        kind="probe",
        interface="telnet",
        ports=[23],
        direction="internal",
        remotes=[nettle.v4],
    ) as event:
        for item in others:
            with stage.topology.inside(nettle.name):
                event.count("connections")
                try:
                    with connect(nettle.v4, item.v4, 23, timeout=1.5) as sock:
                        sock.recv(64)
                    event.saw(item.v4, "answered")
                except ConnectionRefusedError:
                    event.saw(item.v4, "refused")
