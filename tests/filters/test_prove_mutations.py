"""A thousand single edits of emitted texts: whatever changes the meaning is caught, with a packet that shows it.

Which edits change the meaning is decided by binary decision diagrams, not by the prover.
"""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from tests.filters.bdd import Diagrams
from tests.filters.platforms import made_for

from rearguard.filters.judge import judge
from rearguard.filters.lines import AccessList, decide
from rearguard.filters.platforms import PLATFORMS
from rearguard.filters.prove.proof import prove
from rearguard.filters.readings import readings
from rearguard.model.errors import InputError

EDITS = 100  # a platform
PIECES = re.compile(r"REARGUARD\S*|ipv[46]|(?:entry|rule) \d+|\d+|[a-z0-9:]*::[a-f0-9:]*|[A-Za-z][A-Za-z-]*")
QUIET = re.compile(r"\s*($|[!#}]|/\*|from \{|then \{|count |(\d+ )?remark|statistics|.* description )")
WORDS = {
    "permit": "deny", "deny": "permit", "drop": "return", "return": "drop", "DROP": "RETURN", "RETURN": "DROP",
    "accept": "drop", "discard": "accept", "tcp": "udp", "udp": "tcp", "saddr": "daddr", "daddr": "saddr",
    "source-address": "destination-address", "destination-port": "source-port", "dport": "sport", "src": "dst",
    "dst": "src", "dst-port": "src-port", "host": "any", "established": "fragments", "rst": "syn", "RST": "SYN",
    "ack": "fin", "ACK": "FIN", "source": "destination", "destination": "source",
}  # fmt: skip


def edited(chance: random.Random, text: str) -> str:
    """The text with one line gone, two swapped, or one number, address or word changed."""
    lines = text.splitlines()
    live = [at for at, line in enumerate(lines) if not QUIET.match(line)]
    at = chance.choice(live)
    kind = chance.random()
    if kind < 0.15:
        del lines[at]
    elif kind < 0.3 and at + 1 < len(lines):
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    else:
        body = lines[at].split(" comment ")[0].split(" comment=")[0].split(" --comment ")[0]
        spots = [
            match
            for match in PIECES.finditer(body)
            if match[0].isdigit() or match[0] in WORDS or ":" in match[0]
        ]
        if not spots:
            del lines[at]
        else:
            spot = chance.choice(spots)
            lines[at] = lines[at][: spot.start()] + _other(chance, spot[0]) + lines[at][spot.end() :]
    return "\n".join(lines) + "\n"


def _other(chance: random.Random, word: str) -> str:
    if word.isdigit():
        return str(max(0, int(word) + chance.choice((-1, 1))))
    if ":" in word:
        return chance.choice(("198.51.100.0", word.replace("c", "d"), word.replace("a", "b")))
    return WORDS[word]


def places(lists: tuple[AccessList, ...]) -> dict[tuple[object, ...], AccessList]:
    return {(each.attachment, each.family, each.view): each for each in lists}


def said(given: AccessList) -> tuple[object, ...]:
    return (given.default, *((line.matches, line.verdict) for line in given.lines))


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_edit_that_changes_the_meaning_is_caught_and_no_other_is_reported(name: str) -> None:
    compiled = made_for(name)
    platform = PLATFORMS[name]
    chance = random.Random(name)
    diagrams = {family: Diagrams(family) for family in (4, 6)}
    wary = platform.ability.wary
    right = places(readings(platform.read(compiled.written.files), wary))
    meant = {place: diagrams[each.family].drops(each) for place, each in right.items()}
    counts: Counter[str] = Counter()
    for _ in range(EDITS):
        files = dict(compiled.written.files)
        file = chance.choice([each for each in sorted(files) if not each.endswith(".ipset")])
        files[file] = edited(chance, files[file])
        try:
            lists = readings(platform.read(files), wary)
            proof = prove(compiled.filter, lists, wary=wary)
        except InputError as error:
            counts["refused" if error.place.line or "two lists" in error.problem else "refused nowhere"] += 1
            continue
        found = places(lists)
        changed = False
        for place in {*right, *found}:
            here = found.get(place)
            family = place[1]
            assert isinstance(family, int)
            if here is not None and place in right and said(here) == said(right[place]):
                continue
            drops = diagrams[family].bdd.false if here is None else diagrams[family].drops(here)
            changed = changed or drops != meant.get(place, diagrams[family].bdd.false)
        assert proof.holds == (not changed), files[file]
        for witness in proof.witnesses:
            wanted = judge(compiled.filter, witness.packet).verdict
            assert wanted is witness.wanted, witness.text
            assert any(
                decide(each, witness.packet)[0] is not wanted
                for each in found.values()
                if (each.attachment, each.family) == (witness.packet.attachment, witness.packet.family)
            ) or not [each for each in found.values() if each.family == witness.packet.family], witness.text
        counts["changed" if changed else "the same"] += 1
    assert counts["changed"] > EDITS // 5
    assert not counts["refused nowhere"], "a refusal says where"
