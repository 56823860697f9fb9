"""What the report says about inputs that told little: nothing in them, wrong records, gaps, no templates."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.report.build import source

from rearguard.contacts.view import SourceInfo
from rearguard.report.flow_notes import _lost, _several_rates, _unread, flow_notes
from rearguard.sources.reader import Exporter


def info(**values: Any) -> SourceInfo:
    return source(**{"uri": "flows", "format": "nfdump csv", "records": 9, "skipped": {}, **values})


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (info(), []),
        (info(records=0), ["flows: no flow record in it"]),
        (info(records=0, skipped={"not-a-flow": 1500}), ["flows: no flow record in it (not-a-flow 1,500)"]),
        (
            info(records=0, skipped={"not-an-export": 7}),
            ["flows: no flow exports in it (not-an-export 7); read it without --exports"],
        ),
        (
            info(skipped={"bad-line": 9}, first_bad="record 3: src (column a) cannot be read"),
            ["flows: record 3: src (column a) cannot be read"],
        ),
    ],
)
def test_silence_of_an_input_is_explained(one: SourceInfo, said: list[str]) -> None:
    assert list(_unread([one])) == said


def test_many_silent_inputs_are_counted() -> None:
    *_, last = _unread([info(records=0)] * 7)
    assert last == "2 more inputs with nothing in it, or with records that cannot be read"


def test_gaps_are_not_things_that_are_missing() -> None:
    [gaps, lost, one] = _lost(
        [
            Exporter("192.0.2.1", lost=9, lost_unit="gaps"),
            Exporter("192.0.2.2", lost=3, lost_unit="records"),
            Exporter("192.0.2.3", lost=1),
        ]
    )
    assert "its sequence numbers jumped 9 times, so that something is missing" in gaps
    assert "3 records are missing" in lost
    assert "1 datagram is missing" in one


def test_a_single_data_set_without_template_is_one() -> None:
    [told] = _lost([Exporter("192.0.2.1", without_template=1)])
    assert told.startswith("1 data set of 1 exporter came without a template")


def test_captures_of_packets_need_none_of_it() -> None:
    view = SimpleNamespace(sources=[info(format="pcap", records=0)], rates=())
    assert flow_notes(cast("Any", view), cast("Any", None)) == ()


def _rated(*spread: int, since: int | None = None, name: str = "192.0.2.1") -> Exporter:
    least, most, last = spread
    return Exporter(
        name, rate=last, rate_from="options", rate_least=least, rate_most=most, rate_since=since, kind="IPFIX"
    )


SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ([[_rated(100, 100, 100)], [_rated(100, 100, 100)]], None),
        ([[_rated(100, 1000, 1000, since=60 * SECOND)]], "at last 1:1,000 since 1970-01-01 00:01:00 UTC"),
        ([[_rated(100, 1000, 100)]], "at last 1:100 (known from options)"),
        ([[_rated(100, 100, 100)], [_rated(1000, 1000, 1000)]], "1:1,000 since 1970-01-01 00:00:01 UTC"),
        ([[_rated(100, 1000, 1000, since=0)], [_rated(100, 100, 100)]], "at last 1:100 (known from options)"),
        ([[_rated(0, 0, 100)], [_rated(0, 0, 100)]], None),  # a source that knows the last rate only
        ([[_rated(100, 100, 100)], [_rated(10, 10, 10, name="192.0.2.2")]], None),
    ],
)
def test_every_rate_of_an_exporter_is_told(sources: list[list[Exporter]], said: str | None) -> None:
    infos = [info(exporters=tuple(one), first_seen=at * SECOND) for at, one in enumerate(sources)]
    told = list(_several_rates(cast("Any", SimpleNamespace(sources=infos))))
    assert len(told) == (said is not None)
    if said is not None:
        assert said in told[0]
        assert "sampled at several rates, 1:100 to 1:1,000" in told[0]


def test_many_changing_exporters_are_counted() -> None:
    many = tuple(_rated(1, 2, 2, name=f"192.0.2.{k}") for k in range(7))
    *_, last = _several_rates(cast("Any", SimpleNamespace(sources=[info(exporters=many)])))
    assert last == "2 more exporters told several sampling rates"
