"""The parent's side of drawing: start the child early, hand it the data late, never depend on it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from threading import Thread
from types import TracebackType
from typing import Any

from rearguard.report.charts.inert import inert

__all__ = ["Drawing", "Studio"]

LABELS = {
    "timeline": "Unauthorised contacts begun over time, by management interface",
    "interfaces": "Unauthorised contacts by management interface and what came back",
    "remotes": "The addresses with most unauthorised contacts and what came back",
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """Inert SVG by chart name (``timeline-wide``), and why there is none if there is none."""

    svg: dict[str, str] = field(default_factory=dict)
    problem: str | None = None


class Studio:
    """A child that draws. Use it as a context: leaving it ends the child, whatever happened.

    ``patience`` is how long to wait for the pictures once their data is complete, seconds.
    """

    def __init__(self, command: tuple[str, ...] | None = None, patience: float = 30.0) -> None:
        self._patience = patience
        self._child: subprocess.Popen[str] | None = None
        self._problem: str | None = None
        self._talk: Thread | None = None
        self._drawing = Drawing()
        try:
            # A session of its own: Ctrl-C at the terminal is the parent's to answer.
            self._child = subprocess.Popen(
                command or (sys.executable, "-P", "-m", "rearguard.report.charts.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        except OSError as error:
            self._problem = f"the drawing process did not start ({error.strerror})"

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, data: dict[str, Any]) -> None:
        """Hand over the data (:func:`rearguard.report.charts.data.chart_data`); does not wait."""
        self._talk = Thread(target=self._converse, args=(json.dumps(data),), daemon=True)
        self._talk.start()

    def collect(self) -> Drawing:
        """The pictures that were asked for; a bad child gives a reason instead, never an error."""
        if self._talk is None:
            return Drawing(problem="nothing was asked to be drawn")
        self._talk.join()
        return self._drawing

    def _converse(self, text: str) -> None:
        self._drawing = self._answer(text)

    def _answer(self, text: str) -> Drawing:
        if self._child is None:
            return Drawing(problem=self._problem)
        try:
            out, _ = self._child.communicate(text, timeout=self._patience)
        except subprocess.TimeoutExpired:
            return Drawing(problem=f"the drawing process took longer than {self._patience:g} s")
        except (OSError, ValueError) as error:
            return Drawing(problem=f"the drawing process could not be reached ({type(error).__name__})")
        if self._child.returncode != 0:
            return Drawing(problem=f"the drawing process ended with code {self._child.returncode}")
        try:
            return Drawing({name: inert(svg, _label(name)) for name, svg in json.loads(out).items()})
        except (ValueError, AttributeError, TypeError) as error:
            return Drawing(problem=f"the drawing process answered something else ({type(error).__name__})")

    def close(self) -> None:
        """End the child if it still runs."""
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            child.kill()
        if self._talk is not None:
            self._talk.join()
        for stream in (child.stdin, child.stdout):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue  # what was still buffered for a child that is gone
        child.wait()


def _label(name: str) -> str:
    return LABELS.get(name.rpartition("-")[0], name)
