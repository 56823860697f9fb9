"""FlowSpec on real parts: ExaBGP speaks to BIRD and GoBGP in network namespaces."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import absent
from tests.filters.build import EVERYTHING, policy
from tests.filters.flow_lab import BIRD, GOBGP, PASSWORD, SPEAKER, FlowLab, Tap
from tests.filters.flow_rules import some

from rearguard.catalogue import load
from rearguard.filters.detached import mark_of
from rearguard.filters.flowspec.plan import Plan, plan_for
from rearguard.filters.flowspec.received import compared, from_bird, from_gobgp
from rearguard.filters.flowspec.residuals import INSIDE_PERMITS, NAMES
from rearguard.filters.flowspec.written import bird, gobgp

pytestmark = pytest.mark.netns

RESIDUALS = [name for name in NAMES if name != INSIDE_PERMITS]


@pytest.fixture(scope="module")
def lab(tool: Callable[[str], str]) -> Iterator[FlowLab]:
    """The namespaces with their routers; needs root, iproute2, BIRD, GoBGP and ExaBGP."""
    if os.geteuid() != 0:
        absent("network namespaces need root")
    for name in ("ip", "bird", "birdc", "gobgp", "gobgpd"):
        tool(name)
    if not (Path(sys.executable).parent / "exabgp").exists():
        absent("exabgp is not installed")
    folder = Path(tempfile.mkdtemp(prefix="rgflow"))
    try:
        with FlowLab(folder, tool) as made:
            yield made
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def plan() -> Plan:
    """What is announced."""
    return plan_for(policy(EVERYTHING), load(), "west", RESIDUALS)


@pytest.fixture
def state(lab: FlowLab) -> Iterator[Path]:
    """A state folder of its own; what is announced from it is taken back."""
    folder = Path(tempfile.mkdtemp(prefix="s", dir=lab.folder))
    (folder / "p.yaml").write_text(EVERYTHING)
    (folder / "password").write_text(f"{PASSWORD}\n")
    yield folder
    command(lab, folder, "withdraw")
    shutil.rmtree(folder)


def command(lab: FlowLab, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``rearguard filter ...`` on the speaker, in a session that ends with it."""
    program = str(Path(sys.executable).parent / "rearguard")
    return subprocess.run(
        lab.command("speaker", program, "filter", *words, "--state-dir", str(folder), "--json"),
        capture_output=True,
        text=True,
        timeout=150,  # more than a command waits by itself
        check=False,
        start_new_session=True,
    )


def announce(lab: FlowLab, folder: Path, *words: str, to: int = 2) -> subprocess.CompletedProcess[str]:
    """To both receivers, or to BIRD alone; who gets it is asked."""
    accepted = [word for name in RESIDUALS for word in ("--accept-residual", name)]
    how = {BIRD: f"bird:{lab.folder}/bird.ctl", GOBGP: f"gobgp:{GOBGP}"}
    asked = [word for name in list(how)[:to] for word in ("--read-back", f"{name}={how[name]}")]
    ends = ["--local", SPEAKER, "--local-as", "65000", "--peer", BIRD]
    ends += ["--password-file", str(folder / "password")]
    ends += ["--peer", f"{GOBGP}=65000"][: 2 * (to - 1)]
    file = str(folder / "p.yaml")
    until(lambda: lab.bird_awaits() and (to == 1 or lab.gobgp_awaits()))
    return command(
        lab, folder, "announce", "--policy", file, "--edge", "west", *accepted, *asked, *ends, *words
    )


def status(folder: Path) -> dict[str, Any]:
    """What the keeper says."""
    found = json.loads((folder / "announced.json").read_text())
    assert isinstance(found, dict)
    return found


