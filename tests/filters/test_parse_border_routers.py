"""Lists of SR OS and VRP as their vendors document them: what they decide, and what is refused with its line."""

from __future__ import annotations

import re

import pytest
from tests.filters.build import EVERYTHING
from tests.filters.platforms import EVERY_RESIDUAL, SMALL, made_for
from tests.filters.test_parse_texts import DEVICE, FAR, LATER, numbers, packet, read

from rearguard.filters.lines import decide
from rearguard.filters.model import Packet, Piece, Verdict
from rearguard.filters.platforms import PLATFORMS
from rearguard.filters.render import nokia_sros
from rearguard.model.errors import InputError, UsageError

SROS = '/configure filter ip-filter "X"'
SR_OS = """\
/configure filter match-list ip-prefix-list "N" prefix 10.0.0.0/8 { }
/configure filter match-list ip-prefix-list "N" prefix 192.168.0.0/16
configure filter match-list port-list "P" port 23 { }
/configure filter match-list port-list "P" range start 7547 end 7550 { }
/configure filter ip-filter "X" description "edge, in"
/configure filter ip-filter "X" default-action accept
/configure filter ip-filter "X" entry 30 action drop
/configure filter ip-filter "X" entry 30 match protocol tcp
/configure filter ip-filter "X" entry 30 match tcp-flags ack false rst false
/configure filter ip-filter "X" entry 30 match dst-port port-list "P"
/configure filter ip-filter "X" entry 10 match src-ip ip-prefix-list "N"
/configure filter ip-filter "X" entry 10 match fragment non-first-only
/configure filter ip-filter "X" entry 10 action drop
/configure filter ip-filter "X" entry 20 match protocol udp
/configure filter ip-filter "X" entry 20 match src-port lt 20
/configure filter ip-filter "X" entry 20 match dst-ip address 198.51.100.20/32
/configure filter ip-filter "X" entry 20 action drop
/configure filter ip-filter "X" entry 40 match protocol tcp-udp
/configure filter ip-filter "X" entry 40 match dst-port range start 60000
/configure filter ip-filter "X" entry 40 match dst-port range end 60001
/configure filter ip-filter "X" entry 40 action drop
/configure filter ip-filter "X" entry 50 match protocol tcp
/configure filter ip-filter "X" entry 50 match dst-ip address 192.0.2.9/32
/configure filter ip-filter "X" entry 50 match tcp-flags syn false
/configure filter ip-filter "X" entry 50 action drop
"""
OTHER = "192.0.2.9"


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (packet("10.0.0.1", OTHER, 17, piece=LATER), 11),
        (packet("192.168.1.1", OTHER, 6, piece=Piece.OFFSET_ONE), 11),
        (packet("10.0.0.1", DEVICE, 17, dport=99, sport=19), 14),
        (packet(FAR, DEVICE, 17, dport=99, sport=20), None),
        # Zero is below 20, and that is what a later fragment shows.
        (packet(FAR, DEVICE, 17, piece=LATER), 14),
        (packet(FAR, DEVICE, dport=23, flags=0x02), 7),
        (packet(FAR, DEVICE, dport=7550, flags=0xC2), 7),
        (packet(FAR, DEVICE, dport=7550, flags=0x12), None),
        (packet(FAR, DEVICE, dport=7550, flags=0x04), None),
        (packet(FAR, DEVICE, dport=7551, flags=0x02), None),
        (packet(FAR, DEVICE, piece=LATER), None),
        (packet(FAR, DEVICE, piece=Piece.UNREADABLE), None),
        (packet(FAR, DEVICE, dport=60001, flags=0x10), 18),
        (packet(FAR, DEVICE, 17, dport=60000, sport=99), 18),
        (packet(FAR, OTHER, dport=80, flags=0x10), 22),
        (packet(FAR, OTHER, dport=80, flags=0x02), None),
        # No flag at all: SYN is not set.
        (packet(FAR, OTHER, piece=LATER), 22),
        (packet(FAR, OTHER, 50), None),
    ],
)
def test_sr_os_entries_decide_as_documented(asked: Packet, line: int | None) -> None:
    verdict, found = decide(read("nokia-sros", SR_OS), asked)
    assert (None if found is None else found.number) == line
    assert verdict is (Verdict.PASS if found is None else found.verdict)


