"""The values a policy is written in: prefixes, ports, interfaces, names, dates, each with its own remedy.

Every value is read by one function that either gives a value or says what is wrong and what to write
instead. Nothing is guessed: ``192.0.2.9/24`` may mean a network or a host, so the writer is asked.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Protocol

from pydantic import BeforeValidator, GetPydanticSchema, PlainSerializer, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from rearguard.model.address import Network
from rearguard.model.errors import RearguardError
from rearguard.model.prefixes import PrefixSet

__all__ = [
    "Day",
    "InterfaceId",
    "InterfaceNames",
    "Interfaces",
    "Labels",
    "Links",
    "Names",
    "OnePrefix",
    "Port",
    "Ports",
    "Prefixes",
    "Word",
    "interface_of",
    "wrong",
]

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_LINK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,62}")
_PORT = re.compile(r"(tcp|udp)/([0-9]{1,5})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


class InterfaceNames(Protocol):
    """Whoever knows the management interfaces; the catalogue is one."""

    def resolve(self, names: Iterable[str]) -> frozenset[str]:
        """Interface ids of these ids and families. ``UsageError``: a name is unknown."""


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A transport and a port number, written ``tcp/30005``."""

    transport: str
    number: int

    def __str__(self) -> str:
        return f"{self.transport}/{self.number}"


def wrong(problem: str, remedy: str) -> PydanticCustomError:
    """An error that carries its remedy to :mod:`rearguard.policy.places`."""
    return PydanticCustomError("rearguard", "{problem}", {"problem": problem, "remedy": remedy})


def read_prefix(value: object) -> Network:
    """One prefix, with its length and without host bits."""
    if not isinstance(value, str):
        raise wrong(f"{value!r} is no prefix", 'write it as text, such as "2001:db8::/48"')
    text = value.strip()
    try:
        inside = ipaddress.ip_interface(text)
    except ValueError:
        raise wrong(
            f"{text!r} is no prefix", "write an IPv4 or IPv6 prefix such as 198.51.100.0/24"
        ) from None
    host = f"{inside.ip}/{inside.max_prefixlen}"
    if "/" not in text:
        raise wrong(f"{text} has no prefix length", f"write {host} for this one address")
    network = inside.network
    if inside.ip != network.network_address:
        raise wrong(f"{text} has host bits set", f"write {network} for the network or {host} for one address")
    if network.prefixlen == 0:
        raise wrong(f"{text} is every address there is", "name the prefixes that are meant")
    if network.version == 6 and network.overlaps(_MAPPED):
        raise wrong(f"{text} holds IPv4 addresses written as IPv6", "write the IPv4 prefix instead")
    return network


def read_port(value: object) -> Port:
    """``tcp/30005`` or ``udp/30005``."""
    match = _PORT.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 < int(match[2]) < 1 << 16:
        raise wrong(f"{value!r} is no port", "write tcp/NUMBER or udp/NUMBER, 1 to 65535, such as tcp/30005")
    return Port(match[1], int(match[2]))


def read_word(value: object) -> str:
    """A name that is also safe in router configurations, file names and labels."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise wrong(f"{value!r} is no name", "use letters, digits, '-', '_' and '.', 63 at most")
    return value


def read_link(value: object) -> str:
    """The name of a router's interface, safe in a router's configuration."""
    if not isinstance(value, str) or not _LINK.fullmatch(value):
        raise wrong(f"{value!r} is no interface of a router", "write its name, such as eth0 or xe-0/0/1")
    return value


def read_day(value: object) -> date:
    """A calendar day; a number is none, though some readers would take it for seconds since 1970."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise wrong(f"{value!s} is no date", "write YEAR-MONTH-DAY, such as 2027-06-01")


def interface_of(value: object, known: InterfaceNames) -> frozenset[str]:
    """The interface ids of one id or family."""
    if not isinstance(value, str):
        raise wrong(f"{value!r} is no interface", "write an interface or family, such as cwmp-cr")
    try:
        return known.resolve([value])
    except RearguardError as error:
        raise wrong(error.problem, error.remedy or "`rearguard catalogue` lists them all") from None


