"""Extractive question answering: which sentence of some passages answers a question, and how sure that is. Pure.

A sentence is scored by a logistic regression over how much of the question it covers, with its heading and title, and how near
its vector is; `bench.knowledge.fit` fitted that on half the questions of `bench/data/knowledge`. Whether the best sentence is an
answer at all says `agents/answering_sure.py`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from math import exp, log

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agents.document.chunk import sentences
from agents.port import Passage

Encode = Callable[[str], NDArray[np.float32]]

_WORD = re.compile(r"[A-Za-z]+-\d+|\d+(?:[.,:]\d+)*|\w+")
_SAYS_LITTLE = (
    "a about above after again all am an and any are as at be because been before being below between both but by can could "
    "did do does doing down during each few for from further had has have having he her here hers him his how i if in into "
    "is it its just me more most my no nor not now of off on once only or other our out over own same shall she should so "
    "some such than that the their them then there these they this those through to too under until up us very was we were "
    "what when where which while who whom whose why will with would you your may must might many much one get gets tell "
    "mean means"
)
_STOP = frozenset(_SAYS_LITTLE.split())
_ENDINGS = ("ations", "ation", "ings", "ing", "edly", "ed", "ies", "es", "s", "ly", "e")
_NUMERAL = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|ninety|hundred|"
    r"thousand|million|half|third|quarter|once|twice|first|second|fourth|daily|weekly)\b",
    re.IGNORECASE,
)
_WANTS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|often|fast|high|old|far|big|large|heavy|warm)\b|\b(?:cost|rate|port|voltage|percent)\b", re.I
)
_WANTS_TIME = re.compile(r"\bwhen\b|\bwhat time\b|\bwhich day\b|\bby when\b|\bfrom which\b", re.I)
_WANTS_NAME = re.compile(r"\bwho(?:m|se)?\b|\bwhere\b|\bwhich (?:company|website|system|application|form|room)\b", re.I)
_TIME = re.compile(
    r"\d|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
    r"|day|week|month|year|hour|minute|morning|noon|evening|night|spring|summer|autumn|winter|before|after|until)s?\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[a-z0-9,;:] )[A-Z][a-z]+|\d")


class Features(Struct, frozen=True):
    """What is known of a sentence as an answer; each in [0, 1] but `near`, a cosine."""

    own: float  # of the question's words, weighted by rarity: how much the sentence has
    around: float  # the same with the sentences beside it, its heading and title
    near: float  # how alike the question and the sentence are
    near_there: float  # the same, where the sentence is read with its heading and title
    soft: float  # like `around`, where each word counts by how near the nearest word there is
    worst: float  # how near the nearest word there is to the word of the question that has the least
    rarest: float  # whether the rarest words of the question are there, around
    codes: float  # codes, numbers and names of the question that are there, around
    kind: float  # whether it holds what the question asks for: a number, a time, a name
    first: float  # how far up its passage is


class Eyes(Struct, frozen=True):
    """What texts and single words are compared by: an encoder of sentences, and one of words."""

    text: Encode
    word: Encode


class Candidate(Struct, frozen=True):
    """A sentence of a passage, from `start` to `end` in its text, its features, and how it is ranked among all, in (0, 1)."""

    passage: Passage
    start: int
    end: int
    features: Features
    chance: float

    @property
    def text(self) -> str:
        """Return the sentence."""
        return self.passage.text[self.start : self.end]


class Weights(Struct, frozen=True):
    """Coefficients of the features, in their order, and the intercept."""

    of: tuple[float, ...]
    bias: float

    def chance(self, features: Features) -> float:
        """Return the chance of a candidate."""
        values = (getattr(features, name) for name in Features.__struct_fields__)
        total = self.bias + sum(weight * value for weight, value in zip(self.of, values, strict=True))
        return 1.0 / (1.0 + exp(-total))


FITTED = Weights((0.991, -0.145, 3.975, 5.985, 0.488, 1.343, -0.29, 2.304, 1.185, 1.102), -8.838)


@lru_cache(50_000)
def stem(word: str) -> str:
    """Return a word without its ending: enough to take `screws` for `screw`, and `mounted` for `mounting`."""
    low = word.lower()
    for ending in _ENDINGS:
        if low.endswith(ending) and len(low) - len(ending) >= 3:
            return low[: -len(ending)]
    return low


def terms(text: str) -> list[str]:
    """Return the words of a text that say something, without endings."""
    return [stem(word) for word in _WORD.findall(text) if word.lower() not in _STOP]


def candidates(question: str, passages: Sequence[Passage], eyes: Eyes, weights: Weights | None = None) -> list[Candidate]:
    """Return the sentences of passages as answers to a question, best first; equal ones in the order of their passages."""
    asked = list(dict.fromkeys(terms(question)))
    if not asked or not passages:
        return []
    reader = _Reader(question, _rarity(asked, [f"{one.title} {one.text}" for one in passages]), eyes)
    found = [
        Candidate(passage, start, end, features, (weights or FITTED).chance(features))
        for rank, passage in enumerate(passages)
        for start, end, features in reader.read(passage, 1.0 / (1.0 + rank))
    ]
    return sorted(_distinct(found), key=lambda one: -one.chance)


class _Reader:
    """Reads passages with one question in mind."""

    def __init__(self, question: str, rarity: dict[str, float], eyes: Eyes) -> None:
        self._question, self._rarity, self._eyes = question, rarity, eyes
        self._vector = eyes.text(question)
        self._words: dict[str, NDArray[np.float32]] = {}
        self._asked = self._matrix(_plain_words(question))
        self._weights = np.array([rarity.get(stem(word), 0.0) for word in _plain_words(question)])

    def read(self, passage: Passage, first: float) -> Iterator[tuple[int, int, Features]]:
        """Yield the sentences of a passage with their features."""
        text = passage.text
        spans = [span for span in sentences(text) if _says(text[span[0] : span[1]])]
        about = about_of(passage)
        own, head, whole = [set(terms(text[start:end])) for start, end in spans], set(terms(about)), set(terms(text))
        for place, (start, end) in enumerate(spans):
            near = spans[max(0, place - 1) : place + 2]
            beside = set().union(*own[max(0, place - 1) : place + 2], head)
            soft = self._softly(f"{about} {text[near[0][0] : near[-1][1]]}")
            sentence = text[start:end]
            yield (
                start,
                end,
                Features(
                    own=_covered(self._rarity, own[place]),
                    around=_covered(self._rarity, beside),
                    near=float(self._vector @ self._eyes.text(sentence)),
                    near_there=float(self._vector @ self._eyes.text(f"{about}: {sentence}")),
                    soft=soft[0],
                    worst=soft[1],
                    rarest=_rarest(self._rarity, beside),
                    codes=_codes(self._question, beside | whole | head),
                    kind=_kind(self._question, sentence),
                    first=first,
                ),
            )

    def _softly(self, text: str) -> tuple[float, float]:
        """Return how near each word of the question has one in a text: in the weighted mean, and at worst."""
        best = (self._asked @ self._matrix(_plain_words(text) or [text]).T).max(axis=1)
        return float(best @ self._weights / self._weights.sum()), float(best.min())

    def _matrix(self, words: Sequence[str]) -> NDArray[np.float32]:
        for word in words:
            if word not in self._words:
                self._words[word] = self._eyes.word(word)
        return np.stack([self._words[word] for word in words])


def _rarity(asked: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """Return how much each word of the question says: the fewer passages have it, the more."""
    sets = [set(terms(text)) for text in texts]
    counts = {term: sum(term in words for words in sets) for term in asked}
    return {term: log(1.0 + (len(sets) + 1.0) / (count + 0.5)) for term, count in counts.items()}


def _plain_words(text: str) -> list[str]:
    """Return the words of a text that say something, each once, as they are written."""
    return list(dict.fromkeys(word.lower() for word in _WORD.findall(text) if word.lower() not in _STOP))


def _says(sentence: str) -> bool:
    """Say whether a sentence may answer something: a heading, a fence and a question do not, least of all the one asked."""
    return not sentence.startswith(("#", "```", "|--")) and not sentence.rstrip("\"'”’)*_` ").endswith("?")


def about_of(passage: Passage) -> str:
    """Return what a passage is about, as words: its title and the headings in it."""
    return ". ".join(
        _clean(head) for head in [passage.title, *(line for line in passage.text.split("\n") if line.startswith("#"))]
    )


def before(one: Candidate) -> str:
    """Return the sentence that stands before one, be it a question; empty: none does."""
    text = one.passage.text
    earlier = [(start, end) for start, end in sentences(text) if end <= one.start]
    return text[slice(*earlier[-1])] if earlier else ""


def _clean(head: str) -> str:
    """Return a heading, or a name of a file, as words."""
    return re.sub(r"^#+ *|\.\w{2,4}$", "", head).replace("-", " ").replace("_", " ")


def _covered(rarity: dict[str, float], words: set[str]) -> float:
    """Return the share of the question's words, weighted by rarity, that are there."""
    return sum(weight for term, weight in rarity.items() if term in words) / sum(rarity.values())


