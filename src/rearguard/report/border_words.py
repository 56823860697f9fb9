"""What a filter at the border would have done, in words and rows; the filter itself is made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rearguard.report import words
from rearguard.report.escape import visible
from rearguard.report.lesson_rows import drop_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rearguard.filters.border import Border, EdgeFilter
    from rearguard.filters.model import Left
    from rearguard.filters.replay import NotStoppable, Replay
    from rearguard.filters.what_if import WhatIf
    from rearguard.report.analysis import Analysis

__all__ = ["MOST_WHAT_IFS", "border_rows", "rest_text", "sentence", "useful"]

MOST_WHAT_IFS = 25
LONGEST = 1000

REASONS = {
    "internal": "from one address of ours to another",
    "outbound": "from our devices to the outside",
    "cloud-managed": "managed from a cloud",
    "authorised-addresses": "from authorised addresses",
    "shared-addresses": "behind shared addresses",
    "softwires": "inside tunnels (softwires)",
    "udp-from-1024": "UDP ports that customers' clients use too",
    "port-too-common": "ports that are too common to be guarded everywhere",
    "not-listed": "interfaces that are not listed under drop",
    "never-block": "prefixes that the policy never blocks",
    "already-open": "sessions that had begun before",
    "controller-listens": "opened by the devices themselves",
}
BEYOND = frozenset(
    {"internal", "outbound", "cloud-managed", "authorised-addresses", "shared-addresses", "softwires"}
)
"""What no filter at the border can stop, whatever the policy says (rule C8); the rest is a matter of the policy."""


def sentence(border: Border | None) -> str:
    """One sentence for the summary; empty when there is nothing to say."""
    if border is None:
        return ""
    cannot = [
        item
        for item in border.not_stoppable
        if item.contacts and item.reason in BEYOND - {"authorised-addresses"}
    ]
    total = words.count(sum(item.contacts for item in cannot), "contact")
    rest = f"; {total} no border can stop ({_counted(cannot)})" if cannot else ""
    if border.replay is not None:
        return f"{_replayed(border.replay)}{rest}."
    best = useful(border.what_ifs)
    if not best:
        return ""
    names = words.listed([item.interface for item in best], 3)
    return (
        f"The policy drops nothing; dropping {names} at the border would have stopped "
        f"{words.count(sum(item.initiations_dropped for item in best), 'initiation')}{rest}."
    )


def rest_text(border: Border) -> str:
    """What the filter does not stop, by reason; empty when there is nothing of it."""
    return _counted([item for item in border.not_stoppable if item.contacts])


def useful(what_ifs: Sequence[WhatIf]) -> list[WhatIf]:
    """The drops that would have stopped something and nothing that is authorised, the best first."""
    found = [item for item in what_ifs if item.initiations_dropped and not item.authorised_dropped]
    return sorted(found, key=lambda item: (-item.initiations_dropped, item.interface))


def border_rows(analysis: Analysis) -> dict[str, Any] | None:
    """What the page shows of the filter; None when there is nothing to show."""
    border = analysis.border
    if border is None or not (border.replay or border.what_ifs or border.not_stoppable or border.left):
        return None
    titles = {each.id: each.title for each in analysis.catalogue.interfaces}
    return {
        "platform": _shown(border.platform),
        "files": [_file(edge) for edge in border.edges],
        "replay": None if border.replay is None else _figures(border.replay),
        "bar": [] if border.replay is None else _bar(border.replay),
        "notes": [] if border.replay is None else [_shown(note) for note in border.replay.notes],
        "not_stoppable": [_not_stoppable(item) for item in border.not_stoppable if item.contacts],
        "left": [_left(item) for item in border.left[:MOST_WHAT_IFS]],
        "what_ifs": [_what_if(item, titles) for item in border.what_ifs[:MOST_WHAT_IFS]],
        "lessons": drop_rows(border),
        "what_ifs_hidden": max(len(border.what_ifs) - MOST_WHAT_IFS, 0),
    }


def _counted(items: Sequence[NotStoppable]) -> str:
    return ", ".join(f"{words.number(item.contacts)} {_reason(item.reason)}" for item in items)


def _shown(text: str) -> str:
    return visible(text, LONGEST)


def _replayed(replay: Replay) -> str:
    total = replay.initiations_dropped + replay.passed
    harm = (
        "and none that is authorised"
        if not replay.authorised_dropped
        else f"but also {words.count(replay.authorised_dropped, 'authorised one')}"
    )
    return (
        f"The filter that the policy asks for would have dropped {words.number(replay.initiations_dropped)} of "
        f"{words.count(total, 'initiation')} {harm}"
    )


def _file(edge: EdgeFilter) -> dict[str, Any]:
    return {
        "name": _shown(edge.file),
        "rules": words.count(len(edge.filter.rules), "rule"),
        "edge": _shown(edge.filter.edge),
        "text": edge.text.replace("\t", "    ").split("\n"),
        "lines": words.count(edge.text.count("\n"), "line"),
    }


def _figures(replay: Replay) -> list[tuple[str, str, str]]:
    """Name, figure, and what it means."""
    return [
        ("dropped", words.number(replay.initiations_dropped), "initiations that it would have stopped"),
        ("passed", words.number(replay.passed), "initiations that it would have let through"),
        (
            "authorised, dropped",
            words.number(replay.authorised_dropped),
            "must be 0: these are the policy's own controllers"
            if replay.authorised_dropped
            else "as it must be",
        ),
        (
            "collateral",
            words.number(replay.collateral_dropped),
            "other contacts that it would have hit"
            + (f", {words.count(replay.collateral_packets, 'packet')}" if replay.collateral_packets else ""),
        ),
        ("not judged", words.number(replay.unjudged), "contacts of which the input does not tell enough"),
    ]


def _bar(replay: Replay) -> list[tuple[str, float, float]]:
    """Class, begin and width (percent) of the parts of one bar: dropped, passed."""
    total = replay.initiations_dropped + replay.passed
    if not total:
        return []
    dropped = round(100 * replay.initiations_dropped / total, 2)
    return [("f-dropped", 0.0, dropped), ("f-passed", dropped, round(100 - dropped, 2))]


def _not_stoppable(item: NotStoppable) -> dict[str, str]:
    return {
        "reason": _reason(item.reason),
        "contacts": words.number(item.contacts),
        "initiations": words.number(item.initiations),
        "what_can": _shown(item.what_can),
        "who": "no border" if item.reason in BEYOND else "not this policy",
    }


def _reason(reason: str) -> str:
    return _shown(REASONS.get(reason, reason))


def _left(item: Left) -> str:
    where = f" ({', '.join(item.ports[:10])})" if item.ports else ""
    family = f", IPv{item.family}" if item.family else ""
    return _shown(f"{item.interface}{where} toward {item.network}{family}: {_reason(str(item.reason))}")


def _what_if(item: WhatIf, titles: dict[str, str]) -> dict[str, str]:
    consent = "Needs accept_collateral in the policy. " if item.needs_consent else ""
    return {
        "interface": _shown(item.interface),
        "title": titles.get(item.interface, ""),
        "dropped": words.number(item.initiations_dropped),
        "remotes": words.number(item.remotes),
        "devices": words.number(item.devices),
        "authorised": words.number(item.authorised_dropped),
        "collateral": words.number(item.collateral_dropped),
        "breaks": _shown(consent + item.breaks),
    }
