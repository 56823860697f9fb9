"""Ground truth: an operator's day as packets or flow records, with the truth about it; importing it loads numba."""

from __future__ import annotations

from rearguard.simulate.run import FORMATS, Made, simulate
from rearguard.simulate.scenario import Scenario, read

__all__ = ["FORMATS", "Made", "Scenario", "read", "simulate"]
