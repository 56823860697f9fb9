"""The management interfaces of the world: who listens where, who may call, and what a border drop breaks."""

from __future__ import annotations

from rearguard.catalogue.attacks import Attack, Attacks
from rearguard.catalogue.attacks_read import load_attacks, read_attacks
from rearguard.catalogue.catalogue import Catalogue, load, read
from rearguard.catalogue.fields import schema
from rearguard.catalogue.model import Initiator, Interface, Listener, Port, Source, Standing

__all__ = [
    "Attack",
    "Attacks",
    "Catalogue",
    "Initiator",
    "Interface",
    "Listener",
    "Port",
    "Source",
    "Standing",
    "load",
    "load_attacks",
    "read",
    "read_attacks",
    "schema",
]
