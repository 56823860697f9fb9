"""Find entries by words: a small inverted index, ranked by BM25.

Theory. Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), section 3.1:
a term weighs more the rarer it is, less with each further occurrence in an entry (``k1``), and less in a long
entry (``b``). Fields weigh by repetition: a word of the title counts as often as the title's weight says
(section 3.5, BM25F in its simplest form). Words are cut to a stem by three suffix rules; a word that no entry
has is replaced by the nearest ones that exist, at a lower weight, so that a slip of the keyboard does not
give an empty answer.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rearguard.lessons.knowledge import Knowledge
    from rearguard.lessons.standards import Evidence

__all__ = ["Hit", "Index", "index", "stems"]

K1 = 1.2
B = 0.75
"""The usual values of the BM25 literature; the base is too small to fit its own."""

OWN_NAME, TITLE, NAMES, BODY = 12, 6, 4, 1
"""How often a word of the entry's own id, of its title, of other ids and numbers, and of its text counts."""

NEAR = 0.4
"""Weight of a word that is only similar to the one that was asked for."""

SIMILAR = 0.75
"""From which ratio of difflib on (twice what both share, by the sum of their lengths) two words are similar."""

LONGEST_QUERY = 400
"""Characters of a query that are looked at."""

MOST_SLIPS = 4
"""Words of a query for which similar ones are looked up: that is the slow part."""

