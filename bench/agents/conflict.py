"""Contradicting answers: how many are found, and whether the settled answer is right more often than others.

Found: pairs written by hand (bench/data/conflict_pairs.jsonl). Settled: questions of the demo's set, asked of three of its nine
recorded models; who is right is recorded, and which wrong option a wrong one names is drawn, for that was not recorded.
Confidence is a model's mean score on the first half of the questions; the second half is asked.
"""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from agents.team.claim import contradictions
from agents.team.conflict import answer_of, settle
from bench.agents.figure import Figure
from bench.spread import bootstrapped, mean
from learning.outcomes import Outcomes

PAIRS = Path(__file__).parents[1] / "data" / "conflict_pairs.jsonl"
_SET = "mmlupro_mid9"
_OPTIONS = 10
_ASKED = 3


class Pair(Struct, frozen=True):
    """Two answers to one question, and whether they contradict each other; `held_out`: written after the rules were."""

    kind: str
    question: str
    a: Any
    b: Any
    conflict: bool
    held_out: bool = False


class Settled(Struct, frozen=True):
    """One question: whether the first, a random, the majority's and the settled answer were right, and whether they differed.

    Where no two say the same, the majority's is the first.
    """

    first: float
    drawn: float
    majority: float
    settled: float
    conflict: bool
    open: bool


def pairs(held_out: bool) -> list[Pair]:
    """Return the planted pairs: those that the rules were made with, or those that they were not."""
    lines = PAIRS.read_bytes().splitlines()
    return [one for one in (msgspec.json.decode(line, type=Pair) for line in lines) if one.held_out == held_out]


def precision(found: Sequence[Pair]) -> float:
    """Return the share of pairs said to contradict that do."""
    said = [one.conflict for one in found if contradictions(one.a, one.b)]
    return sum(said) / len(said) if said else 0.0


def recall(found: Sequence[Pair]) -> float:
    """Return the share of contradicting pairs that are found."""
    real = [bool(contradictions(one.a, one.b)) for one in found if one.conflict]
    return sum(real) / len(real) if real else 0.0


def settlements(seed: int, questions: int = 1000) -> list[Settled]:
    """Ask three models, drawn for each question, and settle."""
    outcomes = Outcomes.load(PAIRS.parent, _SET)
    half = len(outcomes.prompts) // 2
    before, after = outcomes.prompts[:half], outcomes.prompts[half : half + questions]
    means = {
        model: sum(outcomes.outcome(one.prompt_id, model).score for one in before) / len(before) for model in outcomes.models
    }
    rng = random.Random(seed)
    return [_one(outcomes, prompt.prompt_id, means, rng) for prompt in after]


def _one(outcomes: Outcomes, prompt: str, means: dict[str, float], rng: random.Random) -> Settled:
    """Settle one question; of one that stays open the first answer is worked with."""
    models = rng.sample(outcomes.models, _ASKED)
    right = [outcomes.outcome(prompt, model).score for model in models]
    said = ["A" if good else chr(ord("A") + rng.randrange(1, _OPTIONS)) for good in right]  # A is right, wherever it stood
    told = settle([answer_of("", model, {"option": one}, means[model]) for model, one in zip(models, said, strict=True)])
    chosen = right[0] if told.chosen is None else right[told.chosen]
    most = right[said.index(Counter(said).most_common(1)[0][0])]
    return Settled(right[0], sum(right) / _ASKED, most, chosen, bool(told.conflicts), told.chosen is None)


def measure(seed: int) -> list[Figure]:
    """Return what was found, and what settling is worth where there was something to settle."""
    asked = settlements(seed)
    some = [one for one in asked if one.conflict]
    figures = [
        Figure("conflict", name, "share", "higher", bootstrapped(found, figure, seed), f"planted pairs, {which}", len(found))
        for which, found in (("rules made with them", pairs(False)), ("held out", pairs(True)))
        for name, figure in (("precision", precision), ("recall", recall))
    ]
    settled = bootstrapped([one.settled for one in some], mean, seed)
    beside_it = {
        "random pick": [one.drawn for one in some],
        "first answer": [one.first for one in some],
        "majority": [one.majority for one in some],
    }
    for baseline, others in beside_it.items():
        gains = [one.settled - other for one, other in zip(some, others, strict=True)]
        beside, gain = bootstrapped(others, mean, seed), bootstrapped(gains, mean, seed)
        figures.append(
            Figure("conflict", "right where they contradict", "share", "higher", settled, _SET, len(some), baseline, beside)
        )
        figures.append(Figure("conflict", f"more than {baseline}, paired", "share", "higher", gain, _SET, len(some)))
    return figures


def main() -> None:
    """Print the figures."""
    for one in measure(1):
        beside = f"; {one.baseline}: {one.baseline_value.told}" if one.baseline_value else ""
        print(f"{one.metric} ({one.data}, n = {one.n}): {one.value.told}{beside}")


if __name__ == "__main__":
    main()
