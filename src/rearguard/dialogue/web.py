"""HTTP dialogues: what was asked, how it was answered, which credentials and attacks were in the requests.

Patterns are matched against requests of the client and nothing else: what a response, a mail or a rule set
quotes is no attack (rule B8). How a request was answered is told of the first one for the dialogue, and of
each attacking one in its hit.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rearguard.dialogue import cwmp, soap
from rearguard.dialogue.exchange import Hit, Inform, Proof, Secret
from rearguard.dialogue.fold import Dialogue
from rearguard.dialogue.http import Request, Response, basic, challenge, requests, responses
from rearguard.dialogue.match import Matching, hits
from rearguard.dialogue.shell import host_of
from rearguard.dialogue.spoken import Heard
from rearguard.dialogue.text import MASK, proof, sewn, shown
from rearguard.dialogue.web_identity import identity
from rearguard.dialogue.web_request import WebRequest

__all__ = ["hear_web"]

SECRETS = 16
FETCHED = 16

Prover = Callable[[int], Proof]

_SECRET_FIELD = re.compile(
    rb"(?:.{0,32}(?:password|passwd|passphrase|passwort)|pass|pwd|psw|psk|.{1,24}(?:_pwd|_pass|pwd|psk))",
    re.I,
)
_ENVELOPE = re.compile(
    rb"[\s\xef\xbb\xbf\0]{0,64}(?:<\?xml[^>]{0,200}>\s{0,64})?<(?:[\w.-]{1,64}:)?envelope[\s>]", re.I
)
_AUTHORITY = re.compile(rb"[a-z]{2,5}://([^/?#]{1,300})", re.I)


def hear_web(dialogue: Dialogue, matching: Matching) -> Heard:
    """An HTTP dialogue; ``matching``: the patterns that count here."""
    said = sewn(dialogue.client)
    asked = requests(said)
    answered = responses(sewn(dialogue.server), asked)
    found: list[Hit] = []
    secrets: list[Secret] = []
    rpcs: dict[str, None] = {}
    fetch: dict[str, None] = {}
    informed: Inform | None = None
    login = ""

    def prove(place: int) -> Proof:
        return proof(dialogue.client, place, from_server=False)

    for number, request in enumerate(asked):
        answer = answered[number] if number < len(answered) else None
        web = WebRequest(request)
        told = hits(
            web,
            matching,
            prove,
            context=request.target + b" " + request.body,
            status=answer.status if answer else 0,
            answer=_answer(answer),
        )
        found += told
        login = _login(request, answer, login)
        secrets += _secrets(web, prove)
        for host in (host_of(request.value(b"host").strip()), _absolute(request)):
            if host:
                fetch[host] = None
        message = web.message
        if message is not None and message.cwmp:
            rpcs[cwmp.method(message)] = None
            informed = informed or cwmp.inform(message, prove(request.place(0)))
            secrets += [
                Secret("cwmp-credentials", prove(request.place(at)), f"{name} = {MASK}")
                for name, at in cwmp.credentials(message)
            ]
    for answer in answered:
        message = _message(answer)
        if message is None or not message.cwmp:
            continue
        rpcs[cwmp.method(message)] = None
        shows = proof(dialogue.server, answer.at, from_server=True)
        secrets += [
            Secret("cwmp-credentials", shows, f"{name} = {MASK}") for name, _ in cwmp.credentials(message)
        ]
    first = asked[0] if asked else None
    reply = answered[0] if answered else None
    return Heard(
        speaks="http",
        identity=identity(answered) if answered else None,
        answer=_answer(reply) if reply or not dialogue.server else "reply",
        status=reply.status if reply else 0,
        method=shown(first.method, 20) if first else "",
        path=shown(first.target) if first else "",
        login=login,
        hits=_once(found),
        secrets=tuple(dict.fromkeys(secrets))[:SECRETS],
        inform=informed,
        rpcs=tuple(rpcs),
        fetch=tuple(fetch)[:FETCHED],
    )


def _answer(response: Response | None) -> str:
    """See :attr:`rearguard.dialogue.exchange.Exchange.answer`."""
    if response is None:
        return ""
    status = response.status
    if status == 401:
        return challenge(response) or "refused"
    message = _message(response)
    if message is not None:
        return "fault" if message.fault else "soap"
    if status >= 400 or status < 200:
        return "refused"
    return "page" if response.body.strip() or status >= 300 else "no-content"


def _message(response: Response) -> soap.Message | None:
    body = response.body
    return soap.message(body) if _ENVELOPE.match(body) else None


def _login(request: Request, answer: Response | None, before: str) -> str:
    """Credentials were sent (RFC 7617, RFC 7616), and whether they were taken: any answer to a request with them
    that is no refusal.
    """
    if not request.value(b"authorization").lower().startswith((b"basic ", b"digest ")):
        return before
    if answer is not None and 200 <= answer.status < 400:
        return "succeeded"
    return before or "tried"


def _secrets(web: WebRequest, prove: Prover) -> list[Secret]:
    request = web.request
    found = []
    header = request.header(b"authorization")
    pair = basic(header.value) if header else None
    if header and pair:
        found.append(Secret("basic-auth", prove(header.at), f"{shown(pair[0], 64)} / {MASK}"))
    if b"=" in request.target or request.body:
        found += [
            Secret("http-form", prove(value.at), f"{shown(value.name, 64)} = {MASK}")
            for value in web.fields
            if value.text and _SECRET_FIELD.fullmatch(value.name)
        ]
    return found


def _absolute(request: Request) -> str:
    authority = _AUTHORITY.match(request.target)
    return host_of(authority[1]) if authority else ""


def _once(found: list[Hit]) -> tuple[Hit, ...]:
    """The first hit of each attack with each set of named hosts."""
    kept: dict[tuple[str, tuple[str, ...]], Hit] = {}
    for hit in found:
        kept.setdefault((hit.attack, hit.named), hit)
    return tuple(kept.values())
