"""Specialised models: does the one that is best in a domain beat the one that is best of all, on questions that chose neither?

Real outcomes of nine models on 2,000 exam questions (bench/data). One half chooses, the other judges. Mathstral is the one whose
card names a domain (mathematics and science); it is also held against the general models of its own size.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.agents.figure import Figure
from bench.spread import Range, bootstrapped, mean
from learning.outcomes import Outcomes

WORKER = "specialised"
SPECIALIST = "mathstral-7B"
SAME_SIZE = "Meta-Llama-3_1-8B-Instruct"
NAMED = frozenset({"math", "physics", "chemistry", "engineering", "computer science", "biology"})
LEAST = 30  # questions of a domain in the half that chooses
_DATA = Path(__file__).resolve().parents[1] / "data"
Scores = Sequence[Mapping[str, float]]


def halves(seed: int) -> tuple[dict[str, Scores], dict[str, Scores]]:
    """Return the scores of each model by domain, of the half that chooses and of the half that judges."""
    outcomes = Outcomes.load(_DATA, "mmlupro_mid9")
    prompts = list(outcomes.prompts)
    random.Random(seed).shuffle(prompts)
    parts: list[dict[str, list[Mapping[str, float]]]] = [defaultdict(list), defaultdict(list)]
    for place, prompt in enumerate(prompts):
        scores = {model: outcomes.outcome(prompt.prompt_id, model).score for model in outcomes.models}
        parts[place % 2][prompt.domain].append(scores)
    return dict(parts[0]), dict(parts[1])


def best(scores: Scores) -> str:
    """Return the model with the highest mean; of those that tie, the first by name."""
    return min(scores[0], key=lambda model: (-sum(one[model] for one in scores), model))


def chosen(setup: Mapping[str, Scores]) -> tuple[str, dict[str, str]]:
    """Return the best model of all, and the best of each domain that has enough questions (else the best of all)."""
    general = best([one for scores in setup.values() for one in scores])
    return general, {domain: best(scores) if len(scores) >= LEAST else general for domain, scores in setup.items()}


def gain(pairs: Sequence[tuple[float, float]], seed: int) -> Range:
    """Return how much more the first of each pair scores."""
    return bootstrapped([one - other for one, other in pairs], mean, seed)


def measure(seed: int) -> list[Figure]:
    """Return the figures; each half chooses once and judges once, so every question is judged once."""
    one, other = halves(seed)
    routed: list[tuple[float, float]] = []
    inside: list[tuple[float, float, float]] = []
    outside: list[tuple[float, float]] = []
    for setup, judged in ((one, other), (other, one)):
        general, by_domain = chosen(setup)
        for domain, scores in judged.items():
            routed += [(found[by_domain.get(domain, general)], found[general]) for found in scores]
            if domain in NAMED:
                inside += [(found[SPECIALIST], found[SAME_SIZE], found[general]) for found in scores]
            else:
                outside += [(found[SPECIALIST], found[SAME_SIZE]) for found in scores]
    said = "held-out MMLU-Pro questions, recorded outcomes of nine models"

    def told(metric: str, pairs: Sequence[tuple[float, float]], against: str) -> Figure:
        own, base = bootstrapped([one for one, _ in pairs], mean, seed), bootstrapped([least for _, least in pairs], mean, seed)
        return Figure(WORKER, metric, "score", "higher", own, said, len(pairs), against, base, "more", gain(pairs, seed))

    return [
        told("best_of_domain", routed, "best of all"),
        told("specialist_inside", [(ours, same) for ours, same, _ in inside], SAME_SIZE),
        told("specialist_outside", outside, SAME_SIZE),
        told("specialist_against_best", [(ours, general) for ours, _, general in inside], "best of all"),
    ]
