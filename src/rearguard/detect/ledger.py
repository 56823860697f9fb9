"""What kernels are given beside the rows: words behind the numbers, who counts as one device, who is a victim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.contacts.arrow import words_of
from rearguard.detect.lookup import Lookup, lookup

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb
    import pyarrow as pa

    from rearguard.detect.touch_rows import Touches
    from rearguard.policy.policy import Policy

__all__ = ["Ledger"]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The touches of scans, probes and floods, as rows of numbers, and what their numbers mean."""

    touches: Touches
    interfaces: tuple[str, ...]
    networks: tuple[str, ...]
    words: dict[str, list[str]]
    """The surveyors and the exceptions."""
    masks: npt.NDArray[np.uint64]
    """See :func:`rearguard.detect.lookup.device_of`."""
    reflections: Lookup

    @classmethod
    def of(
        cls,
        touches: Touches,
        words: dict[str, list[str]],
        interfaces: tuple[str, ...],
        policy: Policy,
        con: duckdb.DuckDBPyConnection,
    ) -> Ledger:
        """``con`` has the table ``reflections``."""
        lengths = [network.delegated for network in policy.networks.values()]
        masks = [0 if length is None else ((1 << length) - 1) << (64 - length) for length in lengths]
        found = con.execute("SELECT server_hi, server_lo, interface, source_net FROM reflections").fetchall()
        keys = [(hi, lo, interfaces.index(name), net) for hi, lo, name, net in found]
        return cls(
            touches,
            interfaces,
            policy.network_names,
            words,
            np.array([*masks, 0], np.uint64),
            lookup(keys),
        )

    def groups(self, found: Iterable[dict[str, Any]], name: str = "source") -> Lookup:
        """Of rows with ``{name}_hi``, ``{name}_lo``, ``interface`` and ``way``, in their order."""
        place = {word: at for at, word in enumerate(self.interfaces)}
        return lookup(
            [(row[f"{name}_hi"], row[f"{name}_lo"], place[row["interface"]], row["way"]) for row in found]
        )

    def interface_words(self, numbers: npt.NDArray[np.uint16]) -> pa.Array:
        """The interfaces of rows, as a column."""
        return words_of(numbers.astype(np.int32), self.interfaces)

    def network_words(self, numbers: npt.NDArray[np.uint16]) -> pa.Array:
        """The networks of rows, as a column; NULL: none."""
        return words_of(np.where(numbers < len(self.networks), numbers.astype(np.int32), -1), self.networks)
