"""The compiled decoder, the same code uncompiled, and the plain reference say the same of every record."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rearguard.model.errors import InputError
from rearguard.sources import PacketSource, open_packets

from . import build as b
from .containers import Capture, decode, read
from .rows import outcomes

CAPTURES = (".pcap", ".pcapng", ".cap")


def check(source: PacketSource, capture: Capture) -> None:
    """Compare rows, reasons and the verdict on the file's end."""
    rows = outcomes(source)
    expected = decode(capture)
    assert rows == [row for row in expected if isinstance(row, dict)]
    reasons = Counter(reason for reason in expected if isinstance(reason, str))
    assert {reason: count for reason, count in source.tally.skipped.items() if count} == reasons
    assert (source.tally.records, source.tally.rows) == (len(expected), len(rows))
    assert (source.tally.damaged is not None) == capture.damaged


def check_bytes(data: bytes, folder: Path, window: int = 1 << 16) -> None:
    path = folder / "capture"
    path.write_bytes(data)
    try:
        source = open_packets(str(path), window=window)
    except InputError:
        return
    with source:
        check(source, read(data))


def own_captures() -> dict[str, bytes]:
    """Every frame of the builder, in pcap and in pcapng of both byte orders."""
    frames = [*b.FRAMES.values(), *b.OTHERS.values()]
    files = {}
    for link in sorted({link for link, _ in frames}):
        files[f"link {link}"] = b.pcap(*(frame for each, frame in frames if each == link), link=link)
    for order in "<>":
        data = b.section(order)
        for number, (link, frame) in enumerate(frames):
            data += b.interface(order, link, options=b.option(2, b"if%d" % (number % 5), order))
            data += b.enhanced(frame, 10**15 + number, number, order)
        data += b.section(order) + b.interface(order, 101) + b.simple(b.SYN, order)
        data += (
            b.obsolete(b.SYN, 7, 0, order)
            + b.block(0xBAD, b"\0\0\0\0abc", order)
            + b.enhanced(b.SYN, 9, 5, order)
        )
        files[f"pcapng {order}"] = data
    return files


OWN = own_captures()


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("window", [1, 100, 1 << 16])
def test_own_captures(tmp_path: Path, name: str, window: int) -> None:
    check_bytes(OWN[name], tmp_path, window)


@pytest.mark.corpus
def test_corpus(corpus: Path) -> None:
    checked = 0
    for path in sorted(corpus.rglob("*")):
        if path.suffix in CAPTURES:
            with open_packets(str(path)) as source:
                check(source, read(path.read_bytes()))
            checked += 1
    assert checked > 200


UNCOMPILED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numba
assert numba.config.DISABLE_JIT
from sources.test_reference import OWN, check_bytes
folder = Path(sys.argv[2])
for data in OWN.values():
    check_bytes(data, folder)
for name in sys.argv[3:]:
    check_bytes(Path(name).read_bytes(), folder)
"""


def uncompiled(folder: Path, *captures: Path) -> None:
    command = [
        sys.executable,
        "-c",
        UNCOMPILED,
        str(Path(__file__).parent.parent),
        str(folder),
        *map(str, captures),
    ]
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "error"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_uncompiled(tmp_path: Path) -> None:
    uncompiled(tmp_path)


@pytest.mark.corpus
def test_uncompiled_on_small_captures_of_the_corpus(corpus: Path, tmp_path: Path) -> None:
    small = [p for p in sorted(corpus.rglob("*")) if p.suffix in CAPTURES and p.stat().st_size < 12_000]
    assert len(small) > 100
    uncompiled(tmp_path, *small)


Mutation = Callable[[bytes], bytes]


def set_byte(at: int, value: int) -> Mutation:
    return lambda data: data[: at % len(data)] + bytes([value]) + data[at % len(data) + 1 :]


def remove(at: int, size: int) -> Mutation:
    return lambda data: data[: at % len(data)] + data[at % len(data) + size :]


def insert(at: int, extra: bytes) -> Mutation:
    return lambda data: data[: at % len(data)] + extra + data[at % len(data) :]


place = st.integers(0, 1 << 16)
telling = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 17, 41, 44, 47, 58, 60, 0x45, 0x60, 0x7F, 0x80, 0x88, 0xFF])
mutations = st.one_of(
    st.builds(set_byte, place, telling),
    st.builds(set_byte, place, st.integers(0, 255)),
    st.builds(remove, place, st.integers(1, 24)),
    st.builds(insert, place, st.binary(min_size=1, max_size=24)),
)
relaxed = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@relaxed
@given(
    st.sampled_from(sorted(OWN)),
    st.lists(mutations, min_size=1, max_size=12),
    st.sampled_from([1, 700, 1 << 16]),
)
def test_mutated_captures(tmp_path: Path, name: str, changes: list[Mutation], window: int) -> None:
    data = OWN[name]
    for change in changes:
        data = change(data) or b"\0"
    check_bytes(data, tmp_path, window)


@relaxed
@given(
    st.sampled_from([0, 1, 9, 50, 51, 101, 104, 108, 113, 228, 229, 239, 276]),
    st.lists(
        st.tuples(st.sampled_from(sorted(b.FRAMES)), st.lists(mutations, max_size=6)), min_size=1, max_size=8
    ),
    st.integers(0, 100),
)
def test_mutated_frames(
    tmp_path: Path, link: int, parts: list[tuple[str, list[Mutation]]], wire: int
) -> None:
    frames = []
    for name, changes in parts:
        own_link, frame = b.FRAMES[name]
        frame = frame if own_link == link else b.FRAMES["raw"][1]
        for change in changes:
            frame = change(frame) or b"\0"
        frames.append(frame)
    check_bytes(b.pcap(*frames, link=link, wire=wire), tmp_path)
