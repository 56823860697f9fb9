"""A filter that nobody confirms is taken back, whatever happens to whoever applied it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.filters.applying import CUT, NARROW, POLICY, Machine, intent
from tests.filters.net import Border

from rearguard.filters import detached
from rearguard.filters.apply.kernel import KernelError, find_nft
from rearguard.filters.apply.state import State, boot_clock
from rearguard.filters.apply.transact import apply, confirm, revert
from rearguard.model.errors import RearguardError, UsageError

pytestmark = pytest.mark.netns

SLACK = 3.0
"""Seconds that a busy machine may need more."""


@pytest.fixture
def machine(net: Border, tmp_path: Path) -> Iterator[Machine]:
    net.clear()
    found = Machine(net, tmp_path)
    try:
        yield found
    finally:
        found.close()


@pytest.mark.parametrize("before", [None, NARROW], ids=["the first", "one more"])
def test_without_confirmation_it_is_taken_back_in_time(machine: Machine, before: str | None) -> None:
    if before is not None:
        machine.run(apply, intent(before), 30)
        machine.run(confirm)
    old = machine.rules()
    machine.run(apply, intent(), 2)
    assert machine.rules() != old
    took = machine.until(lambda: machine.rules() == old, 2 + SLACK)
    assert took > 1, "not before its time"
    machine.until(lambda: machine.timer() is None, SLACK)
    assert machine.state.read("waiting") is None
    last = machine.state.read("last") or {}
    assert (last["event"], last["why"]) == ("reverted", "it was not confirmed within 2 s")


def test_confirmed_it_stays_and_the_timer_ends(machine: Machine) -> None:
    machine.run(apply, intent(), 2)
    new = machine.rules()
    machine.run(confirm)
    machine.until(lambda: machine.timer() is None, SLACK)
    time.sleep(2)
    assert machine.rules() == new
    with pytest.raises(RearguardError, match="no filter waits"):
        machine.run(confirm)


@pytest.mark.parametrize("when", ["while it loads", "afterwards"])
def test_it_is_taken_back_when_the_applying_process_and_its_session_are_killed(
    machine: Machine, when: str
) -> None:
    """SIGKILL to every process of the session that applied it, as when a terminal dies."""
    machine.run(apply, intent(NARROW), 30)
    machine.run(confirm)
    old = machine.rules()
    command = machine.command("apply", "--policy", str(machine.policy), "--confirm-within", "6s")
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        if when == "afterwards":
            machine.until(lambda: machine.rules() != old, 30)
        else:
            machine.until(lambda: machine.state.sign("waiting") is not None, 30)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    machine.remember()
    waiting = machine.state.read("waiting")
    timer = machine.timer()
    if when == "afterwards":
        assert waiting is not None
        assert timer is not None, "it is alive"
        assert os.getsid(timer["pid"]) != process.pid
    if waiting is not None:
        # A timer that is still starting has written nothing yet; its command line names what it is for.
        machine.until(lambda: not running(waiting["token"]), waiting["deadline"] - boot_clock() + SLACK)
        if machine.state.read("waiting") is not None:
            assert timer is None, "killed before it could be started, and before anything was loaded"
            assert machine.rules() == old
            machine.run(revert)
        else:
            assert boot_clock() >= waiting["deadline"], "not before its time"
    assert machine.rules() == old
    assert machine.state.read("waiting") is None


def running(token: str) -> bool:
    """Whether a process lives whose command line has this word."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if token.encode() in file.read_bytes().split(b"\0"):
                return True
    return False


def test_the_timer_is_deaf_to_a_hang_up(machine: Machine) -> None:
    machine.run(apply, intent(), 2)
    timer = machine.timer()
    assert timer is not None
    os.kill(timer["pid"], signal.SIGHUP)
    os.kill(timer["pid"], signal.SIGINT)
    time.sleep(0.3)
    assert machine.timer() == timer
    assert Path(f"/proc/{timer['pid']}/stat").read_text().rpartition(")")[2].split()[1] == "1", (
        "nobody's child"
    )
    machine.until(lambda: machine.net.nft("list", "ruleset").stdout == "", 2 + SLACK)


def test_a_second_one_is_refused_while_one_waits(machine: Machine) -> None:
    machine.run(apply, intent(), 30)
    new = machine.rules()
    with pytest.raises(RearguardError, match="waits for confirmation, and "):
        machine.run(apply, intent(CUT), 30)
    assert machine.rules() == new
    machine.run(revert)
    machine.run(apply, intent(CUT), 30)


