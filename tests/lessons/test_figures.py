"""Figures: each number is counted from records, the records are named, and the texts built on them stay true."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml

from rearguard.lessons import load, read
from rearguard.lessons.figures import LISTENERS, RECENT_YEARS, figures, overview
from rearguard.lessons.groups import INTERFACES, MODELS, OTHER, VERDICTS, interface_of, model_of
from rearguard.lessons.why import MOST, why
from rearguard.model.errors import InputError

KNOWLEDGE = load()
FIGURES = figures(KNOWLEDGE)
IDS = {
    *(each.id for each in KNOWLEDGE.incidents),
    *(each.id for each in KNOWLEDGE.mechanisms),
    *(each.id for each in KNOWLEDGE.recommendations),
    *(each.id for each in KNOWLEDGE.documents),
    *KNOWLEDGE.clauses,
}
YEARS = ("first-year", "last-year", "recent-since")


def raw() -> list[dict[str, object]]:
    """The incident files as they are, without our models."""
    folder = KNOWLEDGE.folder / "incidents"
    return [yaml.safe_load(file.read_text("utf-8")) for file in sorted(folder.glob("*.yaml"))]


@pytest.mark.parametrize("name", list(FIGURES))
def test_every_figure_traces_to_records(name: str) -> None:
    figure = FIGURES[name]
    assert set(figure.records) <= IDS
    assert set(figure.among) <= IDS
    assert figure.how
    if figure.unit == "%":
        assert set(figure.records) <= set(figure.among)
        whole = len(figure.among)
        assert abs(figure.value - 100 * len(figure.records) / max(whole, 1)) <= 0.5
    elif not name.endswith(YEARS) and name not in ("sources", "sources-unread"):
        assert figure.value == len(figure.records) == len(set(figure.records))


def test_titles_say_which_figure_is_meant() -> None:
    assert max(Counter(each.title for each in FIGURES.values()).values()) == 1


def test_figures_agree_with_the_files_themselves() -> None:
    files = raw()
    assert FIGURES["incidents"].value == len(files)
    verdicts = Counter(each["border_filter"]["would_help"] for each in files)  # type: ignore[index]
    for verdict in VERDICTS:
        assert FIGURES[f"border-{verdict}"].value == verdicts[verdict]
    assert FIGURES["first-year"].value == min(int(str(each["date"])[:4]) for each in files)
    assert FIGURES["last-year"].value == max(int(str(each["date"])[:4]) for each in files)
    waited = [each for each in files if LISTENERS & set(each["mechanisms"])]  # type: ignore[call-overload]
    assert FIGURES["listener"].value == len(waited)
    assert FIGURES["sources"].value == sum(len(each["sources"]) for each in files)  # type: ignore[arg-type]


def test_groups_part_the_incidents() -> None:
    whole = FIGURES["incidents"].value
    assert sum(FIGURES[f"model-{group.id}"].value for group in MODELS) == whole
    assert sum(FIGURES[f"interface-{group.id}"].value for group in INTERFACES) == whole
    assert sum(FIGURES[f"border-{verdict}"].value for verdict in VERDICTS) == whole
    assert FIGURES["listener"].value + FIGURES["no-listener"].value == whole
    for incident in KNOWLEDGE.incidents:
        assert model_of(incident) is not OTHER, incident.id
        assert interface_of(incident) is not OTHER, incident.id


def test_recent_years_are_counted_from_the_newest() -> None:
    assert FIGURES["recent-since"].value == FIGURES["last-year"].value - RECENT_YEARS + 1


def test_what_the_article_claims_is_what_the_figures_say() -> None:
    def value(name: str) -> int:
        return FIGURES[name].value

    assert 2 * value("model-operator-border-yes") > value("model-operator"), (
        "a border protects the operator's domain"
    )
    assert 10 * value("model-cloud-border-yes") <= value("model-cloud"), (
        "and hardly what is managed from anywhere"
    )
    assert 2 * value("model-nobody-border-yes") > value("model-nobody")
    assert 2 * value("listener-border-yes") > value("listener")
    assert 5 * value("no-listener-border-yes") < value("no-listener")
    assert 2 * value("listener") > value("incidents")
    counts = {each.id: value(f"mechanism-{each.id}") for each in KNOWLEDGE.mechanisms}
    assert max(counts, key=lambda name: counts[name]) == "mgmt-open-to-world"


def test_an_unknown_figure_is_an_error() -> None:
    with pytest.raises(InputError, match="there is no figure 'no-such'"):
        FIGURES["no-such"]


@pytest.mark.parametrize(
    "question",
    ["share a border could stop", "border-yes-share", "{border-yes-share}", "Share  a Border could stop"],
)
def test_a_figure_is_found_by_name_and_title(question: str) -> None:
    (figure,) = why(FIGURES, question)
    assert figure.name == "border-yes-share"
    assert figure.records


def test_a_number_is_every_figure_that_has_it() -> None:
    share = FIGURES["border-yes-share"]
    found = why(FIGURES, f"{share.value} %")
    assert {each.unit for each in found} == {"%"}
    assert {each.value for each in why(FIGURES, f"{share.value} per cent")} == {share.value}
    ones = [each for each in FIGURES.values() if each.value == 1 and not each.unit]
    assert len(ones) > MOST
    assert list(why(FIGURES, "1")) == ones
    assert len(why(FIGURES, "incidents")) <= MOST


def test_words_find_figures_and_nonsense_an_error_with_advice() -> None:
    assert "model-cloud-border-yes" in {each.name for each in why(FIGURES, "model cloud border yes")}
    with pytest.raises(InputError) as caught:
        why(FIGURES, "border-yes-shere")
    assert "border-yes-share" in caught.value.remedy
    with pytest.raises(InputError):
        why(FIGURES, "")


def test_the_overview_has_the_same_figures_and_reads_incidents_and_mechanisms_only() -> None:
    fresh = read(KNOWLEDGE.folder)
    some = overview(fresh)
    assert {name: FIGURES[name] for name in some} == dict(some)
    assert {"incidents", "mechanisms"} <= set(vars(fresh))
    assert not {"recommendations", "documents", "clauses", "checks"} & set(vars(fresh))