def _rarest(rarity: dict[str, float], words: set[str]) -> float:
    """Return the share of the question's two rarest words that are there."""
    rare = sorted(rarity, key=lambda term: (-rarity[term], term))[:2]
    return sum(term in words for term in rare) / len(rare)


def _codes(question: str, words: set[str]) -> float:
    """Return the share of the question's codes, numbers and names (but its first word) that are there; 1 if it has none."""
    named = [word for word in _WORD.findall(question)[1:] if any(map(str.isdigit, word)) or word[:1].isupper()]
    codes = [stem(word) for word in named if word.lower() not in _STOP]
    return sum(code in words for code in codes) / len(codes) if codes else 1.0


def _kind(question: str, text: str) -> float:
    """Return whether a sentence holds what the question asks for; a half where that cannot be told."""
    if _WANTS_NUMBER.search(question):
        return float(bool(_NUMERAL.search(text)))
    if _WANTS_TIME.search(question):
        return float(bool(_TIME.search(text)))
    if _WANTS_NAME.search(question):
        return float(bool(_NAME.search(text)))
    return 0.5


def _distinct(found: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates without those that say again what a better one says: neighbouring pieces overlap."""
    best: dict[str, Candidate] = {}
    for one in found:
        known = best.get(one.text)
        if known is None or one.chance > known.chance:
            best[one.text] = one
    return list(best.values())
