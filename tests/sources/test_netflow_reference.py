"""The decoder of NetFlow and IPFIX makes what the plain reference makes: of random and of real datagrams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rearguard.sources.exports.fields import CERT, REVERSE

from . import exports_build as b
from .exports_reference import Reference

ELEMENTS = (
    (0, 8), (0, 12), (0, 27), (0, 28), (0, 60), (0, 4), (0, 7), (0, 11), (0, 182), (0, 183), (0, 180), (0, 181),
    (0, 6), (0, 1), (0, 2), (0, 85), (0, 86), (0, 231), (0, 232), (0, 298), (0, 299), (0, 23), (0, 24),
    (0, 21), (0, 22), (0, 150), (0, 151), (0, 152), (0, 153), (0, 154), (0, 155), (0, 156), (0, 157), (0, 158),
    (0, 159), (0, 160), (0, 161), (0, 162), (0, 322), (0, 323), (0, 324), (0, 325), (0, 10), (0, 14), (0, 252),
    (0, 253), (0, 61), (0, 239), (0, 34), (0, 50), (0, 305), (0, 306), (0, 309), (0, 310), (0, 48), (0, 302),
    (0, 230), (0, 233), (0, 192), (0, 184), (0, 54), (0, 225), (0, 82), (0, 291), (35_632, 110),
    (REVERSE, 1), (REVERSE, 2), (REVERSE, 6), (REVERSE, 85), (REVERSE, 86), (REVERSE, 184),
    (CERT, 14), (CERT, 15), (CERT, 21), (CERT, 14 | 0x4000), (CERT, 15 | 0x4000),
)  # fmt: skip
LENGTHS = {
    8: (4,),
    12: (4,),
    27: (16,),
    28: (16,),
    21: (4,),
    22: (4,),
    154: (8,),
    155: (8,),
    156: (8,),
    157: (8,),
}
SIZES = (0, 1, 2, 3, 4, 8, 5, 16, 9, b.VARIABLE)

field = st.sampled_from(ELEMENTS).flatmap(
    lambda element: st.tuples(
        st.just(element[0]),
        st.just(element[1]),
        st.sampled_from(LENGTHS.get(element[1], SIZES)) | st.sampled_from(SIZES),
    )
)
pairs = st.sampled_from(
    (
        [(0, 8, 4), (0, 12, 4)],
        [(0, 27, 16), (0, 28, 16)],
        [(0, 8, 4), (0, 12, 4), (0, 27, 16), (0, 28, 16)],
        [],
    )
)
fields = st.tuples(pairs, st.lists(field, max_size=10)).map(lambda both: [*both[0], *both[1]]).filter(len)


@st.composite
def a_value(draw: st.DrawFn, length: int) -> bytes:
    """A field's bytes: often small numbers, sometimes of variable length."""
    if length == b.VARIABLE:
        body = draw(st.binary(max_size=6))
        long = draw(st.booleans())
        return (b"\xff" + len(body).to_bytes(2, "big") if long else bytes([len(body)])) + body
    if draw(st.booleans()):
        return draw(st.integers(0, 6)).to_bytes(max(1, length), "big")[:length]
    return draw(st.binary(min_size=length, max_size=length))


@st.composite
def messages(draw: st.DrawFn) -> list[bytes]:
    """Datagrams of one exporter with templates, options and data for them, in any order, some of it cut."""
    version = draw(st.sampled_from((9, 10)))
    kinds = {256 + i: draw(fields) for i in range(draw(st.integers(1, 3)))}
    made = []
    for sequence in range(draw(st.integers(1, 4))):
        sets = []
        for _ in range(draw(st.integers(1, 4))):
            number = draw(st.sampled_from(sorted(kinds)))
            what = draw(st.integers(0, 5))
            if what == 0:
                sets.append(b.template(version, number, kinds[number]))
            elif what == 1:
                scopes = draw(st.integers(0, len(kinds[number])))
                sets.append(b.options(version, number, kinds[number][:scopes], kinds[number][scopes:]))
            elif what == 2 and draw(st.booleans()):
                kinds[number] = draw(fields)
                sets.append(b.template(version, number, kinds[number]))
            else:
                records = [
                    b"".join(draw(a_value(length)) for _, _, length in kinds[number])
                    for _ in range(draw(st.integers(1, 3)))
                ]
                sets.append(b.a_set(number, b"".join(records) + bytes(draw(st.integers(0, 3)))))
        one = b.message(version, *sets, sequence=sequence)
        made.append(one[: draw(st.integers(0, len(one)))] if draw(st.integers(0, 9)) == 0 else one)
    return made


