"""The stage on which scenes play: the running network, its programs, and the journal they write to."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from lab import plan
from lab.acs import Acs
from lab.cpe import Cpe
from lab.journal import Journal
from lab.services import SsdpResponder, TelnetConsole
from lab.soap import request_of_2016
from lab.topology import Topology

__all__ = ["Recorder", "Stage", "open_stage"]

_PAGES = {"index.html": 900, "news.html": 2600, "shop.html": 1500}


@dataclass(slots=True)
class Stage:
    """What every scene is given."""

    topology: Topology
    journal: Journal
    work: Path
    cpes: dict[str, Cpe] = field(default_factory=dict)


def _program(stack: ExitStack, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start a program that ends, at the latest, when the stack is left."""
    process = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def end() -> None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)
    return process


def open_stage(stack: ExitStack, topology: Topology, journal: Journal, work: Path) -> Stage:
    """Start the servers: web, download, DNS, controllers, consoles, responder and the devices' gates."""
    pages, notes = work / "pages", work / "notes"
    pages.mkdir()
    notes.mkdir()
    for name, size in _PAGES.items():
        (pages / name).write_text(f"<title>{name}</title>\n" + "An ordinary page. " * (size // 18))
    # Words about an attack are none, also where they reach a client whose own port is 7547 (rule B8).
    quoted = request_of_2016("http://update.worm.invalid/readme.txt")[0]
    (pages / "advisory.html").write_bytes(b"<title>advisory</title>\n" + quoted)
    (notes / "readme.txt").write_text(
        "This file does nothing. It stands for what a worm would have fetched.\n"
    )
    for place, folder in (
        (f"{plan.WEB_V4}:80", pages),
        (f"[{plan.WEB_V6}]:80", pages),
        (f"{plan.DOWNLOAD}:80", notes),
    ):
        arguments = ("busybox", "httpd", "-f", "-p", place, "-h", str(folder))
        _program(stack, topology.command("outside", *arguments))
    dns = (
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root"),
        *("--no-resolv", "--no-hosts", "--bind-interfaces", f"--listen-address={plan.DNS}"),
        *("--local=/invalid/", f"--address=/www.shop.example/{plan.WEB_V4}"),
        f"--address=/www.news.example/{plan.WEB_V4}",
    )
    _program(stack, topology.command("outside", *dns))
    for address, port in (
        (plan.ACS_SESSIONS_V4, plan.CPE_PORT),
        (plan.ACS_SESSIONS_V4, 80),
        (plan.ACS_SESSIONS_V6, plan.CPE_PORT),
    ):
        stack.callback(Acs(topology, "controller", address, port).close)
    stack.callback(Acs(topology, "outside", plan.FOREIGN_ACS, 80, digest=False).close)
    stage = Stage(topology, journal, work)
    for device in plan.DEVICES:
        if device.telnet is not None:
            TelnetConsole(topology, device)
        if device.ssdp:
            SsdpResponder(topology, device)
        stage.cpes[device.name] = Cpe(device, topology, journal)
        stage.cpes[device.name].start()
        stack.callback(stage.cpes[device.name].stop)
    time.sleep(0.5)
    return stage


class Recorder:
    """tcpdump on one side of the border."""

    def __init__(self, stack: ExitStack, topology: Topology, link: str, target: Path) -> None:
        self.target = target
        self._errors = target.with_suffix(".log")
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                topology.command(
                    "border",
                    *("tcpdump", "-i", link, "-w", str(target), "-n", "-U", "-Z", "root", "-s", "0"),
                    *("-B", "8192", "--time-stamp-precision=nano"),
                ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        stack.callback(self.stop)
        deadline = time.monotonic() + 10
        while b"listening on" not in self._errors.read_bytes():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"tcpdump on {link}: {self._errors.read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the recording; RuntimeError when the kernel dropped packets: the truth would not be in it."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)
        text = self._errors.read_text()
        if "packets captured" in text and "\n0 packets dropped by kernel" not in text:
            raise RuntimeError(f"packets were lost: {text}")
