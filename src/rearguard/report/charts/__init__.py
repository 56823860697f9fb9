"""Charts as inert SVG, drawn in a child process.

The drawing libraries cost a second and 150 MB; both stay out of the process that holds the traffic. The child
is started before the traffic is read, loads its libraries meanwhile, and gets its data (JSON) at the end. It
may fail, hang or be absent: then the report comes without pictures and says so.
"""

from __future__ import annotations

from rearguard.report.charts.inert import inert
from rearguard.report.charts.studio import Drawing, Studio

__all__ = ["Drawing", "Studio", "inert"]
