"""Whatever a peer wrote reaches every output as harmless text: page, terminal, JSON, cases, filter."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console
from tests.report.build import HOSTILE, source
from tests.report.rich import exchanges, rich
from tests.report.test_report_html import Shape

from rearguard.dialogue.exchange import Exchange
from rearguard.report import findings_json, html, terminal, write
from rearguard.report.analysis import Analysis, SamplingLine
from rearguard.report.charts import Drawing, Studio
from rearguard.report.share import redacted

CORPUS = (
    *HOSTILE,
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    '"; =HYPERLINK("http://evil.example","x")',
    "a\u2028b\u2029c\x00d",
    "\ufeff\u202ereverse\u202c\u200f\u061c",
    "\ud800 \udfff lone",
    "\U000e0001\U000e0041 tags \ufff9a\ufffab\ufffb",
    "NaN, Infinity, -0, 1e999, \\u0000, \\ud800",
    "'/><svg onload=alert(1)>",
    "&lt;b&gt; &#x3c;script&#x3e; %3Cscript%3E",
    "{{7*7}} ${7*7} {% include '/etc/passwd' %} {# #}",
    "javascript:alert(1)//",
    "url(http://evil.example/x.css) } * { background: red",
    "--></style><!--",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x1bP$q\x1b\\\x9d0;title\x9c\x1bc",
    "\x08\x08\x08\x7f\x1a\x04",
    'comment" drop; flush ruleset; add rule inet x y accept comment "',
    "} ; flush ruleset ; table inet x {",
    "$(reboot) `reboot` ; reboot | sh & \n reboot",
    "no access-list 101\nwrite memory\n! set firewall name X",
    "../../../../etc/cron.d/x",
    "C:\\Windows\\System32\\ \\\\evil\\share",
    "a,b;c\td\"e'f|g",
    "# -*- yaml: [*x, &y, !!python/object/apply:os.system]",
    "%s%s%n %(name)s {0.__class__}",
    "漢字" * 400,
    "\u0301" * 2000,
)
"""Strings that broke something somewhere."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def spoken(said: Exchange, text: str) -> Exchange:
    """The same text wherever bytes of a peer become text."""
    inform = said.inform
    if inform is not None:
        inform = replace(
            inform,
            **{each.name: text for each in fields(inform) if each.name not in {"events", "proof"}},
            events=(text,),
        )
    return replace(
        said,
        method=text,
        path=text,
        speaks=text,
        answer=text,
        hits=tuple(replace(hit, attack=text, excerpt=text, named=(text,), urls=(text,)) for hit in said.hits),
        secrets=tuple(replace(secret, kind=text, shown=text) for secret in said.secrets),
        inform=inform,
        rpcs=(text,),
        fetch=(text,),
    )


@cache
def base() -> Analysis:
    """The rich analysis, made once; tests read it only."""
    return rich()


def everywhere(text: str) -> Analysis:
    """The rich analysis with the text in each field that packets, payloads or file names fill."""
    made = replace(base(), view=replace(base().view))
    told = {
        "reason": text,
        "severity_reason": text,
        "fingerprints": (text,),
        "cves": (text,),
        "labels": (text,),
    }
    details = {
        "excerpt": text,
        "named_hosts": [text],
        "urls": [text],
        "fell": [text],
        "attacks": [{"id": text, "title": text}],
        "devices": [{"device": text, "result": "open"}, {"device": text + "2", "result": "guarded"}],
        text: {text: [text]},
    }
    findings = tuple(
        replace(
            item,
            **told,
            details=details,
            peers=replace(item.peers, sample=(text,)),
            evidence=tuple(replace(row, source=text, note=text) for row in item.evidence),
        )
        for item in made.findings
    )
    made.view = replace(
        made.view,
        sources=(source(text, format=text, skipped={text: 1}, damaged=text),),
        observers=(text,),
        exchanges=tuple(spoken(said, text) for said in exchanges()),
    )
    border = made.border
    assert border is not None
    assert border.replay is not None
    return replace(
        made,
        findings=findings,
        sampling=(SamplingLine(text, 10, text),),
        notes=(text,),
        approximations=(text,),
        border=replace(
            border,
            replay=replace(border.replay, notes=(text,)),
            what_ifs=tuple(replace(item, text=text, breaks=text) for item in border.what_ifs),
            not_stoppable=tuple(replace(item, what_can=text) for item in border.not_stoppable),
        ),
    )


@pytest.fixture
def studio() -> Iterator[Studio]:
    """A child that draws nothing, at once."""
    with Studio(command=(sys.executable, "-c", "print('{}')")) as quick:
        yield quick


@pytest.fixture(scope="module")
def harmless() -> Shape:
    """The page's shape when nobody means harm."""
    return Shape(html.render(everywhere("harmless"), Drawing(), 5))


def strict(text: str) -> Any:
    """Parse as a strict reader does."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    return json.loads(text, parse_constant=refuse)


def printable(text: str) -> bool:
    """One line after another of what prints as itself."""
    return all(char == "\n" or char.isprintable() for char in text)


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_every_file_of_a_report_is_harmless(
    text: str, tmp_path: Path, studio: Studio, harmless: Shape
) -> None:
    made = everywhere(text)
    paths = {path.name: path for path in write.write_report(made, tmp_path / "report", studio)}
    _check_page(paths["report.html"].read_text("utf-8"), harmless)
    raw = paths["findings.json"].read_text("ascii")
    assert printable(raw)
    jsonschema.Draft202012Validator(findings_json.schema()).validate(strict(raw))
    _check_table(paths["cases.csv"].read_text("utf-8"))
    lines = paths["intelmq.jsonl"].read_text("ascii").splitlines()
    assert lines
    assert all(printable(line) and isinstance(strict(line), dict) for line in lines)
    reports = [path for name, path in paths.items() if path.parent.name == "xarf"]
    assert reports
    for path in reports:
        assert re.fullmatch(r"[0-9a-f]+\.json", path.name)
        assert printable(path.read_text("ascii"))
        strict(path.read_text("ascii"))
    border = base().border
    assert border is not None
    assert paths["border.nft"].read_text("ascii") == border.edges[0].text
    assert not (tmp_path / "etc").exists()


def _check_page(page: str, harmless: Shape) -> None:
    shape = Shape(page)
    assert shape.tags == harmless.tags
    assert shape.strange == []
    assert all(char in "\n" or char.isprintable() for char in shape.text)
    assert not re.search(r"<[^>]+\s(src|href|srcset|action|style|on\w+)\s*=", page)


def _check_table(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len({len(row) for row in rows}) == 1
    assert len(rows) > 1
    for row in rows[1:]:
        for cell in row:
            assert not cell.startswith(FORMULA), cell
            assert printable(cell), cell


@pytest.mark.parametrize("width", [60, 140])
@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_the_terminal_shows_it_and_obeys_none_of_it(text: str, width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, force_terminal=True, color_system="truecolor")
    terminal.render(everywhere(text), console)
    assert printable(re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()))


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_a_shared_edition_can_be_made_of_it(text: str) -> None:
    shared = redacted(everywhere(text))
    assert printable(findings_json.dumps(shared))
    assert Shape(html.render(shared, Drawing(), 5)).strange == []
