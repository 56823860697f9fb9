"""The main job from end to end: policy, reading, judging, detection. One function that the command calls."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rearguard.catalogue import load
from rearguard.contacts.guarding import build_guard, controllers_guard
from rearguard.contacts.observing import places_of
from rearguard.contacts.reading import Reading, read
from rearguard.contacts.settle import Settled, settle
from rearguard.contacts.view import RECORD_BITS, View
from rearguard.contacts.warming import flow_samples, sample_pcap, sample_pcapng
from rearguard.detect import run as detect
from rearguard.detect.warming import warm as warm_detection
from rearguard.filters.border import border
from rearguard.model.errors import RearguardError, UsageError
from rearguard.model.memory import give_back
from rearguard.policy import Policy, load_policy, policy_from_flags
from rearguard.report.analysis import Analysis, SamplingLine
from rearguard.report.counts import count_contacts
from rearguard.report.flow_notes import flow_notes
from rearguard.report.inventory import load_inventory
from rearguard.report.listening import Listening
from rearguard.report.progress import Silent
from rearguard.report.shadowserver import joined
from rearguard.report.shadowserver_reports import load_reports
from rearguard.report.subscribers import load_subscribers
from rearguard.sources import Options, expand
from rearguard.sources.exports.carried import Carried
from rearguard.sources.exports_hint import FirstLook, exports_hint, several_exports
from rearguard.sources.inputs import STDIN

if TYPE_CHECKING:
    import duckdb

    from rearguard.catalogue import Catalogue
    from rearguard.report.progress import Progress

__all__ = ["analyze", "warm"]


class _Clock:
    """Seconds by stage; a stage may be named several times."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


def analyze(
    paths: Sequence[str],
    *,
    policy_file: str | None,
    networks: Sequence[str],
    controllers: Sequence[str],
    drops: Sequence[str],
    workers: int | None,
    progress: Progress,
    inventory: str | None = None,
    subscribers: str | None = None,
    exports: bool = False,
    shadowserver: Sequence[str] = (),
) -> Analysis:
    """Read captures and conclude. ``inventory`` and ``subscribers`` are files that name devices and lines; with
    ``exports``, what captures carry are flow exports.

    Raises RearguardError for a wrong policy or list and for unusable input; lists are read first.
    """
    clock = _Clock()
    catalogue = load()
    base = load_policy(policy_file, catalogue) if policy_file else None
    policy = policy_from_flags(networks, controllers, drops, base, catalogue)
    known_devices = load_inventory(inventory) if inventory is not None else None
    known_lines = load_subscribers(subscribers) if subscribers is not None else None
    options = Options(
        exports=exports, columns=tuple(policy.columns.items()), carried=Carried() if exports else None
    )
    left_out: list[str] = []
    uris = expand(paths, options, lambda uri, error: left_out.append(f"{uri} ({error.problem[:120]})"))
    notes = [str(notice) for notice in policy.warnings] if policy.networks else []
    if left_out:
        more = f" and {len(left_out) - 3:,} more" if left_out[3:] else ""
        notes.append(
            f"Left out of the folders, because it cannot be read: {'; '.join(left_out[:3])}{more}; name a file"
            " itself to be told what to do"
        )
    if exports:
        workers = 1 if several_exports(uris, options) else workers  # one hands its templates on to the next
    else:
        notes.extend(exports_hint(uris))
    clock("policy")
    folder = Path(tempfile.mkdtemp(prefix="rearguard-"))
    try:
        if not policy.networks:
            policy, told = _assumed(uris, policy, catalogue, folder, workers, progress, options)
            notes.extend(told)
            clock("first pass")
        reports = load_reports(shadowserver, policy, catalogue) if shadowserver else None
        look = FirstLook()
        view = _view(uris, policy, catalogue, folder, workers, progress, clock, options, look)
        notes.extend(look.hint(_pointers_of_stdin(view)))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(view, shutil.rmtree, folder, ignore_errors=True)  # the connection spills to it
    if known_devices is not None:
        notes.extend(known_devices.notes(policy, catalogue))
    if known_lines is not None:
        notes.extend(known_lines.notes())
    with _enough_memory(policy):
        result = detect(view, policy, catalogue)
        give_back()
        clock("detect")
        findings = result.findings
        if reports is not None:
            findings = joined(reports, findings, view, policy, datetime.now(UTC).date())
            notes.extend(reports.notes())
        if known_devices is not None:
            findings = known_devices.named(findings, known_lines)
        counts, lines = count_contacts(view.con)
        clock("overview")
        planned = border(view, policy, catalogue, findings)
        clock("filter")
    return Analysis(
        policy=policy,
        catalogue=catalogue,
        view=view,
        findings=findings,
        contacts=counts,
        interfaces=lines,
        sampling=tuple(SamplingLine(each.place, each.rate, each.source) for each in view.rates),
        approximations=tuple(result.approximations),
        notes=(*notes, *flow_notes(view, policy)),
        timings=clock.seconds,
        border=planned,
        inventory=known_devices,
        subscribers=known_lines,
    )


