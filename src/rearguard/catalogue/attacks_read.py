"""From the YAML files of attacks to :class:`Attacks`; what is wrong is told with file, line and key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rearguard.catalogue.attacks import PARTS, Attack, Attacks, Sign, Test
from rearguard.catalogue.catalogue import Catalogue, load
from rearguard.catalogue.fields import ENTRY, NAME, Field
from rearguard.catalogue.model import Source
from rearguard.catalogue.parse import Where, entries
from rearguard.catalogue.pattern import compile_pattern
from rearguard.model.errors import InputError, Place, UsageError
from rearguard.model.finding import Severity

__all__ = ["ATTACK", "load_attacks", "parse_attacks", "read_attacks"]

FOLDER = Path(__file__).parent / "attacks"

_TEXT = Field("text", "one value")

_TEST: Mapping[str, Field] = MappingProxyType(
    {
        "part": Field(
            "text",
            "what it looks at",
            choices=tuple(sorted({part for parts in PARTS.values() for part in parts})),
        ),
        "name": Field(
            "text", "of a header, field or parameter: which; `*` at an end: any rest", required=False
        ),
        "is": Field("list", "the value is one of these", required=False, item=_TEXT),
        "has": Field("list", "the value contains one of these", required=False, item=_TEXT),
        "begins": Field("list", "the value begins with one of these", required=False, item=_TEXT),
        "like": Field("text", "a pattern of bounded cost finds something in the value", required=False),
        "longer": Field("number", "the value has more bytes than this", required=False),
        "shell": Field("flag", "a command is injected into the value", required=False),
        "command": Field("flag", "the value itself is a shell command", required=False),
    }
)

ATTACK: Mapping[str, Field] = MappingProxyType(
    {
        "id": Field("text", "the name used in findings", pattern=NAME),
        "title": Field("text", "what it is, in a few words"),
        "protocol": Field("text", "what has to be spoken", choices=tuple(PARTS)),
        "severity": Field("text", "how bad it is when it works", choices=tuple(Severity)),
        "certain": Field("flag", "a known attack; false: a way of attacking, whoever does it"),
        "outside": Field(
            "flag",
            "hostile only when it comes from outside our networks (the detector knows)",
            required=False,
        ),
        "interfaces": Field(
            "list",
            "the interfaces or families that it is made for",
            item=Field("text", "a name", pattern=NAME),
        ),
        "bound": Field(
            "flag", "it counts only on ports where one of these interfaces may listen", required=False
        ),
        "cves": Field(
            "list",
            "the flaws that it uses",
            item=Field("text", "a CVE id", pattern=r"CVE-[0-9]{4}-[0-9]{4,7}"),
            least=0,
        ),
        "incidents": ENTRY["incidents"],
        "mechanisms": ENTRY["mechanisms"],
        "signs": Field(
            "list",
            "what it looks like: any one of these",
            row=MappingProxyType({"all": Field("list", "tests that one request passes together", row=_TEST)}),
        ),
        "sources": ENTRY["sources"],
    }
)

_NAMED = frozenset({"header", "field", "parameter"})
_CONDITIONS = ("is", "has", "begins", "like", "longer", "shell", "command")


def read_attacks(folder: Path, catalogue: Catalogue) -> Attacks:
    """The attacks in a folder of YAML files; raises :class:`InputError`."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise InputError(
            "there is no file of attacks",
            place=Place(file=str(folder)),
            remedy="name a folder with NAME.yaml",
        )
    return Attacks(
        tuple(
            attack
            for file in files
            for attack in parse_attacks(file.read_text(encoding="utf-8"), str(file), catalogue)
        )
    )


@cache
def load_attacks() -> Attacks:
    """The attacks that are shipped, read once."""
    return read_attacks(FOLDER, load())


def parse_attacks(text: str, file: str, catalogue: Catalogue) -> tuple[Attack, ...]:
    """The attacks of one file; raises :class:`InputError` at the first that does not follow :data:`ATTACK`."""
    return tuple(_attack(entry, where, catalogue) for entry, where in entries(text, file))


def _attack(entry: object, where: Where, catalogue: Catalogue) -> Attack:
    raw = where.mapping(entry, ATTACK, "")
    try:
        known = catalogue.resolve(raw["interfaces"])
    except UsageError as error:
        raise where.error("interfaces", f"is wrong: {error.problem}", error.remedy) from error
    if raw["certain"] and not (raw["cves"] or raw["incidents"]):
        raise where.error("certain", "is true, but neither a CVE nor an incident is named", "name one")
    return Attack(
        id=raw["id"],
        title=raw["title"],
        protocol=raw["protocol"],
        severity=Severity(raw["severity"]),
        certain=raw["certain"],
        outside=raw.get("outside", False),
        interfaces=tuple(each.id for each in catalogue.interfaces if each.id in known),
        bound=raw.get("bound", False),
        cves=tuple(raw["cves"]),
        incidents=tuple(raw["incidents"]),
        mechanisms=tuple(raw["mechanisms"]),
        signs=tuple(_sign(row, number, raw["protocol"], where) for number, row in enumerate(raw["signs"])),
        sources=tuple(Source(row["title"], row["url"], row["note"]) for row in raw["sources"]),
    )


def _sign(row: Mapping[str, Any], number: int, protocol: str, where: Where) -> Sign:
    return Sign(
        tuple(
            _test(test, f"signs[{number}].all[{place}]", protocol, where)
            for place, test in enumerate(row["all"])
        )
    )


def _test(row: Mapping[str, Any], path: str, protocol: str, where: Where) -> Test:
    part = row["part"]
    if part not in PARTS[protocol]:
        raise where.error(f"{path}.part", f"is no part of {protocol}", f"choose {', '.join(PARTS[protocol])}")
    if (part in _NAMED) != ("name" in row):
        raise where.error(f"{path}.part", "and name do not fit", f"name one of {', '.join(sorted(_NAMED))}")
    if not any(row.get(condition) for condition in _CONDITIONS):
        raise where.error(path, "asks for nothing", f"give it one of {', '.join(_CONDITIONS)}")
    try:
        like = compile_pattern(row["like"]) if "like" in row else None
    except ValueError as error:
        raise where.error(
            f"{path}.like", f"is no pattern of bounded cost: {error}", "see docs/dialogues.md"
        ) from (error)
    if part == "header" and "*" in row["name"]:
        raise where.error(f"{path}.name", "has a *", "a header is named in full")
    exact = part == "login"

    def literals(key: str) -> tuple[bytes, ...]:
        return _literals(row.get(key, []), f"{path}.{key}", where, exact=exact)

    return Test(
        part=part,
        name=row.get("name", "").lower().encode(),
        equals=frozenset(literals("is")),
        has=literals("has"),
        begins=literals("begins"),
        like=like,
        longer=row.get("longer", 0),
        shell=row.get("shell", False),
        command=row.get("command", False),
    )


def _literals(texts: list[str], path: str, where: Where, *, exact: bool) -> tuple[bytes, ...]:
    for text in texts:
        if not text.isascii():
            raise where.error(path, f"has {text!r}, which is not ASCII", "write bytes beyond ASCII in `like`")
    return tuple((text if exact else text.lower()).encode() for text in texts)
