"""Operators' own lists: what is read, and what is refused with its line."""

from __future__ import annotations

import random
import re
from ipaddress import ip_address

import pytest
from tests.filters.platforms import made_for

from rearguard.filters.lines import AccessList, decide
from rearguard.filters.model import Attachment, Packet, Piece, Verdict
from rearguard.filters.platforms import PLATFORMS
from rearguard.model.errors import InputError


def packet(source: str, target: str, protocol: int = 6, dport: int = 80, **more: object) -> Packet:
    ends = ip_address(source), ip_address(target)
    return Packet(Attachment.ENTERING, *ends, protocol, dport=dport, **more)  # type: ignore[arg-type]


def read(platform: str, text: str) -> AccessList:
    (found,) = PLATFORMS[platform].read({"running.txt": text})
    return found


ACL = """\
ip access-list extended EDGE
 remark bogons
 10 deny ip 10.0.0.0 0.255.255.255 any log
 20 deny tcp any any eq telnet 2323
 30 permit tcp any 198.51.100.0 0.0.0.255 range 7547 7550
 40 permit tcp any host 198.51.100.9 established
 50 deny icmp any any redirect
 60 permit icmp any any
 70 deny udp any lt 20 any
 80 permit udp any any neq 53
 90 deny tcp any any match-any +syn +fin
 100 permit 50 any any
 110 deny ip any any fragments
 120 permit tcp any any gt 60000
"""
SRL = "set / acl acl-filter X type ipv4"
DEVICE, FAR = "198.51.100.20", "203.0.113.7"
LATER = Piece.LATER


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (packet("10.1.2.3", DEVICE), 3),
        (packet(FAR, DEVICE, dport=23), 4),
        (packet(FAR, DEVICE, dport=2323), 4),
        (packet(FAR, DEVICE, dport=7550), 5),
        (packet(FAR, DEVICE, dport=7551, flags=2), 11),
        (packet(FAR, "198.51.100.9", flags=0x12), 6),
        (packet(FAR, "198.51.100.9", flags=0x04), 6),
        (packet(FAR, "198.51.100.9", flags=0x02), 11),
        (packet(FAR, DEVICE, 1, 5 << 8 | 1), 7),
        (packet(FAR, DEVICE, 1, 8 << 8), 8),
        (packet(FAR, DEVICE, 17, 80, sport=19), 9),
        (packet(FAR, DEVICE, 17, 80, sport=20), 10),
        (packet(FAR, DEVICE, 17, 53, sport=20), None),
        (packet(FAR, DEVICE, 50), 12),
        (packet(FAR, "192.0.2.1", 47, piece=LATER), 13),
        (packet(FAR, DEVICE, piece=LATER), 5),
        (packet(FAR, "192.0.2.1", 17, piece=LATER), 10),
        (packet(FAR, DEVICE, piece=Piece.UNREADABLE), None),
        (packet(FAR, DEVICE, dport=60001, flags=0x10), 14),
    ],
)
def test_ios_entries_decide_as_documented(asked: Packet, line: int | None) -> None:
    verdict, found = decide(read("cisco-ios", ACL), asked)
    assert (None if found is None else found.number) == line
    assert verdict is (Verdict.DROP if found is None else found.verdict)


def numbers(platform: str, text: str) -> list[int]:
    return [line.number for line in read(platform, text).lines]


@pytest.mark.parametrize(
    ("text", "order"),
    [
        (" 20 permit ip any any\n 10 deny tcp any any eq 23\n", [3, 2]),
        (" permit ip any any\n deny tcp any any eq 23\n", [2, 3]),
        (" 30 permit ip any any\n deny ip any any\n", [2, 3]),
        ("\t10\tpermit\ttcp any\tany\r\n", [2]),
    ],
)
def test_entries_stand_in_the_order_of_their_numbers(text: str, order: list[int]) -> None:
    assert numbers("cisco-ios", f"ip access-list extended A\n{text}") == order


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert numbers("cisco-ios", "\ufeffip access-list extended A\n permit ip any any\n") == [2]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("mark", ["\x0c", "\x1b[2J", "\u2028", "\x85", "\u202e", "\x00", "\xa0"])
def test_what_could_end_a_line_or_move_a_cursor_is_refused_everywhere(platform: str, mark: str) -> None:
    """A router goes on reading the remark where a reader who divides lines otherwise would see a rule."""
    comment = "! x" if platform.startswith(("cisco", "arista")) else "# x"
    with pytest.raises(InputError, match=r"the character U\+[0-9A-F]{4} has no place") as refused:
        PLATFORMS[platform].read({"running.v4": f"\n{comment}{mark}deny tcp any any eq 23\n"})
    assert refused.value.place.line == 2
    assert refused.value.problem.isprintable()