def read_interface(value: object, info: ValidationInfo) -> frozenset[str]:
    """:func:`interface_of` with the names that the caller of the validation passed in its context."""
    return interface_of(value, _known(info))


def read_interface_id(value: object, info: ValidationInfo) -> str:
    """One interface; a family is too much."""
    found = read_interface(value, info)
    if len(found) != 1:
        raise wrong(f"{value!r} is a family of interfaces", f"name one of {', '.join(sorted(found))}")
    return next(iter(found))


def _known(info: ValidationInfo) -> InterfaceNames:
    assert info.context is not None, "interfaces can be checked only with the names that are known"
    known: InterfaceNames = info.context["known"]
    return known


def _text_items() -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}, "minItems": 1}


def _list_of(item: core_schema.CoreSchema, *, least: int = 1) -> core_schema.CoreSchema:
    return core_schema.list_schema(item, min_length=least)


def _prefixes() -> core_schema.CoreSchema:
    one = core_schema.no_info_plain_validator_function(read_prefix)
    return core_schema.no_info_after_validator_function(
        PrefixSet.of,
        _list_of(one),
        serialization=core_schema.plain_serializer_function_ser_schema(
            lambda prefixes: list(prefixes.texts())
        ),
    )


def _interfaces() -> core_schema.CoreSchema:
    one = core_schema.with_info_plain_validator_function(read_interface)
    return core_schema.no_info_after_validator_function(
        lambda found: frozenset[str]().union(*found),
        _list_of(one),
        serialization=core_schema.plain_serializer_function_ser_schema(sorted),
    )


def _tuple_of(read: Any, *, least: int) -> core_schema.CoreSchema:
    return core_schema.no_info_after_validator_function(
        lambda found: tuple(dict.fromkeys(found)),
        _list_of(core_schema.no_info_plain_validator_function(read), least=least),
        serialization=core_schema.plain_serializer_function_ser_schema(lambda items: [str(i) for i in items]),
    )


def read_label(value: object) -> str:
    """The name or number by which an exporter calls its interface; a bare number is allowed."""
    if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
        return str(value)
    raise wrong(
        f"{value!r} is no interface of an exporter", "write its name or number, such as xe-0/0/1 or 12"
    )


Prefixes = Annotated[
    PrefixSet,
    GetPydanticSchema(lambda _source, _handler: _prefixes()),
    WithJsonSchema(_text_items()),
]
"""A list of at least one prefix, merged."""

Interfaces = Annotated[
    frozenset[str],
    GetPydanticSchema(lambda _source, _handler: _interfaces()),
    WithJsonSchema(_text_items()),
]
"""A list of at least one interface or family, as interface ids."""

Ports = Annotated[
    tuple[Port, ...],
    GetPydanticSchema(lambda _source, _handler: _tuple_of(read_port, least=1)),
    WithJsonSchema(_text_items() | {"items": {"type": "string", "pattern": "^(tcp|udp)/[0-9]{1,5}$"}}),
]

Names = Annotated[
    tuple[str, ...],
    GetPydanticSchema(lambda _source, _handler: _tuple_of(read_word, least=1)),
    WithJsonSchema(_text_items()),
]

Links = Annotated[
    tuple[str, ...],
    GetPydanticSchema(lambda _source, _handler: _tuple_of(read_link, least=1)),
    WithJsonSchema(_text_items()),
]
"""Names of a router's interfaces, at least one."""

InterfaceId = Annotated[str, BeforeValidator(read_interface_id)]

Labels = Annotated[
    tuple[str, ...],
    GetPydanticSchema(lambda _source, _handler: _tuple_of(read_label, least=0)),
    WithJsonSchema({"type": "array", "items": {"type": ["string", "integer"]}}),
]

OnePrefix = Annotated[
    ipaddress.IPv4Network | ipaddress.IPv6Network,
    GetPydanticSchema(lambda _source, _handler: core_schema.no_info_plain_validator_function(read_prefix)),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]

Day = Annotated[date, BeforeValidator(read_day), WithJsonSchema({"type": "string", "format": "date"})]

Word = Annotated[str, BeforeValidator(read_word)]
