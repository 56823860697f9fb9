"""The keys of a catalogue entry, written once: parser, JSON Schema and docs page derive from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rearguard.catalogue.model import Initiator, Listener, Standing

__all__ = ["ENTRY", "Field", "schema"]


@dataclass(frozen=True, slots=True)
class Field:
    """One key: the shape of its value and what it means.

    ``kind`` is ``text``, ``flag``, ``number`` or ``list``; a list holds either values of the shape ``item``
    or mappings with the keys of ``row``, at least ``least`` of them. A text may be limited to ``choices`` or
    to a ``pattern``.
    """

    kind: str
    meaning: str
    required: bool = True
    choices: tuple[str, ...] = ()
    pattern: str = ""
    item: Field | None = None
    row: Mapping[str, Field] | None = None
    least: int = 1


NAME = r"[a-z0-9]+(-[a-z0-9]+)*"
URL = r"https?://[^\s]+"

_PORT: Mapping[str, Field] = MappingProxyType(
    {
        "transport": Field("text", "tcp or udp", choices=("tcp", "udp")),
        "port": Field("number", "1 to 65535"),
        "standing": Field(
            "text",
            "registered with IANA for this protocol, the default of the product, or observed in the field",
            choices=tuple(Standing),
        ),
        "shared": Field(
            "flag",
            "customers run services of their own on this port; without it: as shared_port",
            required=False,
        ),
        "opt_in": Field(
            "flag",
            "too common to be watched everywhere: counts only where the policy names it",
            required=False,
        ),
        "note": Field("text", "why this port is listed", required=False),
    }
)

_SOURCE: Mapping[str, Field] = MappingProxyType(
    {
        "title": Field("text", "title of the page or document"),
        "url": Field("text", "its address", pattern=URL),
        "note": Field("text", "what was read there"),
    }
)

ENTRY: Mapping[str, Field] = MappingProxyType(
    {
        "id": Field("text", "the name used in policies, findings and filters", pattern=NAME),
        "family": Field("text", "the group it belongs to; equals the name of the file", pattern=NAME),
        "title": Field("text", "what it is, in a few words"),
        "listener": Field("text", "who waits for the connection", choices=tuple(Listener)),
        "ports": Field("list", "where it listens; the first port is the primary one", row=_PORT),
        "initiators": Field(
            "list",
            "who may legitimately open it",
            item=Field("text", "one kind of caller", choices=tuple(Initiator)),
        ),
        "from": Field("text", "from where the legitimate callers come, one sentence"),
        "lan_only": Field("flag", "made for the home side; reachable from the Internet it is critical"),
        "amplifies": Field("flag", "answers more than it is asked over UDP, so it can be a reflector"),
        "factor": Field("text", "the published amplification, where one was found", required=False),
        "shared_port": Field("flag", "customers commonly run services of their own on its ports"),
        "collateral": Field("text", "what breaks if a border drops it, one sentence"),
        "mechanisms": Field(
            "list",
            "mechanisms of the knowledge base by which it has failed or can fail",
            item=Field("text", "an id", pattern=NAME),
            least=0,
        ),
        "incidents": Field(
            "list",
            "incidents of the knowledge base in which it failed",
            item=Field("text", "an id", pattern=NAME),
            least=0,
        ),
        "sources": Field("list", "where the statements were read", row=_SOURCE),
    }
)


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one file of the catalogue, a list of entries; for editors and for tests."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Management interfaces of one family",
        "type": "array",
        "minItems": 1,
        "items": _mapping(ENTRY),
    }


def _mapping(fields: Mapping[str, Field]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key for key, field in fields.items() if field.required],
        "properties": {key: {"description": field.meaning} | _shape(field) for key, field in fields.items()},
    }


def _shape(field: Field) -> dict[str, Any]:
    if field.kind == "flag":
        return {"type": "boolean"}
    if field.kind == "number":
        return {"type": "integer", "minimum": 1, "maximum": 65535}
    if field.row is not None:
        return {"type": "array", "minItems": field.least, "items": _mapping(field.row)}
    if field.item is not None:
        return {"type": "array", "minItems": field.least, "uniqueItems": True, "items": _shape(field.item)}
    if field.choices:
        return {"type": "string", "enum": [str(choice) for choice in field.choices]}
    if field.pattern:
        return {"type": "string", "pattern": f"^{field.pattern}$"}
    return {"type": "string", "minLength": 1}
