"""Measure the prover and the compiler of filters: ``python -m benchmarks.proving`` (one core; half a minute).

``--large`` also writes filters for 10,000 networks with 20 controllers, and the same policy with Aerleon, and
counts lines. Times are processor seconds, the best of three; what the kernels cost to compile is not in them.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date

from benchmarks.rows import Row, at_most, fact, format_table
from rearguard.catalogue import load
from rearguard.filters.compile import compile_filter
from rearguard.filters.lines import READABLE, AccessList, Line, Match
from rearguard.filters.model import Attachment, Verdict
from rearguard.filters.platforms import PLATFORMS, compile_for
from rearguard.filters.prove.equal import compare, unneeded
from rearguard.filters.residual import EFFECTS
from rearguard.filters.spans import BITS, Spans
from rearguard.model.bits import TCP, UDP
from rearguard.model.errors import RearguardError
from rearguard.policy import Policy

__all__ = ["main", "rows", "shaped", "unshaped"]

RULES, SHAPED = 10_000, 30_000
NETWORKS, CONTROLLERS, INTERFACE, PORT = 10_000, 20, "smart-install", 4786
MADE = date(2026, 11, 22)
_LENGTHS = {4: (8, 12, 16, 20, 24, 24, 24, 28, 32), 6: (29, 32, 40, 48, 48, 48, 56, 64, 128)}


def unshaped(count: int, family: int, seed: int, toward_any: float = 0) -> AccessList:
    """Rules without any order: random prefixes of random lengths, nested as it happens."""
    chance = random.Random(seed)

    def prefix(anywhere: float) -> Spans | None:
        if chance.random() < anywhere:
            return None
        free = BITS[family] - chance.choice(_LENGTHS[family])
        first = chance.getrandbits(BITS[family]) >> free << free
        return ((first, first + (1 << free) - 1),)

    lines = []
    for number in range(1, count + 1):
        port = chance.choice((23, 7547, 30005, 80, 443, 161, chance.randrange(65536)))
        box = Match(
            prefix(0.3),
            prefix(toward_any),
            frozenset({chance.choice((TCP, UDP))}),
            READABLE,
            None,
            ((port, port),),
        )
        lines.append(Line((box,), chance.choice(tuple(Verdict)), number, ""))
    return AccessList("unshaped", Attachment.ENTERING, family, tuple(lines))


def shaped(count: int, family: int) -> AccessList:
    """Rules as a policy makes them: each network has its permits for 20 controllers, then its drop."""
    free = BITS[family] - (24 if family == 4 else 48)
    ports: Spans = ((7547, 7547),)
    lines: list[Line] = []
    for network in range(count // (CONTROLLERS + 1)):
        near: Spans = ((network << free, (network + 1 << free) - 1),)
        for each in range(CONTROLLERS + 1):
            far: Spans | None = (
                ((0xC0000200 + 2 * each, 0xC0000200 + 2 * each),) if each < CONTROLLERS else None
            )
            verdict = Verdict.DROP if far is None else Verdict.PASS
            box = Match(far, near, frozenset({TCP}), READABLE, None, ports)
            lines.append(Line((box,), verdict, len(lines) + 1, ""))
    return AccessList("shaped", Attachment.ENTERING, family, tuple(lines))


def reworded(given: AccessList) -> AccessList:
    """The same filter, said so that no strip of it reads alike: every tenth line stands there twice."""
    lines = []
    for at, line in enumerate(given.lines):
        lines += [line, line] if at % 10 == 0 else [line]
    return AccessList(given.name, given.attachment, given.family, tuple(lines), given.default)


def rows() -> Iterator[Row]:
    """What is measured."""
    compare(unshaped(10, 4, 1), unshaped(10, 4, 2))  # compiles
    for name, given, limit in (
        (f"prove {RULES:,} rules, IPv4, no shape", unshaped(RULES, 4, 1), 1.0),
        (f"prove {RULES:,} rules, IPv6, no shape", unshaped(RULES, 6, 1), 2.0),
        (f"prove {RULES:,} rules, IPv4, 1 in 100 toward any", unshaped(RULES, 4, 1, 0.01), 1.0),
        (f"prove {RULES:,} rules, IPv6, 1 in 100 toward any", unshaped(RULES, 6, 1, 0.01), 2.0),
        (f"prove {SHAPED:,} rules, IPv4, policy-shaped", shaped(SHAPED, 4), 1.0),
        (f"prove {SHAPED:,} rules, IPv6, policy-shaped", shaped(SHAPED, 6), 1.0),
    ):
        other = reworded(given)
        spare = frozenset(unneeded(given))
        broken = given.without(next(at for at in range(len(given.lines) // 2, 10**9) if at not in spare))
        yield at_most(
            f"{name}: equal, other words", _best(lambda a, b: compare(a, b).equal, given, other), limit, "s"
        )
        yield at_most(
            f"{name}: one rule gone",
            _best(lambda a, b: bool(compare(a, b).witnesses), given, broken),
            limit,
            "s",
        )


def _best(work: Callable[[AccessList, AccessList], bool], one: AccessList, other: AccessList) -> float:
    """Processor seconds of the fastest of three runs: other work on the machine does not count."""
    times = []
    for _ in range(3):
        begun = time.process_time()
        if not work(one, other):
            raise RuntimeError("the prover gave another answer than it must")
        times.append(time.process_time() - begun)
    return min(times)


def _policy(networks: int) -> Policy:
    entry = {
        "networks": {f"n{at}": {"prefixes": [f"10.{at >> 8}.{at & 255}.0/25"]} for at in range(networks)},
        "controllers": {
            f"c{at}": {
                "requests_from": [f"192.0.2.{2 * at}/32"],
                "manages": [INTERFACE],
                "enters_at": "border",
            }
            for at in range(CONTROLLERS)
        },
        "drop": [
            {
                "interfaces": [INTERFACE],
                "toward": [f"n{at}" for at in range(networks)],
                "basis": "b",
                "review_by": "2127-06-01",
            }
        ],
    }
    return Policy.model_validate(entry, context={"known": load()})


def _large() -> Iterator[Row]:
    """Lines for 10,000 networks with 20 controllers and one port, ours and Aerleon's."""
    policy = _policy(NETWORKS)
    begun = time.process_time()
    given = compile_filter(policy, load(), "border")
    yield fact(
        f"compile {NETWORKS:,} networks x {CONTROLLERS} controllers", f"{time.process_time() - begun:.1f}s"
    )
    for platform in PLATFORMS.values():
        begun = time.process_time()
        try:
            made = compile_for(given, platform, stem="border", made=MADE, accepted=tuple(EFFECTS))
        except RearguardError as error:
            # The platform's own limit: to refuse is the right answer.
            yield fact(f"ours, {platform.name}", f"refused: {error.problem}")
            continue
        took = time.process_time() - begun
        count = sum(change.after for change in made.written.changes)
        lines = sum(len(text.splitlines()) for text in made.written.files.values())
        yield fact(
            f"ours, {platform.name}", f"{count:,} rules, {lines:,} lines, written and proven in {took:.1f}s"
        )
    for target in ("cisco", "juniper", "nftables"):
        begun = time.process_time()
        text = _aerleon(target)
        took = time.process_time() - begun
        yield fact(
            f"Aerleon, {target}", f"{len(text.splitlines()):,} lines, written in {took:.1f}s, nothing proven"
        )


