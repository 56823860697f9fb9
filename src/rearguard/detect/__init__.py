"""From the judged view to findings. One module a kind, all of the same shape; see ``docs/detection.md``."""

from rearguard.detect.run import detectors, run, run_windows
from rearguard.detect.shape import Conclusion, Context, Detector, Result

__all__ = ["Conclusion", "Context", "Detector", "Result", "detectors", "run", "run_windows"]