def test_ipv6_lists_let_neighbour_discovery_through_at_their_end() -> None:
    text = "ipv6 access-list E\n sequence 10 deny tcp any any\n"
    given = read("cisco-ios", text)
    for kind, verdict in ((135, Verdict.PASS), (136, Verdict.PASS), (134, Verdict.DROP)):
        asked = packet("2001:db8::1", "2001:db8::2", 58, kind << 8)
        assert decide(given, asked)[0] is verdict


@pytest.mark.parametrize(
    ("platform", "text", "line"),
    [
        ("cisco-ios", "ip access-list extended A\n permit tcp any any eq 80 tos 3\n", 2),
        ("cisco-ios", "ip access-list extended A\n permit tcp 10.0.0.0 0.255.0.255 any\n", 2),
        ("cisco-ios", "ip access-list extended A\n permit tcp any any eq nonsense\n", 2),
        ("cisco-ios", "ip access-list extended A\n deny tcp any any eq 70000\n", 2),
        ("cisco-ios", "ip access-list extended A\n evaluate mirror\n", 2),
        ("cisco-ios", "ip access-list extended A\n permit ip any any\nip access-list extended A\n", 3),
        ("cisco-ios", "ip access-list extended A\n permit udp any any established\n", 2),
        ("cisco-ios", "ip access-list extended A\n permit tcp any any eq 80 fragments\n", 2),
        ("cisco-ios", "ipv6 access-list A\n permit tcp 192.0.2.0/24 any\n", 2),
        ("cisco-ios", "hostname x\n", 1),
        ("cisco-ios", "ip access-list extended A\n 10 permit ip any any\n 10 deny ip any any\n", 3),
        ("cisco-ios", "ip access-list extended A\n permit ip any any\n 5 deny ip any any\n", 3),
        ("cisco-ios", f"ip access-list extended A\n {'9' * 5000} permit ip any any\n", 2),
        ("cisco-ios", f"ip access-list extended A\n permit {'9' * 5000} any any\n", 2),
        ("cisco-ios", "ip access-list extended A\n permit \u00b2 any any\n", 2),
        ("cisco-ios", "ip access-list extended A\n permit icmp any any \u00b2\n", 2),
        ("cisco-ios", "ip access-list extended A\n permit tcp any any eq 80 \u0663\n", 2),
        ("cisco-ios", "ipv6 access-list A\n permit tcp fe80::1%eth0 any\n", 2),
        ("cisco-xr", "ipv4 access-list A\n permit ipv4 10.0.0.0/255.0.0.0 any\n", 2),
        ("junos", "firewall {\n filter ;\n}", 2),
        (
            "junos",
            "firewall { family inet { filter A {\n term b { then accept; }\n term b { then discard; } } } }",
            3,
        ),
        ("junos", "policy-options { prefix-list x { 10.0.0.0/8; }\n prefix-list x { 192.0.2.0/24; } }", 2),
        (
            "junos",
            "policy-options { prefix-list x; }\nfirewall { family inet { filter A {\n"
            " term b { from { source-prefix-list { x; } } then discard; } } } }",
            3,
        ),
        (
            "junos",
            "firewall { family inet { filter A {\n term b { from { protocol; } then discard; } } } }",
            2,
        ),
        (
            "junos",
            "firewall { family inet { filter A {\n term b { from { icmp-type \u00b2; } then accept; } } } }",
            2,
        ),
        ("junos", "firewall { /* no end", 1),
        ("routeros", "/ip firewall filter\nadd chain=c action=drop comment=a;quit\n", 2),
        ("routeros", "/ip firewall filter\nadd chain=c action=drop protocol=\u00b2\n", 2),
        ("vyos", "delete firewall ipv4 name X\n", 1),
        ("vyos", "set firewall ipv4 name X rule 10 action accept\n", 1),
        (
            "vyos",
            "set firewall ipv4 name X rule 10 action drop\nset firewall ipv4 name X rule 10 disable\n",
            2,
        ),
        (
            "vyos",
            "set firewall ipv4 name X rule 10 action drop\nset firewall ipv4 name X rule 10 action return\n",
            2,
        ),
        ("vyos", "set firewall ipv4 name X rule 10 source group network-group N\n", 1),
        ("vyos", "set firewall ipv4 name X rule 10 source address !192.0.2.0/24\n", 1),
        ("vyos", "set firewall ipv4 name X rule 10 description 'a'; reboot\n", 1),
        ("vyos", "set firewall ipv4 name X rule 0 action drop\n", 1),
        (
            "vyos",
            "set firewall ipv4 name X rule 10 tcp flags syn\nset firewall ipv4 name X rule 10 tcp flags not syn\n",
            2,
        ),
        ("nokia-srl", "delete / acl acl-filter X type ipv4\n", 1),
        ("nokia-srl", f"{SRL} entry 10 action accept\n{SRL} entry 10 action drop\n", 2),
        ("nokia-srl", f"{SRL} entry 10 match ipv4 protocol tcp\n{SRL} entry 10 action drop\n", 1),
        ("nokia-srl", f"{SRL} entry 10 match ipv4 dscp-set 3\n{SRL} entry 10 action accept\n", 1),
        ("nokia-srl", f"{SRL} entry 0 action accept\n", 1),
        ("nokia-srl", f"{SRL} entry 10 match ipv4 fragment true\n{SRL} entry 10 action accept\n", 1),
        (
            "nokia-srl",
            f"{SRL} entry 10 match transport destination-port value 23\n{SRL} entry 10 action drop\n",
            1,
        ),
        ("nokia-srl", f'{SRL} entry 10 description "a" quit\n', 1),
        ("nftables", "add rule inet rearguard x drop\nflush chain inet rearguard x\n", 2),
        ("nftables", "add element inet rearguard x {\n192.0.2.1\n", 3),
        ("cisco-ios", "no ip access-list extended A\n", 1),
        ("arista-eos", "ip access-list A\n 10 permit tcp any any range 9 3\n", 2),
        ("cisco-xr", "ipv4 access-list A\n 10 permit tcp any net-group X\n", 2),
        ("junos", "firewall { family inet { filter A { term b { from { ttl 3; } then accept; } } } }", 1),
        (
            "junos",
            "firewall {\n family inet6 {\n  filter A {\n   term b {\n    from {\n     next-header tcp;\n",
            6,
        ),
        ("junos", "firewall { family inet { filter A { term b { from { destination-port 80; } } } } }", 1),
        ("junos", "firewall {\n family inet {\n  filter A {\n   term b { then policer x; }\n  }\n }\n}\n", 4),
        ("junos", "firewall { ; }", 1),
        ("junos", 'firewall { family inet { filter A { term "b', 1),
        ("junos", "{" * 100, 1),
        ("junos", "firewall " + "x { " * 100, 1),
        ("routeros", "/ip firewall filter\nadd chain=c action=drop src-address-list=nobody\n", 2),
        ("routeros", "/ip firewall filter\nadd chain=c action=accept\n", 2),
        ("routeros", "/ip firewall filter\nadd chain=c connection-state=new action=drop\n", 2),
        ("routeros", '/ip firewall filter\nadd chain=c comment="a\\" action=drop\n', 2),
        ("routeros", "/system reboot\n", 1),
        ("nftables", "add rule inet rearguard forward iifname $outside ip daddr 192.0.2.0/24 accept\n", 1),
        ("nftables", "add rule inet rearguard x ip daddr @nothing drop\n", 1),
        ("nftables", "delete table inet rearguard\n", 1),
    ],
)
def test_what_is_not_understood_is_an_error_with_its_line(platform: str, text: str, line: int) -> None:
    with pytest.raises(InputError) as refused:
        PLATFORMS[platform].read({"running.txt": text})
    assert refused.value.place.line == line
    assert refused.value.place.file == "running.txt"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("-A OTHER -j DROP", "own chains"),
        ("-A REARGUARD -m conntrack --ctstate NEW -j DROP", "need -p"),
        ("-A REARGUARD -p tcp -m tcp --tcp-flags SYN ACK -j DROP", "no packet has these flags"),
        ("-A REARGUARD -m set --match-set gone dst -j DROP", "no set gone"),
        ("-A REARGUARD -g REARGUARD", "leads back to itself"),
        ('-A REARGUARD -m comment --comment "x', "No closing quotation"),
    ],
)
def test_iptables_rules_that_are_not_ours_are_refused(rule: str, told: str) -> None:
    text = f"*filter\n:REARGUARD - [0:0]\n{rule}\nCOMMIT\n"
    with pytest.raises(InputError, match=told):
        PLATFORMS["iptables"].read({"x.v4": text})


