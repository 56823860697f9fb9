"""A knowledge base whose texts try to be markup, formulas, scripts and commands in every place that shows them."""

from __future__ import annotations

from rearguard.lessons import Knowledge, load, read

__all__ = ["TEXTS", "hostile"]

TEXTS = (
    '</style><script>alert("x")</script>',
    '"; #panic("typst") "\\u{41}" #import "@preview/cetz:0.3.0": *',
    '=HYPERLINK("http://evil.example";A1) ;=1+1',
    "[click](javascript:alert(1)) ![i](http://evil.example/p.png) <http://evil.example> `code` **bold** | cell",
    "{incidents} [[mirai-2016]] [@mirai-2016] {no-such-figure}",
    "escape \x1b[31m bell \x07 override \u202e zero \u200b nul \x00 end",
    "1. # - + ~~~ --- === &amp; &#65; $x$ @label <label> _a_ \\",
)


def hostile() -> Knowledge:
    """The shipped base with the texts put into titles, stories, sources, clauses and checks."""
    made = read(load().folder)
    incidents = list(made.incidents)
    for place, text in enumerate(TEXTS):
        entry = incidents[place]
        source = entry.sources[0].model_copy(
            update={"title": text, "publisher": text, "url": f'javascript:alert("{place}")', "locator": text}
        )
        incidents[place] = entry.model_copy(
            update={
                "title": text,
                "what_happened": text,
                "devices": (text,),
                "managed_by": text,
                "border_filter": entry.border_filter.model_copy(update={"why": text}),
                "sources": (source, *entry.sources[1:]),
                "conflicts_or_limits": (text,),
                "what_stopped_it": (text,),
            }
        )
    mechanisms = [
        each.model_copy(
            update={
                "title": f"{each.title} {TEXTS[place % len(TEXTS)]}",
                "definition": TEXTS[place % len(TEXTS)],
                "recognise_in_traffic": (TEXTS[place % len(TEXTS)],),
            }
        )
        for place, each in enumerate(made.mechanisms)
    ]
    advice = [
        each.model_copy(
            update={
                "recommendation": TEXTS[place % len(TEXTS)],
                "rationale": TEXTS[place % len(TEXTS)],
            }
        ).with_standards(
            tuple(
                one.model_copy(update={"document": TEXTS[place % len(TEXTS)], "statement": TEXTS[0]})
                for one in each.standards
            )
        )
        for place, each in enumerate(made.recommendations)
    ]
    vars(made).update(incidents=tuple(incidents), mechanisms=tuple(mechanisms), recommendations=tuple(advice))
    return made
