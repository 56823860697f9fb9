"""Changes for routers: what is written, what is refused, and what NAPALM is asked to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.filters.applying import MADE, POLICY
from tests.filters.build import policy

from rearguard.catalogue import load
from rearguard.cli import run
from rearguard.filters.apply.devices import DRIVERS, driver_for, push
from rearguard.filters.apply.router import MANNERS, Rollout, rollout
from rearguard.filters.compile import compile_filter
from rearguard.filters.platforms import compile_for, platform_of
from rearguard.filters.residual import EFFECTS
from rearguard.model.errors import RearguardError, UsageError

LINKS = {
    "cisco-ios": "GigabitEthernet0/0/1",
    "cisco-xr": "HundredGigE0/0/0/1",
    "junos": "ge-0/0/0.100",
    "arista-eos": "Ethernet1/1",
    "routeros": "ether1",
    "cisco-nxos": "Ethernet1/1",
    "nokia-srl": "ethernet-1/1.0",
    "nokia-sros": "to-upstream",
    "huawei-vrp": "100GE0/1/0",
    "vyos": "eth0",
}
ACCEPTED = [name for name in EFFECTS if name != "own-sources"]
RUNNING = "ipv4 access-list OUTSIDE-IN\n 10 deny tcp any any eq 25\n 20 permit ipv4 any any\n!\n"


def made(platform: str, link: str = "", existing: str | None = None) -> Rollout:
    given = compile_filter(policy(POLICY.replace("wan0", link or LINKS[platform])), load(), "west")
    old = None if existing is None else {"running.acl": existing}
    compiled = compile_for(
        given, platform_of(platform), stem="border", made=MADE, accepted=ACCEPTED, existing=old
    )
    return rollout(given, compiled, "border", existing)


@pytest.mark.parametrize(
    ("platform", "binding", "undone", "timer", "kept"),
    [
        (
            "cisco-ios",
            "interface GigabitEthernet0/0/1\n ip access-group REARGUARD-west-v4-",
            "interface GigabitEthernet0/0/1\n no ip access-group REARGUARD-west-v4-",
            "configure terminal revert timer 5",
            "configure confirm",
        ),
        (
            "cisco-xr",
            "interface HundredGigE0/0/0/1\n ipv4 access-group REARGUARD-west-v4 ingress\n",
            "interface HundredGigE0/0/0/1\n no ipv4 access-group REARGUARD-west-v4 ingress\n",
            "commit confirmed 300",
            "commit",
        ),
        (
            "junos",
            "                    input REARGUARD-west-v4;\n",
            "delete interfaces ge-0/0/0 unit 100 family inet filter input\n",
            "commit confirmed 5",
            "commit",
        ),
        (
            "arista-eos",
            "interface Ethernet1/1\n ip access-group REARGUARD-west-v4 in\n",
            "interface Ethernet1/1\n no ip access-group REARGUARD-west-v4 in\n",
            "commit timer 00:05:00",
            "configure session rearguard commit",
        ),
        (
            "cisco-nxos",
            "interface Ethernet1/1\n ip access-group REARGUARD-west-v4-",
            "interface Ethernet1/1\n no ip access-group REARGUARD-west-v4-",
            "checkpoint rearguard",
            "no scheduler schedule name rearguard-back",
        ),
        (
            "nokia-srl",
            "set / acl interface ethernet-1/1.0 input acl-filter REARGUARD-west-v4-",
            "delete / acl interface ethernet-1/1.0 input acl-filter REARGUARD-west-v4-",
            "commit confirmed timeout 300",
            "tools system configuration confirmed-accept",
        ),
        (
            "nokia-sros",
            '/configure router "Base" interface "to-upstream" ingress filter ip "REARGUARD-west-v4-',
            '/configure\ndelete router "Base" interface "to-upstream" ingress filter ip\n',
            "commit confirmed 5",
            "commit confirmed accept",
        ),
        (
            "huawei-vrp",
            "interface 100GE0/1/0\n traffic-policy RG-west-inbound-",
            "interface 100GE0/1/0\n undo traffic-policy inbound\n",
            "commit trial 300",
            "commit",
        ),
        (
            "vyos",
            "set firewall ipv4 forward filter rule 1 inbound-interface name eth0\n",
            "delete firewall ipv4 forward filter rule 1\n",
            "commit-confirm 5",
            "confirm",
        ),
        (
            "routeros",
            "add chain=rearguard-west-v4-",
            "/ip firewall filter disable [find comment=rearguard-west-v4]\n",
            "# Press Ctrl+X.",
            "/import border-routeros.rsc",
        ),
    ],
)
def test_the_change_reverts_itself_with_the_platforms_own_timer(
    platform: str, binding: str, undone: str, timer: str, kept: str
) -> None:
    found = made(platform)
    commands = found.commands(platform, 300).splitlines()
    assert binding in found.candidate
    assert undone in found.rollback
    assert timer in commands
    assert kept in commands
    assert set(found.files) == {name for name in found.files if name.startswith(f"border-{platform}")}
    assert all(any(name in line for line in commands) for name in found.files)
    assert commands[-1].startswith("# "), "the vendor's text is named"


def test_the_candidate_is_the_proven_text_with_the_binding_behind_it() -> None:
    """What the platform's parser reads is the same with and without the commands that bind it."""
    found = made("cisco-xr")
    read = platform_of("cisco-xr").read
    body = "\n".join(line for line in found.candidate.splitlines() if not line.startswith("no "))
    lists = read({"x": body.partition("interface ")[0]})
    assert {each.name for each in lists} == {"REARGUARD-west-v4", "REARGUARD-west-v6"}
    assert found.candidate.startswith("no ipv4 access-list REARGUARD-west-v4\n"), "no old entry stays in it"