def test_junos_terms_decide_as_documented() -> None:
    text = """
    policy-options { prefix-list bogons { 10.0.0.0/8; 192.168.0.0/16; } }
    firewall { family inet { filter EDGE {
        term bogons {
            from { source-prefix-list { bogons; } source-address { 172.16.0.0/12; } }
            then { count b; discard; }
        }
        term count { from { protocol tcp; } then { count all; next term; } }
        term dns { from { protocol [ tcp udp ]; port 53; } then accept; }
        term ssh {
            from { protocol tcp; destination-port [ ssh 8000-8010 ]; tcp-flags "(syn & !ack)"; }
            then discard;
        }
        term later { from { is-fragment; } then { discard; } }
        term rest { then accept; }
    } } }
    """
    given = read("junos", text)
    for asked, verdict in (
        (packet("10.0.0.1", DEVICE), Verdict.DROP),
        (packet("172.20.0.1", DEVICE), Verdict.DROP),
        (packet(FAR, DEVICE, dport=22, flags=2), Verdict.DROP),
        (packet(FAR, DEVICE, dport=8005, flags=2, sport=53), Verdict.PASS),
        (packet(FAR, DEVICE, dport=8005, flags=0x12), Verdict.PASS),
        (packet(FAR, DEVICE, 17, piece=LATER), Verdict.DROP),
    ):
        assert decide(given, asked)[0] is verdict, asked


