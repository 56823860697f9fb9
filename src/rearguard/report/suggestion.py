"""A policy to start from, written from what an input shows; only networks in it hold, all else is comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rearguard.contacts.reading import Advance, read
from rearguard.contacts.suggest import Suggested, everything_guard, suggest_networks
from rearguard.contacts.suggest_controllers import Candidate, Candidates, suggest_controllers
from rearguard.model.prefixes import PrefixSet
from rearguard.policy import policy_from_flags
from rearguard.report.assume import REASONS

if TYPE_CHECKING:
    from rearguard.catalogue import Catalogue

__all__ = ["Suggestion", "policy_text", "suggest"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is proposed. ``given``: the networks were named by the caller and not looked for."""

    networks: Suggested
    given: bool
    candidates: Candidates
    interfaces: dict[tuple[str, str, int], str]
    """(listener, transport, port) to the interface id; the listener is "device" or "controller"."""
    damaged: tuple[str, ...]
    """Inputs that could be read only in part, and why."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; the keys are the words of the policy."""
        return {
            "networks": [str(prefix) for prefix in self.networks.prefixes],
            "assumed": not self.given,
            "reasons": self.networks.reasons,
            "left_out": self.networks.left_out,
            "unsure": {
                "requests_from": [self._entry(one, "device") for one in self.candidates.requests],
                "sessions_at": [self._entry(one, "controller") for one in self.candidates.sessions],
                "surveyors": [self._entry(one, "device") for one in self.candidates.surveyors],
            },
        }

    def _entry(self, one: Candidate, listener: str) -> dict[str, Any]:
        return {
            "prefix": _host(one),
            "interface": self.interfaces[listener, one.transport, one.port],
            "transport": one.transport,
            "port": one.port,
            "devices": one.devices,
            "answered": one.answered,
            "refused": one.refused,
            "conversed": one.conversed,
            "called_back": one.called_back,
            "tries": one.tries,
            "first_seen": _time(one.first),
            "last_seen": _time(one.last),
            "inside": one.inside,
        }


def suggest(
    uris: Sequence[str],
    networks: Sequence[str],
    catalogue: Catalogue,
    folder: Path,
    advance: Advance,
) -> Suggestion:
    """Read the input once and propose. Networks that are given are believed.

    Raises PolicyError for a prefix that is none, InputError for what is no capture.
    """
    policy = policy_from_flags(networks, (), (), None, catalogue)
    reading = read(uris, everything_guard(policy, catalogue), folder, advance=advance)
    try:
        given = Suggested(policy.own().networks, {})
        found = given if networks else suggest_networks(reading.partials, catalogue)
        candidates = suggest_controllers(reading.partials, PrefixSet.of(found.prefixes), catalogue)
    finally:
        reading.partials.close()
    ports = {("device", one.transport, one.port) for one in (*candidates.requests, *candidates.surveyors)}
    ports |= {("controller", one.transport, one.port) for one in candidates.sessions}
    named = {key: catalogue.listening(key[1], key[2], key[0])[0].id for key in sorted(ports)}
    damaged = tuple(f"{item.uri}: {item.damaged}" for item in reading.sources if item.damaged is not None)
    return Suggestion(found, bool(networks), candidates, named, damaged)


def policy_text(suggestion: Suggestion) -> str:
    """The commented rearguard.yaml; it is valid as it stands, permits nobody and drops nothing."""
    return "\n".join(_lines(suggestion)) + "\n"


def _lines(found: Suggestion) -> Iterator[str]:
    yield from _HEAD
    yield from _networks(found)
    yield ""
    yield from _controllers(found)
    yield ""
    yield from _surveyors(found)
    yield ""
    yield "# Nothing is dropped. `rearguard policy init` writes a file with an example of every section."


_HEAD = (
    "# rearguard.yaml, proposed from traffic. Read it before you use it:",
    "# what holds are the networks; whoever looked like a controller is a comment, because being answered",
    "# is no right to manage. Remove the # where you know it to be yours.",
    "#",
    "# Check the file:   rearguard policy check rearguard.yaml",
    "",
)


