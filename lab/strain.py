"""What hurts without breaking in: a reflector, a flood of requests, the backscatter of somebody's forgery."""

from __future__ import annotations

import random
import threading
import time

from lab import plan
from lab.packets import ACK, RST, SYN, RawSender, tcp_packet, udp_packet
from lab.scans import whole_prefix
from lab.services import M_SEARCH
from lab.stage import Stage
from lab.wire import connect

__all__ = ["backscatter", "flood", "reflection"]

_FLOOD_EACH = 200  # requests from each source


def reflection(stage: Stage) -> None:
    """Twenty questions in a victim's name; the device answers each fourfold (rule B4)."""
    kale = plan.device("stb-kale")
    with stage.journal.act(
        "reflection",
        "M-SEARCH with a forged source",
        kind="reflector",
        interface="ssdp",
        transport="udp",
        ports=[1900],
        remotes=[plan.VICTIM],
    ) as event:
        with stage.topology.inside("outside"):
            sender = RawSender()
        for _ in range(20):
            sender.send(udp_packet(plan.VICTIM, 40080, kale.v4, 1900, M_SEARCH))
            event.count("questions")
            event.count("answers", 4)
            time.sleep(0.04)
        sender.close()
        event.saw(kale.v4, "conversed")
        event.payload = {"forged": True}


def flood(stage: Stage) -> None:
    """Six hundred Connection Requests at one device, which dies of them and boots again (rule B12)."""
    hazel = stage.cpes["gw-hazel"]
    with stage.journal.act(
        "flood",
        "Connection Requests at gw-hazel",
        kind="flood",
        interface="cwmp-cr",
        ports=[plan.CPE_PORT],
        remotes=plan.FLOODERS,
    ) as event:
        lock = threading.Lock()
        event.counts = {"connections": 0, "conversed": 0, "refused": 0, "unanswered": 0}

        def pour(source: str) -> None:
            with stage.topology.inside("outside"):
                for _ in range(_FLOOD_EACH):
                    outcome = _one_request(source, hazel.device.v4)
                    with lock:
                        event.count("connections")
                        event.count(outcome)
                        event.saw(hazel.device.v4, outcome)
                    time.sleep(0.01)

        threads = [threading.Thread(target=pour, args=(source,)) for source in plan.FLOODERS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        event.payload = {"crashed": not hazel.is_open}
    time.sleep(1.5)
    if not hazel.is_open:
        hazel.start()
        hazel.session("1 BOOT")


def _one_request(source: str, target: str) -> str:
    try:
        with connect(source, target, plan.CPE_PORT, timeout=1.0) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: %s:7547\r\n\r\n" % target.encode())
            return "conversed" if sock.recv(1024) else "refused"
    except TimeoutError:
        return "unanswered"
    except OSError:
        return "refused"


def backscatter(stage: Stage) -> None:
    """Answers to packets that our customers never sent: somebody forged their addresses (rule B5)."""
    order = random.Random(5)
    held = [item.v4 for item in plan.DEVICES[:20]]
    dark = [address for address in whole_prefix() if plan.is_dark(address)]
    with stage.journal.act(
        "backscatter",
        "SYN+ACK and RST for packets never sent",
        ports=[80, plan.CPE_PORT],
        remotes=[plan.BACKSCATTERER],
    ) as event:
        with stage.topology.inside("outside"):
            sender = RawSender()
        for number, target in enumerate(order.sample(held + order.sample(dark, 40), 60)):
            reset = number % 3 == 0
            ports = (80, plan.CPE_PORT) if number % 3 == 1 else (plan.CPE_PORT, order.randrange(1024, 65536))
            if reset:
                ports = (80, order.choice((23, plan.CPE_PORT, 48101)))
            flags = (RST if reset else SYN) | ACK
            numbers = {"seq": order.getrandbits(32), "ack": order.getrandbits(32)}
            sender.send(tcp_packet(plan.BACKSCATTERER, ports[0], target, ports[1], flags=flags, **numbers))
            event.saw(target, "unanswered")
            event.count("packets")
            time.sleep(0.002)
        sender.close()
