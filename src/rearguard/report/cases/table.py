"""Reads the operator's own tables (leases, devices): tolerant about headers, strict about values.

A header is recognised by any of its column's names, whatever its case, spaces, dashes and underscores; columns
that nobody knows are left alone. A value that cannot be read is an error with file, line and column, never a
guess: a lease that is read wrongly names the wrong customer. Comma, semicolon and tab separate; text is UTF-8.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TextIO

from rearguard.model.errors import InputError, Place, RearguardError

__all__ = [
    "PROBLEMS",
    "CellError",
    "Column",
    "Filled",
    "Problems",
    "Row",
    "TableError",
    "fill_table",
    "read_time",
]

PROBLEMS = 10
"""So many problems are told of one file before the rest is given up."""

_SEPARATORS = (",", ";", "\t")
_IGNORED = re.compile(r"[\s_\-./()]+")
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_UNIX = re.compile(r"(-?\d{1,11})(?:\.(\d{1,9}))?", re.ASCII)
_LARGEST_SECONDS = 1 << 33  # the year 2242; what is larger counts milliseconds


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, and under which other names tables have it."""

    name: str
    others: tuple[str, ...] = ()

    def matches(self, header: str) -> bool:
        """Whether a header means this column."""
        return _folded(header) in {_folded(name) for name in (self.name, *self.others)}


class CellError(ValueError):
    """A cell that cannot be read: what is wrong, and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


class TableError(InputError):
    """A table that cannot be used (exit code 2), with the first problems in the order of the file."""

    def __init__(self, problems: Sequence[RearguardError], *, more: bool = False) -> None:
        first = problems[0]
        super().__init__(first.problem, remedy=first.remedy, place=first.place)
        self.problems = tuple(problems)
        self.more = more

    def __str__(self) -> str:
        told = "\n".join(str(problem) for problem in self.problems)
        return f"{told}\n(the rest of the file was not checked)" if self.more else told


class Problems:
    """Collects what is wrong with one file, and gives up after :data:`PROBLEMS`."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[RearguardError] = []

    def add(self, line: int, column: str, problem: str, remedy: str) -> None:
        """Note one; raises :class:`TableError` when there are too many to go on."""
        place = Place(file=self._file, line=line, key=column or None)
        self._found.append(RearguardError(problem, remedy=remedy, place=place))
        if len(self._found) >= PROBLEMS:
            raise TableError(self._found, more=True)

    def check(self) -> None:
        """Raise :class:`TableError` when something is wrong."""
        if self._found:
            raise TableError(self._found)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: cells by column name, stripped; a column that the table lacks is empty."""

    line: int
    cells: Sequence[str]
    index: dict[str, int]

    def __getitem__(self, name: str) -> str:
        at = self.index.get(name)
        return self.cells[at].strip() if at is not None else ""

    def column(self, name: str) -> str:
        """How an error names the place: ``column 3 (from)``."""
        at = self.index.get(name)
        return f"column {at + 1} ({name})" if at is not None else ""


class Filled(Protocol):
    """What the rows of a table are put into."""

    def __len__(self) -> int: ...

    def add(self, row: Row, problems: Problems, /) -> None:
        """Take one row; what is wrong with it goes to ``problems``."""


def fill_table(
    path: str | Path,
    columns: Sequence[Column],
    needed: Iterable[Sequence[str]],
    filled: Filled,
    *,
    one: str,
    most: int,
    fewer: str,
) -> None:
    """Put the rows of a table into ``filled``: at least one, and ``most`` at the most.

    ``needed``: groups of names; of each group one column must be there. ``one``: what a row is (``lease``);
    ``fewer``: what to do about too many. Raises :class:`InputError` when the file cannot be used,
    :class:`TableError` when its header or cells cannot.
    """
    problems = Problems(str(path))
    for row in _read_table(path, columns, problems, needed):
        if len(filled) >= most:
            raise InputError(
                f"more than {most:,} {one}s", remedy=fewer, place=Place(file=str(path), line=row.line)
            )
        filled.add(row, problems)
    if not len(filled):
        raise InputError(
            f"the table has no {one}",
            remedy=f"write one line a {one} below the header",
            place=Place(file=str(path)),
        )


def _read_table(
    path: str | Path, columns: Sequence[Column], problems: Problems, needed: Iterable[Sequence[str]]
) -> Iterator[Row]:
    """The rows of a table."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            yield from _rows(stream, str(path), columns, problems, needed)
    except OSError as error:
        raise InputError(
            f"the file cannot be read: {error.strerror}",
            remedy="name a CSV file that you may read",
            place=Place(file=str(path)),
        ) from None
    except UnicodeDecodeError:
        raise InputError(
            "the text is not UTF-8",
            remedy="save the table as UTF-8",
            place=Place(file=str(path), line=_first_line_not_utf8(Path(path))),
        ) from None