def until(ready: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for something, not for ever."""
    last = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < last, "it did not happen in time"
        time.sleep(0.1)


def held(lab: FlowLab, plan: Plan) -> dict[str, tuple[str, ...]]:
    """How what the receivers hold differs from the plan."""
    told = {
        BIRD: compared(plan.routes, from_bird(lab.birdc("show", "route", "all", "table", "all"), SPEAKER))
    }
    told[GOBGP] = ()
    for family in (4, 6):
        mine = [route for route in plan.routes if route.family == family]
        text = lab.gobgp("global", "rib", "-j", "-a", f"ipv{family}-flowspec")
        told[GOBGP] += compared(mine, from_gobgp(text, family, SPEAKER))
    return told


def empty(lab: FlowLab) -> bool:
    """Whether the receivers hold nothing."""
    table = lab.birdc("show", "route", "table", "all")
    tables = [json.loads(lab.gobgp("global", "rib", "-j", "-a", f"ipv{each}-flowspec")) for each in (4, 6)]
    return "flow4 {" not in table and "flow6 {" not in table and tables == [{}, {}]


def since(lab: FlowLab) -> str:
    """When BIRD's session last changed."""
    line = next(each for each in lab.birdc("show", "protocols").splitlines() if each.startswith("rearguard"))
    assert "Established" in line
    return line


def fell(folder: Path, times: int) -> bool:
    """Whether BIRD's session fell so many times after it got the rules."""
    return bool(status(folder)["peers"][BIRD]["falls"] >= times)


def gone(found: dict[str, Any]) -> bool:
    """Whether keeper and speaker are no more."""
    return all(mark_of(each["pid"]) != each["started"] for each in (found["keeper"], found["speaker"]))


def test_routes_arrive_as_meant_canary_first_permits_first_and_go_in_time(
    lab: FlowLab, state: Path, plan: Plan
) -> None:
    with Tap(lab) as tap:
        begun = time.monotonic()
        done = announce(lab, state, "--ttl", "7s", "--canary", GOBGP, "--canary-wait", "1s")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["status"]["state"] == "in force"
        assert "fails open" in told["when_the_speaker_dies"]
        assert held(lab, plan) == {BIRD: (), GOBGP: ()}
        session = since(lab)
        for peer in (BIRD, GOBGP):
            assert told["status"]["peers"][peer]["rules"] == len(plan.routes)
            assert told["status"]["peers"][peer]["read_back"].endswith("as meant")
        events = [each.split(" ", 1)[1] for each in told["status"]["events"]]
        canary, other = (f"{peer} was given {len(plan.permits)} permits" for peer in (GOBGP, BIRD))
        places = [
            next(at for at, each in enumerate(events) if each.startswith(one)) for one in (canary, other)
        ]
        watched = events.index(f"the canary {GOBGP} kept its session for 1 s")
        assert places[0] < watched < places[1]
        assert since(lab) == session
        until(lambda: status(state)["state"] == "ended")
        assert status(state)["reason"] == "its time of 7 s is up"
        assert 6 < time.monotonic() - begun < 15
        until(lambda: empty(lab) and gone(status(state)))
        for peer in (BIRD, GOBGP):
            ways = list(tap.updates(peer))
            count = len(plan.routes)
            assert [way for way, _, _ in ways] == ["announce"] * count + ["withdraw"] * count
            rules = {rule for _, _, rule in ways}
            assert rules == {route.rule for route in plan.routes}
            drops = {route.rule for route in plan.drops}
            first, last = (
                [rule in drops for _, _, rule in ways[:count]],
                [rule in drops for _, _, rule in ways[count:]],
            )
            assert first == sorted(first), "a drop was sent before a permit"
            assert last == sorted(last, reverse=True), "a permit was withdrawn before a drop"


def test_withdraw_takes_everything_back_at_once(lab: FlowLab, state: Path, plan: Plan) -> None:
    assert announce(lab, state, "--ttl", "5min").returncode == 0
    assert held(lab, plan) == {BIRD: (), GOBGP: ()}
    again = announce(lab, state, "--ttl", "5min")
    assert again.returncode == 2
    assert "in force already" in again.stderr
    done = command(lab, state, "withdraw")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"]["reason"] == "somebody asked for it"
    assert empty(lab)
    assert gone(status(state))


def test_status_asks_the_peers_and_says_who_holds_what_for_how_long(
    lab: FlowLab, state: Path, plan: Plan
) -> None:
    assert announce(lab, state, "--ttl", "5min").returncode == 0
    done = command(lab, state, "status")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    found = told["announced"]
    assert (found["state"], found["edge"], found["rules"]) == ("in force", "west", len(plan.routes))
    assert 200 < found["left"] < 300
    for peer in (BIRD, GOBGP):
        assert found["peers"][peer]["session"] == "up"
        assert found["peers"][peer]["rules"] == len(plan.routes)
        assert found["peers"][peer]["read_back"] == "as meant, asked now"
    assert told["attention"] == []
    lab.birdc("disable", "rearguard")
    try:
        until(lambda: status(state)["peers"][BIRD]["session"] == "down")
        done = command(lab, state, "status")
        assert done.returncode == 3
        told = json.loads(done.stdout)
        assert told["attention"] == [f"the peer {BIRD} has none of the announced rules: its session is down"]
        assert told["announced"]["peers"][BIRD]["read_back"].startswith("not as meant: not there")
    finally:
        lab.birdc("enable", "rearguard")
    assert command(lab, state, "withdraw").returncode == 0
    done = command(lab, state, "status")
    assert done.returncode == 0
    found = json.loads(done.stdout)["announced"]
    assert (found["state"], found["reason"], found["left"]) == ("ended", "somebody asked for it", None)


def test_a_session_that_comes_back_gets_the_rules_again_but_not_for_ever(lab: FlowLab, state: Path) -> None:
    assert announce(lab, state, "--ttl", "5min", to=1).returncode == 0
    for falls in (1, 2, 3):
        until(lambda: not empty(lab) and status(state)["peers"][BIRD]["rules"] > 0)
        lab.birdc("disable", "rearguard")
        lab.birdc("enable", "rearguard")
        until(partial(fell, state, falls))
    until(lambda: status(state)["state"] == "ended")
    assert status(state)["reason"] == "sessions fell 3 times after peers got the rules"
    until(lambda: empty(lab) and gone(status(state)))


@pytest.mark.parametrize("victim", ["keeper", "speaker", "helper"])
def test_when_a_part_is_killed_nothing_is_left_behind(lab: FlowLab, state: Path, victim: str) -> None:
    assert announce(lab, state, "--ttl", "5min", to=1).returncode == 0
    assert not empty(lab)
    speaker = status(state)["speaker"]["pid"]
    children = Path(f"/proc/{speaker}/task/{speaker}/children").read_text().split()
    assert len(children) == 1
    os.kill(int(children[0]) if victim == "helper" else status(state)[victim]["pid"], signal.SIGKILL)
    until(lambda: empty(lab) and gone(status(state)))
    done = command(lab, state, "status")
    assert done.returncode == 3
    assert "ended otherwise than it was asked for" in json.loads(done.stdout)["attention"][0]
    done = command(lab, state, "withdraw")
    told = json.loads(done.stdout)["status"]
    assert told["state"] == "ended"
    assert "failed open" in told["reason"]


def test_what_the_canary_does_not_hold_is_taken_back_and_nobody_else_gets_it(
    lab: FlowLab, state: Path
) -> None:
    """The canary is asked at a place where nothing arrives."""
    with Tap(lab) as tap:
        wrong = ["--read-back", f"{BIRD}=gobgp:{GOBGP}"]
        done = announce(lab, state, "--ttl", "5min", "--canary", BIRD, "--canary-wait", "1s", *wrong)
        assert done.returncode == 3, done.stderr
        assert "does not hold what it was sent: not there" in json.loads(done.stdout)["status"]["reason"]
        assert empty(lab)
        assert list(tap.updates(BIRD))
        assert not list(tap.updates(GOBGP))
        assert gone(status(state))


def test_bird_reads_our_configuration_as_the_same_rules(lab: FlowLab) -> None:
    routes = some(40)
    (lab.folder / "own.conf").write_text("router id 10.0.0.9;\n" + bird(routes, ["own"]))
    control = str(lab.folder / "own.ctl")
    process = subprocess.Popen(
        lab.command("hub", lab.find("bird"), "-f", "-c", str(lab.folder / "own.conf"), "-s", control)
    )
    try:
        until(lambda: Path(control).exists())
        ask = [lab.find("birdc"), "-s", control, "show", "route", "all", "table", "all"]
        text = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True).stdout
    finally:
        process.terminate()
        process.wait(5)
    marked = text.replace("[rearguard_flow", f"[x from {SPEAKER}] [rearguard_flow")
    assert compared(routes, from_bird(marked, SPEAKER)) == ()


