"""Telnet dialogues: who tried which login, whether a shell was reached, what was typed."""

from __future__ import annotations

from collections.abc import Iterable, Set

from rearguard.dialogue.exchange import Hit, Proof, Secret
from rearguard.dialogue.fold import Dialogue
from rearguard.dialogue.match import Matching, hits
from rearguard.dialogue.spoken import Heard, Value
from rearguard.dialogue.telnet import Session, negotiates, read, stripped
from rearguard.dialogue.text import MASK, proof, sewn, shown

__all__ = ["hear_console"]

SHOWN_LOGINS = 12
SHOWN_COMMANDS = 8


def hear_console(dialogue: Dialogue, matching: Matching) -> Heard:
    """A telnet dialogue; ``matching``: the patterns that count here."""
    said, answered = sewn(dialogue.client), sewn(dialogue.server)
    session = read(dialogue.client, said, dialogue.server, answered)

    def prove(place: int) -> Proof:
        return proof(dialogue.client, place, from_server=False)

    tried = [login for login in session.logins if login.password is not None]
    answer = _answer(session, answered)
    context = b"\n".join(line.text for line in session.commands)
    found: list[Hit] = []
    for acts in (_Logins(session), _Commands(session)):  # a known command does not explain a factory login
        found += hits(acts, matching, prove, context=context, answer=answer)
    secrets = [
        Secret("telnet-login", prove(login.at), f"{shown(login.user, 64)} / {MASK}")
        for login in tried[:SHOWN_LOGINS]
    ]
    secrets += [
        Secret("telnet-command", prove(line.at), shown(line.text.split()[0], 64))
        for line in session.commands[:SHOWN_COMMANDS]
        if line.text.split()
    ]
    succeeded = any(login.succeeded for login in tried)
    return Heard(
        speaks="telnet",
        identity="telnet" if negotiates(answered) or session.prompted else None,
        answer=answer,
        login="succeeded" if succeeded else "tried" if tried else "",
        hits=tuple(found),
        secrets=tuple(dict.fromkeys(secrets)),
    )


def _answer(session: Session, answered: bytes) -> str:
    if session.shell:
        return "shell"
    if session.prompted:
        return "prompt"
    text, _ = stripped(answered)
    return "banner" if text.strip() else "reply" if answered else ""


class _Logins:
    """Logins that were tried, as attack patterns look at them."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def parts(self) -> Set[str]:
        """See :class:`rearguard.dialogue.spoken.Asked`."""
        return frozenset(("login",) if self._session.logins else ())

    def values(self, part: str, name: bytes) -> Iterable[Value]:
        """See :class:`rearguard.dialogue.spoken.Asked`."""
        if part != "login" or name:
            return ()
        return (
            Value(b"", login.user + b":" + login.password, login.at)
            for login in self._session.logins
            if login.password is not None
        )


class _Commands:
    """Commands that were typed, as attack patterns look at them."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def parts(self) -> Set[str]:
        """See :class:`rearguard.dialogue.spoken.Asked`."""
        return frozenset(("command",) if self._session.commands else ())

    def values(self, part: str, name: bytes) -> Iterable[Value]:
        """See :class:`rearguard.dialogue.spoken.Asked`."""
        if part != "command" or name:
            return ()
        return (Value(b"", line.text, line.at) for line in self._session.commands)
