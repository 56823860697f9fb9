"""Observers are told in an order of their own, not in that in which threads met them."""

from __future__ import annotations

import itertools
from typing import Any

from rearguard.contacts.reading import Reading
from rearguard.contacts.view import SourceInfo
from rearguard.report.run import _observer_names
from rearguard.sources import Observer


def source(uri: str) -> SourceInfo:
    return SourceInfo(uri, "pcap", 1, 1, {}, None, None, None, True, (), "")


def test_no_order_of_the_observers_shows() -> None:
    sources = (source("b.pcap"), source("a.pcap"))
    observers = [
        (1, Observer("eth0")),
        (0, Observer("wan")),
        (1, Observer("", "192.0.2.9", ingress=1)),
        (0, Observer("", "192.0.2.1", egress=2)),
        (0, Observer("", "192.0.2.9", ingress=3)),
    ]
    nothing: Any = None
    told = {
        _observer_names(Reading(nothing, sources, (), tuple(order), True))
        for order in itertools.permutations(observers)
    }
    assert told == {("192.0.2.1", "192.0.2.9", "b.pcap wan", "a.pcap eth0")}
