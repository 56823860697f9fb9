"""Entries under ``columns``: what the columns of flow files mean that no preset knows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from rearguard.policy.entries import Entry, Rate, Text
from rearguard.policy.values import wrong

__all__ = ["ColumnFields", "ColumnRule"]

Unit = Literal["s", "ms", "us", "ns", "iso8601"]
PresetName = Literal["goflow2", "pmacct", "nfdump", "akvorado", "argus", "rearguard", "zeek", "suricata"]


def _names(value: object) -> object:
    """One column, or several of which the first that has a value counts."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names:
        raise wrong(f"{value!r} is no column", "write the column's name, or a list of names")
    if any(not isinstance(name, str) or not name for name in names):
        raise wrong(f"{value!r} holds something that is no column's name", "write names as text")
    return tuple(names)


_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    ]
}
Column = Annotated[tuple[str, ...], BeforeValidator(_names), WithJsonSchema(_SCHEMA)]
"""The name of a column, or several names in the order in which they are looked at."""


class ColumnFields(Entry):
    """Which column holds what. What is left out is unknown, never zero."""

    src: Column = Field(description="Source address.")
    dst: Column = Field(description="Destination address.")
    proto: Column = Field(description="IP protocol, by number or name.")
    start: Column | None = Field(default=None, description="First packet. Without it the flows have no time.")
    end: Column | None = Field(default=None, description="Last packet. Unset: start plus duration, or start.")
    duration: Column | None = Field(default=None, description="How long it lasted, in seconds.")
    sport: Column | None = Field(default=None, description="Source port.")
    dport: Column | None = Field(default=None, description="Destination port.")
    flags: Column | None = Field(
        default=None, description="TCP flags, OR-ed: a number, 0x1b, or letters such as .AP.SF."
    )
    packets: Column | None = Field(
        default=None, description="Packets, not scaled by sampling. Unset: one a record."
    )
    bytes: Column | None = Field(default=None, description="IP bytes, not scaled by sampling.")
    payload: Column | None = Field(default=None, description="Bytes of transport payload.")
    flags_back: Column | None = Field(default=None, description="TCP flags of the other direction.")
    packets_back: Column | None = Field(default=None, description="Packets of the other direction.")
    bytes_back: Column | None = Field(default=None, description="IP bytes of the other direction.")
    payload_back: Column | None = Field(default=None, description="Payload of the other direction.")
    initiator: Column | None = Field(
        default=None, description="Who opened: 1 the source, 2 the destination, 0 unknown (as in RFC 5103)."
    )
    sampling: Column | None = Field(default=None, description="One of how many packets was taken; 0 unknown.")
    exporter: Column | None = Field(default=None, description="The router or sensor that saw it.")
    ingress: Column | None = Field(default=None, description="Number of the interface where it entered.")
    egress: Column | None = Field(default=None, description="Number of the interface where it left.")
    way: Column | None = Field(default=None, description="Where it was seen: ingress or egress.")

    def by_field(self) -> dict[str, tuple[str, ...]]:
        """The columns of each field that has any."""
        return {name: columns for name in type(self).model_fields if (columns := getattr(self, name))}


class ColumnRule(Entry):
    """How to read the flow files that match. Its name is the exporter's where a record names none."""

    match: Text = Field(description="A file pattern, for the whole path or the file's name.")
    preset: PresetName | None = Field(
        default=None, description="The tool whose columns it has. Unset: told by the names of the columns."
    )
    fields: ColumnFields | None = Field(
        default=None, description="Which column holds what, instead of a preset."
    )
    time_unit: Unit | None = Field(
        default=None, description="Unit of times that are numbers. Unset: their size tells."
    )
    sampling: Rate | None = Field(default=None, description="The rate where no column tells one.")

    @model_validator(mode="after")
    def _says_it_once(self) -> ColumnRule:
        if self.preset is not None and self.fields is not None:
            raise wrong("it has both a preset and fields", "keep fields, or the preset if the tool is known")
        return self
