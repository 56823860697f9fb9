"""A large policy: how long its filter takes, and how long the file. ``python -m tests.filters.large`` (as root)."""

from __future__ import annotations

import time
from datetime import date

from tests.filters.net import Border

from rearguard.catalogue import load
from rearguard.filters.compile import compile_filter
from rearguard.filters.render.nftables import render
from rearguard.policy import Policy

NETWORKS = 10_000
CONTROLLERS = 20


def policy() -> Policy:
    """A /25 and a /48 for each network; every controller enters at the edge."""
    networks = {
        f"n{i}": {"prefixes": [f"10.{i >> 8}.{i & 255}.0/25", f"2001:db8:{i:x}::/48"]}
        for i in range(NETWORKS)
    }
    controllers = {
        f"c{i}": {"requests_from": [f"192.0.2.{2 * i}/32"], "manages": ["cwmp"], "enters_at": "border"}
        for i in range(CONTROLLERS)
    }
    drop = {
        "interfaces": ["cwmp-cr", "telnet"],
        "toward": list(networks),
        "basis": "b",
        "review_by": "2027-06-01",
    }
    return Policy.model_validate(
        {"networks": networks, "controllers": controllers, "drop": [drop]}, context={"known": load()}
    )


def main() -> None:
    """Print all of it."""
    given = policy()
    begun = time.perf_counter()
    made = compile_filter(given, load(), "border")
    compiled = time.perf_counter()
    text = render(made, made=date(2026, 11, 22))
    rendered = time.perf_counter()
    print(
        f"{len(made.rules)} rules: compiled in {compiled - begun:.1f} s, rendered in {rendered - compiled:.1f} s"
    )
    with Border() as net:
        begun = time.perf_counter()
        net.nft("-D", "outside=wan0", "-f", "-", text=text)
        print(f"{len(text):,} bytes loaded in {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
