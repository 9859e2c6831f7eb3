"""Models inside an agent: is a chooser worth more than one model for all, on real outcomes of real models?

Three sets, one setting. *Questions*: recorded outcomes of nine language models on 2,000 exam questions, the subject told.
*Forecasts*: eight methods that run here, on real series, the series told. *Heads*: three classifiers that run here, nothing told
but the text. Each seed is an order of its own: three in ten tasks are held out, the others come one after the other, and only the
chosen model's outcome is told. On what was held out the favourite answers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.agents.figure import Figure
from bench.spread import Range
from learning.encoding import STATIC
from learning.features import ContextMap, extract
from learning.models import Page, Told, decide, maker
from learning.outcomes import Outcomes
from learning.policies import DEFAULT
from learning.policy import Context, choose
from learning.statistics import Interval, Sums, mean_interval

WORKER = "models"
ORDERS = 20
HELD_OUT = 0.3
SHARE = 0.01  # as `agents.pipelines.model` has it
_DATA = Path(__file__).resolve().parents[1] / "data"
Matrix = NDArray[np.float64]


class Tasks(NamedTuple):
    """Tasks that each of several models did: contexts, domains, and the score of each model (0 to 1) on each, a row a task."""

    models: tuple[str, ...]
    contexts: Sequence[Context]
    domains: tuple[str | None, ...]
    scores: Matrix


class Course(NamedTuple):
    """What one order brought: means of the stream and of what was held out, for the chooser and for those it is compared with."""

    stream: float
    best: float
    everybody: float
    oracle: float
    held: float
    held_best: float
    held_everybody: float
    held_oracle: float
    held_before: float


def questions() -> Tasks:
    """Return recorded outcomes of nine language models."""
    from learning.static import StaticEncoder

    outcomes, encoder, contexts = Outcomes.load(_DATA, "mmlupro_mid9"), StaticEncoder.load(), ContextMap.load(STATIC)
    rows = [[outcomes.outcome(prompt.prompt_id, model).score for model in outcomes.models] for prompt in outcomes.prompts]
    texts = [contexts.apply(*extract(prompt.text, encoder)) for prompt in outcomes.prompts]
    return Tasks(outcomes.models, texts, tuple(prompt.domain for prompt in outcomes.prompts), np.array(rows))


def walked(tasks: Tasks, seed: int, policy: str = DEFAULT, share: float = SHARE) -> Course:
    """Return what one order brings; the same seed gives every policy the same order and draws."""
    bits = np.random.default_rng(seed)
    order = bits.permutation(len(tasks.domains))
    parted = int(len(order) * HELD_OUT)
    held, stream = order[:parted], order[parted:]
    domains = sorted({one for one in tasks.domains if one is not None})
    page = Page(maker(policy, {})(len(tasks.contexts[0]) + len(domains)), domains)
    earned = [
        _step(tasks, page, int(row), float(draw), share) for row, draw in zip(stream, bits.random(len(stream)), strict=True)
    ]
    scores, rest = tasks.scores[stream], tasks.scores[held]
    picks = [tasks.models.index(_favourite(tasks, page, int(row))) for row in held]
    return Course(
        stream=float(np.mean(earned)),
        best=float(scores.mean(axis=0).max()),
        everybody=float(scores.mean()),
        oracle=float(scores.max(axis=1).mean()),
        held=float(rest[np.arange(len(held)), picks].mean()),
        held_best=float(rest.mean(axis=0).max()),
        held_everybody=float(rest.mean()),
        held_oracle=float(rest.max(axis=1).mean()),
        held_before=float(rest[:, int(scores.mean(axis=0).argmax())].mean()),
    )


def _step(tasks: Tasks, page: Page, row: int, draw: float, share: float) -> float:
    """Choose for one task, learn what the chosen model earned, and return that."""
    decision = decide(page, tasks.contexts[row], tasks.domains[row], tasks.models, {}, share)
    choice = choose(decision, draw)
    reward = float(tasks.scores[row, tasks.models.index(choice.agent)])
    place = (str(row), 1, "choose")
    page.take_in(Told(place, choice.agent, tasks.domains[row], tasks.contexts[row], choice.propensity, reward))
    return reward


def _favourite(tasks: Tasks, page: Page, row: int) -> str:
    """Return the model that the chooser holds to be the best for a task."""
    decision = decide(page, tasks.contexts[row], tasks.domains[row], tasks.models, {}, 0.0)
    return decision.favourite or decision.agents[0]


def measure(seed: int) -> list[Figure]:
    """Return the figures: means over orders, with Student's interval of the differences."""
    from bench.agents.forecasters import forecasts, heads

    sets: Mapping[str, Tasks] = {"questions": questions(), "forecasts": forecasts(), "heads": heads(seed)}
    return [figure for name, tasks in sets.items() for figure in figures(name, tasks, seed)]


def figures(name: str, tasks: Tasks, seed: int, policy: str = DEFAULT) -> list[Figure]:
    """Return what the chooser earns on a set, beside the best single model, a random one, and the best of each task."""
    courses = [walked(tasks, seed + turn, policy) for turn in range(ORDERS)]
    data = f"{len(tasks.domains)} tasks ({name}), {len(tasks.models)} models, {ORDERS} orders"

    def told(metric: str, ours: str, theirs: str, against: str) -> Figure:
        mine, other = _mean(courses, ours), _mean(courses, theirs)
        gain = _range(mean_interval(Sums.of([_micro(getattr(one, ours) - getattr(one, theirs)) for one in courses])))
        return Figure(WORKER, f"{name}_{metric}", "score", "higher", mine, data, ORDERS, against, other, "more", gain)

    return [
        told("held_out", "held", "held_before", "best single, known from the stream"),
        told("held_out_hindsight", "held", "held_best", "best single, in hindsight"),
        told("stream", "stream", "best", "best single, in hindsight"),
        told("stream_random", "stream", "everybody", "random"),
        told("stream_oracle", "stream", "oracle", "best of each task"),
    ]


def _mean(courses: Sequence[Course], what: str) -> Range:
    """Return the mean over orders."""
    return _range(mean_interval(Sums.of([_micro(getattr(one, what)) for one in courses])))


def _range(interval: Interval) -> Range:
    return Range(interval.value, interval.low, interval.high)


def _micro(value: float) -> int:
    return round(value * 1_000_000)
