"""What is clear but probably not meant is a warning with its place; what is clear is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rearguard.policy import Policy

Read = Callable[[str], Policy]

NETS = "networks:\n  n: {prefixes: [198.51.100.0/24]}\n"  # two lines, valid
ACS = NETS + "controllers:\n  acs:\n"  # line 5 is next
DROP = NETS + "drop:\n  - "  # line 4 is next
DUE = "basis: b, review_by: 2027-01-01"
DUE_BELOW = "basis: b\n    review_by: 2027-01-01"

WARNED = {
    "no networks": ("drop: []\n", 1, None, "no networks"),
    "past review": (
        f"{DROP}{{interfaces: [telnet], toward: [n], basis: b, review_by: 2026-11-21}}\n",
        4,
        "drop[0].review_by",
        "the review was due on 2026-11-21",
    ),
    "expired exception": (
        NETS + "exceptions:\n  - subject: 198.51.100.1/32\n    interfaces: [telnet]\n    reason: r\n"
        "    expires: 2026-11-21\n",
        7,
        "exceptions[0].expires",
        "expired on 2026-11-21 and is ignored",
    ),
    "controllers share addresses": (
        ACS + "    requests_from: [192.0.2.8/30]\n    manages: [cwmp]\n"
        "  desk:\n    requests_from: [192.0.2.9/32]\n    manages: [telnet]\n",
        8,
        "controllers.desk.requests_from",
        "192.0.2.9/32 overlaps 192.0.2.8/30 of controller 'acs'",
    ),
    "a controller among the devices": (
        ACS + "    sessions_at: [198.51.100.8/32]\n    manages: [cwmp]\n",
        5,
        "controllers.acs.sessions_at",
        "among the devices it manages",
    ),
    "a wide controller": (
        ACS + "    requests_from: [10.0.0.0/8]\n    manages: [cwmp]\n",
        5,
        "controllers.acs.requests_from",
        "wide place",
    ),
    "a drop where addresses are shared": (
        f"networks:\n  n: {{prefixes: [100.64.0.0/10], kind: cgn}}\ndrop:\n"
        f"  - {{interfaces: [telnet], toward: [n], {DUE}}}\n",
        4,
        "drop[0].toward[0]",
        "shared",
    ),
    "a surveyor at home": (
        NETS + "surveyors:\n  s:\n    prefixes: [198.51.100.0/28]\n",
        5,
        "surveyors.s.prefixes",
        "overlaps 198.51.100.0/24 of the networks",
    ),
    "two surveyors in one place": (
        NETS + "surveyors:\n  s: {prefixes: [192.0.2.0/24]}\n  t:\n    prefixes: [192.0.2.0/24]\n",
        6,
        "surveyors.t.prefixes",
        "overlaps 192.0.2.0/24 of surveyor 's'",
    ),
}


@pytest.mark.parametrize("case", WARNED)
def test_what_is_probably_not_meant_is_a_warning(case: str, read: Read) -> None:
    text, line, key, problem = WARNED[case]
    (notice,) = read(text).warnings
    assert (notice.place.file, notice.place.line, notice.place.key) == ("p.yaml", line, key)
    assert problem in notice.problem
    assert notice.remedy


QUIET = {
    "dates of today": f"{DROP}{{interfaces: [telnet], toward: [n], basis: b, review_by: 2026-11-22}}\n",
    "one address twice in a list": "networks:\n  n: {prefixes: [192.0.2.0/24, 192.0.2.0/25, 192.0.2.0/24]}\n",
    "neighbours": "networks:\n  n: {prefixes: [192.0.2.0/25]}\n  m: {prefixes: [192.0.2.128/25]}\n",
    "a softwire network by IPv6": 'networks:\n  n: {prefixes: ["2001:db8::/32"], kind: dslite}\ndrop:\n'
    f"  - {{interfaces: [telnet], toward: [n], {DUE}}}\n",
    "values shared by an alias": "networks:\n  n: {prefixes: [192.0.2.0/25], managed: &who operator}\n"
    "  m: {prefixes: [192.0.2.128/25], managed: *who}\n",
}


@pytest.mark.parametrize("case", QUIET)
def test_what_is_clear_needs_no_warning(case: str, read: Read) -> None:
    assert read(QUIET[case]).warnings == ()


def test_an_empty_file_permits_nothing_and_drops_nothing(read: Read) -> None:
    policy = read("# nothing\n")
    assert (policy.networks, policy.controllers, policy.drop) == ({}, {}, ())
