"""The commands ``filter announce`` and ``filter withdraw``, as far as nothing is sent."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.filters.test_flowspec_rules import ALL, SMALL

from rearguard.cli import run
from rearguard.filters.flowspec import bridge


def test_announce_tells_all_before_it_sends_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(SMALL)
    residuals = [word for name in ALL for word in ("--accept-residual", name)]
    base = ["filter", "announce", "--policy", str(file)]
    assert run([*base, "--dry-run", "--json", *residuals]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["plan"]["permits"] == 2
    assert told["plan"]["drops"] == 6
    assert "fails open" in told["when_the_speaker_dies"]
    assert {each["name"] for each in told["plan"]["residuals"]} == set(ALL) - {"answers"}
    assert run([*base, "--dry-run", *residuals]) == 0
    assert "nothing was sent" in capsys.readouterr().out
    assert run([*base, "--emit", "gobgp", *residuals]) == 0
    assert capsys.readouterr().out.count("gobgp global rib add") == 8


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--platform", "junos"], "cannot be announced"),
        (["--ttl", "2d"], "too long"),
        (["--emit", "cisco"], "no form"),
        ([], "our own side"),
        (["--local", "10.9.0.1", "--local-as", "65000"], "nobody is named"),
        (["--local", "::1", "--local-as", "65000", "--peer", "::2"], "BGP identifier"),
        (["--local", "10.9.0.1", "--local-as", "65000", "--peer", "10.9.0.x"], "no address"),
        (["--local", "10.9.0.1", "--local-as", "65000", "--peer", "10.9.0.2=x"], "no autonomous system"),
        (["--local", "10.9.0.1", "--local-as", "65000", "--peer", "2001:db8::2"], "two families"),
        (
            ["--local", "10.9.0.1", "--local-as", "65000", "--peer", "10.9.0.2", "--peer", "10.9.0.2=1"],
            "twice",
        ),
        (["--local", "10.9.0.1", "--local-as", "1", "--peer", "10.9.0.2", "--canary", "10.9.0.3"], "none of"),
        (
            ["--local", "10.9.0.1", "--local-as", "1", "--peer", "10.9.0.2", "--canary", "10.9.0.2"],
            "only peer",
        ),
        (["--local", "10.9.0.1", "--local-as", "1", "--peer", "198.51.100.9"], "guarded network"),
        (
            ["--local", "10.9.0.1", "--local-as", "1", "--peer", "10.9.0.2", "--password-file", "/dev/null"],
            "no password",
        ),
        (["--entries", "10"], "more than half of the 10"),
        (
            ["--local", "10.9.0.1", "--local-as", "1", "--peer", "10.9.0.2", "--read-back", "10.9.0.2=frr"],
            "how a peer is asked",
        ),
    ],
)
def test_an_announcement_that_cannot_be_made_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], told: str
) -> None:
    folder = tmp_path
    (folder / "p.yaml").write_text(SMALL)
    residuals = [word for name in ALL for word in ("--accept-residual", name)]
    base = ["filter", "announce", "--policy", str(folder / "p.yaml"), "--state-dir", str(folder / "state")]
    assert run([*base, *residuals, *more]) == 2
    assert told in capsys.readouterr().err
    assert not (folder / "state" / "announced.json").exists()


def test_withdraw_has_nothing_to_do_when_nothing_is_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["filter", "withdraw", "--state-dir", f"{tmp_path}/state"]) == 0
    assert "nothing was announced" in capsys.readouterr().err


@pytest.mark.parametrize(("deadline", "closes"), [(1e9, True), (0.0, False)])
def test_the_helper_ends_the_speaker_when_the_keeper_is_gone_or_time_is_long_over(
    deadline: float, closes: bool
) -> None:
    """The speaker is any program here; it would run for a minute."""
    folder = Path(tempfile.mkdtemp(prefix="rgb"))
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.bind(str(folder / "s"))
            door.listen(1)
            door.settimeout(10)
            helper = [sys.executable, "-I", "-m", bridge.__name__, str(folder / "s"), str(deadline)]
            asked = f"import subprocess, time; subprocess.Popen({helper!r}, stdin=-1); time.sleep(60)"
            with subprocess.Popen([sys.executable, "-c", asked]) as speaker:
                line, _ = door.accept()
                if closes:
                    assert speaker.poll() is None
                    line.close()
                assert speaker.wait(10) == -signal.SIGTERM
                line.close()
    finally:
        shutil.rmtree(folder)


def test_compile_writes_the_rules_for_every_speaker_and_a_ticket(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(SMALL)
    base = ["filter", "compile", "--policy", str(file), "--platform", "flowspec,nftables"]
    assert run([*base, "--output", str(tmp_path / "refused")]) == 2
    assert "--accept-residual" in capsys.readouterr().err
    assert not (tmp_path / "refused").exists()
    residuals = [word for name in ALL for word in ("--accept-residual", name)]
    assert run([*base, "--output", str(tmp_path / "refused"), *residuals]) == 2
    assert "--accept-residual flowspec:own-sources" in capsys.readouterr().err
    assert not (tmp_path / "refused").exists()
    residuals = [word for name in ALL for word in ("--accept-residual", f"flowspec:{name}")]
    assert run([*base, "--output", str(tmp_path / "filters"), *residuals]) == 0
    written = {path.name: path.read_text() for path in (tmp_path / "filters").iterdir()}
    speakers = {f"border-flowspec.{form}" for form in ("bird", "exabgp", "gobgp")}
    assert {*speakers, "border-flowspec.md", "border-nftables.nft", "border-nftables.md"} == set(written)
    assert written["border-flowspec.gobgp"].count("gobgp global rib add") == 8
    assert "fails open" in written["border-flowspec.md"]
