"""Shared lessons: what agent A was told is right raises B on related tasks; what that does to others is measured beside it.

Tasks: of which domain is this question (the demo's set, 14 domains, static encoder). B was told four answers of each domain,
A thirty of each of seven. Related: questions of A's domains. The others are the hard case: the same kind of task, in domains of
which A was told nothing. Another kind of task is not touched at all, for lessons are looked up by kind.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from agents.lesson import Lesson, taught
from bench.agents.figure import Figure
from bench.spread import bootstrapped, mean
from learning.encoders import open_encoder
from learning.outcomes import Outcomes, Prompt

_DATA = Path(__file__).parents[1] / "data"
_SET = "mmlupro_mid9"
_OWN, _TOLD, _DOMAINS, _MOST = 4, 30, 7, 60
_TESTS = 300  # of each sort


class Asked(Struct, frozen=True):
    """One question: whether it is of a domain that A knows, and whether B was right without and with A's lessons."""

    related: bool
    alone: float
    shared: float


def asked(seed: int) -> list[Asked]:
    """Return how B does on questions that neither of the two was shown."""
    rng = random.Random(seed)
    prompts = list(Outcomes.load(_DATA, _SET).prompts)
    rng.shuffle(prompts)
    taught_to_a = set(rng.sample(sorted({one.domain for one in prompts}), _DOMAINS))
    own, told, rest = _shown(prompts, taught_to_a)
    related = [one for one in rest if one.domain in taught_to_a][:_TESTS]
    others = [one for one in rest if one.domain not in taught_to_a][:_TESTS]
    look = _looker([*own, *told, *related, *others])
    return [
        Asked(one.domain in taught_to_a, _right(one, look(one, own)), _right(one, look(one, [*own, *told])))
        for one in (*related, *others)
    ]


def _shown(prompts: Sequence[Prompt], domains: set[str]) -> tuple[list[Prompt], list[Prompt], list[Prompt]]:
    """Return what B was told, what A was told, and the rest."""
    own: list[Prompt] = []
    told: list[Prompt] = []
    rest: list[Prompt] = []
    counts: Counter[str] = Counter()
    for one in prompts:
        counts[one.domain] += 1
        most = _OWN + (_TOLD if one.domain in domains else 0)
        (own if counts[one.domain] <= _OWN else told if counts[one.domain] <= most else rest).append(one)
    return own, told, rest


def _looker(prompts: Sequence[Prompt]) -> Callable[[Prompt, Sequence[Prompt]], list[Lesson]]:
    """Return what finds the lessons of the likest questions, as the read model does."""
    encoder = open_encoder("static", Path())
    vectors = {one.prompt_id: np.asarray(encoder.encode(one.text), dtype=np.float32) for one in prompts}
    vectors = {name: vector / np.linalg.norm(vector) for name, vector in vectors.items()}

    def look(one: Prompt, known: Sequence[Prompt]) -> list[Lesson]:
        near = sorted(((float(vectors[one.prompt_id] @ vectors[other.prompt_id]), other) for other in known), reverse=True)
        return [Lesson(other.prompt_id, "key", 0, None, other.domain, cosine) for cosine, other in near[:_MOST]]

    return look


def _right(one: Prompt, lessons: Sequence[Lesson]) -> float:
    told = taught(lessons)
    return float(told is not None and told.answer == one.domain)


def measure(seed: int) -> list[Figure]:
    """Return what sharing is worth where the tasks are related, and where they are not."""
    found = asked(seed)
    figures = []
    for name, related in (("related", True), ("same kind, domains A was never told of", False)):
        some = [one for one in found if one.related == related]
        shared = bootstrapped([one.shared for one in some], mean, seed)
        alone = bootstrapped([one.alone for one in some], mean, seed)
        gain = bootstrapped([one.shared - one.alone for one in some], mean, seed)
        data = f"{_SET}, {name}"
        figures.append(Figure("shared", "right", "share", "higher", shared, data, len(some), "B without A's", alone))
        figures.append(Figure("shared", "more than without, paired", "share", "higher", gain, data, len(some)))
    return figures


def main() -> None:
    """Print the figures."""
    for one in measure(1):
        beside = f"; {one.baseline}: {one.baseline_value.told}" if one.baseline_value else ""
        print(f"{one.metric} ({one.data}, n = {one.n}): {one.value.told}{beside}")


if __name__ == "__main__":
    main()