def check(datagrams: list[bytes], room: int = 0, sources: list[int] | None = None) -> None:
    """Compare rows, records and reasons."""
    reference = Reference()
    for i, datagram in enumerate(datagrams):
        reference.feed(datagram, sources[i] if sources else b.ROUTER)
    reference.finish()
    fed = b.feed(*datagrams, room=room, sources=sources)
    for row, expected in zip(fed.rows, reference.rows, strict=False):
        assert {k: (v, expected[k]) for k, v in row.items() if v != expected[k]} == {}
    assert len(fed.rows) == len(reference.rows)
    assert fed.tally.records == reference.records
    assert fed.tally.rows == len(reference.rows)
    assert fed.skipped == {reason: count for reason, count in reference.skipped.items() if count}
    observers = fed.decoder.observers
    told = [(place[1], place[2], ("", "in", "out")[place[3]]) for place in reference.places]
    assert [(one.ingress, one.egress, one.way) for one in observers] == told


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(messages(), st.sampled_from((0, 2, 3)))
def test_random_templates_and_data(datagrams: list[bytes], room: int) -> None:
    check(datagrams, room)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from((1, 5, 7, 9, 10)),
    st.binary(min_size=14, max_size=200),
    st.sampled_from((0, 2)),
)
def test_random_bytes_behind_a_version(version: int, rest: bytes, room: int) -> None:
    check([version.to_bytes(2, "big") + rest], room)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from((1, 5, 7)),
    st.integers(0, 8),
    st.binary(min_size=20, max_size=400),
    st.sampled_from((0, 2)),
)
def test_random_records_of_fixed_layout(version: int, count: int, rest: bytes, room: int) -> None:
    check([version.to_bytes(2, "big") + count.to_bytes(2, "big") + rest], room)


@pytest.mark.corpus
def test_every_real_datagram(corpus: Path) -> None:
    files = [*corpus.glob("logstash*/**/*.dat"), *corpus.glob("influxdata*/**/*.bin")]
    assert len(files) > 60
    order = sorted(files, key=lambda path: ("data" in path.name, path.name))
    by_folder: dict[Path, list[bytes]] = {}
    for path in order:
        by_folder.setdefault(path.parent, []).append(path.read_bytes())
        check([path.read_bytes()])
    for datagrams in by_folder.values():
        check(datagrams, sources=[b.ROUTER + i % 3 for i in range(len(datagrams))])
        check(datagrams, room=2)


UNCOMPILED = """
import sys
import numba
import numpy as np
from pathlib import Path
assert numba.config.DISABLE_JIT
from sources.test_netflow_reference import check
with np.errstate(over="ignore"):
    for path in sys.argv[1:]:
        check([Path(path).read_bytes()])
"""


@pytest.mark.corpus
def test_the_kernels_work_uncompiled(corpus: Path) -> None:
    codecs = corpus / "logstash-plugins__logstash-codec-netflow/spec/codecs"
    files = [
        str(codecs / name) for name in ("netflow5.dat", "netflow9_test_softflowd_tpl_data.dat", "ipfix.dat")
    ]
    subprocess.run(
        [sys.executable, "-c", UNCOMPILED, *files],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(__file__).parent.parent)},
        check=True,
        timeout=120,
    )
