"""What the customer is told, one sentence for each thing that can have happened, without words of the trade.

The sentences say what was seen and what to do next; they blame nobody, and name no address of anybody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rearguard.report.cases.concern import Concern

__all__ = ["HAPPENED", "advice"]

HAPPENED = {
    "compromised": (
        "A device on your line behaves as if somebody else had taken it over: switch it off for a minute, install "
        "its latest software before anything else, change its passwords, and if it goes on, reset it to its "
        "factory settings or ask us for another one."
    ),
    "attacking": (
        "A device on your line attacks others: disconnect it, install its latest software, change its passwords, "
        "and reset it to its factory settings before you use it again."
    ),
    "scanning": (
        "A device on your line searches for other people's devices: find out which one it is, install its latest "
        "software or disconnect it; if you test networks for a living, tell us."
    ),
    "exposed": (
        "The management of a device on your line can be reached by anybody on the Internet: install its latest "
        "software, and switch off remote access and forwarded ports that you do not need."
    ),
    "reflecting": (
        "A device on your line answers requests that others send under false names, and so takes part in attacks "
        "without knowing: switch off the service that is named here, or close its port toward the Internet."
    ),
    "readable": (
        "Passwords or commands for a device on your line travel where others can read them: change the passwords, "
        "and use an encrypted way of access."
    ),
    "foreign-managed": (
        "A device on your line takes its orders from somebody we do not know: tell us whether you set this up; if "
        "not, reset it to its factory settings."
    ),
    "attacked": (
        "Somebody sent a device on your line a request that is made to take it over: install its latest software "
        "and restart it; whether the request did any harm cannot always be told from outside."
    ),
    "flooded": (
        "A device on your line was overrun with requests and may have been slow or out of order at that time: "
        "there is nothing that you need to change, tell us if it happens again."
    ),
}
"""In the order of how much must be done: the first of a case's happenings speaks for it."""

OURS = {
    "exposed": (
        "The port through which we look after your device can be reached by others as well: closing it is our "
        "task, not yours; leave the device switched on, so that it gets its next software."
    ),
    "readable": (
        "What we send to your device to look after it can be read by others on the way: changing that is our task, "
        "not yours; leave the device switched on, so that it gets its new settings."
    ),
}
"""Where it is about the operator's own way in, the customer can do nothing."""


def advice(concern: Concern) -> str:
    """The sentence for one concern."""
    if concern.ours and concern.happened in OURS:
        return OURS[concern.happened]
    return HAPPENED[concern.happened]