def _aerleon(target: str) -> str:
    from aerleon import api
    from aerleon.lib import naming

    devices = [{"address": f"10.{at >> 8}.{at & 255}.0/25"} for at in range(NETWORKS)]
    controllers = [{"address": f"192.0.2.{2 * at}/32"} for at in range(CONTROLLERS)]
    names = naming.Naming()
    names.ParseDefinitionsObject(
        {
            "networks": {"ACS": {"values": controllers}, "CPE": {"values": devices}},
            "services": {"MGMT": [{"protocol": "tcp", "port": str(PORT)}]},
        },
        "",
    )
    header = {"cisco": "MGMT extended", "juniper": "MGMT inet", "nftables": "inet forward"}[target]
    common = {"destination-address": "CPE", "destination-port": "MGMT", "protocol": "tcp"}
    terms = [
        {"name": "permit", "source-address": "ACS", "action": "accept", **common},
        {"name": "drop", "action": "deny", **common},
        {"name": "default", "action": "accept"},
    ]
    filters = [{"header": {"targets": {target: header}}, "terms": terms}]
    made = api.Generate([{"filename": "p", "filters": filters}], names)
    return str(next(iter(made.values())))


def main() -> int:
    """Print the table; 1 when a target was missed."""
    found = list(rows())
    if "--large" in sys.argv[1:]:
        found += _large()
    print(format_table(found))
    return int(any(row.holds is False for row in found))


if __name__ == "__main__":
    sys.exit(main())
