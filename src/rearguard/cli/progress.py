"""The progress bar: only on a terminal's standard error, and only for what takes more than a second."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from rearguard.cli.console import console
from rearguard.cli.group import Settings
from rearguard.report.escape import visible
from rearguard.report.progress import Progress, Silent

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

__all__ = ["Bar", "progress"]

PATIENCE = 1.0  # seconds before anything is shown
REFRESH = 0.1  # seconds between two drawings


def progress(chosen: Settings) -> Progress:
    """A bar when somebody can see it, else silence."""
    return Bar(chosen) if sys.stderr.isatty() and not chosen.quiet else Silent()


class Bar:
    """Drawn from :meth:`advance` itself: no thread, so that the reading may fork."""

    def __init__(self, chosen: Settings) -> None:
        self._chosen = chosen
        self._begun = time.monotonic()
        self._drawn = 0.0
        self._total: int | None = None
        self._label = ""
        self._bytes = 0
        self._records = 0
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def start(self, total_bytes: int | None, label: str) -> None:
        """Begin a stage; a bar that is shown already goes on with it."""
        self._total, self._label = total_bytes, visible(label, 40)
        self._bytes = self._records = 0
        if self._bar is not None:
            self._new_task()

    def advance(self, octets: int, records: int, /) -> None:
        """Count, and draw when it is time."""
        self._bytes += octets
        self._records += records
        now = time.monotonic()
        if now - self._begun < PATIENCE or now - self._drawn < REFRESH:
            return
        self._drawn = now
        if self._bar is None:
            self._show()
        self._draw()

    def done(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _show(self) -> None:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[records]:,} records"),
            TimeRemainingColumn(),
            console=console(self._chosen, stderr=True),
            transient=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            expand=True,
        )
        self._bar.start()
        self._new_task()

    def _new_task(self) -> None:
        assert self._bar is not None
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(self._label, total=self._total, records=0)

    def _draw(self) -> None:
        assert self._bar is not None
        assert self._task is not None
        self._bar.update(self._task, completed=self._bytes, records=self._records)
        self._bar.refresh()
