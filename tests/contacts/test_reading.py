"""Reading with one worker or two, whole or in spans, from one file or several: the same, to the record number."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contacts.run import Conclusion, concluded_from, policy_with, settled
from tests.sources.build import enhanced, interface, ip4, section, tcp

from rearguard.catalogue import load
from rearguard.contacts import reading as module
from rearguard.contacts.guarding import build_guard
from rearguard.contacts.observing import places_of
from rearguard.contacts.reading import read
from rearguard.contacts.reducer import Sizes
from rearguard.contacts.view import View
from rearguard.model.bits import RST, SYN
from rearguard.model.errors import InputError
from rearguard.policy import Policy, load_policy
from rearguard.sources import split

SMALL = Sizes(contacts=64, hosts=64, census_cells=64, emitted=64, spill=1 << 16)
SCAN = "initconf__scan-NG/test-for-accurate-scan-summary.pcap"
LBL = {"networks": {"lbl": {"prefixes": ["128.3.0.0/16", "131.243.0.0/16"]}}, "controllers": {}}
STRANGER, DEVICE = "203.0.113.7", "198.51.100.20"


def conclude(
    paths: Sequence[Path], policy: Policy, folder: Path, *, workers: int, sizes: Sizes | None = None
) -> tuple[Conclusion, tuple[tuple[int, int], ...]]:
    """All that follows from the captures, record pointers resolved; and the spans that were read."""
    guard = build_guard(policy, load())
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scratch = Path(name)
        done = read([str(path) for path in paths], guard, scratch, sizes=sizes, workers=workers)
        groups = places_of(done.observers, done.sources, policy).groups
        view, counts = settled(done.partials, done.sources, groups, policy, scratch, done.spans)
        done.partials.close()
        found = concluded_from(view, counts, policy, True)
    return replace(found, judged=[resolved(row, view) for row in found.judged]), done.spans


def resolved(row: dict[str, Any], view: View) -> dict[str, Any]:
    """Record pointers as (source, record), which do not depend on how the input was split."""
    names = [name for name in row if "_rec_" in name and row[name] is not None]
    return row | {name: view.pointer(row[name]) for name in names}


@pytest.fixture(scope="module")
def lab(project: Path) -> tuple[Path, Policy]:
    folder = project / "lab"
    return folder / "incident.pcapng", load_policy(folder / "rearguard.yaml", load())


def test_workers_and_spans_change_nothing(
    lab: tuple[Path, Policy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, policy = lab
    expected, spans = conclude([path], policy, tmp_path, workers=1)
    assert len(expected.findings) > 5
    assert len(spans) == 1
    found, spans = conclude([path], policy, tmp_path, workers=2, sizes=SMALL)
    assert (found, len(spans)) == (expected, 1)
    monkeypatch.setattr(module, "split", lambda uri, parts, options: split(uri, parts, smallest=1 << 16))
    for workers in (2, 3):
        found, spans = conclude([path], policy, tmp_path, workers=workers, sizes=SMALL)
        assert len(spans) == workers
        assert found == expected


def test_spans_that_do_not_fit_are_read_again_as_one(
    lab: tuple[Path, Policy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, policy = lab

    def misled(uri: str, parts: int, options: object) -> list[Any]:
        first, second = split(uri, parts, smallest=1 << 16)
        guess = first.end + 4  # inside a record
        return [replace(first, end=guess), replace(second, start=guess)]

    expected, _ = conclude([path], policy, tmp_path, workers=1)
    monkeypatch.setattr(module, "split", misled)
    found, spans = conclude([path], policy, tmp_path, workers=2, sizes=SMALL)
    assert len(spans) == 1
    assert found == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_adds_up_to_all_bytes_and_records(workers: int, project: Path, tmp_path: Path) -> None:
    path = project / "lab" / "incident.pcapng"
    told: list[tuple[int, int]] = []

    def advance(octets: int, records: int) -> None:
        told.append((octets, records))

    done = read([str(path)], build_guard(policy_with(), load()), tmp_path, workers=workers, advance=advance)
    done.partials.close()
    octets, records = (sum(column) for column in zip(*told, strict=True))
    assert octets == path.stat().st_size
    assert records == done.sources[0].records
    assert min(min(step) for step in told) >= 0


@pytest.mark.corpus
@pytest.mark.parametrize("workers", [1, 2])
def test_several_files_are_the_same_as_one(workers: int, corpus: Path, tmp_path: Path) -> None:
    """A capture that was rotated: its parts follow each other and are one observer."""
    policy = policy_with(**LBL)
    expected, _ = conclude([corpus / SCAN], policy, tmp_path, workers=1)
    parts, before = cut(corpus / SCAN, tmp_path, 3)
    found, spans = conclude(parts[::-1], policy, tmp_path, workers=workers, sizes=SMALL)
    assert len(spans) == 3
    assert any(row["interface"] for row in expected.judged)

    def whole(source: str, record: int) -> tuple[str, int]:
        return str(corpus / SCAN), before[source] + record

    for row in found.judged:
        for name in [name for name in row if "_rec_" in name and row[name] is not None]:
            row[name] = whole(*row[name])
    for finding in found.findings:
        for item in finding["evidence"]:
            item["source"], item["record"] = whole(item["source"], item["record"])
    assert found.judged == expected.judged
    assert found.census == expected.census
    assert found.findings == expected.findings
    assert found.findings


def cut(path: Path, folder: Path, count: int) -> tuple[list[Path], dict[str, int]]:
    """A little-endian pcap as several in time order, and how many records come before each."""
    data = path.read_bytes()
    starts, at = [], 24
    while at < len(data):
        starts.append(at)
        at += 16 + int.from_bytes(data[at + 8 : at + 12], "little")
    paths, before = [], {}
    for k in range(count):
        low, high = len(starts) * k // count, len(starts) * (k + 1) // count
        end = starts[high] if high < len(starts) else len(data)
        paths.append(folder / f"part-{k}.pcap")
        paths[-1].write_bytes(data[:24] + data[starts[low] : end])
        before[str(paths[-1])] = low
    return paths, before


def border(folder: Path) -> Path:
    """Two interfaces of one capture see the same packets, the second one millisecond later."""
    blocks = [section(), interface(), interface()]
    ticks = 1_480_204_800_000_000
    for k in range(40):
        there = ethernet(ip4(tcp(40000 + k, 7547, SYN), src=STRANGER, dst=f"198.51.100.{20 + k}"))
        back = ethernet(ip4(tcp(7547, 40000 + k, RST | 16, seq=0), src=f"198.51.100.{20 + k}", dst=STRANGER))
        for at, (frame, places) in enumerate(((there, (0, 1)), (back, (1, 0)))):
            for later, place in enumerate(places):
                blocks.append(enhanced(frame, ticks + k * 50_000 + at * 5000 + later * 1000, place))
    path = folder / "border.pcapng"
    path.write_bytes(b"".join(blocks))
    return path


def ethernet(packet: bytes) -> bytes:
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + packet


@pytest.mark.parametrize("workers", [1, 2])
def test_both_sides_of_a_border_are_the_largest_and_never_the_sum(workers: int, tmp_path: Path) -> None:
    found, _ = conclude([border(tmp_path)], policy_with(), tmp_path, workers=workers, sizes=SMALL)
    assert len(found.judged) == 40
    assert {(row["packets_c"], row["packets_s"], row["tries"]) for row in found.judged} == {(1, 1, 1)}
    assert {row["observers"] for row in found.judged} == {2}
    assert {row["outcome"] for row in found.judged} == {"refused"}
    assert sum(row["tries"] for row in found.census) == 40
    scans = [finding for finding in found.findings if finding["kind"] == "scan"]
    assert [(scan["contacts"], scan["packets"], scan["peers"]["count"]) for scan in scans] == [(40, 80, 40)]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_no_capture_is_an_error_and_leaves_no_thread(workers: int, tmp_path: Path) -> None:
    good, bad = border(tmp_path), tmp_path / "letter.pcap"
    bad.write_text("Dear operator, this is no capture.\n" * 9)
    with pytest.raises(InputError):
        read([str(good), str(bad)], build_guard(policy_with(), load()), tmp_path, workers=workers)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader-")]
