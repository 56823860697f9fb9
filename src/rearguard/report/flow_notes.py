"""What must be said with every conclusion from flow records: what they cannot tell, what was lost on the way, and
what sampling does to every figure (rules A6, B7, B14; DESIGN section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from rearguard.detect.estimate import chance_seen, must_touch, needed
from rearguard.model import bits
from rearguard.report.words import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rearguard.contacts.view import SourceInfo, View
    from rearguard.policy import Policy
    from rearguard.sources.reader import Exporter

__all__ = ["flow_notes"]

PACKETS = ("pcap", "pcapng")
MOST = 5
"""Exporters that are named one by one."""

FLAGS_SQL = f"""
SELECT count(*), count(*) FILTER (known & {bits.KNOWN_FLAGS} = 0)
FROM judged WHERE proto = {bits.TCP} AND interface IS NOT NULL
"""


def flow_notes(view: View, policy: Policy) -> tuple[str, ...]:
    """Sentences for the report; none where every input is a whole capture of packets."""
    exporters = [each for source in view.sources for each in source.exporters]
    flows = [source for source in view.sources if source.exporters or not source.format.startswith(PACKETS)]
    notes: list[str] = []
    if any(not each.kind.startswith("sFlow") for each in exporters) or any(
        not one.exporters for one in flows
    ):
        notes.append(
            "Flow records carry no payload: what strangers sent, whether a login was asked, exploit attempts,"
            " cleartext secrets, unauthorised controllers and tools' fingerprints cannot be concluded from them"
        )
    if any(each.kind.startswith("sFlow") for each in exporters):
        notes.append(
            "sFlow samples carry the first bytes of packets: handshakes, fingerprints and what fits into one"
            " sampled packet are proven by them; conversations are not"
        )
    if flows:
        notes.extend(_flags(view))
    notes.extend(_unread(flows))
    notes.extend(_lost(exporters))
    notes.extend(_several_rates(view))
    notes.extend(_sampling(view, policy))
    return tuple(notes)


def _flags(view: View) -> Iterator[str]:
    ((total, blind),) = view.con.execute(FLAGS_SQL).fetchall()
    if blind:
        yield (
            f"{blind:,} of {total:,} TCP contacts with management interfaces come from exporters that tell no TCP"
            " flags: of these only the port is known, so a single one makes no probe, answers prove nothing, and"
            " the effect of a filter on them is not judged; export tcpControlBits (IPFIX element 6)"
        )


def _unread(flows: Iterable[SourceInfo]) -> Iterator[str]:
    """Inputs in which nothing was found, and the first record of each that was wrong: silence here is no peace."""
    told = []
    for each in flows:
        why = ", ".join(f"{reason} {count:,}" for reason, count in each.skipped.items() if count)
        if each.first_bad:
            told.append(f"{each.uri}: {each.first_bad}")
        elif not each.records and each.skipped.get("not-an-export"):
            told.append(f"{each.uri}: no flow exports in it ({why}); read it without --exports")
        elif not each.records:
            told.append(f"{each.uri}: no flow record in it{f' ({why})' if why else ''}")
    yield from told[:MOST]
    if told[MOST:]:
        yield f"{_many(len(told) - MOST, 'more input')} with nothing in it, or with records that cannot be read"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _lost(exporters: Iterable[Exporter]) -> Iterator[str]:
    losing = sorted((each for each in exporters if each.lost), key=lambda each: -each.lost)
    for each in losing[:MOST]:
        told = (
            f"its sequence numbers jumped {_many(each.lost, 'time')}, so that something"
            if each.lost_unit == "gaps"
            else f"by its sequence numbers {_many(each.lost, each.lost_unit.removesuffix('s'))}"
        )
        yield (
            f"Exporter {each.name or 'without an address'} (domain {each.domain}): {told}"
            f" {'is' if each.lost == 1 or each.lost_unit == 'gaps' else 'are'} missing; what was told there is"
            " missing here too"
        )
    if losing[MOST:]:
        yield f"{len(losing) - MOST:,} more exporters have sequence gaps; see sources in findings.json"
    blind = [each for each in exporters if each.without_template]
    if blind:
        count = sum(each.without_template for each in blind)
        yield (
            f"{_many(count, 'data set')} of {_many(len(blind), 'exporter')} came without a template and could not"
            " be read; record for longer than the exporters' template timeout"
        )


def _several_rates(view: View) -> Iterator[str]:
    """Exporters whose rate changed while they were heard, in one file or from one file to the next."""
    heard: dict[tuple[str, int, str], list[tuple[SourceInfo, Exporter]]] = {}
    for source in sorted(view.sources, key=lambda one: one.first_seen or 0):
        for each in source.exporters:
            if each.rate:
                heard.setdefault((each.name, each.domain, each.kind), []).append((source, each))
    told = [sentence for found in heard.values() if (sentence := _rates_of(found))]
    yield from told[:MOST]
    if told[MOST:]:
        yield f"{_many(len(told) - MOST, 'more exporter')} told several sampling rates"


def _rates_of(found: Sequence[tuple[SourceInfo, Exporter]]) -> str:
    """The sentence about one exporter, given in the order of its sources; "" where it told one rate only."""
    exporters = [each for _, each in found]
    rates = {rate for each in exporters for rate in (each.rate, each.rate_least, each.rate_most) if rate}
    if len(rates) == 1:
        return ""
    within = [each for each in exporters if each.rate_least != each.rate_most]
    between = [later for (_, one), later in pairwise(found) if one.rate != later[1].rate]
    since = None
    if len(within) == 1 and not between:
        since = within[0].rate_since
    elif len(between) == 1 and not within:
        since = between[0][0].first_seen
    last = exporters[-1]
    return (
        f"Exporter {last.name or 'without an address'} (domain {last.domain}): sampled at several rates,"
        f" 1:{min(rates):,} to 1:{max(rates):,}, at last 1:{last.rate:,}"
        f"{'' if since is None else f' since {time_text(since)}'} (known from {last.rate_from}); each record counts"
        " at the rate that held for it"
    )


def _sampling(view: View, policy: Policy) -> Iterator[str]:
    rates = sorted({each.rate for each in view.rates if each.rate > 1})
    for rate in rates[:MOST]:
        seen = needed(policy.thresholds.scan_targets, rate)
        yield (
            f"At 1:{rate:,} a scan must touch about {must_touch(rate, seen):,} devices, one SYN each, to be found"
            f" with 95 %; of a sweep over a /24 anything at all is seen with {chance_seen(256, rate, 1):.0%}, a"
            f" sweep over a /16 is found with {chance_seen(65_536, rate, seen):.0%}. Counts are what was seen,"
            " estimates carry their interval, and silence proves nothing"
        )
    unknown = [each.place for each in view.rates if each.rate == 0]
    if unknown:
        more = f" and {len(unknown) - MOST} more" if unknown[MOST:] else ""
        yield (
            f"The sampling rate is unknown for {', '.join(unknown[:MOST])}{more}: counts are what was seen, and"
            " silence proves nothing; give it as sampling.default or sampling.observers in the policy (1 if"
            " nothing is sampled)"
        )
