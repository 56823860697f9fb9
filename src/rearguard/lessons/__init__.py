"""What earlier incidents teach: mechanisms, the incidents that share them, and who can do what about it."""

from __future__ import annotations

from rearguard.lessons.knowledge import Knowledge, load, read
from rearguard.lessons.model import Incident, Mechanism, Recommendation

__all__ = ["Incident", "Knowledge", "Mechanism", "Recommendation", "load", "read"]
