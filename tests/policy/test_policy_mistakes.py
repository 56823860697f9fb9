"""Every mistake in an entry names its file, line and key, and says what to write instead."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rearguard.model.errors import PolicyError
from rearguard.policy import Policy

Read = Callable[[str], Policy]
Told = Callable[[str], tuple[int | None, str | None, str, str]]

NETS = "networks:\n  n: {prefixes: [198.51.100.0/24]}\n"  # two lines, valid
ACS = NETS + "controllers:\n  acs:\n"  # line 5 is next
DROP = NETS + "drop:\n  - "  # line 4 is next
DUE = "basis: b, review_by: 2027-01-01"
DUE_BELOW = "basis: b\n    review_by: 2027-01-01"

# text, line, key, words of the problem, words of the remedy
WRONG = {
    "unknown key at the top": ("netwroks: {}\n", 1, "netwroks", "unknown key", "did you mean 'networks'"),
    "unknown key in an entry": (
        NETS + "controllers:\n  acs:\n    request_from: [192.0.2.8/30]\n    manages: [cwmp]\n",
        5,
        "controllers.acs.request_from",
        "unknown key 'request_from'",
        "did you mean 'requests_from'",
    ),
    "unknown key in a list item": (
        f"{DROP}{{interfaces: [telnet], towards: [n], {DUE}}}\n",
        4,
        "drop[0].towards",
        "unknown key",
        "did you mean 'toward'",
    ),
    "unknown key that resembles none": (
        NETS + "zzz: 1\n",
        3,
        "zzz",
        "unknown key 'zzz'",
        "use operator, networks,",
    ),
    "unknown threshold": (
        "thresholds:\n  grace: 5\n  scan_target: 9\n",
        3,
        "thresholds.scan_target",
        "unknown key",
        "did you mean 'scan_targets'",
    ),
    "a policy cannot call itself assumed": ("assumed: true\n", 1, "assumed", "unknown key", "use "),
    "host bits": (
        "networks:\n  n:\n    prefixes:\n      - 198.51.100.0/24\n      - 192.0.2.9/24\n",
        5,
        "networks.n.prefixes[1]",
        "192.0.2.9/24 has host bits set",
        "192.0.2.0/24 for the network or 192.0.2.9/32",
    ),
    "host bits, IPv6": (
        'networks:\n  n: {prefixes: ["2001:db8::1/64"]}\n',
        2,
        "networks.n.prefixes[0]",
        "has host bits set",
        "2001:db8::/64 for the network or 2001:db8::1/128",
    ),
    "no prefix length": (
        ACS + "    requests_from: [192.0.2.8]\n    manages: [cwmp]\n",
        5,
        "controllers.acs.requests_from[0]",
        "192.0.2.8 has no prefix length",
        "write 192.0.2.8/32",
    ),
    "every address": (
        "networks:\n  n: {prefixes: [0.0.0.0/0]}\n",
        2,
        "networks.n.prefixes[0]",
        "every address",
        "name the prefixes",
    ),
    "every address, IPv6": (
        'networks:\n  n: {prefixes: ["::/0"]}\n',
        2,
        "networks.n.prefixes[0]",
        "every address",
        "name the prefixes",
    ),
    "IPv4 as IPv6": (
        'networks:\n  n: {prefixes: ["::ffff:192.0.2.0/120"]}\n',
        2,
        "networks.n.prefixes[0]",
        "IPv4 addresses written as IPv6",
        "write the IPv4 prefix",
    ),
    "no prefix": (
        "networks:\n  n: {prefixes: [here]}\n",
        2,
        "networks.n.prefixes[0]",
        "'here' is no prefix",
        "198.51.100.0/24",
    ),
    "a number as prefix": (
        "networks:\n  n: {prefixes: [19851100]}\n",
        2,
        "networks.n.prefixes[0]",
        "19851100 is no prefix",
        "write it as text",
    ),
    "empty prefix list": (
        "networks:\n  n:\n    prefixes: []\n",
        3,
        "networks.n.prefixes",
        "is an empty list",
        "name at least one",
    ),
    "empty list of what is managed": (
        ACS + "    requests_from: [192.0.2.8/32]\n    manages: []\n",
        6,
        "controllers.acs.manages",
        "is an empty list",
        "name at least one",
    ),
    "text where a list belongs": (
        "networks:\n  n:\n    prefixes: 198.51.100.0/24\n",
        3,
        "networks.n.prefixes",
        "is no list",
        "[square brackets]",
    ),
    "no value": (
        "networks:\n  n: {prefixes: [192.0.2.0/24]}\ndrop:\n",
        3,
        "drop",
        "no value",
        "remove the key",
    ),
    "list where a mapping belongs": (
        "networks: [192.0.2.0/24]\n",
        1,
        "networks",
        "is no mapping",
        "keys and values",
    ),
    "overlapping networks": (
        "networks:\n  n: {prefixes: [198.51.100.0/24]}\n  m:\n    prefixes: [198.51.100.128/25]\n",
        4,
        "networks.m.prefixes",
        "198.51.100.128/25 overlaps 198.51.100.0/24 of network 'n'",
        "split",
    ),
    "no prefixes": ("networks:\n  n: {kind: cgn}\n", 2, "networks.n.prefixes", "is missing", "add prefixes"),
    "unknown kind": (
        "networks:\n  n:\n    prefixes: [192.0.2.0/24]\n    kind: nativ\n",
        4,
        "networks.n.kind",
        "'nativ' is no kind",
        "did you mean 'native'",
    ),
    "unknown manager": (
        "networks:\n  n:\n    prefixes: [192.0.2.0/24]\n    managed: me\n",
        4,
        "networks.n.managed",
        "'me' is no managed",
        "'operator', 'owner', 'vendor-cloud' or 'unknown'",
    ),
    "delegated too short": (
        "networks:\n  n:\n    prefixes: [192.0.2.0/24]\n    delegated: 32\n",
        4,
        "networks.n.delegated",
        "greater than or equal to 48",
        "docs/policy.md",
    ),
    "moved port without transport": (
        "networks:\n  n:\n    prefixes: [192.0.2.0/24]\n    ports:\n      cwmp-cr: ['30005']\n",
        5,
        "networks.n.ports.cwmp-cr[0]",
        "'30005' is no port",
        "tcp/NUMBER",
    ),
    "moved port out of range": (
        "networks:\n  n:\n    prefixes: [192.0.2.0/24]\n    ports: {cwmp-cr: [tcp/65536]}\n",
        4,
        "networks.n.ports.cwmp-cr[0]",
        "is no port",
        "1 to 65535",
    ),
    "moved ports of a family": (
        "networks:\n  n:\n    prefixes: [192.0.2.0/24]\n    ports:\n      cwmp: [tcp/30005]\n",
        5,
        "networks.n.ports.cwmp",
        "'cwmp' is a family",
        "name one of cwmp-acs, cwmp-cr",
    ),
    "moved ports of nothing known": (
        "networks:\n  n:\n    prefixes: [192.0.2.0/24]\n    ports:\n      cmwp: [tcp/30005]\n",
        5,
        "networks.n.ports.cmwp",
        "unknown interface 'cmwp'",
        "use one of",
    ),
    "controller without addresses": (
        ACS + "    manages: [cwmp]\n",
        4,
        "controllers.acs",
        "it has no addresses",
        "give requests_from, sessions_at, or both",
    ),
    "controller without rights": (
        ACS + "    sessions_at: [192.0.2.20/32]\n",
        4,
        "controllers.acs.manages",
        "is missing",
        "add manages",
    ),
    "unknown interface managed": (
        ACS + "    sessions_at: [192.0.2.20/32]\n    manages: [cwmp, telnett]\n",
        6,
        "controllers.acs.manages[1]",
        "unknown interface 'telnett'",
        "use one of",
    ),
    "own addresses through an edge": (
        ACS + "    requests_from: [198.51.100.8/32]\n    manages: [cwmp]\n    enters_at: west\n",
        7,
        "controllers.acs.enters_at",
        "can only be forged",
        "enters_at: inside",
    ),
    "unknown edge": (
        ACS + "    requests_from: [192.0.2.8/30]\n    manages: [cwmp]\n    enters_at: wset\n"
        "edges:\n  west: {outside: [eth0]}\n",
        7,
        "controllers.acs.enters_at",
        "unknown edge 'wset'",
        "did you mean 'west'",
    ),
    "an edge called inside": (
        NETS + "edges:\n  inside: {outside: [eth0]}\n",
        4,
        "edges.inside",
        "is no edge",
        "another name",
    ),
    "an edge that faces nothing": (
        NETS + "edges:\n  west: {outside: []}\n",
        4,
        "edges.west.outside",
        "is an empty list",
        "name at least one",
    ),
    "an interface unfit for a router": (
        NETS + "edges:\n  west: {outside: ['eth0; drop']}\n",
        4,
        "edges.west.outside[0]",
        "is no interface of a router",
        "such as eth0",
    ),
    "a name unfit for a router": (
        'networks:\n  "a; b": {prefixes: [192.0.2.0/24]}\n',
        2,
        "networks.a; b",
        "is no name",
        "use letters",
    ),
    "a number as name": (
        "networks:\n  7: {prefixes: [192.0.2.0/24]}\n",
        2,
        "networks[7]",
        "7 is no name",
        "use letters",
    ),
    "drop of nothing known": (
        f"{DROP}{{interfaces: [cwmp, smtp], toward: [n], {DUE}}}\n",
        4,
        "drop[0].interfaces[1]",
        "unknown interface 'smtp'",
        "use one of",
    ),
    "drop toward an unknown network": (
        NETS.replace("n:", "customers:")
        + f"drop:\n  - interfaces: [telnet]\n    toward:\n      - custmers\n    {DUE_BELOW}\n",
        6,
        "drop[0].toward[0]",
        "unknown network 'custmers'",
        "did you mean 'customers'",
    ),
    "drop without basis": (
        f"{DROP}{{interfaces: [telnet], toward: [n], review_by: 2027-01-01}}\n",
        4,
        "drop[0].basis",
        "is missing",
        "add basis",
    ),
    "drop without review": (
        f"{DROP}{{interfaces: [telnet], toward: [n], basis: b}}\n",
        4,
        "drop[0].review_by",
        "is missing",
        "add review_by",
    ),
    "drop with an empty basis": (
        f'{DROP}{{interfaces: [telnet], toward: [n], basis: "", review_by: 2027-01-01}}\n',
        4,
        "drop[0].basis",
        "at least 1 character",
        "docs/policy.md",
    ),
    "a date as number": (
        f"{DROP}interfaces: [telnet]\n    toward: [n]\n    basis: b\n    review_by: 20270101\n",
        7,
        "drop[0].review_by",
        "20270101 is no date",
        "YEAR-MONTH-DAY",
    ),
    "a day that does not exist": (
        f"{DROP}interfaces: [telnet]\n    toward: [n]\n    basis: b\n    review_by: 2027-02-30\n",
        7,
        "drop[0].review_by",
        "2027-02-30 is no date",
        "YEAR-MONTH-DAY",
    ),
    "unknown mode": (
        f"{DROP}interfaces: [telnet]\n    toward: [n]\n    mode: cuts\n    {DUE_BELOW}\n",
        6,
        "drop[0].mode",
        "'cuts' is no mode",
        "did you mean 'cut'",
    ),
    "collateral as text": (
        f"{DROP}{{interfaces: [telnet], toward: [n], accept_collateral: yes, {DUE}}}\n",
        4,
        "drop[0].accept_collateral",
        "neither true nor false",
        "write true or false",
    ),
    "sampling of an unknown observer": (
        "observers:\n  border: {match: x}\nsampling:\n  observers: {boarder: 10}\n",
        4,
        "sampling.observers.boarder",
        "unknown observer 'boarder'",
        "did you mean 'border'",
    ),
    "sampling of nothing": (
        "sampling:\n  default: 0\n",
        2,
        "sampling.default",
        "greater than or equal to 1",
        "docs/policy.md",
    ),
    "exception without reason": (
        "exceptions:\n  - {subject: 192.0.2.1/32, interfaces: [telnet], expires: 2027-01-01}\n",
        2,
        "exceptions[0].reason",
        "is missing",
        "add reason",
    ),
    "exception without end": (
        "exceptions:\n  - {subject: 192.0.2.1/32, interfaces: [telnet], reason: r}\n",
        2,
        "exceptions[0].expires",
        "is missing",
        "add expires",
    ),
    "exception for a network that is none": (
        "exceptions:\n  - {subject: 192.0.2.1/24, interfaces: [telnet], reason: r, expires: 2027-01-01}\n",
        2,
        "exceptions[0].subject",
        "host bits",
        "192.0.2.0/24",
    ),
    "never_block of an address": (
        "never_block:\n  - 192.0.2.1\n",
        2,
        "never_block[0]",
        "has no prefix length",
        "192.0.2.1/32",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_its_place_and_remedy(case: str, told: Told) -> None:
    text, line, key, problem, remedy = WRONG[case]
    found = told(text)
    assert found[:2] == (line, key)
    assert problem in found[2]
    assert remedy in found[3]


@pytest.mark.parametrize("day", ['"2027-02-30"', "2027-13-01", "2027-01-01 12:00:00", "2027-W01-1", "soon"])
def test_what_is_no_calendar_day_is_refused(day: str, read: Read) -> None:
    with pytest.raises(PolicyError, match="is no date"):
        read(f"{DROP}{{interfaces: [telnet], toward: [n], basis: b, review_by: {day}}}\n")


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(read: Read) -> None:
    text = "thresholds: {grace: no}\nnetworks:\n  n: {prefixes: [192.0.2.9/24]}\nzzz: 1\n"
    with pytest.raises(PolicyError) as caught:
        read(text)
    assert [problem.place.line for problem in caught.value.problems] == [1, 3, 4]
    assert str(caught.value).count("remedy:") == 3
