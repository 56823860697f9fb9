"""Attacks on management interfaces as data: what the requests that carry them look like (rule B8).

An attack is *certain* when it is a known one (a CVE, a worm), and a *mechanism pattern* when it describes how
attacks work that nobody has named yet. Each has *signs*; a request that shows all tests of one sign is a hit.
A test looks at one part of a request (:data:`PARTS`) and holds when some value of that part passes all its
conditions. Conditions are literal comparisons, a pattern of bounded cost (:mod:`rearguard.catalogue.pattern`)
and two shapes that are code, because data cannot say them: ``shell`` (a command injected into a value) and
``command`` (a value that is a command).

What is hostile is judged here; who was allowed to send it, and from where, is judged by the detectors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from re import Pattern

from rearguard.catalogue.model import Source
from rearguard.model.errors import InputError, Place
from rearguard.model.finding import Severity

__all__ = ["PARTS", "Attack", "Attacks", "Group", "Sign", "Test"]

PARTS = {
    "http": {
        "method": "GET, POST ...",
        "path": "of the request target, percent-decoded",
        "query": "all behind the question mark, decoded",
        "header": "the value of the header NAME",
        "field": "the value of the query or form field NAME, decoded",
        "service": "the SOAP service type or namespace of the action",
        "action": "the name of the SOAP action",
        "soapaction": "the whole SOAPAction header without its quotes",
        "parameter": "the value of the SOAP parameter NAME, entities decoded",
        "login": "USER:PASSWORD of Basic authorisation",
    },
    "telnet": {
        "login": "USER:PASSWORD as typed at the prompts",
        "command": "a line typed at a shell",
    },
    "adb": {"service": "what the client asks to open, such as shell:COMMAND"},
    "snmp": {"community": "of versions 1 and 2c"},
    "raw": {"payload": "the first bytes of the client"},
}
"""What a test may look at, by protocol."""


@dataclass(frozen=True, slots=True)
class Test:
    """One condition on one part of a request; what is empty or false asks for nothing.

    All literals are bytes in lower case and are compared without regard to case, except those of ``login``.
    """

    __test__ = False  # no test case, whatever pytest thinks of the name

    part: str
    name: bytes
    """Of headers, parameters and fields: which one; a ``*`` at one end stands for any rest."""
    equals: frozenset[bytes]
    has: tuple[bytes, ...]
    begins: tuple[bytes, ...]
    like: Pattern[bytes] | None
    longer: int
    """The value has more bytes than this."""
    shell: bool
    command: bool


@dataclass(frozen=True, slots=True)
class Sign:
    """Tests that one request passes together."""

    tests: tuple[Test, ...]
    needs: frozenset[str] = field(init=False, compare=False)
    """The parts without which it need not be tried: ``path``, ``header cookie`` ..."""

    def __post_init__(self) -> None:
        needs = frozenset(
            f"header {test.name.decode()}" if test.part == "header" else test.part for test in self.tests
        )
        object.__setattr__(self, "needs", needs)


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack, or one way of attacking."""

    id: str
    title: str
    protocol: str
    """What has to be spoken: http, telnet, adb, snmp or raw."""
    severity: Severity
    certain: bool
    """A known attack; False: a mechanism pattern."""
    outside: bool
    """An attack only when it comes from outside our networks; the detector knows."""
    interfaces: tuple[str, ...]
    """Ids of the interfaces that it is made for."""
    bound: bool
    """It counts only on ports where one of these interfaces may listen."""
    cves: tuple[str, ...]
    incidents: tuple[str, ...]
    mechanisms: tuple[str, ...]
    signs: tuple[Sign, ...]
    sources: tuple[Source, ...]


Group = tuple[frozenset[str], tuple[tuple[Attack, Sign], ...]]
"""Signs, each with its attack, that need the same parts."""


@dataclass(frozen=True, slots=True)
class Attacks:
    """All of them, by file and then as their file has them.

    Raises :class:`InputError` when two share an id.
    """

    attacks: tuple[Attack, ...]
    _by_id: dict[str, Attack] = field(init=False, repr=False, compare=False)
    _by_protocol: dict[str, tuple[Group, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id: dict[str, Attack] = {}
        for attack in self.attacks:
            if attack.id in by_id:
                raise InputError(
                    f"the id {attack.id} is used twice", place=Place(key=attack.id), remedy="rename one"
                )
            by_id[attack.id] = attack
        grouped: dict[str, dict[frozenset[str], list[tuple[Attack, Sign]]]] = {}
        for attack in self.attacks:
            for sign in attack.signs:
                grouped.setdefault(attack.protocol, {}).setdefault(sign.needs, []).append((attack, sign))
        by_protocol = {
            protocol: tuple((needs, tuple(signs)) for needs, signs in groups.items())
            for protocol, groups in grouped.items()
        }
        object.__setattr__(self, "_by_id", by_id)
        object.__setattr__(self, "_by_protocol", by_protocol)

    def get(self, name: str) -> Attack:
        """The attack with this id; raises :class:`InputError` when there is none."""
        try:
            return self._by_id[name]
        except KeyError:
            raise InputError(f"the catalogue has no attack {name}", remedy="see docs/dialogues.md") from None

    def of(self, protocol: str) -> tuple[Group, ...]:
        """The signs of those that speak this protocol, grouped by what they need."""
        return self._by_protocol.get(protocol, ())
