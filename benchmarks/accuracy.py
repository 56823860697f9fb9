"""Run Rearguard over captures whose content is known, and print what it concluded.

    python -m benchmarks.accuracy                     # with the public captures beside the project
    python -m benchmarks.accuracy --data FOLDER       # or somewhere else
    python -m benchmarks.accuracy --markdown          # the table of docs/accuracy.md

What is run, and why each is here, stands in accuracy.yaml. Exit code 1 when ordinary traffic raised a finding, or
when something that is known to be in a capture was missed or is accompanied by what is not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.accuracy_made import make

__all__ = ["DATA", "Claim", "Outcome", "claims", "judge", "main"]

PROJECT = Path(__file__).resolve().parent.parent
DATA = PROJECT.parent / "shared" / "data"
TABLE = Path(__file__).with_suffix(".yaml")

Key = tuple[str, str, str | None]
"""Kind, subject and interface of a finding."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one run must conclude."""

    file: str
    what: str
    why: str
    networks: tuple[str, ...]
    benign: bool
    finds: frozenset[Key] = frozenset()
    also: frozenset[str] = frozenset()
    policy: str | None = None
    truth: str | None = None

    @property
    def name(self) -> str:
        """A short name for a line and for a test."""
        given = "+".join(self.networks) or (self.policy and "policy") or "assumed"
        return f"{Path(self.file).parent.name}/{Path(self.file).name} ({given})"

    def path(self, data: Path, scratch: Path) -> Path:
        """Where the capture is; a made one is written now."""
        folder, _, rest = self.file.partition("/")
        if folder == "made":
            return make(rest, scratch)
        return (PROJECT if folder == "lab" else data) / self.file

    @property
    def needs_data(self) -> bool:
        """Whether the capture is one of those that lie beside the project."""
        return self.file.partition("/")[0] not in {"made", "lab"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run concluded, and what of it is wrong."""

    found: tuple[Key, ...]
    missed: tuple[Key, ...] = ()
    false: tuple[Key, ...] = ()
    records: dict[Key, list[int]] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        return not self.missed and not self.false


def claims(table: Path = TABLE) -> tuple[Claim, ...]:
    """All runs of the table, one for each list of networks."""
    content = yaml.safe_load(table.read_text(encoding="utf-8"))
    return tuple(_claims(content["benign"], benign=True)) + tuple(_claims(content["truth"], benign=False))


def _claims(entries: list[dict[str, Any]], *, benign: bool) -> Iterator[Claim]:
    for entry in entries:
        for networks in entry["networks"]:
            yield Claim(
                file=entry["file"],
                what=entry["what"],
                why=entry.get("why", ""),
                networks=tuple(networks),
                benign=benign,
                finds=frozenset((kind, subject, name) for kind, subject, name in entry.get("finds", ())),
                also=frozenset(entry.get("also", ())),
                policy=entry.get("policy"),
                truth=entry.get("truth"),
            )


def judge(claim: Claim, data: Path, scratch: Path) -> Outcome:
    """Run one and compare."""
    from rearguard.report.progress import Silent
    from rearguard.report.run import analyze

    done = analyze(
        [str(claim.path(data, scratch))],
        policy_file=str(PROJECT / claim.policy) if claim.policy else None,
        networks=claim.networks,
        controllers=(),
        drops=(),
        workers=1,
        progress=Silent(),
    )
    records: dict[Key, list[int]] = {}
    for finding in done.findings:
        key = str(finding.kind), finding.subject.address or "", finding.interface
        records.setdefault(key, []).extend(item.record for item in finding.evidence)
    wanted, allowed = _expected(claim)
    found = records.keys()
    about = {(kind, subject, None) for kind, subject, _ in wanted | allowed}  # of the device as a whole
    false = {key for key in found - wanted - allowed - about if key[0] not in claim.also}
    return Outcome(_sorted(found), _sorted(wanted - found), _sorted(false), records)


def _expected(claim: Claim) -> tuple[frozenset[Key], frozenset[Key]]:
    """What must be found, and what may be beside it: of the claim, or of the lab's truth."""
    if claim.truth is None:
        return claim.finds, frozenset()
    listed = json.loads((PROJECT / claim.truth).read_text(encoding="utf-8"))["expected_findings"]
    keys = {(item["kind"], item["subject"], item["interface"]): bool(item["required"]) for item in listed}
    return frozenset(key for key, must in keys.items() if must), frozenset(keys)


def _sorted(keys: Any) -> tuple[Key, ...]:
    return tuple(sorted(keys, key=lambda key: tuple(part or "" for part in key)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of public captures")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/accuracy.md")
    options = parser.parse_args(arguments)
    listed = claims()
    run = [claim for claim in listed if options.data.is_dir() or not claim.needs_data]
    with tempfile.TemporaryDirectory(prefix="rearguard-accuracy-") as scratch:
        done = [(claim, judge(claim, options.data, Path(scratch))) for claim in run]
    print("\n".join((_markdown if options.markdown else _table)(done)))
    if len(run) < len(listed):
        print(f"\n{len(listed) - len(run)} runs were left out: {options.data} is not there", file=sys.stderr)
    return int(not all(outcome.right for _, outcome in done))


Done = list[tuple[Claim, Outcome]]


def _table(done: Done) -> Iterator[str]:
    for benign, title in ((True, "ordinary traffic: nothing may be found"), (False, "known content")):
        part = [(claim, outcome) for claim, outcome in done if claim.benign is benign]
        right = sum(outcome.right for _, outcome in part)
        yield f"{title}: {right} of {len(part)} runs right"
        for claim, outcome in part:
            yield f"  {'ok   ' if outcome.right else 'WRONG'} {claim.name}: {claim.what}"
            yield f"        found: {_told(outcome.found)}"
            for word, keys in (("missed", outcome.missed), ("false", outcome.false)):
                for key in keys:
                    frames = f", records {outcome.records[key][:5]}" if key in outcome.records else ""
                    yield f"        {word}: {' '.join(part or '-' for part in key)}{frames}"


def _markdown(done: Done) -> Iterator[str]:
    yield "| capture | what it is | rule or truth | networks | found | |"
    yield "|---|---|---|---|---|---|"
    for claim, outcome in done:
        expected = claim.why or ("the lab's truth file" if claim.truth else _told(_sorted(claim.finds)))
        given = ", ".join(claim.networks) or ("of the policy" if claim.policy else "assumed")
        cells = (
            f"`{claim.file}`",
            claim.what,
            expected,
            given,
            _told(outcome.found),
            "right" if outcome.right else "**WRONG**",
        )
        yield f"| {' | '.join(cells)} |"


def _told(keys: Sequence[Key]) -> str:
    """Few findings by name, many by kind."""
    if not keys:
        return "nothing"
    if len(keys) <= 4:
        return ", ".join(f"{kind} {subject}{f' {name}' if name else ''}" for kind, subject, name in keys)
    kinds = sorted({kind for kind, _, _ in keys})
    return ", ".join(f"{sum(key[0] == kind for key in keys)} {kind}" for kind in kinds)


if __name__ == "__main__":
    sys.exit(main())