_TOKEN = re.compile(r"[a-z0-9]+(?:[./-][a-z0-9]+)*", re.IGNORECASE)
_STOP = frozenset(
    {
        "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "in", "is", "it", "its", "no", "not",
        "of", "on", "or", "that", "the", "to", "was", "with",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that was found: its kind (``incident`` ...), id, title, score, and the words that matched."""

    kind: str
    id: str
    title: str
    score: float
    matched: tuple[str, ...]
    evidence: Evidence | None = None
    """Of a clause: how far it was checked."""


@dataclass(frozen=True, slots=True)
class _Document:
    kind: str
    id: str
    title: str
    terms: Counter[str]
    evidence: Evidence | None = None


class Index:
    """An index over documents; it is built once and asked many times."""

    def __init__(self, documents: Iterable[_Document]) -> None:
        self._documents = tuple(documents)
        self._lengths = [sum(each.terms.values()) for each in self._documents]
        self._mean = sum(self._lengths) / len(self._lengths) if self._lengths else 1.0
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, each in enumerate(self._documents):
            for term, count in each.terms.items():
                self._postings[term].append((number, count))
        self._letters = [(term, len(term), _letters(term)) for term in self._postings]

    def search(self, query: str, limit: int = 10) -> list[Hit]:
        """The best entries, best first; ties by kind and id, so that the answer is always the same."""
        scores: dict[int, float] = defaultdict(float)
        matched: dict[int, list[str]] = defaultdict(list)
        for term, weight in self._terms(query[:LONGEST_QUERY]):
            postings = self._postings[term]
            rarity = math.log(1 + (len(self._documents) - len(postings) + 0.5) / (len(postings) + 0.5))
            for number, count in postings:
                longer = 1 - B + B * self._lengths[number] / self._mean
                scores[number] += weight * rarity * count * (K1 + 1) / (count + K1 * longer)
                matched[number].append(term)
        hits = [
            Hit(one.kind, one.id, one.title, round(score, 3), tuple(matched[number]), one.evidence)
            for number, score in scores.items()
            for one in (self._documents[number],)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.kind, hit.id))[: max(limit, 0)]

    def _terms(self, query: str) -> Iterator[tuple[str, float]]:
        terms = dict.fromkeys(stems(query))
        yield from ((term, 1.0) for term in terms if term in self._postings)
        slips = (term for term in terms if term not in self._postings and term.isalpha())
        for term in islice(slips, MOST_SLIPS):
            for near in get_close_matches(term, self._alike(term), n=3, cutoff=SIMILAR):
                yield near, NEAR

    def _alike(self, word: str) -> list[str]:
        """The words that can be similar: the others miss so many of its letters, or it of theirs, that they share
        too little in any order. One subtraction of sets each, where difflib compares letter by letter.
        """
        mine, length = _letters(word), len(word)
        return [
            term
            for term, long, letters in self._letters
            if 2 * min(length - (mine & ~letters).bit_count(), long - (letters & ~mine).bit_count())
            >= SIMILAR * (length + long)
        ]


def _letters(word: str) -> int:
    """The set of a word's letters, a bit each. Letters that share a bit only make words look more alike."""
    made = 0
    for char in word:
        made |= 1 << (ord(char) & 63)
    return made


def stems(text: str) -> Iterator[str]:
    """The searchable words of a text: numbers such as CVE-2016-10372 and tcp/7547 whole and in their parts."""
    for token in _TOKEN.findall(text.casefold()):
        parts = re.split(r"[./-]", token)
        if len(parts) > 1:
            yield token
        yield from (_stem(part) for part in parts if part not in _STOP)


@lru_cache(maxsize=16384)
def _stem(word: str) -> str:
    """``updates``, ``updated`` and ``updating`` meet in ``updat``; short words and numbers stay."""
    if len(word) < 5 or any(char.isdigit() for char in word):
        return word
    for suffix, least in (("ies", 2), ("ing", 4), ("ed", 4), ("es", 4), ("s", 4), ("e", 4)):
        if word.endswith(suffix) and len(word) - len(suffix) >= least and not word.endswith("ss"):
            return word[: -len(suffix)] + ("y" if suffix == "ies" else "")
    return word[:-1] + "y" if word.endswith("i") else word


def index(knowledge: Knowledge) -> Index:
    """An index over mechanisms, recommendations, clauses, device checks and incidents."""
    return Index(_documents(knowledge))


def _documents(knowledge: Knowledge) -> Iterator[_Document]:
    for mechanism in knowledge.mechanisms:
        names = [*(each.id for each in (*mechanism.cwe, *mechanism.attack))]
        body = [
            mechanism.definition,
            *mechanism.recognise_in_traffic,
            *mechanism.check_device_non_destructively,
            *(each.name for each in (*mechanism.cwe, *mechanism.attack)),
            mechanism.note or "",
        ]
        yield _document("mechanism", mechanism.id, mechanism.title, names, body)
    for advice in knowledge.recommendations:
        names = [advice.audience, *advice.mechanisms]
        body = [advice.rationale, *(each.check for each in advice.how_checked)]
        body += [f"{each.document} {each.clause} {each.note or ''}" for each in advice.standards]
        yield _document("recommendation", advice.id, advice.recommendation, names, body)
    for name, (document, clause) in knowledge.clauses.items():
        names = [document.id, clause.number]
        body = [document.title, clause.note or ""]
        yield _document("clause", name, clause.statement, names, body, clause.evidence)
    for check in knowledge.checks:
        names = [*check.mechanisms, *check.clauses]
        yield _document("check", check.id, check.title, names, [check.how, check.expected])
    for incident in knowledge.incidents:
        names = [
            *(each.id for each in incident.cve), *(each.id for each in incident.cwe),
            incident.interface.name, *incident.interface.ports, *incident.mechanisms,
        ]  # fmt: skip
        body = [
            incident.what_happened, incident.managed_by, incident.border_filter.why, incident.date,
            *incident.devices, *incident.what_stopped_it, *incident.conflicts_or_limits,
            *(each.figure for each in incident.scale),
            *(f"{each.title} {each.publisher}" for each in incident.sources),
        ]  # fmt: skip
        yield _document("incident", incident.id, incident.title, names, body)


def _document(
    kind: str,
    name: str,
    title: str,
    names: Iterable[str],
    body: Iterable[str],
    evidence: Evidence | None = None,
) -> _Document:
    terms: Counter[str] = Counter()
    for weight, text in ((OWN_NAME, name), (TITLE, title), (NAMES, " ".join(names)), (BODY, " ".join(body))):
        for term in stems(text):
            terms[term] += weight
    return _Document(kind, name, title, terms, evidence)
