"""Run with NUMBA_DISABLE_JIT=1: the kernels as plain Python make what the reference makes.

Arguments are captures. Compiled code reads a field of a record as an attribute, which an element of a plain
array does not offer; so the tables are made of elements that do.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
from hypothesis import given, settings

from rearguard.contacts import initiations, single
from rearguard.model import fields

packed = fields.dtype
fields.dtype = lambda table: np.dtype((fields.Element, packed(table)))
single.SINGLE = np.dtype((fields.Element, single.SINGLE))
initiations.INITIATION = np.dtype((fields.Element, initiations.INITIATION))


def main(captures: list[str]) -> None:
    """Random rows, then the captures."""
    from tests.contacts.run import ONE, facts, world_of
    from tests.contacts.strategies import SIZES, awkward, row_lists
    from tests.contacts.test_agreement import MIXED, agree, rows_in

    from rearguard.catalogue import load
    from rearguard.contacts.guarding import build_guard
    from rearguard.contacts.reduce import reduce_contacts
    from rearguard.policy import Policy

    assert not hasattr(reduce_contacts, "py_func"), "this is compiled"
    warnings.filterwarnings("ignore", "overflow encountered", RuntimeWarning)  # hashes wrap around

    @settings(max_examples=15, deadline=None, derandomize=True, database=None)
    @given(row_lists(most=30))
    def random_rows(rows: list[dict[str, int]]) -> None:
        agree(facts([[rows]], sizes=[SIZES[1]]), rows, ONE)

    for sizes in SIZES[1:]:
        agree(facts([[awkward()]], sizes=[sizes]), awkward(), ONE)
    random_rows()
    guard = build_guard(Policy.model_validate({"networks": {"ours": {"prefixes": list(MIXED)}}}), load())
    contacts = 0
    for number, path in enumerate(captures):
        rows = rows_in(Path(path), number)
        found = facts([[rows]], guard, [SIZES[1]])
        agree(found, rows, world_of(guard, MIXED))
        contacts += len(found.contacts)
    print(f"{contacts} contacts")


if __name__ == "__main__":
    main(sys.argv[1:])
