"""Plays the incident from the first scene to the last and records it: ``python3 -m lab.record OUT``."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from lab import attacks, ordinary, plan, scans, strain
from lab.journal import Journal
from lab.pcapng import merge
from lab.stage import Recorder, Stage, open_stage
from lab.topology import Topology
from lab.truth import truth

__all__ = ["main", "play", "record"]

TIME_LIMIT = 120  # seconds; whatever happens, the lab is gone after them
_PROGRAMS = ("ip", "nft", "tcpdump", "ethtool", "busybox", "dnsmasq", "curl", "zmap", "nmap")
_NAMED = "http://update.worm.invalid/readme.txt"  # resolves nowhere, by RFC 6761
_FETCHED = f"http://{plan.DOWNLOAD}/readme.txt"  # the lab's own host, with a file that does nothing


def play(stage: Stage) -> None:
    """All scenes, in the order of an incident: calm, surveys, scans, attacks, the fall, the aftermath."""
    elm = stage.cpes["gw-elm"]
    with ordinary.everyday_traffic(stage):
        ordinary.boot_sessions(stage)
        ordinary.odd_client_ports(stage)
        ordinary.games(stage)
        scans.survey(stage, "zmap")
        scans.survey(stage, "nmap")
        ordinary.connection_requests(stage)

        everyone, six = scans.whole_prefix(), scans.known_v6_hosts()
        scans.worm_scan(stage, plan.WORM_SOAP, everyone, "cwmp-cr", [plan.CPE_PORT])
        scans.worm_scan(stage, plan.WORM_MIXED, everyone, "cwmp-cr", [plan.CPE_PORT])
        scans.worm_scan(stage, plan.WORM_MIXED, everyone, "telnet", [23])
        scans.worm_scan(stage, plan.WORM_TELNET, everyone, "telnet", [23, 2323])
        scans.worm_scan(stage, plan.WORM_V6, six, "cwmp-cr", [plan.CPE_PORT])
        scans.worm_scan(stage, plan.WORM_V6, six[:6], "telnet", [23])

        names = ("gw-alder", "gw-cedar", "gw-dogwood", "gw-elm", "gw-fir", "gw-ginkgo")
        attacks.exploit(stage, plan.WORM_SOAP, [plan.device(name).v4 for name in names], _NAMED)
        elm.join(10)
        later = ("gw-birch", "gw-dogwood", "gw-oak", "gw-elm")
        attacks.exploit(stage, plan.WORM_MIXED, [plan.device(name).v4 for name in later], _FETCHED)
        attacks.exploit(stage, plan.WORM_V6, [plan.device("gw-dogwood").v6], _NAMED)
        elm.join(20)

        attacks.logins(stage)
        strain.reflection(stage)
        strain.flood(stage)
        strain.backscatter(stage)
        ordinary.neighbour(stage)
        ordinary.foreign_controller(stage)
        ordinary.periodic_sessions(stage)


def record(target: Path) -> None:
    """Build the network, play, and write the three files; everything made on the way is removed."""
    journal = Journal()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rearguard-lab-")))
        work.chmod(0o755)
        topology = stack.enter_context(Topology())
        stage = open_stage(stack, topology, journal, work)
        elm = stage.cpes["gw-elm"]
        elm.on_injection(lambda url: attacks.fall(stage, elm.device, url))
        sides = ("outside", "access")
        recorders = {side: Recorder(stack, topology, side, work / f"{side}.pcap") for side in sides}
        play(stage)
        time.sleep(1)
        for recorder in recorders.values():
            recorder.stop()
        capture = target / "incident.pcapng"
        packets = merge({side: item.target for side, item in recorders.items()}, capture)
    described = truth(journal, packets=packets, capture=capture.name)
    (target / "truth.json").write_text(json.dumps(described, indent=1) + "\n")
    policy = Path(__file__).with_name("rearguard.yaml")
    if policy.parent.resolve() != target.resolve():
        shutil.copyfile(policy, target / policy.name)


def _give_up(number: int, _: FrameType | None) -> None:
    raise SystemExit(f"stopped by {signal.Signals(number).name}; the lab has been removed")


def main() -> None:
    """Parse the arguments, check what is needed, record."""
    parser = argparse.ArgumentParser(prog="lab/record.sh", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for incident.pcapng, truth.json and rearguard.yaml")
    target: Path = parser.parse_args().out
    if os.geteuid() != 0:
        parser.error("network namespaces need root: sudo lab/record.sh OUT")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if missing := [name for name in _PROGRAMS if shutil.which(name) is None]:
        parser.error(f"not installed: {', '.join(missing)}")
    target.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, _give_up)
    signal.alarm(TIME_LIMIT)
    begun = time.monotonic()
    record(target)
    if (owner := os.environ.get("SUDO_UID")) is not None:  # the files belong to whoever asked for them
        for name in ("incident.pcapng", "truth.json", "rearguard.yaml"):
            os.chown(target / name, int(owner), int(os.environ["SUDO_GID"]))
    size = (target / "incident.pcapng").stat().st_size
    print(f"{target}/incident.pcapng: {size} bytes, {time.monotonic() - begun:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
