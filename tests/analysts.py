"""What analysts look at: four weeks of made-up work, the same every time, told by facts and by plain records of them.

Three agents, three kinds of task, an experiment on half of the users, two raters. Choices become more certain week by
week; carl, once the best at code, gets worse in the third week.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from events.event import Event, Fact
from events.task import Candidate, Step
from tests.builders import (
    admitted,
    assigned,
    attempt_ended,
    chosen,
    context,
    ended,
    example,
    experiment_started,
    given,
    moment,
    registered,
    started,
    submitted,
)

AGENTS = ("anna", "bert", "carl")
KINDS = ("code", "law", "maths")
WEEKS, A_WEEK = 4, 90
WEEK_S = 7 * 86_400
MONDAY_S = 5 * 86_400  # the tests' time begins on a Wednesday
_GOOD = {
    "anna": {"code": 0.35, "law": 0.85, "maths": 0.55},
    "bert": {"code": 0.45, "law": 0.50, "maths": 0.80},
    "carl": {"code": 0.80, "law": 0.40, "maths": 0.35},
}
_PRICE = {"anna": 900, "bert": 2_400, "carl": 400}
_SLOW = {"anna": ("recall", "write"), "bert": ("plan", "compute", "check"), "carl": ("write",)}
MODEL = "small@1"  # what steps that write ask


@dataclass
class Try:
    """One attempt as it was made: who, with which chances, how it went and what it earned (None: nobody judged it)."""

    task: int
    attempt: int
    kind: str
    agent: str
    chances: dict[str, float]
    explored: bool
    variant: str | None
    at: datetime
    outcome: str
    cost: int | None
    steps: tuple[tuple[str, int], ...]
    reward: float | None = None
    said: dict[str, float] = field(default_factory=dict)


def tries(seed: int = 11) -> list[Try]:
    """Return every attempt of the four weeks, in order."""
    rng = random.Random(seed)
    return [one for number in range(WEEKS * A_WEEK) for one in _task(rng, number)]


def facts(made: list[Try]) -> Iterator[Event[Fact]]:
    """Yield the facts that tell of these attempts."""
    yield from (registered(agent) for agent in AGENTS)
    yield experiment_started()
    for one in made:
        yield from _told(one)


def begins(number: int) -> float:
    """Return when a task was submitted, in seconds of the tests' time."""
    return MONDAY_S + number * WEEK_S / A_WEEK


def _task(rng: random.Random, number: int) -> Iterator[Try]:
    """Yield the one or two attempts at a task: who fails is not asked again."""
    kind, variant = rng.choice(KINDS), rng.choice((None, None, "a", "b"))
    able = list(AGENTS)
    for attempt in (1, 2):
        one = _try(rng, number, attempt, kind, variant, able)
        yield one
        if one.outcome == "completed":
            return
        able.remove(one.agent)


def _try(rng: random.Random, number: int, attempt: int, kind: str, variant: str | None, able: list[str]) -> Try:
    """Return one attempt by an agent that was drawn from the chances."""
    chances = _chances(number // A_WEEK, kind, variant, able)
    agent = rng.choices(able, [chances[name] for name in able])[0]
    steps = tuple((name, rng.randrange(20, 900) * 1_000 * (3 if name == "compute" else 1)) for name in _SLOW[agent])
    outcome = "completed" if attempt == 2 or rng.random() < 0.92 else "failed"
    cost = None if rng.random() < 0.1 else _PRICE[agent] + rng.randrange(300)
    at = moment(begins(number) + 3 + (attempt - 1) * 30)
    explored = chances[agent] < max(chances.values())
    made = Try(number, attempt, kind, agent, chances, explored, variant, at, outcome, cost, steps)
    if outcome == "failed":
        made.reward = 0.0
    elif rng.random() < 0.9:
        made.said, made.reward = _judged(rng, _worth(agent, kind, number // A_WEEK))
    return made


def _chances(week: int, kind: str, variant: str | None, able: list[str]) -> dict[str, float]:
    """Return each agent's probability: equal at first and under variant a, later in favour of the one who was best."""
    best = max(able, key=lambda agent: _GOOD[agent][kind])
    certain = 0.0 if variant == "a" else 0.25 * week
    return {agent: (1 - certain) / len(able) + certain * (agent == best) for agent in able}


def _worth(agent: str, kind: str, week: int) -> float:
    """Return how good an agent is at a kind of task; carl got worse."""
    return _GOOD[agent][kind] - (0.3 if agent == "carl" and week >= 2 else 0.0)


def _judged(rng: random.Random, worth: float) -> tuple[dict[str, float], float]:
    """Return what raters said, and the reward made of it; bob is the stricter one."""
    quality = min(1.0, max(0.0, worth + rng.uniform(-0.2, 0.2)))
    said = {"ann": round(min(1.0, quality + 0.05), 2)}
    if rng.random() < 0.5:
        said["bob"] = round(max(0.0, quality - 0.10), 2)
    return said, round(sum(said.values()) / len(said), 3)


def _told(one: Try) -> Iterator[Event[Fact]]:
    """Yield the facts of one attempt, and of its task before and after it."""
    task_id, at = f"task-{one.task}", begins(one.task)
    seen = context(kind=one.kind, assignment=assigned(one.variant, unit=f"user-{one.task % 40}") if one.variant else None)
    if one.attempt == 1:
        yield submitted(task_id, at, kind=one.kind)
        yield admitted(task_id, at + 1, context=seen)
    later = (one.attempt - 1) * 30
    took = sum(duration for _, duration in one.steps)
    yield chosen(one.agent, task_id, one.attempt, at + 3 + later, **_choice(one), context=seen)
    yield started(one.agent, task_id, one.attempt, at + 4 + one.task % 5 + later)
    yield attempt_ended(
        one.outcome, one.agent, task_id, one.attempt, at + 10 + later,
        duration_us=took, cost_microusd=one.cost, steps=tuple(_step(name, us) for name, us in one.steps),
    )  # fmt: skip
    if one.outcome == "completed":
        yield ended("completed", task_id, at + 11 + later, agent=one.agent, attempts=one.attempt)
    yield from (given(value, task_id, at + 60 + later, rater=rater) for rater, value in one.said.items())
    if one.reward is not None:
        yield example(one.reward, one.agent, task_id, one.attempt, at + 61 + later, variant=one.variant, **_odds(one))


def _step(name: str, took_us: int) -> Step:
    """Return a step; those that write ask a language model, whose tokens and cost go with its time."""
    if name != "write":
        return Step(name, took_us)
    return Step(name, took_us, MODEL, took_us // 2_000, took_us // 10_000, took_us // 50_000)


def _choice(one: Try) -> dict[str, object]:
    """Return what a choice says of its candidates and of who decided."""
    candidates = tuple(Candidate(name, 0.5, {"mean": 0.5}, chance) for name, chance in one.chances.items())
    decided_by = "experiment" if one.variant else "default"
    return {"candidates": candidates, "explored": one.explored, "decided_by": decided_by, **_odds(one)}


def _odds(one: Try) -> dict[str, float]:
    """Return the probability that the agent was chosen with."""
    return {"propensity": one.chances[one.agent]}
