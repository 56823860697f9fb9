"""From a key path to a line of the file, and from a validator's complaint to an error with a remedy."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rearguard.model.errors import Place, RearguardError

__all__ = ["Path", "Places", "nearest", "problems_of"]

Path = tuple[str | int, ...]
"""Keys and list indexes from the top of the file, such as ``("drop", 0, "toward")``."""

_KEY_MARK = "[key]"
"""The validator appends this to a path when the key itself is wrong."""

_PLAIN = {
    "dict_type": ("is no mapping", "write keys and values below it: see docs/policy.md"),
    "list_type": ("is no list", "put the items in [square brackets]"),
    "tuple_type": ("is no list", "put the items in [square brackets]"),
    "model_type": ("is no mapping", "write keys and values below it: see docs/policy.md"),
    "too_short": ("is an empty list", "name at least one, or leave the entry out"),
    "int_type": ("is no whole number", "write a whole number without quotes"),
    "float_type": ("is no number", "write a number without quotes"),
    "string_type": ("is no text", 'write it as text, in "quotes" if it looks like a number'),
    "bool_type": ("is neither true nor false", "write true or false"),
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where each key and item of a file stands; without lines, only the key path is told."""

    file: str | None = None
    lines: dict[Path, int] = field(default_factory=dict)
    flags: dict[Path, str] = field(default_factory=dict)
    """What a flag of the command line gave, by path; its text is then the key."""

    def of(self, path: Path) -> Place:
        """The place of a path; what has no line of its own, a missing key, has that of its parent."""
        key = _up(path, self.flags) or _text(path) or None
        return Place(file=self.file, line=_up(path, self.lines), key=key)


_Found = TypeVar("_Found")


def _up(path: Path, known: Mapping[Path, _Found]) -> _Found | None:
    """What is known of a path or of the nearest key above it."""
    steps = (path[:length] for length in range(len(path), -1, -1))
    return next((known[step] for step in steps if step in known), None)


def _text(path: Path) -> str:
    """``drop[0].toward``"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def problems_of(error: ValidationError, model: type[BaseModel], places: Places) -> list[RearguardError]:
    """Every complaint of the validator as an error that names its place and a remedy, in file order."""
    # A misspelt key is told before the key that is missing because of it.
    details = sorted(error.errors(include_url=False), key=lambda detail: detail["type"] != "extra_forbidden")
    problems = [_problem(detail, model, places) for detail in details]
    return sorted(problems, key=lambda problem: problem.place.line or 0)


def _problem(detail: ErrorDetails, model: type[BaseModel], places: Places) -> RearguardError:
    path: Path = tuple(part for part in detail["loc"] if part != _KEY_MARK)
    problem, remedy = _words(detail, model, path)
    return RearguardError(problem, remedy=remedy, place=places.of(path))


def _words(detail: ErrorDetails, model: type[BaseModel], path: Path) -> tuple[str, str]:
    """Problem and remedy of one complaint."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    name = str(path[-1]) if path else "the policy"
    if kind == "rearguard":
        return str(context["problem"]), str(context["remedy"])
    if kind == "extra_forbidden":
        keys = _keys_at(model, path[:-1])
        meant = nearest(name, keys)
        return f"unknown key {name!r}", f"did you mean {meant!r}?" if meant else f"use {', '.join(keys)}"
    if kind == "missing":
        return f"{name!r} is missing", f"add {name}; docs/policy.md says what it means"
    if value is None:
        return f"{name!r} has no value", "give it one, or remove the key"
    if kind == "literal_error":
        meant = nearest(
            str(value), str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        )
        hint = f"did you mean {meant!r}? It is one of" if meant else "use one of"
        return f"{value!r} is no {name}", f"{hint} {context['expected']}"
    if kind in _PLAIN:
        problem, remedy = _PLAIN[kind]
        return f"{name!r} {problem}" if kind == "too_short" else f"{name!r}: {value!r} {problem}", remedy
    return f"{name!r}: {value!r}: {detail['msg']}", "docs/policy.md lists what is allowed"


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that are allowed at a path, by walking the models along it."""
    steps = iter(path)
    for part in steps:
        inner, is_container = _entry_model(model.model_fields[str(part)].annotation)
        if inner is None:
            return []
        model = inner
        if is_container:
            next(steps, None)  # the entry's name or index
    return list(model.model_fields)


def _entry_model(annotation: object) -> tuple[type[BaseModel] | None, bool]:
    """The model inside an annotation such as ``dict[Word, Controller]``, and whether a container holds it."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return (annotation if issubclass(annotation, BaseModel) else None), False
    inner = [_entry_model(part)[0] for part in typing.get_args(annotation)]
    return next((part for part in inner if part), None), True
