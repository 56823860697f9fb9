"""The border that kernel tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from tests.conftest import absent
from tests.filters.net import Border


@pytest.fixture(scope="module")
def net(tool: Callable[[str], str]) -> Iterator[Border]:
    """Three namespaces; needs root, iproute2 and nftables."""
    if os.geteuid() != 0:
        absent("network namespaces need root")
    for name in ("ip", "nft"):
        tool(name)
    with Border() as made:
        yield made
