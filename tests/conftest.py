"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def absent(reason: str) -> None:
    """Skip, saying why; with ``CI=true`` nothing that a test needs may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (a failure because CI=true)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of shared captures beside the project."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        absent(f"the shared captures are not beside the project ({folder.name} is missing)")
    return folder


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """``tool("tshark")`` gives the program's path, or skips (fails in CI) when it is not installed."""

    def find(name: str) -> str:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        if path is None:
            absent(f"{name} is not installed")
        assert path is not None
        return path

    return find


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the project."""
    return ROOT