@contextmanager
def _enough_memory(policy: Policy) -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise RearguardError(
            f"{policy.limits.memory_mb} MiB are too little to conclude from this input",
            remedy="raise memory_mb under limits in the policy",
        ) from error


def _view(
    uris: Sequence[str],
    policy: Policy,
    catalogue: Catalogue,
    folder: Path,
    workers: int | None,
    progress: Progress,
    clock: _Clock,
    options: Options,
    look: FirstLook,
) -> View:
    """Read everything once and judge it."""
    guard = build_guard(policy, catalogue)
    listening = Listening(guard, controllers_guard(policy), folder)
    looked_at = STDIN in uris and not options.exports
    progress.start(_total(uris), "reading")
    reading = read(
        uris, guard, folder, workers=workers, advance=progress.advance, options=options,
        listen=look.around(listening.begin) if looked_at else listening.begin,
    )  # fmt: skip
    progress.done()
    clock("reading")
    try:
        exchanges = listening.exchanges(reading.partials.lanes, catalogue)
        clock("dialogues")
        con = _connect(folder, policy)
        places = places_of(reading.observers, reading.sources, policy)
        settled = settle(
            reading.partials, places, policy, catalogue, con, folder, datetime.now(UTC).date(), clock,
            attacked={(one.server_hi, one.server_lo) for one in exchanges if one.hits},
        )  # fmt: skip
    finally:
        listening.close()
        reading.partials.close()
    told = [*_approximations(settled, policy), *listening.omitted.sentences()]
    rates = tuple(sorted(places.rates, key=lambda each: (each.place, each.rate, each.source)))
    return View(con, reading.sources, _observer_names(reading), reading.spans, told, exchanges, rates)


def warm() -> None:
    """Compile all kernels by analysing a tiny input of each format: captures, then all that hold flows."""
    with tempfile.TemporaryDirectory(prefix="rearguard-") as folder:
        runs: tuple[dict[str, bytes], ...] = (
            {"warm.pcap": sample_pcap()},
            {"warm.pcapng": sample_pcapng()},
            flow_samples(),
        )
        for files in runs:
            for name, content in files.items():
                (Path(folder) / name).write_bytes(content)
            analyze(
                [str(Path(folder) / name) for name in files],
                policy_file=None,
                networks=["198.51.100.0/24"],
                controllers=[],
                drops=[],
                workers=1,
                progress=Silent(),
                exports="warm.exports" in files,
            )
    warm_detection()


def _assumed(
    uris: Sequence[str],
    policy: Policy,
    catalogue: Catalogue,
    folder: Path,
    workers: int | None,
    progress: Progress,
    options: Options,
) -> tuple[Policy, tuple[str, ...]]:
    """A first pass that looks for our networks; what it assumes is said loudly."""
    if STDIN in uris:
        raise UsageError(
            "standard input can be read only once, so the networks must be given",
            remedy="name them with --network PREFIX, or in a policy with --policy FILE",
        )
    from rearguard.report.assume import assume_networks

    progress.start(_total(uris), "first pass")
    assumed = assume_networks(uris, policy, catalogue, folder, workers, progress.advance, options)
    progress.done()
    return assumed


def _total(uris: Sequence[str]) -> int | None:
    return None if STDIN in uris else sum(Path(uri).stat().st_size for uri in uris)


def _pointers_of_stdin(view: View) -> list[int]:
    return [job << RECORD_BITS for job, (file, _) in enumerate(view.spans) if view.sources[file].uri == STDIN]


def _connect(folder: Path, policy: Policy) -> duckdb.DuckDBPyConnection:
    import duckdb

    con = duckdb.connect(
        config={
            "memory_limit": f"{policy.limits.memory_mb}MiB",
            "temp_directory": str(folder / "duckdb"),
            "preserve_insertion_order": False,
            "threads": min(2, len(os.sched_getaffinity(0))),
        }
    )
    # Without a script (python -c, a notebook) DuckDB draws a bar on standard output, which is ours for JSON.
    con.execute("SET enable_progress_bar = false")
    return con


def _observer_names(reading: Reading) -> tuple[str, ...]:
    """Exporters by name, then the interfaces of captures in the order of the sources: never in the order in which
    threads met them."""
    named = {
        (-1, observer.exporter)
        if observer.exporter
        else (source, f"{reading.sources[source].uri} {observer.name}".rstrip())
        for source, observer in reading.observers
    }
    return tuple(dict.fromkeys(name for _, name in sorted(named)))


def _approximations(settled: Settled, policy: Policy) -> list[str]:
    if not settled.crowd_clients:
        return []
    return [
        f"{settled.crowd_clients:,} clients that were seen with one packet and never answered are counted, "
        f"not listed (limits.lone_clients is {policy.limits.lone_clients:,})"
    ]