def test_gobgp_reads_our_commands_as_the_same_rules(lab: FlowLab) -> None:
    routes = some(12)
    program = lab.find("gobgp")
    lines = [gobgp(route).replace("gobgp ", f"{program} -u {GOBGP} ", 1) for route in routes]
    subprocess.run(
        lab.command("speaker", "sh", "-e"), input="\n".join(lines), text=True, timeout=30, check=True
    )
    try:
        for family in (4, 6):
            table = json.loads(lab.gobgp("global", "rib", "-j", "-a", f"ipv{family}-flowspec"))
            ours = {name: [path | {"neighbor-ip": SPEAKER} for path in each] for name, each in table.items()}
            mine = [route for route in routes if route.family == family]
            assert compared(mine, from_gobgp(json.dumps(ours), family, SPEAKER)) == ()
    finally:
        for family in (4, 6):
            lab.gobgp("global", "rib", "del", "all", "-a", f"ipv{family}-flowspec")
    until(lambda: empty(lab))


def test_the_end_of_the_canarys_session_takes_everything_back(lab: FlowLab, state: Path) -> None:
    """Last here: BIRD is ended."""
    with Tap(lab) as tap, ThreadPoolExecutor(1) as pool:
        words = ("--ttl", "5min", "--canary", BIRD, "--canary-wait", "20s")
        waiting = pool.submit(announce, lab, state, *words)
        until(lambda: (state / "announced.json").exists() and status(state)["peers"][BIRD]["rules"] > 0, 40)
        lab.running[0].kill()
        done = waiting.result()
        assert done.returncode == 3, done.stderr
        assert f"canary {BIRD} fell" in json.loads(done.stdout)["status"]["reason"]
        assert list(tap.updates(BIRD))
        assert not list(tap.updates(GOBGP))
        assert gone(status(state))
