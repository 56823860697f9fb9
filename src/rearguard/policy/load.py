"""From a file to a checked policy; every error names file, line, key and remedy."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from rearguard.model.errors import Place, PolicyError, RearguardError
from rearguard.policy import check
from rearguard.policy.notice import Notice
from rearguard.policy.places import Places, problems_of
from rearguard.policy.policy import Policy
from rearguard.policy.values import InterfaceNames
from rearguard.policy.yaml_text import read_yaml

__all__ = ["build_policy", "load_policy", "parse_policy"]


def load_policy(path: str | FilePath, known: InterfaceNames, *, today: date | None = None) -> Policy:
    """Read and check ``rearguard.yaml``. ``PolicyError``: all that is wrong, in the order of the file.

    ``known`` is the catalogue; ``today`` (UTC) decides which dates have passed.
    """
    file = FilePath(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        problem = RearguardError(
            f"the policy cannot be read: {error.strerror}",
            remedy="`rearguard policy init` writes one to start from",
            place=Place(file=str(path)),
        )
        raise PolicyError([problem]) from None
    return parse_policy(data, known, file=str(path), today=today)


def parse_policy(
    text: str | bytes, known: InterfaceNames, *, file: str = "rearguard.yaml", today: date | None = None
) -> Policy:
    """The policy in a YAML text; ``file`` is its name in errors."""
    data = text.encode() if isinstance(text, str) else text
    content, places = read_yaml(io.BytesIO(data), file)
    return build_policy(content, known, places, today=today)


def build_policy(
    content: Mapping[str, Any],
    known: InterfaceNames,
    places: Places,
    *,
    today: date | None = None,
    assumed: bool = False,
) -> Policy:
    """Check plain values and make the policy of them, with its warnings."""
    try:
        policy = Policy.model_validate(content, context={"known": known})
    except ValidationError as error:
        raise PolicyError(problems_of(error, Policy, places)) from None
    wrong = [
        RearguardError(remark.problem, remedy=remark.remedy, place=places.of(remark.path))
        for remark in check.errors(policy)
    ]
    if wrong:
        raise PolicyError(sorted(wrong, key=lambda problem: problem.place.line or 0))
    day = today or datetime.now(UTC).date()
    notices = [
        Notice(remark.problem, remark.remedy, places.of(remark.path))
        for remark in check.warnings(policy, day)
    ]
    in_order = sorted(notices, key=lambda notice: notice.place.line or 0)
    return policy.with_notes(places, in_order, assumed=assumed)