@pytest.mark.parametrize("platform", ["nokia-srl", "nokia-sros", "huawei-vrp", "vyos"])
def test_what_binds_a_text_of_commands_is_only_what_configures(platform: str) -> None:
    """The commands that commit are in the sequence, never in a file that is pasted."""
    found = made(platform)
    begin = {"nokia-srl": "set /", "nokia-sros": "/configure", "huawei-vrp": "acl", "vyos": "set"}[platform]
    body = [line for line in found.candidate.splitlines() if not line.startswith("#")]
    assert body[0].startswith(begin)
    ends = ("commit", "confirm", "(", "enter", "edit", "system-view")
    for text in (found.candidate, found.rollback):
        assert LINKS[platform] in text or (platform, text) == ("vyos", found.rollback)
        assert not any(line.startswith(ends) for line in text.splitlines())


def test_nx_os_sets_its_way_back_before_anything_changes() -> None:
    """The checkpoint holds the job, and the schedule comes behind it: rolled back, the schedule is gone too."""
    steps = made("cisco-nxos").commands("cisco-nxos", 300).splitlines()
    order = [
        "scheduler job name rearguard-back",
        "checkpoint rearguard",
        "scheduler schedule name rearguard-back",
        "configure session rearguard",
        "verify",
        "no scheduler schedule name rearguard-back",
    ]
    places = [steps.index(step) for step in order]
    assert places == sorted(places)
    assert "rollback running-config checkpoint rearguard" in steps[places[0] : places[1]]
    assert any("5 min more" in line for line in steps)


def test_vyos_is_told_to_go_back_without_a_restart_and_that_it_would_restart() -> None:
    steps = made("vyos").commands("vyos", 300)
    assert "VyOS restarts with what was saved last" in steps
    order = [
        steps.index(step) for step in ("commit-confirm action reload", "\nsave\n", "\ncommit-confirm 5\n")
    ]
    assert order == sorted(order)


def test_a_list_in_force_is_put_back_by_the_rollback() -> None:
    found = made("cisco-xr", existing=RUNNING)
    assert "no ipv4 access-list OUTSIDE-IN\n" in found.candidate
    assert found.rollback.endswith(RUNNING.rstrip() + "\n")
    assert "no ipv4 access-list OUTSIDE-IN\n" in found.rollback


def test_routeros_adds_its_jumps_once() -> None:
    jumps = [
        line for line in made("routeros").commands("routeros", 300).splitlines() if line.startswith(":if")
    ]
    assert len(jumps) == 2
    assert jumps[0].startswith(":if ([:len [/ip firewall filter find comment=rearguard-west-v4]] = 0) do={")
    assert "in-interface=ether1 action=jump" in jumps[0]
    assert "(" not in jumps[0].partition("do=")[2]


@pytest.mark.parametrize(
    ("platform", "seconds"),
    [
        ("junos", 90),
        ("junos", 30),
        ("cisco-ios", 7260),
        ("cisco-ios", 61),
        ("cisco-xr", 29),
        ("arista-eos", 86400),
        ("cisco-nxos", 60),
        ("cisco-nxos", 330),
        ("nokia-srl", 30),
        ("nokia-sros", 330),
        ("huawei-vrp", 59),
        ("huawei-vrp", 65536),
        ("vyos", 90),
    ],
)
def test_a_time_that_the_platform_does_not_count_in_is_refused(platform: str, seconds: int) -> None:
    with pytest.raises(UsageError, match="takes a change back after"):
        made(platform).commands(platform, seconds)


