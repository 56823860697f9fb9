"""What a listener's answer means: to who looks for exposed devices (rule B7), and to who asks whether an attack
worked (rule B8).

====================  ======  ======================================================================
answer                step    why
====================  ======  ======================================================================
nothing               SILENT  also where only one direction was captured
digest, basic         GUARDED a login is asked first (RFC 7616, RFC 7617)
refused               GUARDED 4xx or 5xx: it did not do what was asked
prompt                GUARDED a console that asks who is there
fault                 SPOKE   a SOAP envelope, so the service runs what strangers send; this request failed
banner, reply         SPOKE   it says what it is
page, soap            OPEN    it did what was asked without asking who asks
no-content            OPEN    the same, with nothing to say (2xx)
shell                 OPEN    a console without a login
a login that worked   TAKEN   whoever logged in is inside
====================  ======  ======================================================================
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rearguard.dialogue.exchange import Exchange

__all__ = ["STEPS", "Step", "came_back", "step_of"]


class Step(IntEnum):
    """How far the other side got; the further, the worse."""

    SILENT = 0
    GUARDED = 1
    SPOKE = 2
    OPEN = 3
    TAKEN = 4


STEPS: dict[str, tuple[Step, str]] = {
    "": (Step.SILENT, "nothing came back"),
    "digest": (Step.GUARDED, "asked for a Digest login"),
    "basic": (Step.GUARDED, "asked for a Basic login, whose password anybody on the way can read"),
    "refused": (Step.GUARDED, "refused"),
    "prompt": (Step.GUARDED, "asked for a login"),
    "fault": (Step.SPOKE, "answered with a SOAP fault"),
    "banner": (Step.SPOKE, "said what it is"),
    "reply": (Step.SPOKE, "replied"),
    "page": (Step.OPEN, "gave a page without a login"),
    "soap": (Step.OPEN, "answered with a SOAP envelope, without a login"),
    "no-content": (Step.OPEN, "agreed without a login"),
    "shell": (Step.OPEN, "gave a shell without a login"),
}
"""Each word of ``Exchange.answer``: what it means, and a phrase with the listener as its subject."""


def step_of(exchange: Exchange) -> Step:
    """How far the client got in this exchange."""
    if exchange.login == "succeeded":
        return Step.TAKEN
    return STEPS[exchange.answer][0]


def came_back(exchange: Exchange) -> str:
    """What came back, in a few words and without a word of the payload: ``401, asked for a Digest login``."""
    phrase = STEPS[exchange.answer][1]
    if exchange.login == "succeeded":
        phrase = "let a login in"
    elif exchange.login == "tried" and exchange.answer == "prompt":
        phrase = "asked for a login and let none in"
    return f"{exchange.status}, {phrase}" if exchange.status else phrase
