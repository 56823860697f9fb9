"""From a YAML file to entries: the dataclasses of :mod:`rearguard.lessons.model` are the schema.

A key that a dataclass does not have, a missing one, or a value of another shape is an error that names file,
entry and key.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import yaml

from rearguard.model.errors import InputError, Place

__all__ = ["parse"]

Entry = TypeVar("Entry")


def parse(text: str, file: str, kind: type[Entry]) -> tuple[Entry, ...]:
    """The entries of one file in its order. Raises :class:`InputError` at the first that is wrong."""
    try:
        rows = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date or number that is none
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            f"this is no YAML: {getattr(error, 'problem', None) or error}",
            place=Place(file=file, line=None if mark is None else mark.line + 1),
            remedy="correct the syntax at this line",
        ) from error
    if not isinstance(rows, list):
        raise InputError(
            "a file of lessons is a list of entries",
            place=Place(file=file),
            remedy="begin every entry with '- id: NAME'",
        )
    made: dict[str, Entry] = {}
    for number, row in enumerate(rows, start=1):
        name = row.get("id") if isinstance(row, dict) else None
        path = name if isinstance(name, str) else f"entry {number}"
        if path in made:
            raise _error(file, f"{path}.id", "is used twice", "rename one of the two")
        made[path] = _value(row, kind, file, path)
    return tuple(made.values())


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(value: object, kind: Any, file: str, path: str) -> Any:
    if is_dataclass(kind):
        return _entry(value, kind, file, path)
    origin = get_origin(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise _error(file, path, "is no list", "begin every item with '- '")
        item = get_args(kind)[0]
        return tuple(_value(each, item, file, f"{path}[{number}]") for number, each in enumerate(value))
    if origin is Literal:
        if value not in get_args(kind):
            raise _error(file, path, f"is {value!r}", f"choose one of {', '.join(get_args(kind))}")
        return value
    if isinstance(kind, UnionType):
        if value is None:
            return None
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    if type(value) is not kind or value == "":
        raise _error(file, path, f"is {value!r}", f"write a value of the type {kind.__name__}")
    return value


def _entry(value: object, kind: Any, file: str, path: str) -> Any:
    hints = _hints(kind)
    if not isinstance(value, dict):
        raise _error(file, path, "is no mapping", f"give it the keys {', '.join(hints)}")
    for key in value:
        if key not in hints:
            raise _error(file, f"{path}.{key}", "is an unknown key", f"known are {', '.join(hints)}")
    for field in fields(kind):
        if field.name not in value and field.default is MISSING:
            raise _error(file, f"{path}.{field.name}", "is missing", "add it")
    return kind(**{key: _value(each, hints[key], file, f"{path}.{key}") for key, each in value.items()})


def _error(file: str, path: str, problem: str, remedy: str) -> InputError:
    return InputError(f"{path} {problem}", place=Place(file=file, key=path), remedy=remedy)
