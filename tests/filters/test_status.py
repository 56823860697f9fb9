"""What ``filter status`` tells: what is in force, what it counted, and what somebody should look at."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from tests.filters.applying import MADE, NARROW, POLICY, Machine, intent
from tests.filters.build import tcp
from tests.filters.net import Border, Wire
from tests.filters.wire import Plain, frame

from rearguard.filters.apply.status import Status, status
from rearguard.filters.apply.transact import apply, confirm

pytestmark = pytest.mark.netns


@pytest.fixture
def machine(net: Border, tmp_path: Path) -> Iterator[Machine]:
    net.clear()
    found = Machine(net, tmp_path)
    try:
        yield found
    finally:
        found.close()


def look(machine: Machine, text: str | None = None, today: date = MADE) -> Status:
    found = machine.run(status, None if text is None else intent(text), today)
    assert isinstance(found, Status)
    return found


def kept(machine: Machine, text: str = POLICY) -> None:
    machine.run(apply, intent(text), 30)
    machine.run(confirm)


def test_nothing_applied_is_said(machine: Machine) -> None:
    found = look(machine)
    assert (found.in_force, found.attention) == (False, ("no filter was applied by Rearguard",))
    assert look(machine, POLICY).drift == ("there is no table inet rearguard: nothing is filtered",)


def test_all_is_well(machine: Machine) -> None:
    kept(machine)
    found = look(machine, POLICY)
    assert (found.in_force, found.changed, found.drift, found.attention) == (True, (), (), ())
    assert (found.edge, found.outside, found.policy) == ("west", ("wan0",), intent().filter.policy_digest)
    assert found.age is not None
    assert found.age < 60


def test_counters_in_words_survive_a_reload_and_the_end_of_their_rule(machine: Machine) -> None:
    kept(machine)
    with Wire(machine.net, "outside") as wire:
        wire.send(frame(tcp("192.0.2.130", "198.51.100.20"), 1, Plain()))
        wire.send(frame(tcp("192.0.2.9", "198.51.100.20"), 2, Plain()))
        list(wire.receive(0.1))
    kept(machine)
    counted = {each.id: each for each in look(machine).counters if each.packets}
    dropped = counted["drop0_tcp_new_v4"]
    assert (dropped.verdict, dropped.packets, dropped.family) == ("drop", 1, 4)
    assert "what can open a connection, and nothing else (drop[0]: worm)" in dropped.text
    assert (counted["permit_acs_tcp_v4"].verdict, counted["permit_acs_tcp_v4"].packets) == ("pass", 1)
    kept(machine, NARROW)
    gone = next(each for each in look(machine).counters if each.id == "permit_acs_tcp_v4")
    assert (gone.verdict, gone.packets) == ("none", 1)


def test_what_somebody_changed_is_told_once(machine: Machine) -> None:
    kept(machine)
    machine.net.nft("insert rule inet rearguard entering_v4_tcp ip saddr 192.0.2.130 return")
    found = look(machine, POLICY)
    assert found.changed
    assert found.changed == found.drift
    assert all(text.startswith("changed since it was applied: 192.0.2.130 -> ") for text in found.attention)
    machine.net.clear()
    assert look(machine).changed == ("there is no table inet rearguard: nothing is filtered",)


def test_a_policy_that_says_something_else_now_is_drift(machine: Machine) -> None:
    kept(machine)
    found = look(machine, NARROW)
    assert found.changed == ()
    assert found.attention[0].startswith("not as the policy says now: ")


def test_a_review_date_that_is_past_is_told(machine: Machine) -> None:
    kept(machine)
    assert look(machine, today=date(2027, 6, 1)).attention == ()
    assert look(machine, today=date(2027, 6, 2)).attention == (
        "drop[0] was to be looked at again by 2027-06-01: worm",
    )


def test_a_timer_that_died_is_told(machine: Machine) -> None:
    machine.run(apply, intent(), 30)
    found = look(machine)
    assert (found.timer, found.confirmed, found.attention) == (True, None, ())
    timer = machine.timer()
    assert timer is not None
    os.kill(timer["pid"], signal.SIGKILL)
    machine.until(lambda: machine.timer() is None, 3)
    assert "has died" in look(machine).attention[0]


def test_a_table_of_which_nobody_knows_is_told(machine: Machine) -> None:
    machine.net.load(intent().text)
    assert look(machine).attention == (
        "changed since it was applied: there is a table, but no record of who applied it",
    )


def test_the_terminal_gets_it_in_lines_and_a_table(machine: Machine) -> None:
    kept(machine)
    done = machine.cli("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert "in force     yes, applied " in done.stdout
    assert "an own address from outside is forged" in " ".join(done.stdout.split())
