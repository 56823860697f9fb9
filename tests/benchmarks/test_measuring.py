"""Costs are those of the program that ran; verdicts and comparisons say what they should."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.library import Library, size_name
from benchmarks.measure import MeasureError, run, shell
from benchmarks.peers import PEERS, Peer, measure
from benchmarks.profile import stage_table
from benchmarks.rows import at_least, at_most, fact, failed, format_table
from benchmarks.run import main
from benchmarks.subject import Answer, Subject, compare


def test_wall_time_and_processor_time_are_told_apart() -> None:
    cost = run(["sleep", "0.3"], limit=10)
    assert 0.3 <= cost.wall < 1.5
    assert cost.cpu < 0.2


def test_memory_of_the_program_and_of_its_children_are_told_apart() -> None:
    hungry = "import time; held = bytearray(120_000_000); time.sleep(0.4)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hungry!r}], check=True)"
    cost = run([sys.executable, "-c", parent], limit=20)
    assert cost.main_rss < 60_000_000
    assert cost.largest_rss > 110_000_000
    assert cost.total_rss > 110_000_000


def test_a_program_that_does_not_end_is_ended() -> None:
    start = time.perf_counter()
    with pytest.raises(MeasureError, match="not done after"):
        run(["sleep", "30"], limit=0.3)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("command", "message"),
    [("false | cat", "exit code 1"), ("echo lost >&2; exit 4", "lost"), ("no-such-program-here", "127")],
)
def test_a_failing_step_is_an_error_with_its_reason(command: str, message: str) -> None:
    with pytest.raises(MeasureError, match=message):
        shell(command, limit=10)


def test_a_missing_program_is_an_error_that_names_it() -> None:
    with pytest.raises(MeasureError, match="no-such-program-here"):
        run(["no-such-program-here"], limit=10)


def test_rows_hold_up_to_their_limit_and_not_beyond() -> None:
    rows = [at_most("a", 1.2, 1.2), at_most("b", 1.21, 1.2), at_least("c", 5, 5), at_least("d", 4.9, 5)]
    assert [row.holds for row in rows] == [True, False, True, False]
    assert fact("e", "1 s").holds is None
    assert failed("f", "no program").holds is False


def test_the_table_lines_up() -> None:
    lines = format_table([at_most("slope", 1.0, 1.2, " s"), fact("something longer", "x")]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "holds" in lines[2]


def _finding(address: str, count: int, answered: int, **changes: object) -> dict[str, object]:
    return {
        "kind": "scan",
        "interface": "cwmp-cr",
        "subject": {"address": address},
        "peers": {"count": count},
        "outcomes": {"answered": answered},
        **changes,
    }


@pytest.mark.parametrize(
    ("findings", "answer"),
    [
        ([_finding("192.0.2.1", 10, 1), _finding("192.0.2.2", 20, 0)], Answer(2, 0, 0, 0)),
        ([_finding("192.0.2.1", 10, 1)], Answer(2, 1, 1, 0)),
        ([_finding("192.0.2.1", 9, 1), _finding("192.0.2.2", 20, 5)], Answer(2, 1, 1, 0)),
        ([_finding("192.0.2.1", 10, 1), _finding("192.0.2.2", 20, 0), _finding("198.51.100.9", 99, 9)],
         Answer(2, 0, 0, 1)),
        ([_finding("192.0.2.1", 10, 1, kind="probe"), _finding("192.0.2.2", 20, 0, interface="telnet")],
         Answer(2, 2, 2, 0)),
    ],
    ids=["right", "one missing", "two wrong figures", "controller accused", "other kinds do not count"],
)  # fmt: skip
def test_findings_are_compared_source_by_source(findings: list[dict[str, object]], answer: Answer) -> None:
    truth = {
        "scanners": [
            {"address": "192.0.2.1", "port": 7547, "tried": 10, "answered": 1},
            {"address": "192.0.2.2", "port": 7547, "tried": 20, "answered": 0},
            {"address": "192.0.2.3", "port": 23, "tried": 30, "answered": 0},
        ]
    }
    assert compare({"findings": findings}, truth) == answer


@pytest.mark.parametrize("peer", PEERS, ids=[peer.name for peer in PEERS])
def test_a_peer_gives_the_true_answer(
    peer: Peer, generated: Callable[[str], Any], tool: Callable[[str], str]
) -> None:
    for program in peer.programs:
        tool(program)
    capture = generated("mix")
    result = measure(peer, capture.path, capture.truth)
    if peer.answers:
        assert (result.wrong_tried, result.wrong_answered) == (0, 0)
    assert result.cost.wall > 0


def test_a_capture_is_generated_once_and_again_when_the_generator_changed(tmp_path: Path) -> None:
    library = Library(tmp_path)
    first = library.capture("mix", 200_000)
    written = first.path.stat().st_mtime_ns
    assert library.capture("mix", 200_000).path.stat().st_mtime_ns == written
    stale = first.path.with_name(first.path.name.replace(first.path.stem[-8:], "00000000"))
    first.path.rename(stale)
    assert library.capture("mix", 200_000).path.exists()
    assert not stale.exists()
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(("size", "name"), [(10**9, "1G"), (4 * 10**8, "400M"), (200_000, "200K"), (7, "7")])
def test_sizes_are_named_as_they_are_written(size: int, name: str) -> None:
    assert size_name(size) == name


def test_the_profile_says_what_no_stage_claims() -> None:
    lines = stage_table({"read": 1.0, "decode": 2.0}, 4.0).splitlines()
    assert "not in any stage" in lines[4]
    assert "25%" in lines[4]
    assert "4.00" in lines[5]


def test_the_command_line_names_networks_and_controllers(tmp_path: Path) -> None:
    command = Subject(tmp_path).command(["-"], "--json")
    assert command[1:3] == ["analyze", "-"]
    assert command.count("--network") == 2
    assert command[command.index("--controller") + 1] == "198.51.100.8/30"


def test_an_unknown_section_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--only", "slope"])
    assert end.value.code == 2
    assert "no section 'slope'" in capsys.readouterr().err
