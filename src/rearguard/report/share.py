"""The edition that may leave the house (``--share``): the same findings, and nothing that names a customer.

What goes: addresses of the policy's networks and controllers (they become pseudonyms, see
:mod:`rearguard.report.pseudonyms`), credentials and everything quoted beside them, serial numbers, subscribers and
the inventory, folders of files, and ids from which an address could be found by trying (of findings and of the
policy). What stays: times, remote addresses, interfaces, counts, models, the structure of the networks.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from rearguard.filters.border import EdgeFilter
from rearguard.filters.compile import compile_filter, edges
from rearguard.filters.render.nftables import render
from rearguard.policy.load import build_policy
from rearguard.policy.places import Places
from rearguard.report.pseudonyms import Pseudonyms
from rearguard.report.share_texts import SharedTexts, shared_names, tokens_of
from rearguard.report.share_view import shared_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rearguard.filters.border import Border
    from rearguard.model.address import Network
    from rearguard.model.finding import Finding
    from rearguard.policy import Policy
    from rearguard.report.analysis import Analysis

__all__ = ["redacted"]

NOTE = (
    "Redacted edition: addresses of our own networks and controllers are pseudonyms, made anew for each run; "
    "credentials, serial numbers and subscribers are left out."
)
SHORTEST = 3
"""Characters of an id; shorter ones stand in every text and tell nothing."""

WARNING = "# Redacted edition: the addresses are pseudonyms. Not to be loaded.\n"


def redacted(analysis: Analysis, *, key: bytes | None = None) -> Analysis:
    """The analysis without what belongs to the house; the given one is left as it is.

    ``key`` (at most 64 bytes) decides the pseudonyms; without one it is drawn anew. Raises :class:`UsageError`
    when the own networks are too large for pseudonyms.
    """
    own = _own(analysis.policy)
    names = Pseudonyms(own, key or secrets.token_bytes(32))
    texts = SharedTexts(names, shared_names([item.uri for item in analysis.sources]), _ids(analysis))
    policy = _policy(analysis, texts)
    findings = _findings(analysis.findings, texts)
    return replace(
        analysis,
        policy=policy,
        view=shared_view(analysis.view, own, names, texts),
        findings=findings,
        sampling=tuple(replace(line, observer=texts.place(line.observer)) for line in analysis.sampling),
        approximations=tuple(texts.place(line) for line in analysis.approximations),
        notes=(NOTE, *(texts.place(line) for line in analysis.notes)),
        border=None if analysis.border is None else _border(analysis.border, analysis, policy, texts),
        inventory=None,
        subscribers=None,
        timings=dict(analysis.timings),
    )


def _own(policy: Policy) -> list[Network]:
    """All prefixes that belong to the house."""
    found = [net for network in policy.networks.values() for net in network.prefixes]
    for controller in policy.controllers.values():
        for role in ("requests_from", "sessions_at"):
            found.extend(controller.addresses(role))
    return [*found, *policy.never_block]


def _policy(analysis: Analysis, texts: SharedTexts) -> Policy:
    """The same policy about pseudonyms; its digest cannot be found by trying the true one."""
    content: dict[str, Any] = texts.value(analysis.policy.meaning(), text=texts.plain)
    return build_policy(content, analysis.catalogue, Places(), assumed=analysis.policy.assumed)


def _findings(findings: tuple[Finding, ...], texts: SharedTexts) -> tuple[Finding, ...]:
    """Subjects first, because other findings may refer to the ids that come out of them."""
    named = [
        replace(
            item,
            subject=replace(
                item.subject,
                address=None if item.subject.address is None else texts.plain(item.subject.address),
            ),
        )
        for item in findings
    ]
    texts.renamed.update({old.id: new.id for old, new in zip(findings, named, strict=True)})
    return tuple(_finding(item, texts) for item in named)


def _finding(item: Finding, texts: SharedTexts) -> Finding:
    return replace(
        item,
        severity_reason=texts.plain(item.severity_reason),
        reason=texts.plain(item.reason),
        peers=replace(item.peers, sample=tuple(texts.plain(peer) for peer in item.peers.sample)),
        labels=tuple(texts.plain(label) for label in item.labels),
        details=texts.value(item.details),
        evidence=tuple(
            replace(
                row,
                source=texts.source(row.source),
                src=texts.plain(row.src),
                dst=texts.plain(row.dst),
                note=texts.payload(row.note),
            )
            for row in item.evidence
        ),
    )


def _border(border: Border, analysis: Analysis, policy: Policy, texts: SharedTexts) -> Border:
    """The same result; the files are written anew for the pseudonyms, so that their shape can be seen."""
    replay = border.replay
    return replace(
        border,
        edges=tuple(_edges(border, analysis, policy)),
        replay=None
        if replay is None
        else replace(
            replay,
            by_finding={texts.renamed.get(name, name): counts for name, counts in replay.by_finding.items()},
            notes=tuple(texts.place(note) for note in replay.notes),
        ),
    )


def _edges(border: Border, analysis: Analysis, policy: Policy) -> Iterator[EdgeFilter]:
    if not border.edges:
        return
    for edge, name in zip(border.edges, edges(policy), strict=True):
        compiled = compile_filter(policy, analysis.catalogue, name)
        yield EdgeFilter(
            compiled, edge.file, WARNING + render(compiled, file=edge.file, made=_made(analysis))
        )


def _made(analysis: Analysis) -> date:
    """The day of the last record: the shared files tell no other date."""
    span = analysis.view.span
    return datetime.fromtimestamp(span[1] // 1_000_000_000 if span else 0, UTC).date()


def _ids(analysis: Analysis) -> set[str]:
    """What names a subscriber or a line and stands as a word somewhere in the analysis."""
    spoken = _words(analysis)
    found: set[str] = set()
    if analysis.subscribers is not None:
        for texts in (analysis.subscribers.names, analysis.subscribers.contacts):
            found.update(name for number in range(len(texts)) if (name := texts[number]) in spoken)
    if analysis.inventory is not None:
        found.update(spoken.intersection(analysis.inventory.by_subscriber))
    serials = {one.inform.serial for one in analysis.view.exchanges if one.inform is not None}
    return {name for name in found | (serials & spoken) if len(name) >= SHORTEST}


def _words(analysis: Analysis) -> set[str]:
    """Every word of the texts that are told."""
    words: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, str):
            words.update(tokens_of(value))
        elif isinstance(value, dict):
            for key, item in value.items():
                collect(key)
                collect(item)
        elif isinstance(value, list | tuple | set | frozenset):
            for item in value:
                collect(item)

    for item in analysis.findings:
        collect((item.reason, item.severity_reason, item.labels, item.details))
        collect([row.note for row in item.evidence])
    for exchange in analysis.view.exchanges:
        collect((exchange.path, exchange.fetch))
        collect([(hit.excerpt, hit.named, hit.urls) for hit in exchange.hits])
        if exchange.inform is not None:
            collect((exchange.inform.manufacturer, exchange.inform.product_class, exchange.inform.software))
    collect((analysis.notes, analysis.approximations, [item.uri for item in analysis.sources]))
    collect([item.uri.replace("/", " ") for item in analysis.sources])
    return words
