"""``rearguard filter compile`` and ``prove``, as somebody at a terminal meets them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.filters.platforms import EVERY_RESIDUAL, SMALL
from tests.filters.test_junos_merge import IN_FORCE

from rearguard.cli.filter import command
from rearguard.cli.group import Settings
from rearguard.filters.platforms import PLATFORMS
from rearguard.model.errors import InputError, RearguardError, UsageError

ACCEPT = [word for name in EVERY_RESIDUAL for word in ("--accept-residual", name)]
RUNNING = """\
ip access-list extended EDGE-IN
 remark bogons
 10 deny ip 10.0.0.0 0.255.255.255 any
 20 deny ip 198.51.100.0 0.0.0.255 any
 30 permit tcp any any established
 40 permit ip any any
ipv6 access-list EDGE6-IN
 permit ipv6 any any
"""


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words], obj=Settings(), standalone_mode=False)


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    path = tmp_path / "rearguard.yaml"
    path.write_text(SMALL)
    return path


def compiled(policy_file: Path, *more: str | Path) -> Path:
    output = policy_file.parent / "filters"
    result = run("compile", "--policy", policy_file, "--output", output, *ACCEPT, *more)
    if result.exception:
        raise result.exception
    return output


def test_every_platform_is_written_proven_and_proven_again(policy_file: Path) -> None:
    output = compiled(policy_file, "--platform", ",".join(PLATFORMS))
    for name in PLATFORMS:
        files = sorted(path for path in output.glob(f"border-{name}.*") if path.suffix != ".md")
        assert files, name
        result = run("prove", "--policy", policy_file, *files, *ACCEPT)
        assert result.return_value == 0, result.output
        assert result.output.endswith("proven\n")
        ticket = (output / f"border-{name}.md").read_text()
        for wanted in (
            "## Where it goes",
            "## Roll back",
            "## Expected hits",
            "rearguard filter replay",
            "shown",
        ):
            assert wanted in ticket
        assert "NOT shown" not in ticket


def test_a_controller_that_is_cut_is_named_with_the_line(policy_file: Path) -> None:
    output = compiled(policy_file, "--platform", "cisco-ios")
    path = output / "border-cisco-ios.acl"
    lines = path.read_text().splitlines()
    (gone, *_) = [
        at for at, line in enumerate(lines) if "permit tcp 192.0.2.8 0.0.0.1" in line and "2323" in line
    ]
    path.write_text("\n".join([*lines[:gone], *lines[gone + 1 :]]) + "\n")
    result = run("prove", "--policy", policy_file, path, *ACCEPT)
    assert result.return_value == 3
    assert "no controller is dropped: NO" in result.output
    assert "no stranger passes: yes" in result.output
    assert re.search(
        r"192\.0\.2\.8 -> 198\.51\.100\.\d+ tcp/2323 \(SYN\) is dropped by line \d+ \(", result.output
    )
    assert "the policy permits it as controller acs" in result.output


def test_a_stranger_who_passes_is_told_as_json(policy_file: Path) -> None:
    output = compiled(policy_file, "--platform", "nftables")
    path = output / "border-nftables.nft"
    counted = "counter name drop0_udp_port_v4 drop"
    path.write_text(path.read_text().replace(f"udp dport 161 {counted}", f"udp dport 162 {counted}"))
    result = run("prove", "--policy", policy_file, path, "--json")
    told = json.loads(result.output)
    assert (result.return_value, told["proven"]) == (3, False)
    assert told["properties"]["no stranger passes"] is False
    assert told["properties"]["no controller is dropped"] is True
    ports = {(each["dport"], each["wanted"]) for each in told["witnesses"]}
    assert ports == {(161, "drop"), (162, "pass")}


def test_a_section_goes_behind_the_denies_and_before_the_permits(policy_file: Path, tmp_path: Path) -> None:
    running = tmp_path / "running.acl"
    running.write_text(RUNNING)
    output = compiled(policy_file, "--platform", "cisco-ios", "--existing", running)
    path = output / "border-cisco-ios.acl"
    entries = [line.strip() for line in path.read_text().splitlines() if line.startswith(" ")]
    assert entries[0] == "remark bogons"
    assert entries[1].endswith("deny ip 10.0.0.0 0.255.255.255 any")
    assert "own_source_v4" not in path.read_text(), "the list in force drops forged own sources already"
    v4 = path.read_text().split("ipv6 access-list")[0]
    assert v4.index("deny tcp any 198.51.100.0") < v4.index("permit tcp any any established")
    result = run("prove", "--policy", policy_file, path, "--existing", running, *ACCEPT)
    assert result.return_value == 0, result.output
    assert (
        "after line 4 (20 deny ip 198.51.100.0 0.0.0.255 any)" in (output / "border-cisco-ios.md").read_text()
    )
    # Alone it is not what the policy says, for everything that the old list denies is denied.
    assert run("prove", "--policy", policy_file, path, *ACCEPT).return_value == 3


def test_terms_go_into_a_junos_filter_in_force_and_the_change_keeps_its_interfaces(
    policy_file: Path, tmp_path: Path
) -> None:
    running = tmp_path / "running.conf"
    running.write_text(IN_FORCE)
    output = compiled(policy_file, "--platform", "junos", "--existing", running)
    path = output / "border-junos.conf"
    text = path.read_text()
    assert text.index("term bogons {") < text.index("term rg-") < text.index("term rest {")
    proven = run("prove", "--policy", policy_file, path, "--existing", running, *ACCEPT)
    assert proven.return_value == 0, proven.output
    told = (output / "border-junos.md").read_text()
    assert "in INTERNET-IN, after term no-smtp and before term rest" in told
    assert "load the list INTERNET-IN as it was before, and commit" in told
    # Alone it is not what the policy says, for the filter in force drops mail and bogons.
    assert run("prove", "--policy", policy_file, path, *ACCEPT).return_value == 3
    words = ["apply", "--platform", "junos", "--policy", policy_file, "--confirm-within", "5min", *ACCEPT]
    applied = run(*words, "--existing", running, "--output", tmp_path / "change")
    assert applied.return_value == 0, applied.exception
    change = {each.name: each.read_text() for each in (tmp_path / "change").iterdir()}
    assert "replace: filter INTERNET-IN {" in change["border-junos.conf"]
    assert "input INTERNET-IN" not in change["border-junos.conf"], "it is bound already"
    assert "input REARGUARD-west-v6;" in change["border-junos.conf"]
    assert change["border-junos-rollback.conf"] == IN_FORCE.replace("filter INT", "replace: filter INT")
    steps = change["border-junos-commands.txt"]
    assert "load replace /var/tmp/border-junos-rollback.conf" in steps
    assert "delete interfaces wan0 unit 0 family inet6 filter input" in steps
    assert "load set" not in steps


def test_a_list_that_leaves_no_right_place_is_refused_with_the_packet(
    policy_file: Path, tmp_path: Path
) -> None:
    running = tmp_path / "running.acl"
    running.write_text(
        "ip access-list extended A\n permit udp any any\n permit tcp any any eq 23\n"
        " deny tcp host 192.0.2.8 any\n permit ip any any\n"
    )
    policy_file.write_text(SMALL.replace("manages: [cwmp, telnet]", "manages: [telnet]"))
    with pytest.raises(UsageError, match=r"no place in the list A is right.* 192\.0\.2\.8 -> "):
        compiled(policy_file, "--platform", "arista-eos", "--existing", running)


def test_several_edges_are_written_apart(policy_file: Path) -> None:
    west = "{west: {outside: [wan0]}"
    policy_file.write_text(SMALL.replace(west, f"{west}, east: {{outside: [xe-0/0/1]}}"))
    output = compiled(policy_file, "--platform", "junos")
    names = {path.name for path in output.iterdir()}
    assert names == {
        "border-west-junos.conf",
        "border-west-junos.md",
        "border-east-junos.conf",
        "border-east-junos.md",
    }
    assert "permit_acs" not in (output / "border-east-junos.conf").read_text(), "it enters at the other edge"
    assert run("prove", "--policy", policy_file, output / "border-east-junos.conf", *ACCEPT).return_value == 0
    east = output / "border-east-junos.conf"
    assert run("prove", "--policy", policy_file, east, "--edge", "west", *ACCEPT).return_value == 3


def test_a_text_that_does_not_say_its_edge_is_not_proven_for_any(policy_file: Path, tmp_path: Path) -> None:
    west = "{west: {outside: [wan0]}"
    policy_file.write_text(SMALL.replace(west, f"{west}, w: {{outside: [xe-0/0/1]}}"))
    output = compiled(policy_file, "--platform", "junos", "--edge", "west")
    known = output / "border-west-junos.conf"
    assert run("prove", "--policy", policy_file, known, *ACCEPT).return_value == 0, "west, not w"
    other = tmp_path / "candidate-junos.conf"
    other.write_text(known.read_text())
    with pytest.raises(UsageError, match="for which edge"):
        raise run("prove", "--policy", policy_file, other, *ACCEPT).exception or AssertionError
    assert run("prove", "--policy", policy_file, other, "--edge", "west", *ACCEPT).return_value == 0


@pytest.mark.parametrize("name", ["empty-cisco-ios.acl", "running-iptables.txt"])
def test_a_file_without_any_list_proves_nothing(policy_file: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("")
    with pytest.raises(InputError, match="there is no list"):
        raise run("prove", "--policy", policy_file, path, *ACCEPT).exception or AssertionError
    good = compiled(policy_file, "--platform", "cisco-ios") / "border-cisco-ios.acl"
    with pytest.raises(InputError, match="there is no list"):
        raise (
            run("prove", "--policy", policy_file, good, "--existing", path, *ACCEPT).exception
            or AssertionError
        )


def test_nothing_is_proven_of_a_policy_that_would_hurt_its_owner(policy_file: Path) -> None:
    path = compiled(policy_file, "--platform", "cisco-ios") / "border-cisco-ios.acl"
    policy_file.write_text(SMALL.replace("outside: [wan0]", "outside: [wan0], addresses: [198.51.100.1/32]"))
    with pytest.raises(UsageError, match="lies in a guarded network"):
        raise run("prove", "--policy", policy_file, path, *ACCEPT).exception or AssertionError


def test_a_list_for_what_leaves_is_merged_and_still_known_as_one(policy_file: Path, tmp_path: Path) -> None:
    running = tmp_path / "running.acl"
    running.write_text(
        "ip access-list extended CORE-leaving-v4\n deny udp any any eq 19\n permit ip any any\n"
    )
    output = compiled(policy_file, "--platform", "cisco-ios", "--existing", running)
    path = output / "border-cisco-ios.acl"
    assert "ip access-list extended CORE-leaving-v4-RG-" in path.read_text()
    assert run("prove", "--policy", policy_file, path, "--existing", running, *ACCEPT).return_value == 0
    once = path.read_text()
    running.write_text(once)
    assert compiled(policy_file, "--platform", "cisco-ios", "--existing", running) == output
    names = re.findall(r"access-list extended (CORE\S+)", path.read_text())
    assert names == re.findall(r"access-list extended (CORE\S+)", once), "merged again, nothing changes"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--platform", "vax"], "there is no platform 'vax'"),
        (["--platform", "junos", "--edge", "north"], "the policy has no edge 'north'"),
        (["--platform", "junos", "--hardware", "abacus"], "there is no figure for 'abacus'"),
        (["--platform", "junos", "--hardware", "qfx5100", "--entries", "9"], "say the same"),
        (["--platform", "junos", "--entries", "9"], "more than half of the 9"),
        (["--platform", "junos", "--existing", "/nonexistent"], "cannot be read"),
        (["--platform", "nftables", "--existing", "rearguard.yaml"], "nothing to merge with"),
    ],
)
def test_what_cannot_be_done_is_said(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(policy_file.parent)
    with pytest.raises(RearguardError, match=told):
        compiled(policy_file, *words)
    assert not (policy_file.parent / "filters").exists(), "nothing is written"


def test_a_text_of_nobody_knows_what_is_refused(policy_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "running.acl"
    path.write_text(RUNNING)
    result = run("prove", "--policy", policy_file, path)
    assert isinstance(result.exception, UsageError)
    assert "--platform" in result.exception.remedy


def test_what_several_platforms_cannot_say_is_told_at_once(policy_file: Path, tmp_path: Path) -> None:
    words = ("compile", "--policy", policy_file, "--output", tmp_path / "out")
    asked = ("--platform", "nftables,cisco-ios,junos,flowspec")
    refused = run(*words, *asked).exception
    assert isinstance(refused, UsageError)
    assert not (tmp_path / "out").exists()
    remedy = str(refused.remedy)
    for platform in ("cisco-ios", "junos", "flowspec"):
        assert f"--accept-residual {platform}:" in remedy
    assert "nftables" not in remedy
    accepted = remedy.split(": ", 1)[1].split(" ")
    assert run(*words, *asked, *accepted).exception is None, "what the remedy says is enough"
    assert {path.suffix for path in (tmp_path / "out").iterdir()} >= {".nft", ".acl", ".conf", ".exabgp"}