def _rows(
    stream: TextIO, file: str, columns: Sequence[Column], problems: Problems, needed: Iterable[Sequence[str]]
) -> Iterator[Row]:
    head = stream.readline()
    separator = max(_SEPARATORS, key=head.count)
    header = next(csv.reader([head], delimiter=separator), [])
    index = _index(header, columns, problems)
    _check_header(header, index, needed, problems)
    reader = csv.reader(stream, delimiter=separator, strict=True)
    before = 1
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num + 1
            if len(cells) == len(header):
                yield Row(line, cells, index)
            elif any(cell.strip() for cell in cells):
                problems.add(
                    line,
                    "",
                    f"{len(cells)} fields, but the header has {len(header)}",
                    f"separate fields with {separator!r} and put quotes around a field that contains it",
                )
    except csv.Error as error:
        problems.add(reader.line_num + 1, "", f"no valid CSV: {error}", "check the quotes on this line")
    problems.check()


def _index(header: Sequence[str], columns: Sequence[Column], problems: Problems) -> dict[str, int]:
    index: dict[str, int] = {}
    for at, text in enumerate(header):
        column = next((column for column in columns if column.matches(text)), None)
        if column is None:
            continue
        if column.name in index:
            first = header[index[column.name]].strip()
            problems.add(
                1,
                f"column {at + 1} ({text.strip()})",
                f"it means {column.name}, and so does {first!r} before it",
                "keep one of the two, or rename the other",
            )
        else:
            index[column.name] = at
    return index


def _check_header(
    header: Sequence[str], index: dict[str, int], needed: Iterable[Sequence[str]], problems: Problems
) -> None:
    for group in needed:
        if not any(name in index for name in group):
            found = ", ".join(repr(text.strip()) for text in header) or "nothing"
            problems.add(
                1,
                "",
                f"no column for {' or '.join(group)} (the header has {found})",
                f"name a column {group[0]!r}; the names that are understood are in the documentation",
            )
    problems.check()


def read_time(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time or of unix seconds; raises :class:`CellError`."""
    match = _RFC3339.fullmatch(text)
    if match:
        day, clock, fraction, offset = match.groups()
        try:
            moment = datetime.fromisoformat(f"{day}T{clock}{offset.upper().replace('Z', '+00:00')}")
        except ValueError as error:
            raise CellError(f"{text!r} is no time: {error}", "check day and hour") from None
        return int(moment.timestamp()) * 1_000_000_000 + _nanoseconds(fraction)
    number = _UNIX.fullmatch(text)
    if number and abs(int(number[1])) < _LARGEST_SECONDS:
        sign = -1 if text.startswith("-") else 1
        return int(number[1]) * 1_000_000_000 + sign * _nanoseconds(number[2])
    if text.isascii() and text.isdigit():
        raise CellError(f"{text} is too large for unix seconds", "milliseconds? divide by 1,000")
    if _RFC3339.fullmatch(f"{text}Z"):
        raise CellError(f"{text!r} has no time zone", "write +00:00, Z or the zone's offset behind it")
    raise CellError(f"{text!r} is no time", "write 2026-11-26T10:00:00Z, or seconds since 1970")


def _nanoseconds(fraction: str | None) -> int:
    return int(fraction.ljust(9, "0")) if fraction else 0


def _folded(text: str) -> str:
    return _IGNORED.sub("", text).casefold()


def _first_line_not_utf8(path: Path) -> int | None:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return None
