"""A share with its 95 % interval by Wilson's method, which holds for few cases and at 0 and 100 %."""

from __future__ import annotations

import math

__all__ = ["share", "wilson"]

Z = 1.959964


def wilson(hits: int, cases: int) -> tuple[float, float]:
    """Lower and upper end (E. B. Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953)."""
    if cases == 0:
        return 0.0, 1.0
    part, z2 = hits / cases, Z * Z / cases
    middle = (part + z2 / 2) / (1 + z2)
    half = Z / (1 + z2) * math.sqrt(part * (1 - part) / cases + z2 / (4 * cases))
    return max(0.0, middle - half), min(1.0, middle + half)


def share(hits: int, cases: int) -> str:
    """``0.93 (0.88 to 0.96)``; a dash where there is nothing to divide by."""
    if cases == 0:
        return "–"
    low, high = wilson(hits, cases)
    return f"{hits / cases:.2f} ({low:.2f} to {high:.2f})"
