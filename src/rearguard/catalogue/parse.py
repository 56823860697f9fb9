"""From the text of a catalogue file to interfaces; what is wrong is told with file, entry and key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from rearguard.catalogue.fields import ENTRY, Field
from rearguard.catalogue.model import Initiator, Interface, Listener, Port, Source, Standing
from rearguard.model.errors import InputError, Place

__all__ = ["Where", "entries", "parse"]


def parse(text: str, file: str, family: str) -> tuple[Interface, ...]:
    """The entries of one file, in its order.

    ``family`` is what every entry of this file must name. Raises :class:`InputError` at the first entry that
    does not follow the table in :mod:`rearguard.catalogue.fields` or contradicts itself.
    """
    return tuple(_interface(entry, where, family) for entry, where in entries(text, file))


def entries(text: str, file: str) -> Iterator[tuple[object, Where]]:
    """The entries of a file of the catalogue, each with its place; raises :class:`InputError` where the text is
    no YAML or no list of entries.
    """
    loader = yaml.CSafeLoader(text)
    try:
        node = loader.get_single_node()
        values = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date or number that is none
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            f"this is no YAML: {getattr(error, 'problem', None) or error}",
            place=Place(file=file, line=None if mark is None else mark.line + 1),
            remedy="correct the syntax at this line",
        ) from error
    finally:
        loader.dispose()
    if node is None or not isinstance(values, list) or not values:
        raise InputError(
            "a catalogue file is a list of entries",
            place=Place(file=file),
            remedy="begin every entry with '- id: NAME'",
        )
    for number, (value, own) in enumerate(zip(values, node.value, strict=True), start=1):
        name = value.get("id") if isinstance(value, dict) else None
        yield value, Where(file, name if isinstance(name, str) else f"entry {number}", own)


def _interface(entry: object, where: Where, family: str) -> Interface:
    raw = where.mapping(entry, ENTRY, "")
    interface = Interface(
        id=raw["id"],
        family=raw["family"],
        title=raw["title"],
        listener=Listener(raw["listener"]),
        ports=tuple(_port(row, shared=raw["shared_port"]) for row in raw["ports"]),
        initiators=tuple(Initiator(each) for each in raw["initiators"]),
        origin=raw["from"],
        lan_only=raw["lan_only"],
        amplifies=raw["amplifies"],
        factor=raw.get("factor", ""),
        shared_port=raw["shared_port"],
        collateral=raw["collateral"],
        mechanisms=tuple(raw["mechanisms"]),
        incidents=tuple(raw["incidents"]),
        sources=tuple(Source(row["title"], row["url"], row["note"]) for row in raw["sources"]),
    )
    _agrees(interface, family, where)
    return interface


def _port(row: Mapping[str, Any], *, shared: bool) -> Port:
    return Port(
        transport=row["transport"],
        port=row["port"],
        standing=Standing(row["standing"]),
        shared=row.get("shared", shared),
        opt_in=row.get("opt_in", False),
        note=row.get("note", ""),
    )


def _agrees(interface: Interface, family: str, where: Where) -> None:
    """What no single key can say: the entry against itself and against its file."""
    if interface.family != family:
        raise where.error("family", f"is {interface.family}, but the file is {family}", "one file per family")
    ports = [str(port) for port in interface.ports]
    if len(set(ports)) < len(ports):
        raise where.error("ports", "names a port twice", "keep one row for each transport and port")
    if interface.amplifies and not any(port.transport == "udp" for port in interface.ports):
        raise where.error("amplifies", "is true, but there is no UDP port", "reflection needs UDP")
    if interface.factor and not interface.amplifies:
        raise where.error(
            "factor", "is given, but amplifies is false", "set amplifies, or leave the factor out"
        )
    if interface.lan_only and interface.listener is Listener.CONTROLLER:
        raise where.error("lan_only", "is true for a controller", "LAN-only services listen on devices")
    if Initiator.NOBODY in interface.initiators and len(interface.initiators) > 1:
        raise where.error("initiators", "says nobody and somebody", "keep one of them")
    if (Initiator.DEVICE in interface.initiators) != (interface.listener is Listener.CONTROLLER):
        raise where.error(
            "initiators",
            "does not fit the listener",
            "devices open what a controller listens for, and nothing else (rule A1)",
        )


class Where:
    """The entry that is being read: checks values against their fields and knows how to complain."""

    __slots__ = ("entry", "file", "node")

    def __init__(self, file: str, entry: str, node: yaml.Node) -> None:
        self.file = file
        self.entry = entry
        self.node = node

    def error(self, key: str, problem: str, remedy: str) -> InputError:
        """The error to raise about this key, a path such as ``ports[0].port``; empty: the entry itself."""
        path = f"{self.entry}.{key}" if key else self.entry
        place = Place(file=self.file, line=_line(self.node, key), key=path)
        return InputError(f"{key or 'the entry'} {problem}", place=place, remedy=remedy)

    def mapping(self, value: object, fields: Mapping[str, Field], path: str) -> dict[str, Any]:
        """The value itself, when it is a mapping with these keys; raises :class:`InputError` else."""
        if not isinstance(value, dict):
            raise self.error(path, "is no mapping", f"give it the keys {', '.join(fields)}")
        for key in value:
            if key not in fields:
                raise self.error(_join(path, str(key)), "is an unknown key", f"known are {', '.join(fields)}")
        for key, field in fields.items():
            if key in value:
                self.value(value[key], field, _join(path, key))
            elif field.required:
                raise self.error(_join(path, key), "is missing", f"add it: {field.meaning}")
        return value

    def value(self, value: object, field: Field, path: str) -> None:
        """Checks one value; raises :class:`InputError` when it is not of this field's shape."""
        if field.kind == "list":
            self._list(value, field, path)
        elif field.kind == "flag":
            if not isinstance(value, bool):
                raise self.error(path, f"is {value!r}", "write true or false")
        elif field.kind == "number":
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
                raise self.error(path, f"is {value!r}", "write a port from 1 to 65535")
        else:
            self._text(value, field, path)

    def _list(self, value: object, field: Field, path: str) -> None:
        if not isinstance(value, list) or len(value) < field.least:
            raise self.error(path, "is no list, or empty", f"list {field.meaning}")
        for number, item in enumerate(value):
            if field.row is not None:
                self.mapping(item, field.row, f"{path}[{number}]")
            elif field.item is not None:
                self.value(item, field.item, f"{path}[{number}]")
        if field.item is not None and len(set(value)) < len(value):
            raise self.error(path, "names something twice", "keep one")

    def _text(self, value: object, field: Field, path: str) -> None:
        if not isinstance(value, str) or not value.strip():
            raise self.error(path, f"is {value!r}", f"write a text: {field.meaning}")
        if field.choices and value not in field.choices:
            raise self.error(path, f"is {value!r}", f"choose one of {', '.join(field.choices)}")
        if field.pattern and not re.fullmatch(field.pattern, value):
            raise self.error(path, f"is {value!r}", f"{field.meaning}; it has to match {field.pattern}")


def _line(node: yaml.Node, path: str) -> int:
    """The line of the key that a path names, or of the nearest thing around it."""
    for step in re.findall(r"[^.\[\]]+", path):
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            found = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
            found = node.value[int(step)]
        if found is None:
            break
        node = found
    return int(node.start_mark.line) + 1


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
