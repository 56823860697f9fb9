"""YAML to plain values and the line of every key; what YAML allows and a policy must not is refused here.

The text is read to a tree of nodes, which know their lines, and no further: values are made here, of the few
kinds a policy has. Refused: a key twice (readers differ on which one holds), merge keys, tags, more than one
document, and aliases that contain themselves or multiply. Dates stay text, so that one that does not exist is
told with its line by whoever wants a date there.
"""

from __future__ import annotations

import warnings
from typing import Any, BinaryIO

from rearguard.model.errors import Place, PolicyError, RearguardError
from rearguard.policy.places import Path, Places

__all__ = ["read_yaml"]

NODES = 200_000
"""A policy has hundreds of values, thousands at most; more than this is aliases that multiply."""

_CORE = "tag:yaml.org,2002:"
_YAML_REMEDY = "check indentation, brackets and quotes near this line"


def read_yaml(stream: BinaryIO, file: str) -> tuple[dict[str, Any], Places]:
    """The top mapping as plain values, and the lines. ``PolicyError``: not YAML, or not a mapping."""
    reading = _Reading(file)
    try:
        root = _nodes(stream, file)
        content = {} if root is None else reading.value(root, ())
    except RecursionError:
        raise _refuse(Place(file), "no valid YAML: nested too deeply", _YAML_REMEDY) from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise _refuse(
            Place(file, 1), "the policy is no mapping", "begin with `networks:`; see docs/policy.md"
        )
    return content, Places(file, reading.lines)


def _nodes(stream: BinaryIO, file: str) -> Any:
    """The root node of the only document; ``None`` when there is nothing but comments."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ReusedAnchorWarning)
            return YAML(typ="rt", pure=True).compose(stream)
    except ReusedAnchorWarning:
        raise _refuse(Place(file), "the same &anchor stands twice", "give each its own name") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        place = Place(file, mark.line + 1 if mark else None)
        raise _refuse(place, f"no valid YAML: {what}", _YAML_REMEDY) from None
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise _refuse(Place(file), f"no valid YAML: {first}", _YAML_REMEDY) from None


def _refuse(place: Place, problem: str, remedy: str) -> PolicyError:
    return PolicyError([RearguardError(problem, remedy=remedy, place=place)])


class _Reading:
    """One walk over the tree, collecting lines; ``above`` are the nodes the walk is inside of."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.above: set[int] = set()
        self.left = NODES

    def value(self, node: Any, path: Path) -> Any:
        """The node as dict, list, str, int, float, bool or None."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        self.left -= 1
        if self.left < 0 or id(node) in self.above:
            raise self._wrong(path, "aliases repeat without end", "write the values out")
        kind = str(node.tag).removeprefix(_CORE)
        if node.id == "scalar":
            return self._scalar(node, kind, path)
        if (node.id, kind) not in {("mapping", "map"), ("sequence", "seq")}:
            raise self._wrong(path, f"a tag, {kind}, that policies do not have", "write plain values")
        self.above.add(id(node))
        found = self._mapping(node, path) if node.id == "mapping" else self._sequence(node, path)
        self.above.discard(id(node))
        return found

    def _mapping(self, node: Any, path: Path) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._key(key_node, path)
            here = (*path, key if isinstance(key, (str, int)) else str(key))
            if key in found:
                self.lines[here] = line
                raise self._wrong(here, f"key {key!r} stands here twice", "keep one of the two")
            self.lines[here] = line
            found[key] = self.value(value_node, here)
        return found

    def _sequence(self, node: Any, path: Path) -> list[Any]:
        return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]

    def _key(self, node: Any, path: Path) -> Any:
        """A key, whatever its kind; the models say later when it is no text."""
        if node.id != "scalar":
            self.lines[path] = node.start_mark.line + 1
            raise self._wrong(path, "a key that is a list or a mapping", "keys are plain names")
        if node.tag == f"{_CORE}merge":
            self.lines[(*path, node.value)] = node.start_mark.line + 1
            raise self._wrong((*path, node.value), "a merge key", "write the values out")
        return self._scalar(node, str(node.tag).removeprefix(_CORE), path)

    def _scalar(self, node: Any, kind: str, path: Path) -> Any:
        """The value of a scalar by its kind, which YAML 1.2 decides; quoted text is text."""
        text = node.value
        try:
            if kind in {"str", "timestamp"}:
                return str(text)
            if kind == "null":
                return None
            if kind == "bool":
                return {"true": True, "false": False}[text.lower()]
            if kind == "int":
                return int(text.replace("_", ""), 0 if text.lstrip("+-")[:2] in {"0x", "0o"} else 10)
            if kind == "float":
                return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        except (KeyError, ValueError):
            raise self._wrong(path, f"{text!r} is no {kind}", "write plain values") from None
        raise self._wrong(path, f"a tag, {kind}, that policies do not have", "write plain values")

    def _wrong(self, path: Path, problem: str, remedy: str) -> PolicyError:
        return _refuse(Places(self.file, self.lines).of(path), problem, remedy)
