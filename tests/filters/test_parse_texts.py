"""Operators' own lists: what is read, and what is refused with its line."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

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