def test_sr_os_drops_what_no_entry_holds_unless_it_is_told_to_accept() -> None:
    text = SR_OS.replace('/configure filter ip-filter "X" default-action accept\n', "")
    assert decide(read("nokia-sros", text), packet(FAR, DEVICE, 50))[0] is Verdict.DROP


VRP = """\
#
acl number 3001
 description edge, in
 step 10
 rule deny tcp source 10.0.0.0 0.255.255.255 destination-port eq telnet
 rule 15 permit tcp destination 198.51.100.0 24 destination-port range 7547 7550 tcp-flag established
 rule 15 description what answers
 rule deny tcp destination 198.51.100.0 0.0.0.255 destination-port gt 60000 tcp-flag 0 mask 20
 rule 5 deny udp source any source-port lt 20 destination 198.51.100.20 0 logging
 rule name last deny ip destination 192.0.2.9 0 fragment-type fragment-subseq
 rule permit udp source-port neq 53
 rule deny tcp destination 192.0.2.9 0 tcp-flag syn
 rule deny tcp destination 192.0.2.8 0 tcp-flag 18
#
return
"""


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (packet("10.0.0.1", DEVICE, dport=23), 5),
        (packet("10.0.0.1", DEVICE, dport=7547, flags=0x10), 6),
        (packet("10.0.0.1", DEVICE, dport=7547, flags=0x02), None),
        (packet(FAR, DEVICE, dport=60001, flags=0x02), 8),
        (packet(FAR, DEVICE, dport=60001, flags=0x12), None),
        (packet(FAR, DEVICE, 17, dport=99, sport=19), 9),
        (packet(FAR, DEVICE, 17, dport=99, sport=20), 11),
        (packet(FAR, DEVICE, 17, dport=99, sport=53), None),
        # What permits takes later fragments by address and protocol, what denies leaves them to the next rule.
        (packet("10.0.0.1", DEVICE, piece=LATER), 6),
        (packet(FAR, DEVICE, 17, piece=LATER), 11),
        (packet(FAR, OTHER, 47, piece=LATER), 10),
        (packet(FAR, OTHER, 47), None),
        (packet(FAR, OTHER, flags=0x52), 12),
        (packet(FAR, "192.0.2.8", flags=0x12), 13),
        (packet(FAR, "192.0.2.8", flags=0x1A), None),
        (packet(FAR, "192.0.2.8", flags=0xD2), 13),
        (packet(FAR, DEVICE, piece=Piece.UNREADABLE), None),
    ],
)
def test_vrp_rules_decide_as_documented(asked: Packet, line: int | None) -> None:
    verdict, found = decide(read("huawei-vrp", VRP), asked)
    assert (None if found is None else found.number) == line
    assert verdict is (Verdict.PASS if found is None else found.verdict), "what no rule holds passes"


def test_vrp_numbers_a_rule_by_the_next_multiple_of_the_step() -> None:
    text = "acl name A advance\n rule 7 permit ip\n rule deny tcp\n rule 9 deny udp\n rule deny gre\n"
    assert numbers("huawei-vrp", text) == [2, 4, 3, 5], "7, 9, 10, 15"
    for heading in ("acl 3999", "acl ipv6 3000", "acl ipv6 number 3000", "acl name A advance number 3000"):
        given = read("huawei-vrp", f"{heading}\n rule permit tcp\n")
        assert given.family == (6 if "ipv6" in heading else 4)


