"""SVG that can do nothing: rebuilt from a list of allowed elements and attributes.

The picture goes into a page that an analyst opens, and its labels come from traffic. So nothing is removed
from it; instead a new tree is made that contains only what is named here: shapes and text, no script, style,
link, image, id, event handler or reference of any kind.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from rearguard.report.charts.palette import CLASSES

__all__ = ["inert"]

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = frozenset({"svg", "g", "path", "line", "rect", "circle", "text", "tspan"})
ATTRIBUTES = frozenset(
    {
        "d", "x", "y", "x1", "y1", "x2", "y2", "r", "cx", "cy", "dx", "dy", "width", "height", "viewBox",
        "transform", "text-anchor", "font-size", "opacity", "stroke-width", "stroke-miterlimit", "display",
    }
)  # fmt: skip
COLOURS = {"fill": "f", "stroke": "k"}
"""Attribute to prefix of the class: ``fill="#030301"`` becomes ``class="f-o-unanswered"``."""

_VALUE = re.compile(r"[\w\s.,#()%+-]*")  # numbers, path commands, translate(...); no url(), quotes or escapes
DEEPEST = 40


def inert(svg: str, label: str) -> str:
    """The picture as an ``<svg>`` element for a page, with ``label`` as its name for screen readers.

    Raises :class:`ValueError` for what is not an SVG document.
    """
    if "<!" in svg:
        raise ValueError("the picture declares a document type")
    try:
        root = ET.fromstring(svg)  # noqa: S314 - our own child drew it; DTDs are refused above
    except ET.ParseError as error:
        raise ValueError(f"the picture is not XML: {error}") from error
    if root.tag != f"{SVG}svg":
        raise ValueError(f"the picture is a {root.tag}, not an SVG")
    copy = _copy(root, 0)
    assert copy is not None
    for name in ("width", "height"):
        copy.attrib.pop(name, None)  # the page decides; viewBox keeps the proportions
    copy.set("role", "img")
    copy.set("aria-label", label)
    return ET.tostring(copy, encoding="unicode")


def _copy(element: ET.Element, depth: int) -> ET.Element | None:
    name = element.tag.removeprefix(SVG)
    if name not in ELEMENTS or depth > DEEPEST or element.get("display") == "none":
        return None
    copy = ET.Element(name)
    for key, value in element.attrib.items():
        if key in ATTRIBUTES and _VALUE.fullmatch(value) and "url" not in value.lower():
            copy.set(key, value)
    if classes := _classes(element):
        copy.set("class", " ".join(classes))
    copy.text = element.text
    for child in element:
        made = _copy(child, depth + 1)
        if made is not None:
            made.tail = child.tail
            copy.append(made)
    return copy


def _classes(element: ET.Element) -> list[str]:
    """The classes of the page's style sheet that stand for this element's colours."""
    found = []
    for attribute, prefix in COLOURS.items():
        colour = element.get(attribute)
        if colour in {"none", "transparent"}:
            found.append(f"{prefix}-none")
        elif colour is not None and colour in CLASSES:
            found.append(f"{prefix}-{CLASSES[colour]}")
    return found
