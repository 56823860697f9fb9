"""From what a model refuses to an error that says what a good record has there.

The remedy for a missing or wrong key is the description of that key in the model: one text for the JSON Schema,
the documentation and the error.
"""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from rearguard.model.errors import RearguardError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from rearguard.policy.places import Path, Places

__all__ = ["complaints", "described"]

_SHAPES = {
    "tuple_type": "is no list",
    "list_type": "is no list",
    "model_type": "is no mapping",
    "dict_type": "is no mapping",
    "string_type": "is no text",
    "bool_type": "is neither true nor false",
    "int_type": "is no whole number",
    "int_parsing": "is no whole number",
    "int_from_float": "is no whole number",
    "too_short": "is empty",
    "string_too_short": "is empty",
}


def complaints(error: ValidationError, model: type[BaseModel], places: Places) -> list[RearguardError]:
    """Every complaint with its place, in the order of the file; keys that are missing come last, because one of
    them may stand there misspelt.
    """
    details = error.errors(include_url=False)
    # A list is also called too short when its items were refused.
    refused = {detail["loc"][:-1] for detail in details} | {detail["loc"][:-2] for detail in details}
    told = [each for each in details if each["type"] != "too_short" or each["loc"] not in refused]
    missing = [_complaint(each, model, places) for each in told if each["type"] == "missing"]
    others = [_complaint(each, model, places) for each in told if each["type"] != "missing"]
    return sorted(others, key=lambda problem: problem.place.line or 0) + missing


def described(model: type[BaseModel], path: Path) -> str:
    """What the model says of the key at the end of a path; empty for list items and unknown keys."""
    for part in path[:-1]:
        if isinstance(part, str):
            found = model.model_fields.get(part)
            inner = None if found is None else _inner(found.annotation)
            if inner is None:
                return ""
            model = inner
    field = model.model_fields.get(str(path[-1])) if path else None
    return (field.description or "") if field else ""


def _complaint(detail: ErrorDetails, model: type[BaseModel], places: Places) -> RearguardError:
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    problem, remedy = _words(detail, model, path)
    return RearguardError(problem, remedy=remedy, place=places.of(path))


def _words(detail: ErrorDetails, model: type[BaseModel], path: Path) -> tuple[str, str]:
    kind, value = detail["type"], detail["input"]
    name = next((part for part in reversed(path) if isinstance(part, str)), "the entry")
    wanted = described(model, _named(path))
    if kind == "extra_forbidden":
        from rearguard.policy.places import nearest

        keys = list(_keys(model, path[:-1]))
        meant = nearest(name, keys)
        return (
            f"unknown key {name!r}",
            f"did you mean {meant!r}?" if meant else f"known are {', '.join(keys)}",
        )
    if kind == "missing":
        return f"{name!r} is missing", f"add {name}: {wanted}"
    if kind == "literal_error":
        expected = str(detail.get("ctx", {}).get("expected", ""))
        return f"{name!r} is {_short(value)}", f"choose one of {expected}"
    if kind == "string_pattern_mismatch":
        empty = isinstance(value, str) and not value.strip()
        return f"{name!r} is {'empty' if empty else _short(value)}", f"write {wanted}"
    if kind in _SHAPES:
        said = _SHAPES[kind]
        quotes = (
            " (put it in quotes)" if said == "is no text" and isinstance(value, (bool, int, float)) else ""
        )
        return f"{name!r}: {_short(value)} {said}", f"write {wanted}{quotes}"
    return f"{name!r}: {_short(value)}: {detail['msg']}", f"write {wanted}" if wanted else "see the schema"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _named(path: Path) -> Path:
    """A path without the indexes at its end: an item is described by its list."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path


def _keys(model: type[BaseModel], path: Path) -> typing.Iterable[str]:
    for part in path:
        if isinstance(part, str):
            found = model.model_fields.get(part)
            inner = None if found is None else _inner(found.annotation)
            if inner is None:
                return ()
            model = inner
    return model.model_fields


def _inner(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as ``tuple[Source, ...]``."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    found = (_inner(part) for part in typing.get_args(annotation))
    return next((part for part in found if part is not None), None)
