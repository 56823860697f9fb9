"""The charts as Altair specifications. Runs in the child only.

Every colour is a marker of :mod:`rearguard.report.charts.palette`; :mod:`rearguard.report.charts.inert`
turns it into a CSS class, so that the page chooses the real colour for light, dark and paper.
"""

from __future__ import annotations

from typing import Any, Literal

import altair as alt

from rearguard.report.charts.palette import INK, LINE, OUTCOME_COLOURS, SERIES

__all__ = ["WIDTHS", "specifications"]

HEIGHT = 200  # of the timeline

WIDTHS = {"wide": 880, "narrow": 330}
"""Width of the picture in CSS pixels for desks and for phones; each is drawn once."""


def specifications(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Vega-Lite specifications by name (``timeline-wide``); charts without data are left out."""
    made: dict[str, dict[str, Any]] = {}
    for size, width in WIDTHS.items():
        if data["timeline"]["rows"]:
            made[f"timeline-{size}"] = _finish(_timeline(data["timeline"], width))
        for name in ("interfaces", "remotes"):
            if data[name]:
                made[f"{name}-{size}"] = _finish(_bars(data[name], width))
    return made


def _timeline(data: dict[str, Any], width: int) -> Any:
    first = data["start"]
    step = data["bucket"] * 1000
    rows = _stacked(data["rows"], data["series"], step)
    x = alt.X(
        "at:T",
        title=None,
        scale=alt.Scale(type="utc", domain=[first, first + data["bars"] * step]),
        axis=alt.Axis(
            tickCount=4 if width < 500 else 9, format=_clock(data), labelOverlap=True, labelSeparation=8
        ),
    )
    bars = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect()
        .encode(
            x=x,
            x2="until:T",
            y=alt.Y("low:Q", title=None, axis=_whole(max(row["high"] for row in rows))),
            y2="high:Q",
            color=alt.Color(
                "name:N",
                title=None,
                scale=alt.Scale(domain=data["series"], range=list(SERIES[: len(data["series"])])),
                legend=_legend(width, "bottom"),
            ),
        )
    )
    return alt.layer(bars, *_marks(data["marks"])).properties(width=width, height=HEIGHT)


def _marks(marks: list[dict[str, Any]]) -> list[Any]:
    """Numbers above the plot, each with a line down to the time at which its events began."""
    if not marks:
        return []
    events = alt.Chart(alt.InlineData(values=marks)).encode(x=alt.X("at:T"))
    return [
        events.mark_rule(color=INK, opacity=0.4).encode(y=alt.value(-4), y2=alt.value(HEIGHT)),
        events.mark_text(color=INK, fontSize=12, font="sans-serif").encode(y=alt.value(-12), text="name:N"),
    ]


def _stacked(rows: list[dict[str, Any]], series: list[str], step: int) -> list[dict[str, Any]]:
    """Every bar with its lower and upper end: a mark that spans time is not stacked by the library."""
    height: dict[int, int] = {}
    made = []
    for row in sorted(rows, key=lambda row: (row["at"], series.index(row["name"]))):
        low = height.get(row["at"], 0)
        height[row["at"]] = low + row["contacts"]
        made.append(
            {
                "name": row["name"],
                "at": row["at"],
                "until": row["at"] + step,
                "low": low,
                "high": height[row["at"]],
            }
        )
    return made


def _clock(data: dict[str, Any]) -> str:
    if data["bucket"] < 60:
        return "%H:%M:%S"
    return "%H:%M" if data["bucket"] * data["bars"] <= 86_400 else "%d %b %H:%M"


def _bars(rows: list[dict[str, Any]], width: int) -> Any:
    names = list(dict.fromkeys(row["name"] for row in rows))
    outcomes = [name for name in OUTCOME_COLOURS if any(row["outcome"] == name for row in rows)]
    totals = {name: sum(row["contacts"] for row in rows if row["name"] == name) for name in names}
    label = width // 3
    return (
        alt.Chart(alt.InlineData(values=rows), width=width, height=alt.Step(26))
        .mark_bar()
        .encode(
            y=alt.Y(
                "name:N", title=None, sort=names, axis=alt.Axis(labelLimit=label, ticks=False, domain=False)
            ),
            x=alt.X(
                "contacts:Q",
                title=None,
                axis=_whole(max(totals.values()), 3 if width < 500 else 8),
                stack="zero",
            ),
            order=alt.Order("place:Q"),
            color=alt.Color(
                "outcome:N",
                title=None,
                scale=alt.Scale(domain=outcomes, range=[OUTCOME_COLOURS[name] for name in outcomes]),
                legend=_legend(width),
            ),
        )
    )


def _whole(most: int, ticks: int = 4) -> alt.Axis:
    """An axis that counts: no half contacts."""
    return alt.Axis(tickCount=min(most, ticks), format=",d", tickMinStep=1)


def _legend(width: int, where: Literal["top", "bottom"] = "top") -> alt.Legend:
    return alt.Legend(
        orient=where, columns=2 if width < 500 else 6, symbolType="square", labelLimit=width // 3
    )


def _finish(chart: Any) -> dict[str, Any]:
    """Fit the whole picture into its width and give it the page's ink."""
    fitted = chart.properties(
        autosize=alt.AutoSizeParams(
            type="fit-x" if chart.height is not alt.Undefined else "fit", contains="padding"
        ),
        background="transparent",
        padding={"left": 12, "right": 12, "top": 4, "bottom": 4},  # the reader's font may be wider than ours
    )
    styled = (
        fitted.configure_view(stroke=None)
        .configure_axis(
            labelColor=INK,
            gridColor=LINE,
            domainColor=LINE,
            tickColor=LINE,
            labelFontSize=12,
            labelFont="sans-serif",
        )
        .configure_legend(labelColor=INK, labelFontSize=12, labelFont="sans-serif")
        .configure_bar(discreteBandSize={"band": 0.75})
    )
    spec: dict[str, Any] = styled.to_dict()
    return spec
