"""A report folder is complete or untouched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.report.build import analysis, nothing
from tests.report.spoken import border, edge

from rearguard.filters.border import EdgeFilter
from rearguard.filters.render.nftables import HEADLINE
from rearguard.model.errors import InputError, UsageError
from rearguard.report import contacts_parquet, html, write
from rearguard.report.charts import Studio

ROOT = Path(__file__).resolve().parent.parent.parent


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def studio() -> Iterator[Studio]:
    """A child that draws nothing, at once."""
    with Studio(command=(sys.executable, "-c", "print('{}')")) as quick:
        yield quick


def test_a_new_folder_gets_all_files(tmp_path: Path, studio: Studio) -> None:
    made = analysis()
    paths = write.write_report(made, tmp_path / "deep" / "report", studio)
    there = [path for path in (tmp_path / "deep" / "report").rglob("*") if path.is_file()]
    assert sorted(paths) == sorted(there)
    assert paths[-1].name == "report.html"
    assert all((tmp_path / "deep" / "report" / name).stat().st_size for name in write.FILES)
    assert names(tmp_path / "deep") == ["report"]
    assert {"read", "report: contacts.parquet", "report: report.html"} <= set(made.timings)


def test_an_older_report_is_replaced_and_other_files_stay(tmp_path: Path, studio: Studio) -> None:
    for name in (*write.FILES, "notes.txt"):
        (tmp_path / name).write_text("old")
    write.write_report(nothing(), tmp_path, studio)
    assert (tmp_path / "notes.txt").read_text() == "old"
    assert all((tmp_path / name).read_bytes() != b"old" for name in write.FILES)


def test_the_filter_is_written_when_the_policy_drops_something(tmp_path: Path, studio: Studio) -> None:
    made = analysis(border=border(edges=(edge("table inet x\n"), edge("y", "border-y.nft"))))
    assert tmp_path / "border.nft" in write.write_report(made, tmp_path, studio)
    assert (tmp_path / "border.nft").read_text() == "table inet x\n"
    assert (tmp_path / "border-y.nft").read_text() == "y"


@pytest.mark.parametrize("edges", [(), (edge("new"),)])
def test_a_filter_and_cases_of_an_older_report_do_not_survive_it(
    tmp_path: Path, studio: Studio, edges: tuple[EdgeFilter, ...]
) -> None:
    (tmp_path / "border.nft").write_text(f'{HEADLINE} "border", for nftables.\n')
    (tmp_path / "border-old.nft").write_text(f'{HEADLINE} "old", for nftables.\n')
    (tmp_path / "cases" / "xarf").mkdir(parents=True)
    (tmp_path / "cases" / "xarf" / "old.json").write_text("old")
    (tmp_path / "notes").mkdir()
    write.write_report(analysis(border=border(edges=edges)), tmp_path, studio)
    assert (tmp_path / "notes").is_dir()
    assert not (tmp_path / "cases" / "xarf" / "old.json").exists()
    assert (tmp_path / "border.nft").exists() == bool(edges)
    assert not (tmp_path / "border-old.nft").exists()
    assert not list(tmp_path.parent.glob(".*.partial"))


def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path, studio: Studio) -> None:
    (tmp_path / "report").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("mine")
    (tmp_path / "report" / "cases").symlink_to(elsewhere)
    write.write_report(nothing(), tmp_path / "report", studio)
    assert (elsewhere / "mine").read_text() == "mine"


def test_a_file_is_refused(tmp_path: Path, studio: Studio) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        write.write_report(nothing(), tmp_path / "file", studio)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, studio: Studio) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="could not be written"):
        write.write_report(nothing(), tmp_path / "file" / "report", studio)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
@pytest.mark.parametrize("module", [contacts_parquet, html])
def test_an_error_midway_leaves_the_old_report(
    tmp_path: Path,
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
    module: object,
) -> None:
    def fail(*_: object) -> None:
        raise error(28, "No space left on device")

    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "findings.json").write_text("old")
    monkeypatch.setattr(module, "Draft" if module is html else "write", fail)
    with pytest.raises((KeyboardInterrupt, MemoryError, InputError)):
        write.write_report(nothing(), tmp_path / "report", studio)
    assert names(tmp_path) == ["report"]
    assert names(tmp_path / "report") == ["findings.json"]
    assert (tmp_path / "report" / "findings.json").read_text() == "old"


def test_ctrl_c_during_the_renames_waits_for_them(
    tmp_path: Path, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in write.FILES:
        (tmp_path / name).write_text("old")
    rename = Path.replace

    def interrupt(self: Path, target: Path) -> Path:
        signal.raise_signal(signal.SIGINT)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write.write_report(nothing(), tmp_path, studio)
    assert all((tmp_path / name).read_bytes() != b"old" for name in write.FILES)


@pytest.mark.parametrize(("number", "left"), [(signal.SIGKILL, 2), (signal.SIGINT, 1)])
def test_a_killed_process_leaves_the_old_report(tmp_path: Path, number: signal.Signals, left: int) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "findings.json").write_text("old")
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from tests.report.build import nothing
        from rearguard.report import contacts_parquet, write
        from rearguard.report.charts import Studio

        def stall(analysis, path):
            path.write_bytes(b"half")
            print("midway", flush=True)
            time.sleep(60)

        contacts_parquet.write = stall
        with Studio(command=(sys.executable, "-c", "print('{}')")) as studio:
            write.write_report(nothing(), Path(sys.argv[1]), studio)
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"midway\n"
        child.send_signal(number)
        child.wait(timeout=20)
    time.sleep(0.05)
    assert names(folder) == ["findings.json"]
    assert (folder / "findings.json").read_text() == "old"
    assert len(names(tmp_path)) == left


def test_a_folder_of_cases_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out" / "cases").mkdir(parents=True)
    (tmp_path / "out" / "cases" / "smith-v-jones.txt").write_text("mine")
    with pytest.raises(UsageError, match="smith-v-jones"):
        write.check_folder(tmp_path / "out")


def test_filters_of_others_stay(tmp_path: Path, studio: Studio) -> None:
    (tmp_path / "border-mine.nft").write_text("table inet mine { }\n")
    (tmp_path / "border-west.nft").write_text(f'{HEADLINE} "west", for nftables.\n')
    write.write_report(nothing(), tmp_path, studio)
    assert names(tmp_path) == ["border-mine.nft", *sorted(write.FILES)]
