"""Console sessions: prompts, logins, the shell and the commands, told apart by what came when."""

from __future__ import annotations

import pytest
from tests.dialogue.said import dialogue, heard

from rearguard.dialogue.telnet import Session, negotiates, prompted, read, shell_prompt, stripped
from rearguard.dialogue.text import sewn

NEGOTIATION = b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03"
C, S = "client", "server"
LOGIN = [(S, NEGOTIATION + b"\r\ngw login: "), (C, b"root\r\n"), (S, b"Password: "), (C, b"s3cret\r\n")]


def session(turns: list[tuple[str, bytes]]) -> Session:
    one = dialogue(turns, port=23)
    return read(one.client, sewn(one.client), one.server, sewn(one.server))


def logins(turns: list[tuple[str, bytes]]) -> list[tuple[bytes, bytes | None, bool]]:
    return [(each.user, each.password, each.succeeded) for each in session(turns).logins]


@pytest.mark.parametrize(
    ("answer", "succeeded"),
    [
        (b"\r\nBusyBox v1.0 built-in shell\r\n# ", True),
        (b"\r\n$ ", True),
        (b"\r\nrouter> ", True),
        (b"\r\n[root@gw ~]# ", True),
        (b"\r\n\x1b[1mgw\x1b[0m# ", True),
        (b"\r\nLogin incorrect\r\ngw login: ", False),
        (b"\r\nBad password# ", False),
        (b"\r\nWelcome\r\n", False),
        (b"\r\n<menu>", False),
        (b"", False),
    ],
)
def test_a_login_succeeds_when_a_shell_follows(answer: bytes, succeeded: bool) -> None:
    turns = [*LOGIN, (S, answer)] if answer else LOGIN
    assert logins(turns) == [(b"root", b"s3cret", succeeded)]
    assert session(turns).shell is succeeded


def test_several_logins_of_one_session() -> None:
    turns = [*LOGIN, (S, b"\r\nLogin incorrect\r\ngw login: "), (C, b"admin\r\n"), (S, b"Password: ")]
    turns += [(C, b"\r\n"), (S, b"\r\n# "), (C, b"ls -l\r\n"), (S, b"x\r\n# ")]
    found = session(turns)
    assert [(each.user, each.password, each.succeeded) for each in found.logins] == [
        (b"root", b"s3cret", False),
        (b"admin", b"", True),
    ]
    assert [line.text for line in found.commands] == [b"ls -l"]


def test_a_client_that_does_not_wait() -> None:
    turns = [*LOGIN, (C, b"enable\r\n"), (S, b"\r\n# enable\r\n"), (C, b"sh\r\n"), (S, b"# sh\r\n# ")]
    assert logins(turns) == [(b"root", b"s3cret", True)]
    assert [line.text for line in session(turns).commands] == [b"enable", b"sh"]


def test_a_client_that_nobody_heard_answered_sends_what_worms_send() -> None:
    found = session([(C, b"root\r\nxc3511\r\nenable\r\nsystem\r\nshell\r\nsh\r\n/bin/busybox ECCHI\r\n")])
    assert [(each.user, each.password, each.succeeded) for each in found.logins] == [
        (b"root", b"xc3511", False)
    ]
    assert [line.text for line in found.commands][-1] == b"/bin/busybox ECCHI"


def test_a_shell_without_a_login() -> None:
    found = session([(S, NEGOTIATION + b"BusyBox\r\n# "), (C, b"id\n"), (S, b"uid=0\r\n# ")])
    assert (found.logins, found.shell, [line.text for line in found.commands]) == ((), True, [b"id"])


def test_typed_letter_by_letter_with_a_backspace() -> None:
    letters = [(C, bytes([letter])) for letter in b"rooo\x7ft\r\0"]
    found = session([(S, b"login: "), *letters, (S, b"Password: ")])
    assert found.logins[0].user == b"root"


def test_a_user_without_password() -> None:
    assert logins(LOGIN[:2]) == [(b"root", None, False)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"plain", b"plain"),
        (NEGOTIATION + b"login: ", b"login: "),
        (b"a\xff\xfa\x18\x00VT100\xff\xf0b", b"ab"),
        (b"a\xff\xffb", b"ab"),
        (b"a\xff\xf9b", b"ab"),
        (b"a\xff", b"a"),
        (b"a\xff\xfd", b"a"),
        (b"\xff\xfa\x18 never ended", b""),
    ],
)
def test_commands_of_telnet_are_taken_out(text: bytes, expected: bytes) -> None:
    kept, runs = stripped(text)
    assert kept == expected
    assert all(
        text[at : at + 1] == kept[offset : offset + 1] for offset, at in runs if kept[offset : offset + 1]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"\r\nLogin: ", True),
        (b"Username:", True),
        (b"Welcome\r\nUser Name : ", True),
        (b"Password: ", True),
        (b"login: root\r\nLast login: yesterday", False),
        (b"HTTP/1.1 200 OK", False),
    ],
)
def test_prompts(text: bytes, expected: bool) -> None:
    assert prompted(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"), [(b"# ", True), (b"gw>", True), (b"50% off", False), (b"", False)]
)
def test_shell_prompts(text: bytes, expected: bool) -> None:
    assert shell_prompt(text) is expected


def test_only_negotiation_is_taken_for_telnet() -> None:
    assert negotiates(NEGOTIATION)
    assert not negotiates(b"\xff\xd8\xff\xe0JFIF")


def test_passwords_are_not_in_the_exchange() -> None:
    turns = [*LOGIN, (S, b"\r\n# "), (C, b"passwd root hunter2\r\n"), (S, b"# ")]
    exchange = heard(turns, port=23)
    assert exchange.login == "succeeded"
    assert exchange.answer == "shell"
    assert [(secret.kind, secret.shown) for secret in exchange.secrets] == [
        ("telnet-login", "root / ********"),
        ("telnet-command", "passwd"),
    ]
    assert "s3cret" not in repr(exchange)
    assert "hunter2" not in repr(exchange)


def test_each_secret_names_the_packet_that_brought_it() -> None:
    exchange = heard([*LOGIN, (S, b"\r\n# "), (C, b"id\r\n")], port=23)
    assert [secret.proof.rec for secret in exchange.secrets] == [2, 6]
