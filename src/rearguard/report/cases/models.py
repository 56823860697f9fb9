"""How each model of the inventory fared: what happened to its devices, and whether they were fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ModelLine", "model_lines"]


@dataclass(frozen=True, slots=True)
class ModelLine:
    """How one model with one firmware fared. All are numbers of devices of the inventory.

    ``affected`` were concerned by any finding (an attack, exposure, compromise ...), ``exposed`` and
    ``compromised`` by one of that kind; ``fixed`` are told to be fixed, ``unfixed`` not to be; of the rest the
    inventory does not tell. ``fixed_affected``: fixed ones among the affected, where the fix should be doubted.
    """

    model: str
    firmware: str
    devices: int
    affected: int
    exposed: int
    compromised: int
    fixed: int
    unfixed: int
    fixed_affected: int


def model_lines(
    kinds: Sequence[tuple[str, str]],
    kind: npt.NDArray[np.uint32],
    told: npt.NDArray[np.int8],
    happened: Mapping[int, Set[str]],
) -> tuple[ModelLine, ...]:
    """One line a model and firmware, the worst first.

    ``kind`` and ``told`` (whether fixed: 1 yes, 0 no, -1 not told) have a row a device; ``happened``: row to what
    befell it.
    """
    size = len(kinds)
    devices = np.bincount(kind, minlength=size)
    fixed = np.bincount(kind[told == 1], minlength=size)
    unfixed = np.bincount(kind[told == 0], minlength=size)
    concerned: dict[int, list[int]] = {}
    for row in happened:
        concerned.setdefault(int(kind[row]), []).append(row)
    lines = []
    for number, (model, firmware) in enumerate(kinds):
        rows = concerned.get(number, [])
        lines.append(
            ModelLine(
                model=model,
                firmware=firmware,
                devices=int(devices[number]),
                affected=len(rows),
                exposed=sum("exposed" in happened[row] for row in rows),
                compromised=sum("compromised" in happened[row] for row in rows),
                fixed=int(fixed[number]),
                unfixed=int(unfixed[number]),
                fixed_affected=sum(int(told[row]) == 1 for row in rows),
            )
        )
    return tuple(sorted(lines, key=_worst_first))


def _worst_first(line: ModelLine) -> tuple[int, int, int, int, str, str]:
    return -line.compromised, -line.exposed, -line.affected, -line.devices, line.model, line.firmware
