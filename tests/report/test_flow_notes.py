"""What the report says about inputs that told little: nothing in them, wrong records, gaps, no templates."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.report.build import source

from rearguard.contacts.view import SourceInfo
from rearguard.report.flow_notes import _lost, _unread, flow_notes
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
