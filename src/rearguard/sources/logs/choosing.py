"""Which mapping a file gets: the policy's rule for it, else the preset that its columns tell, else an error that
shows what to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import PurePath

from rearguard.model.errors import InputError, Place
from rearguard.policy.columns import ColumnRule
from rearguard.sources.logs.mapping import NEEDED, ColumnMap
from rearguard.sources.logs.presets import PRESETS, preset_of

__all__ = ["Chosen", "choose", "rule_of"]

Chosen = tuple[ColumnMap, str]
"""The mapping, and the exporter's name where a record names none ("": it has none)."""

SHOWN = 40
"""Columns that an error lists."""

_LIKELY: Mapping[str, tuple[str, ...]] = {
    "src": (
        "src",
        "source",
        "saddr",
        "srcip",
        "srcaddr",
        "sourceip",
        "sourceaddress",
        "ipsrc",
        "sip",
        "client",
    ),
    "dst": (
        "dst",
        "dest",
        "destination",
        "daddr",
        "dstip",
        "dstaddr",
        "destip",
        "destinationip",
        "ipdst",
        "dip",
    ),
    "proto": ("proto", "protocol", "ipproto", "ipprotocol", "transport", "pr"),
    "sport": ("sport", "srcport", "sourceport", "portsrc", "sp"),
    "dport": ("dport", "dstport", "destport", "destinationport", "portdst", "dp"),
    "start": ("ts", "start", "time", "timestamp", "starttime", "first", "firstseen", "flowstart"),
    "packets": ("packets", "pkts", "packetcount", "inpackets", "npackets"),
    "bytes": ("bytes", "octets", "inbytes", "nbytes", "volume"),
}
"""How the columns of a suggested mapping are guessed: letters and digits of a name, in lower case."""


def rule_of(uri: str, rules: Sequence[tuple[str, ColumnRule]]) -> tuple[str, ColumnRule] | None:
    """The first rule whose pattern fits the path or the file's name."""
    for name, rule in rules:
        if fnmatchcase(uri, rule.match) or fnmatchcase(PurePath(uri).name, rule.match):
            return name, rule
    return None


def choose(
    columns: Sequence[str], uri: str, rules: Sequence[tuple[str, ColumnRule]], known: ColumnMap | None = None
) -> Chosen:
    """The mapping for a table with these columns. ``known``: what its format already tells.

    Raises InputError with file, key and remedy where there is none, or where a rule names columns that the file
    does not have.
    """
    found = rule_of(uri, rules)
    if found is None:
        mapping = known or preset_of(columns)
        if mapping is None:
            raise _unknown(columns, uri)
        _check_time(mapping, columns, uri)
        return mapping, ""
    name, rule = found
    mapping = _of_rule(name, rule, columns, uri, known)
    _check_time(mapping, columns, uri)
    return _with(mapping, rule), name


def _of_rule(
    name: str, rule: ColumnRule, columns: Sequence[str], uri: str, known: ColumnMap | None
) -> ColumnMap:
    if rule.fields is not None:
        mapping = ColumnMap(name, rule.fields.by_field())
    elif known is not None:
        if rule.preset not in (None, known.name):
            raise InputError(
                f"it is a log of {known.name}, and the rule says {rule.preset}",
                remedy=f"write preset: {known.name}, or make the pattern narrower",
                place=Place(file=uri, key=f"columns.{name}.preset"),
            )
        mapping = known
    else:
        wanted = {preset.map.name: preset.map for preset in PRESETS}
        guessed = preset_of(columns) if rule.preset is None else wanted.get(rule.preset)
        if guessed is None:
            raise _unknown(columns, uri)
        mapping = guessed
    _check(mapping, name, "fields" if rule.fields is not None else "preset", columns, uri)
    return mapping


def _check(mapping: ColumnMap, name: str, key: str, columns: Sequence[str], uri: str) -> None:
    """Every field that a rule names, or that a flow needs, must be there."""
    fields = mapping.fields if key == "fields" else NEEDED
    for field in fields:
        names = mapping.fields[field]
        if not any(each in columns for each in names):
            inner = f".{field}" if key == "fields" else ""
            raise InputError(
                f"the file has no column {' or '.join(map(repr, names))} for {field}",
                remedy=f"its columns are: {_listed(columns)}",
                place=Place(file=uri, line=1, key=f"columns.{name}.{key}{inner}"),
            )


def _check_time(mapping: ColumnMap, columns: Sequence[str], uri: str) -> None:
    """Without a time no record can be used, so it is said before the first one."""
    names = mapping.fields.get("start", ())
    if names and not any(each in columns for each in names):
        raise InputError(
            f"a table of {mapping.name} without a time: it has no column {' or '.join(map(repr, names))}",
            remedy="let the tool write the time of each flow (pmacct: timestamp_start and timestamp_end among the"
            " primitives of aggregate), or name its column under columns in the policy",
            place=Place(file=uri),
        )


def _with(mapping: ColumnMap, rule: ColumnRule) -> ColumnMap:
    unit = None if rule.time_unit == "iso8601" else rule.time_unit
    mapping = replace(mapping, time_unit=unit or mapping.time_unit)
    return mapping if rule.sampling is None else replace(mapping, sampling=rule.sampling, rate_from="policy")


def _unknown(columns: Sequence[str], uri: str) -> InputError:
    """The file's columns, and a mapping to paste into the policy."""
    guessed = []
    for field, likely in _LIKELY.items():
        name = next((each for each in columns if _plain(each) in likely), None)
        if name is not None or field in NEEDED:
            guessed.append(f"      {field}: {_quoted(name) if name is not None else 'COLUMN'}")
    lines = [
        "columns:",
        "  border:",
        f"    match: {_quoted('*' + PurePath(uri).suffix)}",
        "    fields:",
        *guessed,
    ]
    return InputError(
        f"nobody knows what its columns mean: {_listed(columns)}",
        remedy="say it in the policy (docs/flows.md lists the fields), for example:\n" + "\n".join(lines),
        place=Place(file=uri),
    )


def _plain(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(columns: Sequence[str]) -> str:
    """The names, safe to be printed."""
    shown = ", ".join(_quoted(name[:60])[1:-1] for name in columns[:SHOWN])
    more = len(columns) - SHOWN
    return "".join(char if char.isprintable() else "?" for char in shown) + (
        f" and {more} more" if more > 0 else ""
    )
