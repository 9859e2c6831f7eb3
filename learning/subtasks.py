"""Which model is best for which step of which kind of task, from the log alone: a fold of facts into cells. Pure.

A cell is one model in one step of a pipeline, for one kind of task. Only completed attempts tell their steps, so what a model
failed at is not in its cell but in its agent's rewards. Facts may come in any order, and more than once.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from events.event import Message
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AttemptEnded, TaskSubmitted
from learning.reward import MICRO
from learning.statistics import Sums, mean_interval

LEAST = 10  # of each figure that is ranked by
DIRECTIONS = {"reward": "higher", "duration_us": "lower", "cost_microusd": "lower"}

Place = tuple[str, str]  # task id, tenant


class Mean(Struct, frozen=True):
    """A mean with its 95 % interval, which a single value has not."""

    value: float
    low: float | None = None
    high: float | None = None


class Cell(Struct, frozen=True):
    """One model in one step: how often, and each metric's mean (None: nobody knows).

    `rank` is its place among the models of its step by mean reward, 1 the best; None: fewer than `LEAST` rewards.
    """

    kind: str | None
    step: str
    model: str
    n: int
    rewarded: int
    reward: Mean | None
    duration_us: Mean | None
    cost_microusd: Mean | None
    rank: int | None = None


class _Used(Struct, frozen=True):
    """One use of a model: what it took, and for which attempt."""

    place: Place
    attempt: int
    step: str
    model: str
    duration_us: int
    cost_microusd: int | None


def cells(facts: Iterable[Message], tenant: str) -> list[Cell]:
    """Return the cells of a tenant's tasks, by kind, step, rank and model."""
    kinds: dict[Place, str | None] = {}
    rewards: dict[tuple[Place, int], tuple[int, float]] = {}
    ended: dict[tuple[Place, int], AttemptEnded] = {}
    for fact in facts:
        match fact:
            case TaskSubmitted() if fact.tenant == tenant:
                kinds[fact.task_id, tenant] = fact.kind
            case AttemptEnded() if fact.tenant == tenant:
                ended.setdefault(((fact.task_id, tenant), fact.attempt), fact)
            case ExampleRecorded() | ExampleSuperseded() if fact.tenant == tenant:
                slot = (fact.task_id, tenant), fact.attempt
                rewards[slot] = max(rewards.get(slot, (0, 0.0)), (fact.sequence, fact.reward))
    used: dict[tuple[str | None, str, str], list[_Used]] = defaultdict(list)
    for one in (use for fact in ended.values() for use in _uses(fact)):
        used[kinds.get(one.place), one.step, one.model].append(one)
    return ranked([_cell(*names, some, {slot: reward for slot, (_, reward) in rewards.items()}) for names, some in used.items()])


def ranked(found: Sequence[Cell]) -> list[Cell]:
    """Return cells with their ranks, in order; of equal rewards the quicker one is ahead."""
    by_step: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in found:
        by_step[cell.kind or "", cell.step].append(cell)
    told: list[Cell] = []
    for _, some in sorted(by_step.items()):
        enough = sorted((one for one in some if one.rewarded >= LEAST), key=_merit)
        told += [_placed(one, number) for number, one in enumerate(enough, 1)]
        told += sorted((one for one in some if one.rewarded < LEAST), key=lambda one: one.model)
    return told


def _uses(fact: AttemptEnded) -> list[_Used]:
    """Return the uses of models in an attempt that was completed."""
    if fact.outcome != "completed":
        return []
    place = (fact.task_id, fact.tenant)
    return [
        _Used(place, fact.attempt, step.name, step.model, step.duration_us, step.cost_microusd)
        for step in fact.steps
        if step.model is not None
    ]


def _cell(kind: str | None, step: str, model: str, some: Sequence[_Used], rewards: dict[tuple[Place, int], float]) -> Cell:
    known = [rewards[slot] for one in some if (slot := (one.place, one.attempt)) in rewards]
    return Cell(
        kind=kind,
        step=step,
        model=model,
        n=len(some),
        rewarded=len(known),
        reward=_mean(known),
        duration_us=_mean([one.duration_us for one in some]),
        cost_microusd=_mean([one.cost_microusd for one in some if one.cost_microusd is not None]),
    )


def _mean(values: Sequence[float]) -> Mean | None:
    """Return a mean; made of integers, so that the order of the log changes no bit."""
    if not values:
        return None
    sums = Sums.of([round(value * MICRO) for value in values])
    if len(values) < 2:
        return Mean(sums.mean)
    found = mean_interval(sums)
    return Mean(found.value, found.low, found.high)


def _merit(one: Cell) -> tuple[float, float, str]:
    reward = one.reward.value if one.reward else 0.0
    return -reward, one.duration_us.value if one.duration_us else 0.0, one.model


def _placed(one: Cell, rank: int) -> Cell:
    return replace(one, rank=rank)
