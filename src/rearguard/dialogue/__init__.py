"""Dialogues: the first bytes of conversations on management interfaces, both sides, reassembled, bounded."""

from __future__ import annotations
