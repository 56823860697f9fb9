"""report.html asks nobody, runs nothing, and keeps its shape whatever the traffic says."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.report.build import HOSTILE, analysis, evidence, finding, hostile, nothing, source

from rearguard.model.finding import Kind, Severity
from rearguard.report.analysis import Analysis, SamplingLine
from rearguard.report.charts import Drawing
from rearguard.report.escape import visible
from rearguard.report.finding_rows import MOST_EVIDENCE, MOST_FINDINGS
from rearguard.report.html import render

ATTRIBUTES = {
    "article": {"class", "id"},
    "section": {"class"},
    "h3": {"class"},
    "ol": {"class"},
    "ul": {"class"},
    "svg": {"class", "viewbox", "preserveaspectratio", "role", "aria-label"},
    "rect": {"class", "x", "y", "width", "height"},
    "div": {"class", "role"},
    "html": {"lang"},
    "p": {"class"},
    "span": {"class"},
    "meta": {"charset", "content", "http-equiv", "name"},
    "table": {"class"},
    "td": {"class", "data-name"},
    "th": {"class"},
    "details": {"class", "open"},
    "dl": {"class"},
    "code": {"class"},
}


class Shape(HTMLParser):
    """Tags in order, all text, and any attribute that has no business here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.strange: list[tuple[str, str]] = []
        self.text = ""
        self.metas: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.strange += [(tag, name) for name, _ in attrs if name not in ATTRIBUTES.get(tag, set())]
        if tag == "meta":
            self.metas.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def shape(made: Analysis, drawing: Drawing | None = None) -> Shape:
    return Shape(render(made, drawing or Drawing(problem="none asked for"), 5))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_strings_change_no_tag_and_no_attribute(text: str) -> None:
    page = shape(hostile(text))
    assert page.tags == shape(hostile("harmless")).tags
    assert page.strange == []
    assert visible(text, 1000) in page.text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_is_fetched_or_run(text: str) -> None:
    page = render(hostile(text), Drawing(), 5)
    assert not re.search(
        r"<(script|link|img|iframe|object|embed|form|a|base|image|use|foreignObject)\b", page
    )
    assert not re.search(r"<[^>]+\s(src|href|srcset|action|style|on\w+)\s*=", page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_the_policy_of_the_page_allows_its_own_style_only() -> None:
    page = render(analysis(), Drawing(), 5)
    policies = [meta for meta in Shape(page).metas if meta.get("http-equiv") == "Content-Security-Policy"]
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    wanted = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert [meta["content"] for meta in policies] == [wanted]
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_the_numbers_are_told() -> None:
    text = shape(analysis(sampling=(SamplingLine("r1", 1000, "policy"),), notes=("guessed",))).text
    for part in (
        "Nothing: every contact was kept",
        "records read",
        "170",
        "12 skipped (arp 10, truncated 2)",
        "sha256:",
        "2016-11-26 10:00:00 UTC to 2016-11-26 10:05:00 UTC",
        "r1 1:1,000 (known from policy)",
        "guessed",
        "not scaled up",
        "scan_targets",
    ):
        assert part in text


def test_evidence_has_the_exact_command() -> None:
    rows = (
        evidence(17, source="it's here.pcap"),
        evidence(3, source="-"),
        evidence(4, source="flows.nfcapd"),
    )
    made = analysis([], (finding(evidence=rows),))
    named = (source("it's here.pcap"), source("-"), source("flows.nfcapd", format="nfcapd"))
    made.view = replace(made.view, sources=named)
    text = shape(made).text
    assert "tshark -r 'it'\"'\"'s here.pcap' -Y frame.number==17" in text
    assert "standard input, record 3" in text
    assert "flows.nfcapd, record 4" in text


def test_a_page_is_bounded_and_says_what_it_left_out() -> None:
    rows = tuple(evidence(n) for n in range(1, MOST_EVIDENCE + 4))
    many = tuple(
        finding(Kind.PROBE, f"10.0.{n // 256}.{n % 256}", evidence=rows) for n in range(MOST_FINDINGS + 7)
    )
    page = shape(analysis([], many))
    assert page.tags.count("article") == MOST_FINDINGS
    assert "And 7 more findings, in findings.json." in page.text
    assert "And 3 more records, in findings.json." in page.text


def test_low_probes_are_lines_of_a_table() -> None:
    low = tuple(finding(Kind.PROBE, f"203.0.113.{n}", severity=Severity.LOW) for n in range(90))
    page = shape(analysis([], (finding(), *low)))
    assert page.tags.count("article") == 1
    assert "90 probes of low severity" in page.text
    assert all(f"203.0.113.{n} " in page.text for n in range(90))
    assert page.text.count("tshark -r lab.pcap -Y frame.number==17") == 91


def test_devices_are_listed_once_with_their_worst_severity() -> None:
    both = tuple(finding(kind, "198.51.100.40") for kind in (Kind.EXPOSED_DEVICE, Kind.COMPROMISED_DEVICE))
    text = " ".join(shape(analysis([], both)).text.split())
    assert "exposed-device, compromised-device" in text


def test_without_charts_the_page_says_why() -> None:
    assert "The charts are missing: it broke." in shape(analysis(), Drawing(problem="it broke")).text
    assert "The charts are missing" not in shape(nothing(), Drawing()).text
