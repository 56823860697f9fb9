"""Run with NUMBA_DISABLE_JIT=1: the kernels as plain Python make the streams of the plain reference.

Compiled code reads a field of a record as an attribute, which an element of a plain array does not offer; so the
tables are made of elements that do, before the modules that use them are imported.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rearguard.dialogue import layout, table


class Element(np.void):
    """One row of a table, whose fields are attributes."""

    def __getattribute__(self, name: str) -> Any:
        dtype = super().__getattribute__("dtype")
        return self[name] if name in dtype.names else super().__getattribute__(name)

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value


layout.SEGMENT = np.dtype((Element, layout.SEGMENT))
table.ENTRY = np.dtype((Element, table.ENTRY))


def main() -> None:
    """Random connections, split at random."""
    from tests.dialogue.test_law import HEAD, TINY, agree, connections, splits

    from rearguard.dialogue.segments import collect

    assert not hasattr(collect, "py_func"), "this is compiled"
    warnings.filterwarnings("ignore", "overflow encountered", RuntimeWarning)  # hashes and sequences wrap

    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def random_connections(data: st.DataObject) -> None:
        from tests.dialogue.run import run

        packets = data.draw(connections())
        agree(packets, run(data.draw(splits(packets)), head=HEAD, limits=TINY))

    random_connections()
    print("agreed")


if __name__ == "__main__":
    main()