@pytest.mark.parametrize(
    ("platform", "text", "line"),
    [
        ("nokia-sros", f"{SROS} entry 10 match protocol tcp\n", 1),
        ("nokia-sros", f"{SROS} entry 10 action drop\n{SROS} entry 10 action accept\n", 2),
        ("nokia-sros", f"{SROS} entry 0 action drop\n", 1),
        ("nokia-sros", f"{SROS} entry 2097152 action drop\n", 1),
        ("nokia-sros", f"{SROS} default-action reject\n", 1),
        ("nokia-sros", f"{SROS} type packet-length\n", 1),
        ("nokia-sros", f'{SROS} embed filter "Y" offset 10\n', 1),
        ("nokia-sros", f"{SROS} entry 10 match dst-port eq 23\n{SROS} entry 10 action drop\n", 1),
        ("nokia-sros", f"{SROS} entry 10 match next-header tcp\n{SROS} entry 10 action drop\n", 1),
        ("nokia-sros", f"{SROS} entry 10 match fragment true\n{SROS} entry 10 action drop\n", 1),
        ("nokia-sros", f'{SROS} entry 10 match src-ip ip-prefix-list "N"\n{SROS} entry 10 action drop\n', 1),
        ("nokia-sros", f"{SROS} entry 10 match tcp-flags ack maybe\n{SROS} entry 10 action drop\n", 1),
        ("nokia-sros", f"{SROS} entry 10 match dscp ef\n", 1),
        ("nokia-sros", f"{SROS} entry 10 action drop-when pattern\n", 1),
        ("nokia-sros", f'{SROS} entry 10 description "a"b"\n', 1),
        ("nokia-sros", "configure\nfilter\n", 1),
        ("nokia-sros", 'ip-filter "X" create\n', 1),
        ("nokia-sros", 'delete filter ip-filter "X"\n', 1),
        ("nokia-sros", '/configure filter match-list ip-prefix-list "N" prefix 10.0.0.1/8 { }\n', 1),
        ("nokia-sros", '/configure filter match-list port-list "P" range start 9 end 3 { }\n', 1),
        (
            "nokia-sros",
            f"{SROS} entry 10 match protocol tcp\n{SROS} entry 10 match dst-port eq 23\n"
            f"{SROS} entry 10 match fragment non-first-only\n{SROS} entry 10 action drop\n",
            1,
        ),
        ("huawei-vrp", "rule 5 permit ip\n", 1),
        ("huawei-vrp", "acl number 2001\n", 1),
        ("huawei-vrp", "acl name A advance match-order auto\n", 1),
        ("huawei-vrp", "acl 3001\n rule 5 permit ip\n rule 5 deny tcp\n", 3),
        ("huawei-vrp", "acl 3001\n rule permit ip\nacl 3001\n", 3),
        ("huawei-vrp", "acl 3001\n rule permit ip\n step 3\n", 3),
        ("huawei-vrp", "acl 3001\n rule deny tcp destination-pool P\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny tcp destination-port-pool P\n", 2),
        ("huawei-vrp", "acl ip-pool P\nacl 3001\n rule deny tcp destination-pool P\n", 3),
        (
            "huawei-vrp",
            "acl ipv6-pool P\n ipv6 address 2001:db8:: 32\nacl 3001\n rule deny tcp source-pool P\n",
            4,
        ),
        ("huawei-vrp", "acl ip-pool P\n ip address 10.0.0.1 8\n", 2),
        ("huawei-vrp", "acl ip-pool P\n ip address 10.0.0.0 255.0.0.0\n", 2),
        ("huawei-vrp", "acl ip-pool P\n ipv6 address 2001:db8:: 32\n", 2),
        ("huawei-vrp", "acl ip-pool P\n apply bgp-peer\n", 2),
        (
            "huawei-vrp",
            "acl ip-pool P\n ip address 10.0.0.0 8\nacl 3001\n rule deny ip source any source-pool P\n",
            4,
        ),
        ("huawei-vrp", "acl 3001\n rule deny tcp time-range night\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny ip destination-port eq 23\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny udp tcp-flag syn\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny tcp tcp-flag syn ack\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny tcp tcp-flag 64\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny tcp fragment-type fragment\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny tcp destination-port eq 23 fragment-type fragment-subseq\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny tcp source 10.0.0.0 0.255.0.255\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny tcp source 10.0.0.0 33\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny tcp source 10.0.0.0\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny tcp source any source any\n", 2),
        ("huawei-vrp", "acl ipv6 3001\n rule deny tcp destination 2001:db8::/32 fragment\n", 2),
        ("huawei-vrp", "acl ipv6 3001\n rule deny ip\n", 2),
        ("huawei-vrp", "acl 3001\n rule deny tcp destination-port lt 0\n", 2),
        ("huawei-vrp", "acl 3001\n undo rule 5\n", 2),
    ],
)
def test_what_is_not_understood_is_an_error_with_its_line(platform: str, text: str, line: int) -> None:
    with pytest.raises(InputError) as refused:
        PLATFORMS[platform].read({"running.txt": text})
    assert refused.value.place.line == line


