"""Errors a user meets: each says where (file, line, key), what is wrong and what to do."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["InputError", "Place", "PolicyError", "RearguardError", "UsageError"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is: a file, and in it a line (from 1), a key path, a byte offset or a record."""

    file: str | None = None
    line: int | None = None
    key: str | None = None
    offset: int | None = None
    record: int | None = None

    def __str__(self) -> str:
        head = self.file or ""
        if self.line is not None:
            head = f"{head}:{self.line}"
        details = []
        if self.key:
            details.append(self.key)
        if self.record is not None:
            details.append(f"record {self.record}")
        if self.offset is not None:
            details.append(f"byte {self.offset}")
        return ": ".join(part for part in (head, ", ".join(details)) if part)


class RearguardError(Exception):
    """Base of all errors that are told to the user without a traceback.

    ``problem`` is one sentence, ``remedy`` what to do about it, ``place`` where it was found.
    """

    def __init__(self, problem: str, *, remedy: str = "", place: Place | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.place = place or Place()

    def __str__(self) -> str:
        where = str(self.place)
        text = f"{where}: {self.problem}" if where else self.problem
        return f"{text}\n  remedy: {self.remedy}" if self.remedy else text


class UsageError(RearguardError):
    """The command line asks for something that cannot be done (exit code 2)."""


class InputError(RearguardError):
    """An input cannot be used at all (exit code 2); partial damage is counted, not raised."""


class PolicyError(RearguardError):
    """The policy file is wrong (exit code 2). One error may carry several problems, worst first."""

    def __init__(self, problems: list[RearguardError]) -> None:
        first = problems[0]
        super().__init__(first.problem, remedy=first.remedy, place=first.place)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)
