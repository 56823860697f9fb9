"""``report.html``: one file that asks nobody for anything and runs nothing.

Its Content-Security-Policy allows the one style sheet inside it (by hash) and nothing else; there is no
script, no form, no link and no reference to another resource. Every value is escaped by the template engine.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from rearguard import __version__
from rearguard.report import words
from rearguard.report.view_model import page

if TYPE_CHECKING:
    from rearguard.report.analysis import Analysis
    from rearguard.report.charts import Drawing

__all__ = ["render"]


def render(analysis: Analysis, drawing: Drawing, bar_seconds: int) -> str:
    """The whole page; ``bar_seconds`` is the length of one bar of the timeline that was drawn."""
    folder = files("rearguard.report.page")
    style = folder.joinpath("report.css").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(folder.joinpath("report.html").read_text("utf-8"))
    return template.render(
        page(analysis),
        version=__version__,
        style=Markup(style),  # noqa: S704 - our own file
        policy_header=_content_security_policy(style),
        charts={name: Markup(svg) for name, svg in drawing.svg.items()},  # noqa: S704 - made inert, see charts
        chart_problem=drawing.problem or "",
        bar_length=words.duration(bar_seconds * 1_000_000_000),
    )


def _content_security_policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
