"""Time of all detectors over 200,000 exchanges: ``python -m detect.spoken SHARE`` in ``tests/``.

SHARE (0.1) of them carry an attack, each of a source of its own; half as many are logins, half as many Informs.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import replace

from detect.build import START, contact, policy, view
from detect.talk import ATTACKS, LOADER, WORM, attacked, exchange, inform, secret
from rearguard.catalogue.catalogue import load
from rearguard.detect import run
from rearguard.dialogue.exchange import Exchange
from rearguard.model.address import V4_MAPPED

COUNT = 200_000
OURS = V4_MAPPED | 10 << 24


def exchanges(share: float) -> list[Exchange]:
    """In the order of time; clients at random, a million devices."""
    chance = random.Random(1)
    plain, attack = exchange(), attacked(WORM, "198.51.100.15", LOADER)
    session = exchange("10.0.0.1", "203.0.113.120", 80, inform=inform("2 PERIODIC"), rpcs=("Inform",))
    login = exchange(port=23, answer="prompt", secrets=(secret("telnet-login"),))
    found = []
    for number in range(COUNT):
        at = chance.random() / share if share else 2.0
        home, stranger = OURS + chance.randrange(1 << 20), V4_MAPPED + chance.randrange(1 << 31)
        kind = attack if at < 1 else login if at < 1.5 else session if at < 2 else plain
        client, server = (home, kind.server_lo) if kind is session else (stranger, home)
        when = START + number * 1000
        found.append(replace(kind, first=when, last=when, client_lo=client, server_lo=server))
    return found


def main() -> None:
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 0.1
    made, rules, catalogue = view([contact()], exchanges=exchanges(share)), policy(), load()
    begun, used = time.perf_counter(), time.process_time()
    result = run(made, rules, catalogue, attacks=ATTACKS)
    print(
        f"{time.perf_counter() - begun:.2f} s ({time.process_time() - used:.2f} s of CPU),"
        f" {len(result.findings):,} findings; {'; '.join(result.approximations)}"
    )


if __name__ == "__main__":
    main()
