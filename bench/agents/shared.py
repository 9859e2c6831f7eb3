"""Shared lessons: what agent A was told is right raises B on related tasks; what that does to others is measured beside it.

Tasks: of which domain is this question (the demo's set, 14 domains, static encoder). B was told four answers of each domain,
A thirty of each of seven. Related: questions of A's domains. The others are the hard case: the same kind of task, in domains of
which A was told nothing. Another kind of task is not touched at all, for lessons are looked up by kind.

Every seed draws domains, lessons and questions anew; the intervals are over seeds. Seeds 1 to 20 chose how much is given back:
the least at which the interval of others does not reach below nothing. `python -m bench.agents.shared` prints losing rules, too.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agents.lesson import CITED, GIVEN_BACK, Lesson, Tally, taught
from bench.agents.figure import Figure
from bench.spread import bootstrapped, mean
from learning.encoders import open_encoder
from learning.outcomes import Outcomes, Prompt

_DATA = Path(__file__).parents[1] / "data"
_SET = "mmlupro_mid9"
_OWN, _TOLD, _DOMAINS, _MOST = 4, 30, 7, 60
_TESTS = 300  # of each sort
_SEEDS = 30
_FIRST = 101  # others than those that chose the setting

Vectors = dict[str, NDArray[np.float32]]
Rule = Callable[[Sequence[Tally], Sequence[Lesson]], str | None]


class Asked(Struct, frozen=True):
    """One seed's questions of one sort: the shares that are right alone and with A's lessons."""

    alone: float
    shared: float


def likest(_tallies: Sequence[Tally], lessons: Sequence[Lesson]) -> str | None:
    """Answer what the three likest lessons of an answer say together, as the house did before: who was told much is heard."""
    return _likest(lessons, CITED)


def one_likest(_tallies: Sequence[Tally], lessons: Sequence[Lesson]) -> str | None:
    """Answer what the likest lesson says."""
    return _likest(lessons, 1)


def middles(given_back: float) -> Rule:
    """Answer by the nearest middle, with a share of what a middle looks too far away given back."""

    def rule(tallies: Sequence[Tally], _lessons: Sequence[Lesson]) -> str | None:
        found = taught(tallies, given_back)
        return found.answer if found else None

    return rule


RULES: dict[str, Rule] = {
    "three likest lessons of an answer (before)": likest,
    "the likest lesson": one_likest,
    **{f"nearest middle, {share:g} given back": middles(share) for share in (0.0, 0.25, 0.5, 0.6, GIVEN_BACK, 0.75, 1.0)},
}
SERVES = f"nearest middle, {GIVEN_BACK:g} given back"
BEFORE = "three likest lessons of an answer (before)"


def asked(seed: int, rule: Rule, vectors: Vectors) -> tuple[Asked, Asked]:
    """Return how B does on related questions and on others, none of which either of the two was shown."""
    rng = random.Random(seed)
    prompts = list(_prompts())
    rng.shuffle(prompts)
    of_a = set(rng.sample(sorted({one.domain for one in prompts}), _DOMAINS))
    own, told, rest = _shown(prompts, of_a)
    sorts = ([one for one in rest if one.domain in of_a], [one for one in rest if one.domain not in of_a])
    related, others = (
        Asked(_right(some[:_TESTS], own, rule, vectors), _right(some[:_TESTS], [*own, *told], rule, vectors)) for some in sorts
    )
    return related, others


def encoded() -> Vectors:
    """Return the vector of every question, of length one."""
    encoder = open_encoder("static", Path())
    found = {one.prompt_id: np.asarray(encoder.encode(one.text), dtype=np.float32) for one in _prompts()}
    return {name: vector / np.linalg.norm(vector) for name, vector in found.items()}


@cache
def _prompts() -> list[Prompt]:
    return list(Outcomes.load(_DATA, _SET).prompts)


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


def _right(questions: Sequence[Prompt], known: Sequence[Prompt], rule: Rule, vectors: Vectors) -> float:
    """Return the share of questions that a rule answers rightly from what is known."""
    by = {domain: [one for one in known if one.domain == domain] for domain in sorted({one.domain for one in known})}
    stacks = {domain: np.stack([vectors[one.prompt_id] for one in some]) for domain, some in by.items()}
    lengths = {domain: float(np.sum(stack.mean(0) ** 2)) for domain, stack in stacks.items()}
    right = 0
    for question in questions:
        lessons: list[Lesson] = []
        tallies: list[Tally] = []
        for domain, stack in stacks.items():
            cosines = stack @ vectors[question.prompt_id]
            near = [
                Lesson(by[domain][at].prompt_id, "key", 0, None, domain, float(cosines[at]))
                for at in np.argsort(-cosines)[:CITED]
            ]
            lessons += near
            tallies.append(Tally(domain, len(stack), float(cosines.mean()), lengths[domain], tuple(near)))
        right += rule(tallies, lessons) == question.domain
    return right / len(questions)


def _likest(lessons: Sequence[Lesson], most: int) -> str | None:
    by: dict[str, list[float]] = {}
    for one in sorted(lessons, key=lambda one: -one.cosine)[:_MOST]:
        if one.cosine > 0:
            by.setdefault(one.correction, []).append(one.cosine)
    return max(sorted(by), key=lambda answer: sum(by[answer][:most])) if by else None


def measured(rule: Rule, seeds: Sequence[int], vectors: Vectors) -> tuple[list[Asked], list[Asked]]:
    """Return related and other questions, seed by seed."""
    found = [asked(seed, rule, vectors) for seed in seeds]
    return [one for one, _ in found], [other for _, other in found]


def measure(seed: int) -> list[Figure]:
    """Return what sharing is worth where the tasks are related, and where they are not."""
    figures = []
    both = measured(RULES[SERVES], range(_FIRST, _FIRST + _SEEDS), encoded())
    for name, some in zip(("related", "same kind, domains A was never told of"), both, strict=True):
        shared = bootstrapped([one.shared for one in some], mean, seed)
        alone = bootstrapped([one.alone for one in some], mean, seed)
        gain = bootstrapped([one.shared - one.alone for one in some], mean, seed)
        data = f"{_SET}, {_SEEDS} draws of {_TESTS}, {name}"
        figures.append(Figure("shared", "right", "share", "higher", shared, data, len(some), "B without A's", alone))
        figures.append(Figure("shared", "more than without, paired", "share", "higher", gain, data, len(some)))
    return figures


def rows(seeds: Sequence[int]) -> list[str]:
    """Return a line of Markdown for each rule: right without and with A's lessons, and the paired gain, related and others."""
    vectors = encoded()
    return [_row(name, measured(rule, seeds, vectors)) for name, rule in RULES.items()]


def _row(name: str, both: tuple[list[Asked], list[Asked]]) -> str:
    cells = [name]
    for some in both:
        gain = bootstrapped([one.shared - one.alone for one in some], mean)
        cells += [f"{mean([one.alone for one in some]):.3f}", f"{mean([one.shared for one in some]):.3f}"]
        cells.append(f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print every rule on the seeds that the setting was chosen on, and on others."""
    for seeds in (range(1, 21), range(_FIRST, _FIRST + _SEEDS)):
        print(f"seeds {seeds[0]} to {seeds[-1]}", *rows(seeds), sep="\n")


if __name__ == "__main__":
    main()
