"""Who has run ``rearguard warm`` waits for no compiler: kernels meet the same types with nothing and with much."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from numba.core.dispatcher import Dispatcher

from detect.build import contact, detect, strangers
from rearguard.detect import grouping, loads, looking, lookup, members, pace, tally
from rearguard.detect.warming import warm

MODULES: tuple[ModuleType, ...] = (grouping, loads, looking, lookup, members, pace, tally)


def compiled() -> dict[str, int]:
    """For how many combinations of types each kernel that Python calls was compiled."""
    kernels: list[Any] = [
        one for module in MODULES for one in vars(module).values() if isinstance(one, Dispatcher)
    ]
    return {one.__name__: len(one.signatures) for one in kernels if not one.targetoptions.get("forceinline")}


def test_after_warming_nothing_is_compiled_any_more() -> None:
    warm()
    before = compiled()
    assert before
    assert all(before.values()), before
    rows = [contact(server=f"198.51.100.{k}", at=k, tries=90) for k in range(40)]
    rows += [contact(client, "198.51.100.77", 23, tries=70, lasts=30) for client in strangers(4)]
    rows += [contact(f"2001:db8:1::{n}", f"2001:db8:c:{k}::1", at=k) for n in (3, 1) for k in range(30)]
    rows += [contact("203.0.113.9", outcome="answered")]
    found = {str(finding.kind) for finding in detect(*rows).findings}
    assert found >= {"scan", "probe", "flood", "exposed-device"}
    assert compiled() == before
