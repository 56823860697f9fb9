"""The catalogue as a whole: look up by name, by family and by port."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from rearguard.catalogue.model import Interface, Port
from rearguard.catalogue.parse import parse
from rearguard.model.errors import InputError, Place, UsageError

__all__ = ["Catalogue", "load", "read"]

INTERFACES = Path(__file__).parent / "interfaces"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Management interfaces in a stable order: families by name, entries as their file has them.

    Raises :class:`InputError` when two entries share an id, or when an id is also the name of a family with
    other members (a policy that names it would be ambiguous).
    """

    interfaces: tuple[Interface, ...]
    _by_id: dict[str, Interface] = field(init=False, repr=False, compare=False)
    _by_port: dict[tuple[str, str, int], tuple[Interface, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id: dict[str, Interface] = {}
        for interface in self.interfaces:
            if interface.id in by_id:
                raise InputError(
                    f"the id {interface.id} is used twice",
                    place=Place(key=interface.id),
                    remedy=f"rename one ({by_id[interface.id].family}, {interface.family})",
                )
            by_id[interface.id] = interface
        for family in self.families:
            if family in by_id and self.family(family) != (by_id[family],):
                raise InputError(
                    f"{family} is an id and also a family with other members",
                    place=Place(key=family),
                    remedy="rename the entry, so that a policy can name either",
                )
        object.__setattr__(self, "_by_id", by_id)
        object.__setattr__(self, "_by_port", _port_index(self.interfaces))

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the families, in the order of the catalogue."""
        return tuple(dict.fromkeys(interface.family for interface in self.interfaces))

    def get(self, name: str) -> Interface:
        """The entry with this id; raises :class:`InputError` with close matches when there is none."""
        try:
            return self._by_id[name]
        except KeyError:
            pass
        if name in self.families:
            members = ", ".join(interface.id for interface in self.family(name))
            raise InputError(f"{name} is a family, not an interface", remedy=f"its members are {members}")
        raise InputError(f"the catalogue has no interface {name}", remedy=_suggest(name, self._by_id))

    def family(self, name: str) -> tuple[Interface, ...]:
        """The entries of a family; empty when there is no such family."""
        return tuple(interface for interface in self.interfaces if interface.family == name)

    def resolve(self, names: Iterable[str]) -> frozenset[str]:
        """The ids that ids and families stand for; raises :class:`UsageError` for a name that is neither."""
        ids: set[str] = set()
        for name in names:
            members = (name,) if name in self._by_id else tuple(each.id for each in self.family(name))
            if not members:
                raise UsageError(
                    f"{name} is neither an interface nor a family of the catalogue",
                    remedy=_suggest(name, (*self._by_id, *self.families)),
                )
            ids.update(members)
        return frozenset(ids)

    def listening(self, transport: str, port: int, listener: str = "device") -> tuple[Interface, ...]:
        """Which interfaces may listen there, best first.

        The owner of the port as its primary comes first, then registered before default before observed,
        then the id. Ports that only a policy can switch on (``opt_in``) are included.
        """
        return self._by_port.get((listener, transport, port), ())

    def ports(self, listener: str | None = None, *, opt_in: bool = False) -> frozenset[tuple[str, int]]:
        """All (transport, port) pairs of this kind of listener (None: of both).

        Without ``opt_in`` the ports that are too common to be watched everywhere are left out.
        """
        return frozenset(
            (port.transport, port.port)
            for interface in self.interfaces
            if listener is None or interface.listener == listener
            for port in interface.ports
            if opt_in or not port.opt_in
        )


def read(folder: Path) -> Catalogue:
    """The catalogue in a folder of YAML files, one per family; raises :class:`InputError`."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise InputError(
            "there is no catalogue file",
            place=Place(file=str(folder)),
            remedy="name a folder with FAMILY.yaml files",
        )
    entries: list[Interface] = []
    for file in files:
        entries.extend(parse(file.read_text(encoding="utf-8"), str(file), file.stem))
    return Catalogue(tuple(entries))


@cache
def load() -> Catalogue:
    """The catalogue that is shipped, read once."""
    return read(INTERFACES)


def _port_index(interfaces: tuple[Interface, ...]) -> dict[tuple[str, str, int], tuple[Interface, ...]]:
    found: dict[tuple[str, str, int], list[tuple[Interface, Port]]] = {}
    for interface in interfaces:
        for port in interface.ports:
            key = (str(interface.listener), port.transport, port.port)
            found.setdefault(key, []).append((interface, port))
    return {
        key: tuple(
            interface
            for interface, port in sorted(
                owners, key=lambda each: (each[1] is not each[0].primary, each[1].standing.rank, each[0].id)
            )
        )
        for key, owners in found.items()
    }


def _suggest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return "`rearguard catalogue` lists what there is"
