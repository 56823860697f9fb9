"""``report.html``: one file that asks nobody for anything and runs nothing.

Its Content-Security-Policy allows the one style sheet inside it (by hash) and nothing else; there is no
script, no form, no link and no reference to another resource. Every value is made visible here and escaped by the
template engine.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import DictLoader, Environment, StrictUndefined, Template
from markupsafe import Markup

from rearguard import __version__
from rearguard.report import words
from rearguard.report.escape import visible
from rearguard.report.view_model import page

if TYPE_CHECKING:
    from rearguard.report.analysis import Analysis
    from rearguard.report.charts import Drawing

__all__ = ["Draft", "render"]


def render(analysis: Analysis, drawing: Drawing, bar_seconds: int) -> str:
    """The whole page; ``bar_seconds`` is the length of one bar of the timeline that was drawn."""
    return Draft(analysis).finish(drawing, bar_seconds)


class Draft:
    """The page but for its charts: what can be made while another process still draws them."""

    def __init__(self, analysis: Analysis) -> None:
        self._values = _visible(page(analysis))
        self._style, self._template = _template()

    def finish(self, drawing: Drawing, bar_seconds: int) -> str:
        """The page with its charts."""
        return self._template.render(
            self._values,
            version=__version__,
            style=Markup(self._style),  # noqa: S704 - our own file
            policy_header=_content_security_policy(self._style),
            charts={name: Markup(svg) for name, svg in drawing.svg.items()},  # noqa: S704 - made inert, see charts
            chart_problem=drawing.problem or "",
            bar_length=words.duration(bar_seconds * 1_000_000_000),
        )


def _visible(value: Any) -> Any:
    """The last guard: no string reaches the page that has not passed :func:`visible`, whoever made it."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {name: _visible(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_visible(item) for item in value]
    return value


def _template() -> tuple[str, Template]:
    """The style sheet and the page's template with all its parts."""
    folder = files("rearguard.report.page")
    style = folder.joinpath("report.css").read_text("utf-8")
    parts = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".html")}
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=DictLoader(parts),
    )
    made = {
        name: environment.get_template(name) for name in parts
    }  # all now; later would be after the charts
    return style, made["report.html"]


def _content_security_policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
