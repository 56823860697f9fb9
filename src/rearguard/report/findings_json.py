"""``findings.json``: everything that was concluded, for programs. Names and meaning: docs/findings.md.

The same analysis gives the same bytes: nothing depends on the order of a dict, the clock or the machine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from rearguard import __version__
from rearguard.lessons import load as load_lessons
from rearguard.model.finding import format_time
from rearguard.report.escape import without_surrogates
from rearguard.report.resembles import recommended
from rearguard.report.words import OUTCOMES, ranked

if TYPE_CHECKING:
    from rearguard.contacts.view import SourceInfo
    from rearguard.model.finding import Finding
    from rearguard.report.analysis import Analysis, InterfaceLine
    from rearguard.sources.reader import Exporter

__all__ = ["SCHEMA_VERSION", "document", "dumps", "schema"]

SCHEMA_VERSION = "1"
"""Raised when a name is removed or changes its meaning; additions do not raise it."""


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document, as shipped."""
    loaded: dict[str, Any] = json.loads(
        files("rearguard.report").joinpath("findings.schema.json").read_text("utf-8")
    )
    return loaded


def dumps(analysis: Analysis) -> str:
    """The document as ASCII text with a newline at the end; safe to show on a terminal as it is.

    One line an entry, and one a member of a list: as easy to search with line tools as to parse, and ten
    thousand findings are written in a tenth of the time that indenting them takes.
    """
    content = _content(analysis)
    entries = [f"{_text(name)}: {_entry(value)}" for name, value in content.items()]
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _entry(value: Any) -> str:
    """A finding becomes text before the next one is made plain: all of them at once would be large."""
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        lines = ",\n".join(_text(_plain(item)) for item in value)
        return f"[\n{lines}\n]" if lines else "[]"
    return _text(_plain(value))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")


def document(analysis: Analysis) -> dict[str, Any]:
    """The document as plain values: str, int, float, bool, None, list, dict only."""
    content = _content(analysis)
    plain: dict[str, Any] = _plain({**content, "findings": list(content["findings"])})
    return plain


def _content(analysis: Analysis) -> dict[str, Any]:
    span = analysis.view.span
    advice = recommended(load_lessons())
    return {
        "rearguard": __version__,
        "schema": SCHEMA_VERSION,
        "policy": {"digest": analysis.policy.digest, "assumed": analysis.policy.assumed},
        "sources": [_source(item) for item in analysis.sources],
        "observers": list(analysis.view.observers),
        "sampling": [
            {"observer": line.observer, "rate": line.rate, "from": line.source} for line in analysis.sampling
        ],
        "first_seen": None if span is None else format_time(span[0]),
        "last_seen": None if span is None else format_time(span[1]),
        "notes": list(analysis.notes),
        "approximations": list(analysis.approximations),
        "contacts": {
            "total": analysis.contacts.total,
            "authorised": analysis.contacts.authorised,
            "unauthorised": analysis.contacts.unauthorised,
            "by_outcome": _outcomes(analysis.contacts.by_outcome),
        },
        "interfaces": [_interface(line) for line in analysis.interfaces],
        "findings": (_finding(item, advice(item)) for item in ranked(analysis.findings)),
        "filter": None if analysis.border is None else analysis.border.to_json(),
    }


def _exporter(item: Exporter) -> dict[str, Any]:
    return {
        "address": item.address,
        "domain": item.domain,
        "kind": item.kind,
        "datagrams": item.datagrams,
        "records": item.records,
        "lost": item.lost,
        "lost_unit": item.lost_unit,
        "without_template": item.without_template,
        "rate": item.rate,
        "rate_from": item.rate_from or "unknown",
    }


def _source(item: SourceInfo) -> dict[str, Any]:
    return {
        "uri": item.uri,
        "format": item.format,
        "records": item.records,
        "bytes": item.bytes,
        "skipped": {reason: item.skipped[reason] for reason in sorted(item.skipped)},
        "first_seen": None if item.first_seen is None else format_time(item.first_seen),
        "last_seen": None if item.last_seen is None else format_time(item.last_seen),
        "damaged": item.damaged,
        "complete": item.complete,
        "exporters": [_exporter(each) for each in item.exporters],
    }


def _interface(line: InterfaceLine) -> dict[str, Any]:
    return {
        "interface": line.interface,
        "direction": line.direction,
        "remotes": line.remotes,
        "devices": line.devices,
        "contacts": line.contacts,
        "tries": line.tries,
        "outcomes": _outcomes(line.outcomes),
    }


def _finding(item: Finding, recommendations: tuple[str, ...]) -> dict[str, Any]:
    content = item.to_json()
    content["recommendations"] = list(recommendations)
    content["outcomes"] = _outcomes(content["outcomes"])
    content["details"] = _sorted_keys(content["details"])
    return content


def _outcomes(outcomes: Mapping[str, int]) -> dict[str, int]:
    """In one order always, whatever the order of the query that counted them."""
    others = sorted(name for name in outcomes if name not in OUTCOMES)
    return {name: outcomes[name] for name in (*OUTCOMES, *others) if name in outcomes}


def _sorted_keys(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _sorted_keys(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [_sorted_keys(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    """Values that every JSON reader takes: no NaN, no lone surrogate, no numpy scalar, no set."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return without_surrogates(str(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {without_surrogates(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # a numpy scalar that came straight out of a query
        return _plain(value.item())
    raise TypeError(f"{type(value).__name__} has no place in findings.json")
