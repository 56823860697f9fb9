"""The knowledge base in the forms that other people's programs read."""

from __future__ import annotations

from rearguard.lessons.export.write import FORMATS, export

__all__ = ["FORMATS", "export"]
