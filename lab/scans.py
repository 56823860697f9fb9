"""Sweeps: research surveys, the worms' search for devices, and a fallen device's search for more."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterable, Sequence

from lab import plan
from lab.expected import SCAN_TARGETS
from lab.journal import Event
from lab.packets import SYN, RawSender, Replies, tcp_packet
from lab.stage import Stage

__all__ = ["known_v6_hosts", "scan_outward", "survey", "whole_prefix", "worm_scan"]

_PACE = 0.002  # seconds between two packets of one scanner


def whole_prefix() -> list[str]:
    """Every IPv4 host address of the customers, dark ones too."""
    return [str(address) for address in plan.CUSTOMERS_V4.hosts()]


def known_v6_hosts() -> list[str]:
    """What a hit list would hold: IPv6 cannot be swept."""
    return [item.v6 for item in plan.DEVICES]


def survey(stage: Stage, program: str) -> None:
    """A research survey of tcp/7547 by ``zmap`` or ``nmap``, one probe an address."""
    source = plan.SURVEYORS[program]
    gateway = stage.topology.mac("border", "outside")
    nobody = stage.work / "empty"
    nobody.touch()
    prefix, port = str(plan.CUSTOMERS_V4), str(plan.CPE_PORT)
    arguments = {
        "zmap": (
            *("zmap", "-p", port, "-i", "uplink", "-S", source, "-G", gateway, "-r", "400", "-c", "1"),
            *("-b", str(nobody), "-o", str(stage.work / "zmap.csv"), "--seed", "7", "-q", prefix),
        ),
        "nmap": (
            *("nmap", "-Pn", "-n", "-sS", "-p", port, "-S", source, "-e", "uplink"),
            *("--max-retries", "0", "--max-rate", "400", prefix),
        ),
    }[program]
    with stage.journal.act(
        "survey",
        f"{program} over the customers' prefix",
        kind="scan",
        interface="cwmp-cr",
        ports=[plan.CPE_PORT],
        remotes=[source],
        fingerprints=["zmap"] if program == "zmap" else [],
    ) as event:
        with stage.topology.inside("outside"):
            replies = Replies(source)
        # What came back is heard beside the program: on a quiet link zmap's own ears need a full buffer.
        with replies.listening(0.2):
            subprocess.run(
                stage.topology.command("outside", *arguments),
                check=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=30,
            )
        event.count("syns", plan.CUSTOMERS_V4.num_addresses)
        _note(event, ((str(item), plan.CPE_PORT) for item in plan.CUSTOMERS_V4), replies)


def _note(event: Event, probes: Iterable[tuple[str, int]], replies: Replies) -> None:
    for target, port in probes:
        event.saw(target, replies.seen.get(target, "unanswered"), port)


def _probes(order: random.Random, targets: Sequence[str], ports: Sequence[int]) -> list[tuple[str, int]]:
    """Each target once, in random order; with two ports the second one time in ten, as Mirai does."""
    shuffled = order.sample(targets, len(targets))
    return [
        (target, ports[-1] if len(ports) > 1 and order.random() < 0.1 else ports[0]) for target in shuffled
    ]


def worm_scan(
    stage: Stage,
    source: str,
    targets: Sequence[str],
    interface: str,
    ports: Sequence[int],
    *,
    scene: str = "worm",
) -> None:
    """SYNs as Mirai writes them, one a target."""
    order = random.Random(f"{source} {interface}")
    probes = _probes(order, targets, ports)
    sport = order.randrange(20000, 30000)
    six = ":" in source
    with stage.journal.act(
        scene,
        "worm-like scanning",
        kind="scan" if len(targets) >= SCAN_TARGETS else "probe",
        interface=interface,
        ports=ports,
        remotes=[source],
        fingerprints=[] if six else ["mirai"],
    ) as event:
        with stage.topology.inside("outside"):
            sender, replies = RawSender(), Replies(source)
        with replies.listening(0.5):
            for target, port in probes:
                _send_syn(sender, source, sport, target, port)
                event.count("syns")
        sender.close()
        _note(event, probes, replies)


def _send_syn(sender: RawSender, source: str, sport: int, target: str, port: int) -> None:
    number = random.getrandbits(32)
    if ":" not in target:
        number = int.from_bytes(bytes(map(int, target.split("."))), "big")
    sender.send(
        tcp_packet(source, sport, target, port, flags=SYN, seq=number, window=random.randrange(65536))
    )
    time.sleep(_PACE)


def scan_outward(stage: Stage, device: plan.Device, interface: str, ports: Sequence[int]) -> None:
    """Forty destinations in forty /24s of the benchmark range, where nobody answers."""
    order = random.Random(f"{device.name} {interface}")
    held = {address.rsplit(".", 1)[0] for address in plan.REMOTES if "." in address}
    networks = [f"198.{high}.{low}" for high in (18, 19) for low in range(256)]
    chosen = order.sample([network for network in networks if network not in held], 40)
    targets = [f"{network}.{order.randrange(1, 255)}" for network in chosen]
    sport = order.randrange(20000, 30000)
    with stage.journal.act(
        "fall",
        f"{device.name} scans outward",
        kind="compromised-device",
        interface=interface,
        ports=ports,
        direction="outbound",
        remotes=targets,
        fingerprints=["mirai"],
    ) as event:
        with stage.topology.inside(device.name):
            sender = RawSender()
        for target, port in _probes(order, targets, ports):
            _send_syn(sender, device.v4, sport, target, port)
            event.count("syns")
        sender.close()
        event.saw(device.v4, "unanswered")
        event.counts |= {"destinations": len(set(targets)), "slash24": len(set(chosen))}