@pytest.mark.parametrize("link", ["Gi0/1\n!", "Gi0/1 ; reload", "$(x)", "-1"])
def test_a_hostile_name_of_an_interface_is_refused(link: str) -> None:
    given = compile_filter(policy(POLICY), load(), "west")
    compiled = compile_for(given, platform_of("cisco-ios"), stem="b", made=MADE, accepted=ACCEPTED)
    object.__setattr__(given, "outside", (link,))
    with pytest.raises(UsageError, match="cannot stand in a router"):
        rollout(given, compiled, "b", None)


def test_a_platform_without_a_known_timer_is_refused() -> None:
    given = compile_filter(policy(POLICY), load(), "west")
    compiled = compile_for(given, platform_of("iptables"), stem="b", made=MADE, accepted=ACCEPTED)
    with pytest.raises(UsageError, match="no sequence that takes a change back"):
        rollout(given, compiled, "b", None)


class Router:
    """What NAPALM's base driver promises, kept by a dictionary."""

    def __init__(self, *, keeps_timer: bool = True, difference: str = "+ line", broken: str = "") -> None:
        self.keeps_timer, self.difference, self.broken = keeps_timer, difference, broken
        self.pending = False
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> object:
        def called(**given: object) -> str | None:
            self.calls.append(name)
            if name == self.broken:
                raise ValueError("% Invalid input")
            if name == "commit_config":
                assert given == {"revert_in": 300}
                self.pending = self.keeps_timer
            return self.difference if name == "compare_config" else None

        return called

    def has_pending_commit(self) -> bool:
        return self.pending


def test_a_device_gets_the_change_on_probation() -> None:
    router = Router()
    assert push(router, "text", 300, dry_run=False) == "+ line"  # type: ignore[arg-type]
    assert router.calls == ["open", "load_merge_candidate", "compare_config", "commit_config", "close"]


@pytest.mark.parametrize(("dry", "difference"), [(True, "+ line"), (False, " \n")])
def test_a_dry_run_and_a_change_that_changes_nothing_are_discarded(dry: bool, difference: str) -> None:
    router = Router(difference=difference)
    push(router, "text", 300, dry_run=dry)  # type: ignore[arg-type]
    assert router.calls == ["open", "load_merge_candidate", "compare_config", "discard_config", "close"]


def test_a_driver_that_commits_without_a_timer_is_rolled_back() -> None:
    router = Router(keeps_timer=False)
    with pytest.raises(RearguardError, match="without a timer"):
        push(router, "text", 300, dry_run=False)  # type: ignore[arg-type]
    assert router.calls[-2:] == ["rollback", "close"]


def test_a_change_that_waits_there_already_is_left_alone() -> None:
    router = Router()
    router.pending = True
    with pytest.raises(RearguardError, match="waits for its confirmation"):
        push(router, "text", 300, dry_run=False)  # type: ignore[arg-type]
    assert router.calls == ["open", "close"]


@pytest.mark.parametrize(
    ("broken", "message"), [("open", "cannot be reached"), ("load_merge_candidate", "refused")]
)
def test_what_the_router_says_against_it_is_told(broken: str, message: str) -> None:
    with pytest.raises(RearguardError, match=message):
        push(Router(broken=broken), "text", 300, dry_run=False)  # type: ignore[arg-type]


def test_only_drivers_that_keep_the_promise_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "napalm", None)
    for platform in DRIVERS:
        assert platform in MANNERS
        with pytest.raises(UsageError, match="NAPALM is not installed") as found:
            driver_for(platform, "router", "user", "secret")
        assert "rearguard[napalm]" in found.value.remedy
    for platform in ("cisco-xr", "routeros"):
        with pytest.raises(UsageError, match="no driver for"):
            driver_for(platform, "router", "user", "secret")


def test_by_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rearguard.yaml"
    file.write_text(POLICY.replace("wan0", "ge-0/0/0"))
    words = ["filter", "apply", "--platform", "junos", "--policy", str(file), "--confirm-within", "5min"]
    assert run(words) == 2
    assert "--output" in capsys.readouterr().err
    words += ["--output", str(tmp_path / "out")]
    assert run(words) == 2
    assert "--accept-residual" in capsys.readouterr().err
    accepted = [word for name in ACCEPTED for word in ("--accept-residual", name)]
    assert run([*words, *accepted]) == 0
    assert "border-junos-commands.txt" in capsys.readouterr().err
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "border-junos-commands.txt",
        "border-junos-rollback.conf",
        "border-junos.conf",
    ]
    assert run([*words, "--dry-run"]) == 2
    assert run(["filter", "apply", "--policy", str(file), "--output", "x"]) == 2
    assert "is for routers" in capsys.readouterr().err
