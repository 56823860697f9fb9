"""A small world of interfaces, and a policy that uses every key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

import pytest

from rearguard.model.errors import PolicyError, UsageError
from rearguard.policy import Policy, parse_policy

TODAY = date(2026, 11, 22)

FULL = """\
networks:
  customers:
    prefixes: [198.51.100.0/24, "2001:db8:c::/48"]
    kind: native
    managed: operator
    ports: {cwmp-cr: [tcp/30005, udp/30005]}
    delegated: 56
  shops: {prefixes: [203.0.113.0/25], kind: business}
controllers:
  acs:
    requests_from: [192.0.2.8/30, "2001:db8:a::10/128"]
    sessions_at: [192.0.2.20/32]
    manages: [cwmp]
    enters_at: west
  desk: {requests_from: [192.0.2.9/32], manages: [telnet]}
edges:
  west: {outside: [xe-0/0/1, xe-0/0/2]}
  east: {outside: [eth0]}
drop:
  - {interfaces: [cwmp-cr, telnet], toward: [customers], basis: "worm", review_by: 2027-06-01}
  - interfaces: [tr064]
    toward: [customers, shops]
    mode: cut
    accept_collateral: true
    basis: LAN only
    review_by: "2027-01-31"
observers:
  border: {match: 192.0.2.251, external: [xe-0/0/1, 12], group: core}
sampling: {default: 100, observers: {border: 1000}}
columns:
  lake: {match: "*.parquet", preset: akvorado, sampling: 10}
  table:
    match: "*.csv"
    fields: {src: [v4, v6], dst: to, proto: kind, start: when}
    time_unit: ms
surveyors:
  survey: {prefixes: [192.0.2.64/26], note: "well known"}
exceptions:
  - {subject: 198.51.100.77/32, interfaces: [telnet], reason: honeypot, expires: 2027-01-01}
never_block: [192.0.2.128/28]
thresholds: {scan_targets: 30, trw_alpha: 1.0e-6}
limits: {evidence: 3}
"""


class Names:
    """Four interfaces, two of them a family."""

    families = {"cwmp": frozenset({"cwmp-cr", "cwmp-acs"})}  # noqa: RUF012 - a constant of the test
    ids = frozenset({"cwmp-cr", "cwmp-acs", "telnet", "tr064"})

    def resolve(self, names: Iterable[str]) -> frozenset[str]:
        found: set[str] = set()
        for name in names:
            if name not in self.families and name not in self.ids:
                raise UsageError(f"unknown interface {name!r}", remedy=f"use one of {sorted(self.ids)}")
            found |= self.families.get(name, frozenset({name}))
        return frozenset(found)


@pytest.fixture
def known() -> Names:
    return Names()


@pytest.fixture
def read(known: Names) -> Callable[[str], Policy]:
    """``read(yaml)`` on a fixed day."""
    return lambda text: parse_policy(text, known, file="p.yaml", today=TODAY)


@pytest.fixture
def told(read: Callable[[str], Policy]) -> Callable[[str], tuple[int | None, str | None, str, str]]:
    """``told(yaml)``: line, key, problem and remedy of the first mistake."""

    def first(text: str) -> tuple[int | None, str | None, str, str]:
        with pytest.raises(PolicyError) as caught:
            read(text)
        error = caught.value.problems[0]
        place = error.place
        assert str(error).startswith("p.yaml:" if place.line is None else f"p.yaml:{place.line}:")
        return place.line, place.key, error.problem, error.remedy

    return first


@pytest.fixture
def full(read: Callable[[str], Policy]) -> Policy:
    return read(FULL)


@pytest.fixture
def full_text() -> str:
    return FULL


@pytest.fixture
def today() -> date:
    return TODAY
