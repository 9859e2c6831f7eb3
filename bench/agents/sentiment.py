"""Sentiment: the trained head against VADER's lexicon and the largest class, on feedback about things it was not trained on."""

from collections import Counter
from collections.abc import Sequence

from bench.agents.compared import Metric, compared
from bench.agents.figure import Figure
from bench.agents.heads import encoder, feedback
from bench.agents.judged import Judged, accuracy, calibration_error, macro_f1
from bench.agents.training import Example
from bench.spread import bootstrapped
from learning.polarity import Polarity, lexicon
from learning.sentiment import NEUTRAL

WORKER = "polarity"


def measure(seed: int) -> list[Figure]:
    """Return the figures."""
    examples = feedback("sentiment_test")
    model = Polarity.open(encoder())
    ours = [_judged(model, one) for one in examples]
    rivals = {"VADER": [Judged(one.label, by_lexicon(one.text)) for one in examples], "largest class": largest(examples)}
    data = f"{len(examples)} held-out comments, three labels"
    made = [
        compared(Metric(WORKER, name, data, rival), ours, theirs, of, seed)
        for rival, theirs in rivals.items()
        for name, of in (("accuracy", accuracy), ("macro-F1", macro_f1))
    ]
    return [*made, *_certainty(model, ours, data, seed)]


def by_lexicon(text: str) -> str:
    """Return VADER's label, by its authors' thresholds."""
    compound = lexicon().scores(text)[0]
    return "positive" if compound >= NEUTRAL else "negative" if compound <= -NEUTRAL else "neutral"


def largest(examples: Sequence[Example]) -> list[Judged]:
    """Return the largest class for each text, which is the first of equals."""
    (label, _), *_ = Counter(one.label for one in examples).most_common(1)
    return [Judged(one.label, label) for one in examples]


def _judged(model: Polarity, example: Example) -> Judged:
    """Return the likeliest label, also where the worker would say that it is unsure."""
    chances = model.chances(example.text)
    best = max(chances, key=lambda label: chances[label])
    return Judged(example.label, best, chances[best])


def _certainty(model: Polarity, ours: Sequence[Judged], data: str, seed: int) -> list[Figure]:
    """Return how calibrated the worker is, how much it leaves open, and how right it is where it is sure."""
    sure = [one for one in ours if model.sure(one.confidence)]
    unsure = bootstrapped(ours, lambda drawn: sum(not model.sure(one.confidence) for one in drawn) / len(drawn), seed)
    return [
        Figure(WORKER, "calibration error", "share", "lower", bootstrapped(ours, calibration_error, seed), data, len(ours)),
        Figure(WORKER, "left open as unsure", "share", "lower", unsure, data, len(ours)),
        Figure(WORKER, "accuracy where sure", "share", "higher", bootstrapped(sure, accuracy, seed), data, len(sure)),
    ]
