"""Tasks that come again, as they were or slightly changed: how soon does whoever proved itself get them, with and without memory?

An agent proves itself at a text by earning half or more for it; a visit that earned less has failed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.selection.course import Order, learner_of, walk
from bench.selection.learner import Entry
from bench.selection.routing import Routing, encoded
from bench.selection.world import World
from learning.encoding import TextEncoder
from learning.outcomes import Outcomes

VISITS, TEXTS = 6, 200
LEFT_OUT = 0.15  # share of the words that a changed text has lost
PROVEN = 0.5


@dataclass(frozen=True)
class Recurring:
    """Versions of the same texts, one per visit: row i of each is text i."""

    versions: tuple[Routing, ...]


class Trials(NamedTuple):
    """Per text, in the mean: visits after the first success until a proven agent has it again, failed visits; and the reward."""

    until_proven: float
    failed: float
    reward: float


def same(stream: Routing, texts: int = TEXTS, visits: int = VISITS) -> Recurring:
    """Return some texts of a set, the same at each visit."""
    some = np.random.default_rng(0).permutation(len(stream.keys))[:texts]
    return Recurring((stream.rows(some),) * visits)


def changed(
    outcomes: Outcomes, name: str, agents: Sequence[str], encoder: TextEncoder, texts: int = TEXTS, visits: int = VISITS
) -> Recurring:
    """Return some texts of a set, at each visit without other words; what agents earn is what they earned for the whole text."""
    bits = np.random.default_rng(0)
    some = [outcomes.prompts[at] for at in bits.permutation(len(outcomes.prompts))[:texts].tolist()]
    versions = []
    for _ in range(visits):
        thinned = tuple(prompt._replace(text=thin(prompt.text, bits)) for prompt in some)
        versions.append(encoded(replace(outcomes, prompts=thinned), name, agents, encoder))
    return Recurring(tuple(versions))


def thin(text: str, bits: np.random.Generator) -> str:
    """Return a text without some of its words, but not without all."""
    words = text.split()
    kept = [word for word, draw in zip(words, bits.random(len(words)).tolist(), strict=True) if draw >= LEFT_OUT]
    return " ".join(kept or words)


def trials(recurring: Recurring, entry: Entry, seed: int) -> Trials:
    """Return what a learner does with texts that come again, in one order of all visits."""
    texts, visits = len(recurring.versions[0].keys), len(recurring.versions)
    order = Order.of(seed, texts * visits, len(recurring.versions[0].agents))
    which = order.rows % texts
    stream = _in_order(recurring, which)
    world = World(stream.scores, order.columns)
    learner = learner_of(entry, stream, world.agents, seed)
    picks = np.array([step.column for step in walk(learner, world, stream, order)])
    good = stream.scores[np.arange(len(picks)), picks] >= PROVEN
    waits = [wait for text in range(texts) if (wait := _wait(picks[which == text], good[which == text])) is not None]
    reward = float(stream.scores[np.arange(len(picks)), picks].mean())
    return Trials(float(np.mean(waits)), float((~good).sum() / texts), reward)


def _in_order(recurring: Recurring, which: NDArray[np.intp]) -> Routing:
    """Return all visits in the order of texts, each visit of a text with the next version."""
    seen = np.zeros(len(recurring.versions[0].keys), dtype=np.intp)
    places = []
    for text in which.tolist():
        places.append(seen[text] * len(seen) + text)
        seen[text] += 1
    return joined(recurring.versions).rows(np.array(places))


def joined(parts: Sequence[Routing]) -> Routing:
    """Return parts of a set one after the other."""
    return replace(
        parts[0],
        contexts=np.concatenate([part.contexts for part in parts]),
        domains=tuple(chain.from_iterable(part.domains for part in parts)),
        keys=tuple(chain.from_iterable(part.keys for part in parts)),
        scores=np.concatenate([part.scores for part in parts]),
        costs=np.concatenate([part.costs for part in parts]),
        fits=np.concatenate([part.fits for part in parts]),
    )


def _wait(picks: NDArray[np.intp], good: NDArray[np.bool_]) -> int | None:
    """Return how many visits after the first success it takes until an agent that proved itself has the text again.

    One more than there are if it never has; None where nobody ever succeeded before the last visit.
    """
    first = int(good.argmax()) if good.any() else len(good)
    if first >= len(good) - 1:
        return None
    proven = {int(picks[first])}
    for after, (pick, earned) in enumerate(zip(picks[first + 1 :].tolist(), good[first + 1 :].tolist(), strict=True), start=1):
        if pick in proven:
            return after
        if earned:
            proven.add(pick)
    return len(good) - first
