"""What a figure is: a number with a name, how it was counted, and the ids of the records behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rearguard.model.errors import InputError

__all__ = ["Figure", "Figures"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and what it was computed from. ``among`` is empty unless the number is a share or a part."""

    name: str
    title: str
    value: int
    records: tuple[str, ...]
    how: str
    among: tuple[str, ...] = ()
    unit: str = ""

    @property
    def shown(self) -> str:
        """As it stands in a text."""
        return f"{self.value}\N{NO-BREAK SPACE}{self.unit}" if self.unit else str(self.value)

    def to_json(self) -> dict[str, object]:
        """Name, title, value, unit, how it was computed, and the ids."""
        return {
            "name": self.name,
            "title": self.title,
            "value": self.value,
            "unit": self.unit,
            "how": self.how,
            "records": list(self.records),
            "among": list(self.among),
        }


class Figures(Mapping[str, Figure]):
    """The figures of one knowledge base by name, in the order in which they are computed."""

    def __init__(self, made: Iterable[Figure]) -> None:
        self._made: dict[str, Figure] = {}
        for figure in made:
            assert figure.name not in self._made, figure.name
            self._made[figure.name] = figure

    def __getitem__(self, name: str) -> Figure:
        try:
            return self._made[name]
        except KeyError:
            raise InputError(
                f"there is no figure {name!r}",
                remedy="`rearguard lessons why --list` names them all",
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._made

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)
