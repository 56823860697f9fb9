"""The lessons-learned article: one document, typeset for the screen, for paper and for mailing lists."""

from __future__ import annotations

from rearguard.lessons.article.build import build
from rearguard.lessons.article.edition import Edition, edition_of
from rearguard.lessons.article.write import FORMATS, render

__all__ = ["FORMATS", "Edition", "build", "edition_of", "render"]
