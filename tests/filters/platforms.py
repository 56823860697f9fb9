"""Filters for every platform, from small policies."""

from __future__ import annotations

from datetime import date

from tests.filters.build import DUE, policy

from rearguard.catalogue import load
from rearguard.filters.compile import compile_filter
from rearguard.filters.platforms import PLATFORMS, Compiled, compile_for
from rearguard.filters.residual import EFFECTS
from rearguard.policy import Policy

MADE = date(2026, 11, 22)
EVERY_RESIDUAL = tuple(name for name in EFFECTS if name != "own-sources")
SMALL = f"""\
networks:
  customers: {{prefixes: [198.51.100.0/24, "2001:db8:c::/48"]}}
controllers:
  acs: {{requests_from: [192.0.2.8/31, "2001:db8:a::10/128"], manages: [cwmp, telnet], enters_at: west}}
edges: {{west: {{outside: [wan0]}}}}
drop:
  - {{interfaces: [telnet, snmp], toward: [customers], mode: cut, {DUE}}}
never_block: [198.51.100.200/29, "2001:db8:f:7::/64"]
"""


def made_for(name: str, text: str | Policy = SMALL, edge: str = "west", **more: object) -> Compiled:
    """The filter of a policy for one platform, with every residual accepted."""
    given = text if isinstance(text, Policy) else policy(text)
    compiled = compile_filter(given, load(), edge)
    options = {"accepted": EVERY_RESIDUAL, "stem": "border", "made": MADE, **more}
    return compile_for(compiled, PLATFORMS[name], **options)  # type: ignore[arg-type]
