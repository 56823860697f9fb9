"""From a YAML file to entries: fast where the data are ours, with file, line and key where they are wrong.

Files are read twice only when something is wrong. The first reading is the fast one of libyaml, which knows no
places; when it or the models complain, the text is read again into nodes that know their lines, as policies are,
and every complaint gets its place and a remedy. What YAML allows and entries must not have (a key twice, tags,
aliases that multiply) only the second reading sees: :func:`strict` uses it at once, and the tests read all that
is shipped that way. Both read scalars as YAML 1.2 does: ``yes`` and ``2016-11-27`` are text.
"""

from __future__ import annotations

import re
from functools import cache
from io import BytesIO
from types import GenericAlias
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import ValidationError, create_model

from rearguard.lessons.model import Entry
from rearguard.model.errors import InputError, Place, RearguardError

if TYPE_CHECKING:
    from rearguard.policy.places import Places

__all__ = ["LARGEST", "LessonError", "parse", "parse_list", "strict"]

LARGEST = 1 << 20
"""Octets of an entry file; the largest that is shipped has a twentieth of it."""

One = TypeVar("One", bound=Entry)


class LessonError(InputError):
    """Entries are wrong: all that is wrong with them, in the order of the file."""

    def __init__(self, problems: list[RearguardError]) -> None:
        first = problems[0]
        super().__init__(first.problem, remedy=first.remedy, place=first.place)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


_TEXT, _MAP, _LIST = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))


class _Loader(yaml.CSafeLoader):
    """Scalars of YAML 1.2 only. Texts, lists, mappings go past PyYAML's constructors: half the time is theirs."""

    def plain(self, node: yaml.Node) -> Any:
        """What a node without aliases says."""
        kind = node.tag
        if kind == _TEXT and isinstance(node, yaml.ScalarNode):
            return node.value
        if kind == _LIST and isinstance(node, yaml.SequenceNode):
            return [self.plain(each) for each in node.value]
        if kind == _MAP and isinstance(node, yaml.MappingNode) and all(k.tag == _TEXT for k, _ in node.value):
            return {self.plain(key): self.plain(each) for key, each in node.value}
        return self.construct_object(node, deep=True)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:null|Null|NULL|~|)$", ("n", "N", "~", "")),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def parse(text: str, file: str, kind: type[One]) -> One:
    """The entry of a file. Raises :class:`LessonError` with all that is wrong."""
    return _checked(_quick(text, file), text, file, kind)


def parse_list(text: str, file: str, kind: type[One], key: str) -> tuple[One, ...]:
    """The entries of a file that holds several, below the key ``key``, in its order."""
    holder = _holder(kind, key)
    entries: tuple[One, ...] = getattr(_checked(_quick(text, file), text, file, holder), key)
    names = [getattr(each, "id", "") for each in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise LessonError([_wrong(file, f"{twice} is used twice", "rename one of the two", key=key)])
    return entries


def strict(text: str, file: str, kind: type[One]) -> tuple[One, Places]:
    """As :func:`parse`, with the line of every key, refusing also what the fast reader overlooks. For files that
    others wrote.
    """
    if len(text.encode()) > LARGEST:
        raise LessonError([_wrong(file, "the file is too large", f"keep it below {LARGEST} octets")])
    content, places = _slow(text, file)
    return _checked(content, text, file, kind), places


@cache
def _holder(kind: type[Entry], key: str) -> type[Entry]:
    """A model of a file that holds nothing but a list below ``key``."""
    fields: dict[str, Any] = {key: (GenericAlias(tuple, (kind, ...)), ...)}
    return create_model(f"Several{kind.__name__}", __base__=Entry, **fields)


def _quick(text: str, file: str) -> Any:
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            return loader.construct_document(node) if "&" in text else loader.plain(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a number that is none
        mark = getattr(error, "problem_mark", None)
        what = f"this is no YAML: {getattr(error, 'problem', None) or error}"
        line = None if mark is None else mark.line + 1
        raise LessonError([_wrong(file, what, "correct the syntax at this line", line=line)]) from error


def _checked(content: Any, text: str, file: str, kind: type[One]) -> One:
    if not isinstance(content, dict):
        keys = ", ".join(kind.model_fields)
        raise LessonError([_wrong(file, "the file is no mapping", f"give it the keys {keys}", line=1)])
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        from rearguard.lessons.complaints import complaints

        _, places = _slow(text, file)
        raise LessonError(complaints(error, kind, places)) from None


def _slow(text: str, file: str) -> tuple[dict[str, Any], Places]:
    from rearguard.model.errors import PolicyError
    from rearguard.policy.yaml_text import read_yaml

    try:
        return read_yaml(BytesIO(text.encode()), file)
    except PolicyError as error:
        problems = [
            RearguardError(
                each.problem.replace("policies do not have", "entries do not have").replace(
                    "the policy is", "the file is"
                ),
                remedy=each.remedy if "policy" not in each.remedy else "begin with `id:`",
                place=each.place,
            )
            for each in error.problems
        ]
        raise LessonError(problems) from None


def _wrong(
    file: str, problem: str, remedy: str, *, line: int | None = None, key: str | None = None
) -> RearguardError:
    return RearguardError(problem, remedy=remedy, place=Place(file=file, line=line, key=key))
