"""Filters put in force: one transaction, read back, nothing else on the machine touched."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.filters.applying import CUT, MADE, NARROW, POLICY, Machine, intent
from tests.filters.build import EVERYTHING, policy, tcp
from tests.filters.net import Border, Wire
from tests.filters.test_kernel_border import CONTROLLER, DEVICE, STRANGER, listening, made, reaches
from tests.filters.wire import Plain, frame, number_of

from rearguard.catalogue import load
from rearguard.filters.apply.durations import seconds_of
from rearguard.filters.apply.intent import intended
from rearguard.filters.apply.kernel import KernelError, Nft
from rearguard.filters.apply.readback import differences
from rearguard.filters.apply.transact import apply, confirm, plan, revert
from rearguard.filters.apply.transaction import replacement
from rearguard.filters.apply.unit import unit_text
from rearguard.model.errors import UsageError

pytestmark = pytest.mark.netns

WEST = EVERYTHING.replace("  east: {outside: [wan0]}\n", "")
OTHER = """\
table inet other {
	chain forward {
		type filter hook forward priority filter; policy accept;
		tcp dport 9999 drop
	}
}
"""


@pytest.fixture(scope="module")
def hosts(net: Border) -> Border:
    net.addresses("inside", [*DEVICE.values()])
    net.addresses("outside", [*CONTROLLER.values(), *STRANGER.values()])
    return net


@pytest.fixture
def machine(hosts: Border, tmp_path: Path) -> Iterator[Machine]:
    hosts.clear()
    found = Machine(hosts, tmp_path)
    try:
        yield found
    finally:
        found.close()


@pytest.mark.parametrize("family", [4, 6])
def test_what_was_applied_lets_through_whom_it_should_and_nobody_else(machine: Machine, family: int) -> None:
    machine.run(apply, intent(), 30)
    net, device = machine.net, DEVICE[family]
    with ExitStack() as stack:
        for port in (7547, 8888):
            listening(net, stack, "inside", device, port)
        assert reaches(net, CONTROLLER[family], device, 7547)
        assert reaches(net, STRANGER[family], device, 8888), "other traffic flows"
        assert not reaches(net, STRANGER[family], device, 7547)
    with ExitStack() as stack:
        server = listening(net, stack, "outside", STRANGER[family], 443)
        for port in (7547, 37215, 52869):
            client = stack.enter_context(made(net, "inside", family))
            client.bind((device, port))
            client.connect((STRANGER[family], 443))
            far = stack.enter_context(server.accept()[0])
            far.settimeout(1)
            client.sendall(b"own clients keep their connections")
            assert far.recv(100) == b"own clients keep their connections"


@pytest.mark.parametrize("family", [4, 6])
def test_cut_ends_what_a_stranger_is_opening(machine: Machine, family: int) -> None:
    """His SYN came in elsewhere: the device's answer does not leave."""
    machine.run(apply, intent(CUT), 30)
    with Wire(machine.net, "inside") as wire:
        for number, remote in enumerate((STRANGER[family], CONTROLLER[family]), 1):
            wire.send(frame(tcp(DEVICE[family], remote, 40000, "SA", sport=7547), number, Plain()))
        arrived = {number for _, number in map(number_of, wire.receive())}
    assert arrived & {1, 2} == {2}


def test_nothing_else_on_the_machine_is_touched(machine: Machine) -> None:
    machine.net.load(OTHER)
    before = machine.net.nft("-s", "list", "table", "inet", "other").stdout
    machine.run(apply, intent(), 30)
    machine.run(revert)
    machine.run(apply, intent(), 30)
    machine.run(confirm)
    assert machine.net.nft("-s", "list", "table", "inet", "other").stdout == before


def test_the_first_filter_leaves_nothing_behind_when_it_is_taken_back(machine: Machine) -> None:
    machine.run(apply, intent(), 30)
    machine.run(revert)
    assert machine.net.nft("list", "ruleset").stdout == ""


def test_what_a_new_filter_has_no_use_for_goes_and_counters_go_on(machine: Machine) -> None:
    machine.run(apply, intent(WEST), 30)
    machine.run(confirm)
    with Wire(machine.net, "outside") as wire:
        wire.send(frame(tcp("192.0.2.130", "198.51.100.20", 23), 1, Plain()))
        list(wire.receive(0.1))
    assert machine.net.counters()["drop0_tcp_port_v4"] == 1
    machine.run(apply, intent(NARROW), 30)
    counters = machine.net.counters()
    assert counters["drop0_tcp_port_v4"] == 1
    assert "drop2_tcp_new_v4" in counters, "a counter stays when its rule goes"
    listed = machine.net.nft("list", "table", "inet", "rearguard").stdout
    assert "chain leaving_v4" not in listed
    assert "set own_v4" not in listed
    machine.run(revert)
    assert "chain leaving_v4" in machine.net.nft("list", "table", "inet", "rearguard").stdout
    assert machine.net.counters()["drop0_tcp_port_v4"] == 1


