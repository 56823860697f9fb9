"""What a record of an incident should not hold: addresses of single customers, mail addresses, secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from rearguard.lessons.model import Incident

__all__ = ["unshared"]

_PATTERNS = (
    (re.compile(r"\b[\w.+-]+@[\w-]+\.[a-z]{2,}\b", re.I), "leave people out"),
    (
        re.compile(r"\b(?:password|passwort|secret|token|api[ _-]?key)\s*[:=]\s*\S*\d\S*", re.I),
        "leave secrets out",
    ),
    (re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b", re.I), "a MAC address names one device: leave it out"),
)
_V4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_V6 = re.compile(r"(?<![\w:.])[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])", re.I)


def unshared(record: Incident) -> Iterator[tuple[str, str, str]]:
    """Key, what was found there and why it should go. Only what a person wrote is looked at, not addresses of
    sources; private and documentation addresses name nobody.
    """
    texts = {
        "title": record.title,
        "what_happened": record.what_happened,
        "border_filter": record.border_filter.why,
        **{f"devices[{place}]": text for place, text in enumerate(record.devices)},
        **{f"scale[{place}]": each.figure for place, each in enumerate(record.scale)},
        **{f"what_stopped_it[{place}]": text for place, text in enumerate(record.what_stopped_it)},
        **{f"conflicts_or_limits[{place}]": text for place, text in enumerate(record.conflicts_or_limits)},
    }
    for key, text in texts.items():
        for pattern, why in _PATTERNS:
            for found in pattern.findall(text):
                yield key, found, why
        for found in (*_V4.findall(text), *_V6.findall(text)):
            if _names_somebody(found):
                yield key, found, "an address may be a customer's: leave it out, or anonymise it"


def _names_somebody(text: str) -> bool:
    try:
        return ip_address(text).is_global
    except ValueError:
        return False