def test_a_list_that_is_made_anew_leaves_nothing_of_the_old_one() -> None:
    text = "no ipv4 access-list A\nipv4 access-list A\n 10 deny tcp any any eq 23\n"
    assert numbers("cisco-xr", text) == [3]
    for name in ("cisco-xr", "arista-eos"):
        for each in made_for(name).written.files.values():
            lines = each.splitlines()
            heads = [at for at, line in enumerate(lines) if re.match(r"ip\S* access-list ", line)]
            assert heads
            assert all(lines[at - 1] == f"no {lines[at]}" for at in heads)


@pytest.mark.parametrize(
    "text", ["no ipv4 access-list A\nipv4 access-list B\n", "ipv4 access-list A\nno ipv4 access-list A\n"]
)
def test_a_list_that_is_only_taken_away_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"lets everything through|taken out again"):
        read("cisco-xr", text)


def test_neighbour_discovery_is_not_counted_on_where_it_is_not_let_through_everywhere() -> None:
    asked = packet("2001:db8::1", "2001:db8::2", 58, 135 << 8)
    for name, verdict in (
        ("cisco-nxos", Verdict.DROP),
        ("arista-eos", Verdict.DROP),
        ("cisco-xr", Verdict.PASS),
    ):
        assert decide(read(name, "ipv6 access-list E\n 10 deny tcp any any\n"), asked)[0] is verdict