def test_a_policy_that_guards_nothing_takes_every_rule_out_of_force(machine: Machine) -> None:
    machine.run(apply, intent(), 30)
    machine.run(confirm)
    machine.run(apply, intent(POLICY.split("drop:")[0]), 30)
    machine.run(confirm)
    assert "permit_acs" not in machine.rules()
    with ExitStack() as stack:
        listening(machine.net, stack, "inside", DEVICE[4], 7547)
        assert reaches(machine.net, STRANGER[4], DEVICE[4], 7547)


def test_two_hundred_reloads_under_flood_let_nothing_through(machine: Machine) -> None:
    """Two filters in turn, each with chains and sets that the other has not, as apply loads them."""
    texts = [intent(text).text for text in (POLICY, CUT)]
    packets = [tcp(STRANGER[4], DEVICE[4]), tcp(STRANGER[6], DEVICE[6])]
    stop, sent = threading.Event(), [0]
    with machine.net.inside("border"):
        nft = machine.nft
        nft.load(replacement(nft.listing(), texts[0]))
        onward = replacement(nft.listing(), texts[1])
        nft.load(onward)
        back = replacement(nft.listing(), texts[0])
    with Wire(machine.net, "outside") as wire:
        frames = [wire.ethernet(frame(packet, 1, Plain())) for packet in packets]

        def send() -> None:
            while not stop.is_set():
                for data in frames * 32:
                    wire.out.send(data)
                sent[0] += 64

        sender = threading.Thread(target=send)
        sender.start()
        try:
            with machine.net.inside("border"):
                for turn in range(200):
                    nft.load(onward if turn % 2 else back)
        finally:
            stop.set()
            sender.join()
        leaked = sum(number_of(data)[1] == 1 for data in wire.receive())
    counters = machine.net.counters()
    assert leaked == 0
    assert counters["drop0_tcp_new_v4"] + counters["drop0_tcp_new_v6"] == sent[0], "counters go on"
    assert sent[0] > 10_000


CHANGES = {
    "a rule let in": "insert rule inet rearguard entering_v4_tcp ip saddr 192.0.2.130 counter return",
    "a plain accept": "insert rule inet rearguard entering_v4_tcp accept",
    "a rule gone": "flush chain inet rearguard entering_v6_tcp",
    "a controller gone": "delete element inet rearguard controller_acs_v4 { 192.0.2.8/30 }",
    "a network more": "add element inet rearguard guarded_v4 { 203.0.113.0/24 }",
    "another policy": "chain inet rearguard forward { policy drop; }",
    "asleep": "add table inet rearguard { flags dormant; }",
    "another hook": "add chain inet rearguard x { type filter hook input priority 0; }",
    "gone": "delete table inet rearguard",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_somebody_changes_underneath_is_found_and_taken_back(machine: Machine, change: str) -> None:
    """The kernel's state is changed between loading and reading back; what was in force before returns."""
    machine.run(apply, intent(NARROW), 30)
    machine.run(confirm)
    before = machine.rules()
    meddler = _Meddler(machine.nft.path, change)
    with machine.net.inside("border"), pytest.raises(KernelError, match="taken back"):
        apply(meddler, machine.state, intent(), 30)
    machine.remember()
    assert meddler.done
    assert machine.rules() == before
    assert machine.state.read("waiting") is None
    assert "did not hold" in (machine.state.read("last") or {})["why"]


class _Meddler(Nft):
    """Somebody who changes the table right after it was loaded, once."""

    __slots__ = ("change", "done")

    def __init__(self, path: str, change: str) -> None:
        super().__init__(path)
        object.__setattr__(self, "change", change)
        object.__setattr__(self, "done", False)

    def load(self, text: str) -> None:
        super().load(text)
        if not self.done:
            object.__setattr__(self, "done", True)
            subprocess.run([self.path, "-f", "-"], input=self.change, text=True, check=True)


def test_any_table_is_restored_exactly(machine: Machine) -> None:
    """Whatever a policy made, and somebody did to it, comes back: rules, sets, hooks and flags."""
    texts = [
        intent(text).text
        for text in (POLICY, CUT, NARROW, EVERYTHING.replace("  east: {outside: [wan0]}\n", ""))
    ]

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(texts), st.sampled_from(texts), st.sampled_from([None, *list(CHANGES.values())[:8]])
    )
    def check(first: str, second: str, change: str | None) -> None:
        with machine.net.inside("border"):
            nft = machine.nft
            machine.net.clear()
            nft.load(replacement(nft.listing(), first))
            if change is not None:
                subprocess.run(
                    [nft.path, "-f", "-"], input=change, text=True, check=False, capture_output=True
                )
            before, content = nft.text(), nft.listing().content()
            assert before is not None
            nft.load(replacement(nft.listing(), second))
            assert differences(nft.listing(), second, ["wan0"]) == ()
            nft.load(replacement(nft.listing(), before))
            assert nft.listing().content() == content

    check()


