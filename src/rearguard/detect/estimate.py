"""What a sampled count says about the whole, and what must happen to be seen at all (rule B14).

At one packet in N, each target that is sent one SYN is seen with probability 1/N, so the number seen is binomial
and, for large N, Poisson with mean (touched / N). The estimate is seen * N; its interval is the exact Poisson
interval in the closed form of Wilson and Hilferty (the cube root of a chi-square variable is nearly normal),
which is within two per cent for three seen and better above. A source that sends several SYNs to each target is
seen more often than that: the estimate counts SYNs then, and is an upper value for targets. A peer of which several
packets were sampled is one peer and stands for no others.
"""

from __future__ import annotations

import math

__all__ = ["MIN_SEEN", "chance_seen", "interval", "must_touch", "needed", "spread"]

Z = 1.959964
"""Two-sided 95 %."""

MIN_SEEN = 3
"""Under sampling, fewer distinct targets than this are no scan, whatever the estimate: one stray packet at
1:1000 would stand for a thousand."""


def interval(seen: float) -> tuple[float, float]:
    """95 % interval of the mean of a Poisson variable of which ``seen`` were counted."""
    low = 0.0
    if seen > 0:
        low = seen * max(0.0, 1 - 1 / (9 * seen) - Z / (3 * math.sqrt(seen))) ** 3
    more = seen + 1
    return low, more * (1 - 1 / (9 * more) + Z / (3 * math.sqrt(more))) ** 3


def spread(seen: int, weight: float, weight2: float) -> tuple[int, tuple[int, int]]:
    """Estimate and 95 % interval from the sum of sampling rates over what was seen, and of their squares.

    With one rate N it is (seen * N, N * interval); a mixture behaves like seen² counts of the weighted rate.
    """
    if weight <= seen:
        return seen, (seen, seen)
    rate = weight2 / weight
    low, high = interval(weight / rate)
    return round(weight), (max(seen, math.floor(low * rate)), math.ceil(high * rate))


def needed(threshold: int, rate: int) -> int:
    """How many distinct targets must be seen so that surely (95 %) ``threshold`` were touched."""
    if rate <= 1:
        return threshold
    seen = MIN_SEEN
    while seen < threshold and interval(seen)[0] * rate < threshold:
        seen += 1
    return seen


def chance_seen(touched: int, rate: int, seen: int) -> float:
    """Probability that at least ``seen`` of ``touched`` single packets are sampled at 1:``rate``."""
    if rate <= 1:
        return 1.0 if touched >= seen else 0.0
    mean = touched / rate
    term = total = math.exp(-mean)
    for k in range(1, seen):
        term *= mean / k
        total += term
    return max(0.0, 1.0 - total)


def must_touch(rate: int, seen: int, chance: float = 0.95) -> int:
    """How many targets a scan must touch so that ``seen`` are sampled with this chance."""
    if rate <= 1:
        return seen
    low, high = seen, seen * rate * 20
    while low < high:
        middle = (low + high) // 2
        if chance_seen(middle, rate, seen) >= chance:
            high = middle
        else:
            low = middle + 1
    return low
