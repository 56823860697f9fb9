"""The tables of ``docs/catalogue.md``: made from the data, so that page and catalogue cannot drift apart.

``python -m rearguard.catalogue.page docs/catalogue.md`` renews them in place; with ``--check`` it only
says, by its exit code, whether the page is current.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rearguard.catalogue.catalogue import Catalogue, load
from rearguard.catalogue.fields import ENTRY, Field
from rearguard.catalogue.model import Interface
from rearguard.model.errors import InputError, Place

__all__ = ["filled", "keys", "main", "refresh", "renewed", "row"]


def refresh(text: str, catalogue: Catalogue) -> str:
    """The page, made anew between its markers; raises :class:`InputError` when one is lost."""
    return filled(text, {"keys": keys(ENTRY), "interfaces": _interfaces(catalogue)})


def filled(text: str, tables: Mapping[str, str]) -> str:
    """A page with tables between the markers of their names; raises :class:`InputError` when one is lost."""
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, found_begin, rest = text.partition(begin)
        _, found_end, tail = rest.partition(end)
        if not (found_begin and found_end):
            raise InputError(
                f"the page has lost its marker {begin} or {end}",
                place=Place(key=name),
                remedy="put both on lines of their own where the table belongs",
            )
        text = f"{head}{begin}\n{table}\n{end}{tail}"
    return text


def main(arguments: list[str]) -> int:
    """Renew or check the page named; 0 when it is current afterwards, 1 when a check finds it stale."""
    return renewed(arguments, lambda text: refresh(text, load()), "rearguard.catalogue.page")


def renewed(arguments: list[str], make: Callable[[str], str], module: str) -> int:
    """What a page's module does when it is run: ``[--check] PAGE ...``; ``make`` gives the new text."""
    check = "--check" in arguments
    for name in (argument for argument in arguments if argument != "--check"):
        page = Path(name)
        old = page.read_text(encoding="utf-8")
        new = make(old)
        if check and new != old:
            sys.stderr.write(f"{name} is stale: python -m {module} {name}\n")
            return 1
        if new != old:
            page.write_text(new, encoding="utf-8")
    return 0


def keys(fields: Mapping[str, Field], prefix: str = "") -> str:
    """The table of the keys of an entry."""
    rows = [] if prefix else ["| key | value | meaning |", "|---|---|---|"]
    for key, field in fields.items():
        needed = "" if field.required else " (may be left out)"
        rows.append(row(f"`{prefix}{key}`", _value(field), f"{field.meaning}{needed}"))
        if field.row is not None:
            rows.append(keys(field.row, f"{prefix}{key}[]."))
    return "\n".join(rows)


def _value(field: Field) -> str:
    shape = field.item or field
    if shape.choices:
        text = ", ".join(f"`{choice}`" for choice in shape.choices)
    else:
        text = "true or false" if shape.kind == "flag" else shape.kind
    return f"list of {text}" if field.item is not None else text


def _interfaces(catalogue: Catalogue) -> str:
    rows = [
        "| interface | ports | listens | who may open it | what a border drop breaks | marks |",
        "|---|---|---|---|---|---|",
    ]
    rows += [
        row(
            f"`{each.id}` {each.title}",
            ", ".join(f"{port} (opt-in)" if port.opt_in else str(port) for port in each.ports),
            str(each.listener),
            ", ".join(each.initiators),
            each.collateral,
            ", ".join(_marks(each)),
        )
        for each in catalogue.interfaces
    ]
    return "\n".join(rows)


def _marks(interface: Interface) -> Iterable[str]:
    if interface.lan_only:
        yield "LAN only"
    if interface.amplifies:
        yield f"amplifies ({interface.factor})" if interface.factor else "amplifies"
    if interface.shared_port:
        yield "shared port"


def row(*cells: str) -> str:
    """One row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