VYOS = """\
set firewall group network-group N network 10.0.0.0/8
set firewall group network-group N network 192.168.0.0/16
set firewall ipv4 name X rule 20 action return
set firewall ipv4 name X rule 20 source group network-group N
set firewall ipv4 name X rule 10 action drop
set firewall ipv4 name X rule 10 protocol tcp
set firewall ipv4 name X rule 10 destination port 23,7547-7550
set firewall ipv4 name X rule 10 tcp flags not ack
set firewall ipv4 name X rule 10 tcp flags syn
"""


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        (packet("10.0.0.1", DEVICE, dport=7549, flags=0x02), Verdict.DROP),
        (packet("10.0.0.1", DEVICE, dport=7549, flags=0x42), Verdict.DROP),
        (packet("10.0.0.1", DEVICE, dport=7549, flags=0x12), Verdict.PASS),
        (packet("10.0.0.1", DEVICE, dport=7551, flags=0x02), Verdict.PASS),
        (packet("10.0.0.1", DEVICE, piece=LATER), Verdict.PASS),
        (packet(FAR, DEVICE, dport=80), Verdict.DROP),
    ],
)
def test_vyos_rules_decide_as_documented(asked: Packet, verdict: Verdict) -> None:
    assert decide(read("vyos", VYOS), asked)[0] is verdict, "rules by number; a chain drops at its end"
    ends = f"{VYOS}set firewall ipv4 name X default-action return\n"
    assert decide(read("vyos", ends), packet(FAR, DEVICE, dport=80))[0] is Verdict.PASS


SR_LINUX = """\
entry 30 action accept
entry 20 match ipv4 protocol tcp
entry 20 match transport destination-port range start 7547
entry 20 match transport destination-port range end 7550
entry 20 match transport tcp-flags "!(ack|rst)"
entry 20 action drop
entry 10 match ipv4 source-ip prefix 10.0.0.0/8
entry 10 match ipv4 fragment true
entry 10 match ipv4 first-fragment false
entry 10 action drop
entry 25 match ipv4 protocol udp
entry 25 match transport source-port operator le
entry 25 match transport source-port value 19
entry 25 action drop
"""


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (packet("10.0.0.1", DEVICE, piece=LATER), 7),
        (packet("10.0.0.1", DEVICE, piece=Piece.UNREADABLE), 1),
        (packet(FAR, DEVICE, dport=7550, flags=0x02), 2),
        (packet(FAR, DEVICE, dport=7550), 2),
        (packet(FAR, DEVICE, dport=7550, flags=0x14), 1),
        (packet(FAR, DEVICE, dport=7551, flags=0x02), 1),
        (packet(FAR, DEVICE, 17, sport=19), 11),
        (packet(FAR, DEVICE, 17, sport=20), 1),
    ],
)
def test_sr_linux_entries_decide_as_documented(asked: Packet, line: int) -> None:
    text = "".join(f"{SRL} {each}\n" for each in SR_LINUX.splitlines())
    found = decide(read("nokia-srl", text), asked)[1]
    assert found is not None
    assert found.number == line


ODD = (
    "\u00b2",
    "-1",
    "9" * 20,
    "::",
    "/",
    "'",
    '"',
    "{",
    "}",
    "any",
    "0.0.0.0/0",
    "eq",
    "!",
    "[",
    "",
    "1-",
    "-2",
    ",",
    ";",
)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_damaged_text_is_read_or_refused_with_its_place(platform: str) -> None:
    chance = random.Random(platform)
    files = made_for(platform).written.files
    refused = []
    for _ in range(60):
        damaged = {}
        for file, text in files.items():
            words = text.split(" ")
            at = chance.randrange(len(words))
            words[at : at + chance.randint(0, 1)] = [chance.choice((*ODD, words[at][:-1]))]
            damaged[file] = " ".join(words)
        try:
            PLATFORMS[platform].read(damaged)
        except InputError as error:
            refused.append(error.place)
    assert len(refused) > 10
    assert all(place.file in files and place.line for place in refused)
