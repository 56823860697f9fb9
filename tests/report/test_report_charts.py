"""Charts: inert pictures from a child that may misbehave."""

from __future__ import annotations

import json
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from tests.report.build import HOSTILE, SECOND, START, Row, analysis, finding, nothing, source

from rearguard.report.charts import Studio, inert
from rearguard.report.charts.data import MOST_BARS, MOST_SERIES, bucket_seconds, chart_data

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'


def test_the_pictures_of_an_incident() -> None:
    with Studio() as studio:
        studio.ask(chart_data(analysis()))
        drawing = studio.collect()
    assert drawing.problem is None
    names = {
        f"{chart}-{size}" for chart in ("timeline", "interfaces", "remotes") for size in ("wide", "narrow")
    }
    assert set(drawing.svg) == names
    assert "2001:db8:bad::1" in drawing.svg["remotes-wide"]
    assert 'class="f-o-conversed"' in drawing.svg["interfaces-narrow"]
    for svg in drawing.svg.values():
        assert " id=" not in svg
        assert "href" not in svg


def test_hostile_labels_stay_labels() -> None:
    storable = [text.encode("utf-8", "replace").decode() for text in HOSTILE]
    for some in (storable[:6], storable[6:]):
        rows = [Row("203.0.113.7", "198.51.100.1", interface=text, port=n) for n, text in enumerate(some)]
        with Studio() as studio:
            studio.ask(chart_data(analysis(rows)))
            drawing = studio.collect()
        assert drawing.problem is None
        for svg in drawing.svg.values():
            tags = {element.tag for element in ET.fromstring(svg).iter()}
            assert tags <= {"svg", "g", "path", "line", "rect", "text", "tspan"}


def test_nothing_to_show_is_not_drawn() -> None:
    with Studio() as studio:
        studio.ask(chart_data(nothing()))
        drawing = studio.collect()
    assert drawing.problem is None
    assert drawing.svg == {}


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<a href="http://x"><rect/></a>',
        '<image href="x"/>',
        "<style>*{}</style>",
        '<foreignObject><p xmlns="http://www.w3.org/1999/xhtml">x</p></foreignObject>',
        '<use href="#x"/>',
        '<rect id="x" onclick="alert(1)" style="fill:url(http://x)" fill="url(#x)" class="finding"/>',
        '<animate attributeName="href"/>',
        '<g transform="translate(1,1);url(x)"/>',
    ],
)
def test_only_shapes_and_text_survive(inside: str) -> None:
    made = inert(SVG.format(inside), "name")
    for bad in ("script", "href", "url", "onclick", "style", "id=", "foreign", "class", "animate", "http"):
        assert bad not in made


def test_text_is_escaped_again_and_the_name_too() -> None:
    made = inert(SVG.format("<text>&lt;b&gt;</text>"), '"><script>')
    assert "<text>&lt;b&gt;</text>" in made
    assert "<script>" not in made


@pytest.mark.parametrize(
    "text",
    ["", "<html/>", "<svg>", '<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("&a;"), SVG.format("&nbsp;")],
)
def test_what_is_no_picture_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="picture"):
        inert(text, "name")


def test_deep_nesting_is_cut() -> None:
    deep = 200
    assert inert(SVG.format("<g>" * deep + "</g>" * deep), "name").count("<g") < 50


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("import sys; sys.exit(3)", "ended with code 3"),
        ("print('no json')", "answered something else"),
        ("print('[1]')", "answered something else"),
        ('print(\'{"timeline-wide": "<svg"}\')', "answered something else"),
        ("import time; time.sleep(60)", "took longer than"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended with code -9"),
    ],
)
def test_a_bad_child_gives_a_reason(program: str, problem: str) -> None:
    begun = time.monotonic()
    with Studio(command=(sys.executable, "-c", program), patience=1.0) as studio:
        studio.ask({"timeline": {}, "padding": "x" * 1_000_000})
        drawing = studio.collect()
    assert problem in (drawing.problem or "")
    assert drawing.svg == {}
    assert time.monotonic() - begun < 10


def test_an_absent_child_gives_a_reason() -> None:
    with Studio(command=("/nonexistent/python",)) as studio:
        studio.ask({})
        assert "did not start" in (studio.collect().problem or "")


def test_leaving_early_ends_the_child() -> None:
    with Studio(command=(sys.executable, "-c", "import time; time.sleep(60)")) as studio:
        child = studio._child
    assert child is not None
    assert child.returncode == -9


@pytest.mark.parametrize("seconds", [0, 1, 71, 73, 300, 86_400, 30 * 86_400])
def test_the_timeline_has_a_bounded_number_of_bars(seconds: int) -> None:
    length = bucket_seconds(START, START + seconds * SECOND)
    assert seconds / length <= MOST_BARS


def test_the_timeline_counts_every_unauthorised_contact_once() -> None:
    rows = [Row("203.0.113.7", f"198.51.100.{n}", at=n, interface=f"i{n % 8}") for n in range(100)]
    rows += [
        Row("203.0.113.8", "198.51.100.1", authorised=True),
        Row("203.0.113.9", "198.51.100.1", target=False),
    ]
    made = analysis(rows)
    made.view.con.execute(
        "INSERT INTO crowd (interface, first, clients) VALUES ('i0', ?, 1000)", [START + 5 * SECOND]
    )
    data = chart_data(made)
    assert sum(row["contacts"] for row in data["timeline"]["rows"]) == 1100
    assert data["timeline"]["series"][0] == "i0"
    assert len(data["timeline"]["series"]) == MOST_SERIES + 1
    assert len({row["name"] for row in data["remotes"]}) == 1
    json.dumps(data, allow_nan=False)


def test_records_without_a_time_make_no_timeline() -> None:
    made = nothing()
    made.view = replace(made.view, sources=(source(first_seen=None, last_seen=None),))
    assert chart_data(made)["timeline"]["rows"] == []


def test_events_are_numbered_and_those_close_together_share_a_mark() -> None:
    at = (0, 1, 2, 150, 290)
    events = tuple(
        finding(address=f"203.0.113.{n}", interface=f"i{n}", first_seen=START + second * SECOND)
        for n, second in enumerate(at)
    )
    marks = chart_data(analysis(findings=events))["timeline"]["marks"]
    assert [mark["name"] for mark in marks] == ["1-3", "4", "5"]
    assert [mark["at"] for mark in marks] == [
        (START + second * SECOND) // 1_000_000 for second in (0, 150, 290)
    ]
    assert chart_data(nothing())["timeline"]["marks"] == []


def test_marks_stand_on_the_timeline() -> None:
    with Studio() as studio:
        studio.ask(chart_data(analysis(findings=(finding(first_seen=START + 60 * SECOND),))))
        drawing = studio.collect()
    texts = {element.text for element in ET.fromstring(drawing.svg["timeline-wide"]).iter("text")}
    assert "1" in texts
    assert "k-ink" in drawing.svg["timeline-wide"]
