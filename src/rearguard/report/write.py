"""A report folder that is complete or not there: everything is made beside it and then moved into place."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rearguard.filters.render.nftables import HEADLINE
from rearguard.model.errors import InputError, Place, UsageError
from rearguard.model.memory import give_back
from rearguard.report.cases import NAMES

if TYPE_CHECKING:
    from rearguard.report.analysis import Analysis
    from rearguard.report.charts import Studio

__all__ = ["CASES", "FILES", "FILTERS", "check_folder", "write_report"]

FILES = ("findings.json", "contacts.parquet", "report.html")
"""What every report has."""

FILTERS = "border*.nft"
"""One file an edge; the only one is called border.nft."""

CASES = "cases"


def check_folder(folder: Path) -> None:
    """Raise :class:`UsageError` when a report cannot go there; asked before hours are spent on reading."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"{folder} is a file, not a folder",
            remedy="name a folder that is new or holds an older report",
            place=Place(key="--output"),
        )
    cases = folder / CASES
    there = {path.name for path in cases.iterdir()} if cases.is_dir() and not cases.is_symlink() else set()
    foreign = sorted(there - NAMES)
    if foreign:
        raise UsageError(
            f"{cases} holds what no report wrote there ({foreign[0]}), and a new report replaces that folder",
            remedy="name another folder, or move your files out of it",
            place=Place(key="--output"),
        )


def write_report(analysis: Analysis, folder: Path, studio: Studio) -> list[Path]:
    """Write the report into ``folder`` and return the paths of its files, report.html last.

    These are :data:`FILES`, ``border.nft`` (one file for each edge) when the policy drops something, and
    ``cases/``. Until all are complete nothing in ``folder`` is touched; what an older report had and this one has
    not is removed. Seconds go to ``analysis.timings``. Raises :class:`UsageError` when ``folder`` is a file,
    :class:`InputError` when the disk refuses.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow a link that shall stay
    check_folder(folder)
    try:
        with _beside(folder) as draft:
            names = _fill(analysis, draft, studio)
            _move(draft, folder)
    except OSError as error:
        raise InputError(
            f"the report could not be written: {error.strerror or error}",
            remedy="see that there is space and that you may write there",
            place=Place(file=str(folder)),
        ) from error
    return [folder / name for name in names]


def _fill(analysis: Analysis, draft: Path, studio: Studio) -> list[Path]:
    """Make every file and give their paths within ``draft``.

    The pictures are asked for first and collected last, when the child has drawn them.
    """
    from rearguard.report import contacts_parquet, findings_json, html
    from rearguard.report.cases import write_cases
    from rearguard.report.charts.data import chart_data

    timed = _stopwatch(analysis)
    data = timed("report: chart data", lambda: chart_data(analysis))
    studio.ask(data)
    found = draft / "findings.json"
    timed("report: findings.json", lambda: found.write_text(findings_json.dumps(analysis), encoding="ascii"))
    give_back()
    timed("report: contacts.parquet", lambda: contacts_parquet.write(analysis, draft / "contacts.parquet"))
    made = [Path("findings.json"), Path("contacts.parquet")]
    for edge in analysis.border.edges if analysis.border is not None else ():
        (draft / edge.file).write_text(edge.text, encoding="utf-8")
        made.append(Path(edge.file))
    cases = timed("report: cases", lambda: write_cases(analysis, draft / CASES))
    made += [path.relative_to(draft) for path in cases]
    page = timed("report: page", lambda: html.Draft(analysis))
    drawing = timed("report: wait for charts", studio.collect)
    content = timed("report: report.html", lambda: page.finish(drawing, data["timeline"]["bucket"]))
    (draft / "report.html").write_text(content, encoding="utf-8")
    return [*made, Path("report.html")]


def _stopwatch(analysis: Analysis) -> Callable[[str, Callable[[], Any]], Any]:
    def timed(stage: str, action: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        try:
            return action()
        finally:
            analysis.timings[stage] = time.perf_counter() - begun

    return timed


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder on the same file system, gone at the end whatever happens."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent / f".{folder.name}.{secrets.token_hex(6)}.partial"
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _move(draft: Path, folder: Path) -> None:
    """Into place: a new folder in one step, into an older one name by name without interruption."""
    with _uninterrupted():
        if not folder.exists():
            draft.rename(folder)
            return
        filters = {path.name for path in draft.glob(FILTERS)}
        filters |= {path.name for path in folder.glob(FILTERS) if _is_ours(path)}
        for name in (*FILES, *sorted(filters), CASES):
            _swap(draft, folder, name)


def _is_ours(path: Path) -> bool:
    """Whether a file is a filter of an earlier report; nobody else's rules are ever removed."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(HEADLINE)) == HEADLINE.encode()


def _swap(draft: Path, folder: Path, name: str) -> None:
    """Put the new file or folder where the old one was; the old folder of cases goes away with the draft."""
    new, old = draft / name, folder / name
    if old.is_dir() and not old.is_symlink():
        old.rename(draft / f"{name}.old")
    elif not new.is_file():
        old.unlink(missing_ok=True)
    if new.exists():
        new.replace(old)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back for the few renames, then let them act."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = {number: signal.signal(number, lambda got, _: held.append(got)) for number in _HELD}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in held:
            signal.raise_signal(late)


_HELD = (signal.SIGINT, signal.SIGTERM)