def _networks(found: Suggestion) -> Iterator[str]:
    prefixes = found.networks.prefixes
    if not prefixes:
        yield "# Where managed devices live: nothing in the input tells it. Put your prefixes in:"
        yield "#networks:"
        yield "#  customers: {prefixes: [198.51.100.0/24], managed: unknown}"
        return
    if found.given:
        yield "# Where managed devices live, as given."
    else:
        yield "# unsure: where managed devices live, guessed from the traffic. Why:"
        for name, count in found.networks.reasons.items():
            yield f"#   {REASONS[name]} ({count} of their /24 or /48 blocks)"
        yield "# They may be wider or narrower than yours, or the other side's: put the right ones."
    if found.networks.left_out:
        yield f"# {found.networks.left_out} more prefixes looked alike; the list is limited."
    yield "# kind: native | cgn | dslite | map | business; managed: operator | owner | vendor-cloud | unknown"
    yield "networks:"
    yield "  suggested:"
    yield "    prefixes:"
    yield from (f'      - "{prefix}"' for prefix in prefixes)
    yield "    kind: native"
    yield "    managed: unknown"


def _controllers(found: Suggestion) -> Iterator[str]:
    requests, sessions = found.candidates.requests, found.candidates.sessions
    if not requests and not sessions:
        yield "# Controllers: nobody in the input behaved like one. That does not mean that there is none."
        return
    yield "# Who may manage what, from where. Each line below is a guess that permits nothing while it is a"
    yield "# comment. A worm that reaches an open fleet can look the same: compare with your own inventory."
    yield "#controllers:"
    yield "#  unsure-controller:"
    if requests:
        yield "#    requests_from:"
        for one in requests:
            yield f"# {_calls(one)}"
            yield f'#      - "{_host(one)}"'
    if sessions:
        yield "#    sessions_at:"
        for one in sessions:
            yield f"# {_sessions(one)}"
            yield f'#      - "{_host(one)}"'
    manages = sorted({found.interfaces["device", one.transport, one.port] for one in requests}) or ["cwmp"]
    if "cwmp-cr" in manages or sessions:
        manages = sorted({"cwmp", *manages} - {"cwmp-cr"})
    yield f"#    manages: [{', '.join(manages)}]"
    yield "#    enters_at: inside   # or the name of the edge where its packets come in"


def _surveyors(found: Suggestion) -> Iterator[str]:
    if not found.candidates.surveyors:
        yield "# Surveyors: no source tried your addresses with a survey tool's fingerprint."
        return
    yield "# Research scanners, perhaps: they use a survey tool, and so do attackers. List one only when you know"
    yield "# who it is; its findings are then labelled and not alerted."
    yield "#surveyors:"
    for number, one in enumerate(found.candidates.surveyors, start=1):
        yield (
            f"# unsure: {one.address} tried {one.transport}/{one.port} on {one.devices:,} of your addresses "
            f"with the fingerprint of ZMap or masscan, {_span(one)}"
        )
        yield f'#  unsure-{number}: {{prefixes: ["{_host(one)}"], note: "who is it?"}}'


def _calls(one: Candidate) -> str:
    text = (
        f"unsure: {one.address} opened {one.transport}/{one.port} on {one.devices:,} devices: "
        f"{one.answered:,} answered, {one.refused:,} refused, {one.conversed:,} exchanged payload, {_span(one)}"
    )
    if one.called_back:
        text += f"; {one.called_back:,} opened a session at a sessions_at candidate afterwards"
    return text + ("; it lies in your own networks" if one.inside else "")


def _sessions(one: Candidate) -> str:
    return (
        f"unsure: {one.devices:,} devices opened {one.transport}/{one.port} at {one.address}: "
        f"{one.conversed:,} exchanged payload, {_span(one)}"
    )


def _host(one: Candidate) -> str:
    """The candidate's address as a prefix."""
    return f"{one.address}/{one.address.max_prefixlen}"


def _span(one: Candidate) -> str:
    return f"{_time(one.first)} to {_time(one.last)}"


def _time(ns: int) -> str:
    """A time as text; a damaged capture may hold one that no calendar has."""
    try:
        return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{ns} ns"
