"""``rearguard simulate``: an operator's day as packets or flow records, with the truth about it."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from rearguard.cli.console import console, say
from rearguard.cli.group import Settings, settings
from rearguard.model.errors import Place, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["command"]

FORMATS = ("pcap", "netflow5", "netflow9", "ipfix", "parquet")
STDOUT = "-"
PATIENCE = 1.0  # seconds before a bar is shown
REFRESH = 0.1  # seconds between two drawings

EPILOG = """\b
Examples:
  rearguard simulate --format netflow9 --customers 5000 --sampling 100 --output day.pcap
  rearguard analyze day.pcap --exports --policy day.pcap.rearguard.yaml
  rearguard simulate --format parquet --flows 20000000 --output day.parquet
"""


@click.command("simulate", epilog=EPILOG)
@click.option("-o", "--output", required=True, metavar="FILE", help="Write there; - is standard output.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    required=True,
    help="pcap: packets. netflow5, netflow9, ipfix: a capture of export datagrams.",
)
@click.option("--customers", type=click.IntRange(10, 2_000_000), help="How many customers.  [default: 1000]")
@click.option("--hours", type=click.FloatRange(0, min_open=True), help="How long.  [default: 24]")
@click.option("--flows", type=click.IntRange(1), help="Go on, or stop early, until so many records are made.")
@click.option(
    "--sampling", type=click.IntRange(1, 1 << 24), default=1, show_default=True, metavar="N",
    help="Routers take one of N packets."
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Same seed, same bytes.")
@click.option("--scenario", metavar="FILE", help="What shall happen, as YAML (docs/simulate.md).")
@click.option("--truth", metavar="FILE", help="The truth, as JSON.  [default: FILE.truth.json]")
@click.option("--policy-out", metavar="FILE", help="The policy for it.  [default: FILE.rearguard.yaml]")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def command(
    output: str,
    form: str,
    customers: int | None,
    hours: float | None,
    flows: int | None,
    sampling: int,
    seed: int,
    scenario: str | None,
    truth: str | None,
    policy_out: str | None,
    overwrite: bool,
) -> int:
    """Make an operator's day: controllers, customers, background radiation, surveys, a worm, floods.

    Nothing is sent anywhere. Addresses are invented; whose they are in the real Internet plays no part.
    """
    chosen = settings()
    places = _places(output, truth, policy_out)
    for place in places.values():
        if place is not None and place != STDOUT and Path(place).exists() and not overwrite:
            raise UsageError(
                "the file exists and is left as it is",
                remedy="name another one, or say --overwrite",
                place=Place(file=place),
            )
    from rearguard.simulate import read, simulate

    day = read(scenario, customers=customers, hours=hours)
    bar = _Bar(chosen, "simulating")
    with ExitStack() as stack:
        stack.callback(bar.done)
        out = stack.enter_context(_Out(output))
        made = simulate(day, out.stream, form=form, seed=seed, rate=sampling, flows=flows, watch=bar.advance)
        out.keep()
    _write(places["truth"], _lines(made.truth))
    _write(places["policy"], made.policy)
    if not chosen.quiet and output != STDOUT:
        kinds = "packets" if form == "pcap" else "flow records"
        say(f"{output}: {made.records:,} {kinds}")
        say(f"truth: {places['truth']}")
        say(f"policy: {places['policy']}")
    return 0


def _places(output: str, truth: str | None, policy: str | None) -> dict[str, str | None]:
    """Where the three files go; beside an output that is a pipe, only those that were named."""
    beside = None if output == STDOUT else output
    return {
        "output": output,
        "truth": truth or (beside and f"{beside}.truth.json"),
        "policy": policy or (beside and f"{beside}.rearguard.yaml"),
    }


def _lines(truth: dict[str, Any]) -> str:
    """JSON with one line for each key, and for each entry of a list."""
    parts = []
    for key, value in truth.items():
        if isinstance(value, list) and value:
            text = "[\n  " + ",\n  ".join(json.dumps(one) for one in value) + "\n ]"
        else:
            text = json.dumps(value)
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _write(place: str | None, text: str) -> None:
    if place is None:
        return
    try:
        Path(place).write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(place, error) from None


def _unwritable(place: str, error: OSError) -> UsageError:
    return UsageError(
        f"the file cannot be written: {error.strerror}",
        remedy="name a place where you may write",
        place=Place(file=place),
    )


class _Out:
    """The output: written under another name beside it, and given its own when it is whole."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._draft = None if output == STDOUT else Path(f"{output}.part")
        self.stream: BinaryIO = sys.stdout.buffer

    def __enter__(self) -> _Out:
        if self._draft is not None:
            try:
                self.stream = self._draft.open("wb")
            except OSError as error:
                raise _unwritable(self._output, error) from None
        return self

    def keep(self) -> None:
        """It is whole."""
        self.stream.flush()
        if self._draft is not None:
            self.stream.close()
            self._draft.replace(self._output)

    def __exit__(self, *_: object) -> None:
        if self._draft is not None:
            self.stream.close()
            self._draft.unlink(missing_ok=True)


class _Bar:
    """How far it is, at what rate, and how long it will take; only on a terminal, and only after a second."""

    def __init__(self, chosen: Settings, label: str) -> None:
        self._wanted = sys.stderr.isatty() and not chosen.quiet
        self._chosen, self._label = chosen, label
        self._begun = self._drawn = time.monotonic()
        self._bar: Progress | None = None

    def advance(self, done: float, records: int) -> None:
        """Draw when it is time."""
        now = time.monotonic()
        if not self._wanted or now - self._begun < PATIENCE or now - self._drawn < REFRESH:
            return
        self._drawn = now
        if self._bar is None:
            self._bar = self._made()
            self._bar.start()
            self._bar.add_task(self._label, total=1.0, records=0, rate=0.0)
        rate = records / (now - self._begun)
        self._bar.update(self._bar.task_ids[0], completed=done, records=records, rate=rate)
        self._bar.refresh()

    def _made(self) -> Progress:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[records]:,} records, {task.fields[rate]:,.0f}/s"),
            TimeRemainingColumn(),
            console=console(self._chosen, stderr=True),
            transient=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            expand=True,
        )

    def done(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
