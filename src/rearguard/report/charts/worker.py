"""The child that draws: JSON on standard input, ``{"name": "<svg…"}`` on standard output.

Started as ``python -m rearguard.report.charts.worker``. It loads and warms its libraries first, then waits.
"""

from __future__ import annotations

import json
import sys

import altair as alt
import vl_convert

from rearguard.report.charts.specs import specifications

__all__ = ["main"]


def main() -> None:
    """Warm up, read everything, draw everything, write everything."""
    version = "_".join(alt.SCHEMA_VERSION.split(".")[:2])
    vl_convert.vegalite_to_svg({"data": {"values": []}, "mark": "bar"}, vl_version=version)
    data = json.load(sys.stdin)
    drawn = {
        name: vl_convert.vegalite_to_svg(spec, vl_version=version)
        for name, spec in specifications(data).items()
    }
    json.dump(drawn, sys.stdout)


if __name__ == "__main__":
    main()