def test_a_set_of_sr_os_that_is_too_large_is_several_with_an_entry_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wide = SMALL.replace("198.51.100.0/24,", "198.51.100.0/24, 203.0.113.0/26, 203.0.113.128/26,")
    whole = made_for("nokia-sros", wide)
    monkeypatch.setattr(nokia_sros, "MOST_PREFIXES", 2)
    parted = made_for("nokia-sros", wide)
    assert parted.proof.holds
    assert parted.written.changes[0].after > whole.written.changes[0].after
    text = "\n".join(parted.written.files.values())
    names = re.findall(r'ip-prefix-list "(\S+)" prefix', text)
    assert max(names.count(name) for name in names) == 2
    assert set(re.findall(r'src-ip ip-prefix-list "(\S+)"', text)) == set(names)


def test_sr_os_numbers_entries_as_far_as_numbers_go(monkeypatch: pytest.MonkeyPatch) -> None:
    file = "border-nokia-sros.sros"
    assert " entry 10 " in made_for("nokia-sros").written.files[file]
    monkeypatch.setattr(nokia_sros, "MOST_ENTRIES", 50)
    assert " entry 1 " in made_for("nokia-sros").written.files[file]
    monkeypatch.setattr(nokia_sros, "MOST_ENTRIES", 5)
    with pytest.raises(UsageError, match="SR OS numbers 5 at most"):
        made_for("nokia-sros")


def test_a_pool_of_vrp_is_a_set_wherever_it_stands() -> None:
    pool = "acl ip-pool P\n ip address 10.0.0.0 8\n ip address 192.168.0.0 16\n"
    rules = "acl 3001\n rule deny tcp source-pool P destination-port eq 23\n"
    for text in (pool + rules, rules + pool):
        given = read("huawei-vrp", text)
        assert decide(given, packet("192.168.1.1", DEVICE, dport=23))[0] is Verdict.DROP
        assert decide(given, packet(FAR, DEVICE, dport=23))[0] is Verdict.PASS


@pytest.mark.parametrize("name", ["nokia-sros", "huawei-vrp"])
def test_a_set_is_one_entry_however_many_prefixes_it_has(name: str) -> None:
    prefixes = ", ".join(f"10.{at >> 7}.{(at & 127) * 2}.0/24" for at in range(600))
    text = SMALL.replace("198.51.100.0/24,", f"{prefixes},")
    one, many = made_for(name), made_for(name, text)
    assert [each.after for each in many.written.changes] <= [each.after for each in one.written.changes]
    assert max(each.cost for each in many.written.changes) > 600, "hardware holds them one by one"


@pytest.mark.parametrize("edge", ["west", "a-rather-long-name-of-an-edge.example-1", "x-leaving-y"])
@pytest.mark.parametrize(("name", "longest"), [("nokia-sros", 64), ("huawei-vrp", 31)])
def test_names_fit_however_long_the_edge_is_called(name: str, longest: int, edge: str) -> None:
    text = SMALL.replace("west", edge)
    made = made_for(name, text, edge)
    for each in made.proof.lists:
        assert len(each.name.partition(", ")[0]) <= longest
    words = re.findall(r'[\w.-]+|"[^"]*"', "\n".join(made.written.apply))
    assert all(
        len(word.strip('"')) <= longest for word in words if word.strip('"').startswith(("RG-", "REARG"))
    )
    ways = {"nokia-sros": ("ingress", "egress"), "huawei-vrp": ("inbound", "outbound")}[name]
    for way in ways:
        assert sum(f" {way}" in line for line in made.written.apply) == (2 if name == "nokia-sros" else 1)


def test_what_these_platforms_leave_out_is_what_the_documents_do_not_give_them() -> None:
    sros, vrp = (
        {(each.name, each.family) for each in made_for(name, EVERYTHING).residuals}
        for name in ("nokia-sros", "huawei-vrp")
    )
    common = {(name, family) for name in ("offset-one", "unreadable") for family in (4, 6)}
    assert sros == common | {("extension-headers", 6)}
    assert vrp == common | {("extension-headers", 6), ("fragment-data", 6)}
    assert "answers" not in {name for name, _ in sros | vrp}, "mode: cut is in force"
    assert set(EVERY_RESIDUAL) > {name for name, _ in vrp}
