"""Real packets through iptables, ip6tables and ipset in the kernel: the verdict is that of the reference."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from tests.filters.net import Border
from tests.filters.platforms import made_for
from tests.filters.test_kernel_agreement import FILTERS, OWN, packets, sent

from rearguard.filters.judge import judge
from rearguard.filters.model import Attachment, Verdict

pytestmark = pytest.mark.netns


@contextmanager
def loaded(net: Border, files: Mapping[str, str], commands: tuple[str, ...]) -> Iterator[Callable[..., str]]:
    """The files in force, by the commands of the change ticket."""
    names = {name.rpartition(".")[2]: text for name, text in files.items()}

    def run(command: list[str], text: str = "", check: bool = True) -> str:
        full = ["ip", "netns", "exec", net.prefix + "border", *command]
        done = subprocess.run(full, input=text, check=False, capture_output=True, text=True)
        assert not check or done.returncode == 0, (command, done.stderr)
        return done.stdout

    net.clear()
    try:
        run(["ipset", "restore"], names["ipset"])
        run(["iptables-restore", "-n"], names["v4"])
        run(["ip6tables-restore", "-n"], names["v6"])
        for command in commands:
            if " || " in command:
                run(["sh", "-c", command])
        yield run
    finally:
        net.clear()
        run(["ipset", "destroy"])


@pytest.fixture(scope="module")
def tables(net: Border, tool: Callable[[str], str]) -> Border:
    for name in ("iptables", "ip6tables", "ipset"):
        tool(name)
    return net


@pytest.mark.parametrize("case", FILTERS)
def test_the_kernel_and_the_reference_agree_on_every_packet(tables: Border, case: str) -> None:
    text, edge = FILTERS[case]
    made = made_for("iptables", text, edge, accepted=("offset-one",))
    chance = random.Random(case)
    asked = 0
    with loaded(tables, made.written.files, made.written.apply):
        for attachment, sender in ((Attachment.ENTERING, "outside"), (Attachment.LEAVING, "inside")):
            given = list(packets(chance, attachment, made.filter))
            arrived = sent(tables, given, chance, sender)
            for number, packet in enumerate(given, 1):
                verdict = judge(made.filter, packet).verdict
                if attachment is Attachment.LEAVING and OWN.contains(packet.destination):
                    continue
                assert ((packet.family, number) in arrived) == (verdict is Verdict.PASS), (number, packet)
                asked += 1
    assert asked > 1000


def test_loading_again_is_one_commit_and_leaves_one_hook(tables: Border) -> None:
    made = made_for("iptables", accepted=("offset-one",))
    with loaded(tables, made.written.files, made.written.apply) as run:
        before = run(["iptables-save"]), run(["ip6tables-save"])
        run(["ipset", "restore"], made.written.files["border-iptables.ipset"])
        run(["iptables-restore", "-n"], made.written.files["border-iptables.v4"])
        run(["ip6tables-restore", "-n"], made.written.files["border-iptables.v6"])
        for command in made.written.apply:
            if " || " in command:
                run(["sh", "-c", command])
        after = run(["iptables-save"]), run(["ip6tables-save"])
        assert [_rules(text) for text in after] == [_rules(text) for text in before]
        assert before[0].count("-A FORWARD") == 2
        for command in made.written.rollback:
            run(["sh", "-c", command])
        assert "-A FORWARD" not in run(["iptables-save"]) + run(["ip6tables-save"])


def _rules(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("-A")]