def test_taken_back_by_hand_at_once(machine: Machine) -> None:
    machine.run(apply, intent(), 30)
    done = machine.cli("confirm", "--revert")
    assert (done.returncode, done.stdout) == (0, "taken back: the kernel holds what it held before\n")
    assert machine.net.nft("list", "ruleset").stdout == ""
    machine.until(lambda: machine.timer() is None, SLACK)


def test_what_was_changed_meanwhile_is_not_confirmed_and_is_taken_back(machine: Machine) -> None:
    machine.run(apply, intent(NARROW), 30)
    machine.run(confirm)
    old = machine.rules()
    machine.run(apply, intent(), 2)
    machine.net.nft("flush", "chain", "inet", "rearguard", "entering_v4_tcp")
    with pytest.raises(KernelError, match="no longer what was applied"):
        machine.run(confirm)
    machine.until(lambda: machine.rules() == old, 2 + SLACK)


def test_a_table_that_somebody_removed_comes_back_with_the_old_filter(machine: Machine) -> None:
    """A service that reloads the machine's own rules often begins with ``flush ruleset``."""
    machine.run(apply, intent(NARROW), 30)
    machine.run(confirm)
    old = machine.rules()
    machine.run(apply, intent(), 2)
    machine.net.clear()
    machine.until(lambda: machine.rules() == old, 2 + SLACK)


def test_after_a_restart_the_question_is_gone(machine: Machine) -> None:
    machine.run(apply, intent(), 30)
    waiting = machine.state.read("waiting")
    assert waiting is not None
    machine.state.write("waiting", waiting | {"boot": "another"})
    machine.net.clear()
    with pytest.raises(RearguardError, match="no filter waits"):
        machine.run(confirm)
    machine.run(apply, intent(NARROW), 30)
    assert (machine.state.read("last") or {})["event"] == "lost"


def test_a_timer_that_does_not_start_leaves_everything_as_it_was(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(KernelError, match="did not start"):
        machine.run(apply, intent(), 30)
    assert machine.net.nft("list", "ruleset").stdout == ""
    assert machine.state.read("waiting") is None


def test_where_systemd_runs_the_timer_gets_a_scope_or_starts_without(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Here systemd does not run, so the scope is refused and the timer starts as elsewhere."""
    monkeypatch.setattr(detached, "_SYSTEMD", tmp_path)
    machine.run(apply, intent(), 30)
    assert machine.timer() is not None


def test_time_that_is_up_is_up(machine: Machine) -> None:
    machine.run(apply, intent(), 30)
    waiting = machine.state.read("waiting")
    assert waiting is not None
    machine.state.write("waiting", waiting | {"token": "nobody's", "deadline": boot_clock() - 1})
    with pytest.raises(RearguardError, match="too late"):
        machine.run(confirm)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o707])
def test_a_folder_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(UsageError, match="others may read or write it"):
        State(str(folder), make=True)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(UsageError, match="it is no folder"):
        State(str(link), make=True)


def test_a_record_that_is_broken_is_told(machine: Machine) -> None:
    (machine.state.folder / "waiting.json").write_text("{")
    with pytest.raises(RearguardError, match="cannot be read"):
        machine.run(apply, intent(), 30)
    (machine.state.folder / "waiting.json").write_text("[]")
    with pytest.raises(RearguardError, match="holds no record"):
        machine.run(confirm)


def test_nobody_but_root_may_touch_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(KernelError, match="only root") as found:
        find_nft()
    assert "sudo" in found.value.remedy


def test_by_the_command_line_from_the_first_word_to_the_last(machine: Machine) -> None:
    policy = ("--policy", str(machine.policy))
    done = machine.cli("apply", *policy, "--confirm-within", "20s")
    assert (done.returncode, done.stderr) == (0, "")
    assert "In 20 s it is taken back" in done.stdout
    assert f"filter confirm --state-dir {machine.folder}" in done.stdout
    code, found = machine.status(*policy)
    assert (code, found["drift"], found["changed"], found["timer"]) == (0, [], [], True)
    assert 0 < found["waiting"] < 20
    done = machine.cli("confirm")
    assert "stays in force" in done.stdout
    code, found = machine.status(*policy)
    assert (code, found["waiting"], found["in_force"]) == (0, None, True)
    assert json.loads((machine.folder / "confirmed.json").read_text())["edge"] == "west"
    machine.policy.write_text(POLICY.replace("cwmp-cr, telnet", "cwmp-cr"))
    code, found = machine.status(*policy)
    assert code == 3
    assert any("tcp/23" in text and "should be passed" in text for text in found["attention"])