def test_a_dry_run_changes_nothing_and_says_what_would_change(machine: Machine) -> None:
    first = machine.cli("apply", "--policy", str(machine.policy), "--dry-run")
    assert (first.returncode, machine.net.nft("list", "ruleset").stdout) == (0, "")
    assert "this would be the first" in first.stdout
    assert not machine.folder.exists()
    machine.run(apply, intent(NARROW), 30)
    with machine.net.inside("border"):
        changes = plan(machine.nft, intent()).changes
    assert any("(SYN) is passed" in text and "should be dropped (drop0_tcp_new" in text for text in changes)


def test_large_sets_are_read_back_too(machine: Machine) -> None:
    many = ", ".join(f"198.18.{i // 64}.{i % 64 * 4}/30" for i in range(0, 4000, 2))
    machine.run(apply, intent(POLICY.replace("192.0.2.8/30,", f"192.0.2.8/30, {many},")), 30)
    machine.run(confirm)
    assert (
        machine.net.nft("list", "set", "inet", "rearguard", "controller_acs_v4").stdout.count("/30") == 2001
    )


def test_the_unit_is_one_that_systemd_accepts(tmp_path: Path, tool: object) -> None:
    file = tmp_path / "rearguard-filter.service"
    file.write_text(unit_text("/var/lib/rearguard", "/usr/sbin/nft"))
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", str(file)],
        check=False,
        capture_output=True,
        text=True,  # type: ignore[operator]
    )
    assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(UsageError, match="cannot stand in a unit file"):
        unit_text("/var/lib/rear guard%h", "/usr/sbin/nft")


def test_the_file_for_the_next_start_is_the_confirmed_one(machine: Machine) -> None:
    machine.run(apply, intent(), 30)
    assert not (machine.folder / "confirmed.nft").exists()
    machine.run(confirm)
    rules = machine.rules()
    machine.net.clear()
    machine.net.nft("-f", str(machine.folder / "confirmed.nft"))
    assert machine.rules() == rules
    for file in machine.folder.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
    assert machine.folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("120s", 120), ("90", 90), ("5min", 300), ("2h", 7200), ("5 m", 300)]
)
def test_lengths_of_time_as_one_types_them(text: str, seconds: int) -> None:
    assert seconds_of(text, "--confirm-within", 1, 86400) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "1.5h", "0s", "99999h", "5 parsecs", "٣s"])
def test_other_lengths_of_time_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        seconds_of(text, "--confirm-within", 1, 86400)


def test_a_policy_that_names_no_interface_needs_one(machine: Machine) -> None:
    bare = policy(POLICY.replace("edges:\n  west: {outside: [wan0]}\n", ""))
    with pytest.raises(UsageError, match="--outside eth0"):
        intended(bare, load(), None, (), MADE)
    with pytest.raises(UsageError, match="no name of an interface"):
        intended(bare, load(), None, ["eth0;reboot"], MADE)
    found = intended(bare, load(), "west", ["wan0", "lan0"], MADE)
    machine.run(apply, found, 30)
    with machine.net.inside("border"):
        assert differences(machine.nft.listing(), found.text, ["wan0"]) != ()


def test_several_edges_and_no_word_at_which_one_this_machine_stands(machine: Machine) -> None:
    two = policy(POLICY.replace("edges:\n", "edges:\n  east: {outside: [lan0]}\n"))
    with pytest.raises(UsageError, match="--edge east"):
        intended(two, load(), None, (), MADE)
    with pytest.raises(UsageError, match="no edge 'north'"):
        intended(two, load(), "north", (), MADE)
