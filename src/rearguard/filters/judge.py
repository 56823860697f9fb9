"""The filter's meaning, told slowly: the first rule that holds the packet decides, what none holds passes.

Renderings, the replay and the kernel are compared with this.
"""

from __future__ import annotations

from dataclasses import dataclass

from rearguard.filters.model import Filter, Packet, Rule, Verdict

__all__ = ["Judgement", "judge"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the rule that gave it; None: no rule held the packet."""

    verdict: Verdict
    rule: Rule | None


def judge(given: Filter, packet: Packet) -> Judgement:
    """What happens to a packet at the filter's edge."""
    for rule in given.rules:
        if rule.box.holds(packet):
            return Judgement(rule.verdict, rule)
    return Judgement(Verdict.PASS, None)
