"""Where machine code is kept, and that loads look nowhere but into the buffer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rearguard.model import compiled

ROOM = "a room"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of kernels of its own, whose machine code would be kept in the same temporary folder."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    compiled.cache_folder.cache_clear()
    folder = tmp_path / ROOM
    folder.mkdir()
    (folder / "kernels.py").write_text("one = 1\n")
    return folder


def again(room: Path) -> Path | None:
    compiled.cache_folder.cache_clear()
    return compiled.cache_folder(room)


def test_the_folder_is_private_and_stays_while_the_code_does(room: Path, tmp_path: Path) -> None:
    folder = compiled.cache_folder(room)
    assert folder is not None
    assert folder.parent == tmp_path / "cache"
    assert folder.stat().st_mode & 0o077 == 0
    assert again(room) == folder


def test_changed_code_has_another_folder(room: Path) -> None:
    before = compiled.cache_folder(room)
    (room / "kernels.py").write_text("one = 'one'\n")
    assert again(room) != before


def test_changed_code_of_the_package_around_has_another_folder(room: Path) -> None:
    (room / "__init__.py").write_text("")
    inner = room / "formats"
    inner.mkdir()
    before = again(inner)
    (room / "kernels.py").write_text("one = 'another'\n")
    assert again(inner) != before


def test_code_of_long_ago_is_forgotten(room: Path, tmp_path: Path) -> None:
    names = {f"{ROOM}-0123456789abcdef": False, f"{ROOM}-fedcba9876543210": True, f"{ROOM}-something": True}
    for name in names:
        (tmp_path / "cache" / name / "deep").mkdir(parents=True)
    for name in (f"{ROOM}-0123456789abcdef", f"{ROOM}-something"):
        os.utime(tmp_path / "cache" / name, (1, 1))
    again(room)
    assert {name: (tmp_path / "cache" / name).exists() for name in names} == names


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_folder_that_others_can_write_to_is_refused(room: Path, mode: int) -> None:
    folder = compiled.cache_folder(room)
    assert folder is not None
    folder.chmod(mode)
    assert again(room) is None


def test_no_folder_is_no_error(room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert again(room) is None


KERNEL = """
import numpy as np
from rearguard.model.compiled import be16, kernel

@kernel
def first(b):
    return be16(b, 0)

print(first(np.array([1, 200], np.uint8)))
"""


@pytest.mark.parametrize("jit", ["0", "1"])
@pytest.mark.parametrize("cached", [True, False])
def test_kernels_run_with_and_without_a_cache(tmp_path: Path, jit: str, cached: bool) -> None:
    script = tmp_path / "script.py"
    script.write_text(KERNEL)
    place = tmp_path / "cache" if cached else Path("/dev/null/none")
    environment = os.environ | {"NUMBA_DISABLE_JIT": jit, "NUMBA_CACHE_DIR": str(place)}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.stdout, done.returncode) == ("456\n", 0), done.stderr
    assert bool(list(tmp_path.glob("cache/*/**/*.nbi"))) == (cached and jit == "0")


BYTES = np.arange(250, 250 + 12, dtype=np.int64).astype(np.uint8)


@pytest.mark.parametrize(
    ("load", "size", "order"),
    [
        (compiled.u8, 1, "big"),
        (compiled.be16, 2, "big"),
        (compiled.be32, 4, "big"),
        (compiled.be64, 8, "big"),
        (compiled.le16, 2, "little"),
        (compiled.le32, 4, "little"),
    ],
)
def test_loads(load: object, size: int, order: str) -> None:
    for at in range(len(BYTES) - size + 1):
        expected = int.from_bytes(BYTES[at : at + size].tobytes(), order)  # type: ignore[arg-type]
        assert int(load(BYTES, at)) == expected  # type: ignore[operator]
        python = load.py_func if hasattr(load, "py_func") else load
        assert int(python(BYTES, at)) == expected  # type: ignore[operator]
    for outside in (-1, -size, len(BYTES) - size + 1, 1 << 62):
        with pytest.raises(IndexError):
            load(BYTES, outside)  # type: ignore[operator]
