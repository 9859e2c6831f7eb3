"""What comes next in a calibration, and when it is over. Pure: what is known of copies, agents and costs comes in."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from events.calibration import Judge, Limits, Planned, Why
from learning.information import Stakes, Standing, best_batch
from projections.calibration import CopyRow


class Calibration(Struct, frozen=True):
    """What was asked for, as its fact says."""

    calibration_id: str
    scope: str
    tasks: tuple[Planned, ...]
    limits: Limits
    judged_by: Judge


class Known(Struct, frozen=True):
    """What is known just now: copies so far, what agents earned in the scope, and what a copy of each costs in the mean."""

    copies: Sequence[CopyRow]
    standings: Sequence[Standing]
    costs: Mapping[str, float]


class Sums(Struct, frozen=True):
    """What a calibration's copies came to; cost in millionths of a dollar, of those that said it (`costed`)."""

    copies: int
    judged: int
    cost_microusd: int
    costed: int


class Over(NamedTuple):
    """Why nothing more is done."""

    why: Why
    reason: str


class Copy(NamedTuple):
    """A past task and the agent that is to do it again."""

    task_id: str
    agent: str


def settled(copy: CopyRow) -> bool:
    """Say whether nothing more is to come of a copy: it is over, and has its reward, or none will be made.

    A reward may be known before the end of its attempt, and with that the cost: they come on two topics. A completed task
    wants a judgement; a failed attempt has its reward by rule, a little later; where nobody tried, or gave up, there is none.
    """
    due = copy.outcome == "completed" or copy.attempt in ("failed", "timed_out")
    return copy.outcome is not None and (copy.reward_micro is not None or not due)


def sums(copies: Sequence[CopyRow]) -> Sums:
    """Return what copies came to."""
    known = [one.cost_microusd for one in copies if one.cost_microusd is not None]
    return Sums(len(copies), sum(one.reward_micro is not None for one in copies), sum(known), len(known))


def missing(plan: Calibration, copies: Sequence[CopyRow], doable: Callable[[Copy], bool]) -> list[list[Copy]]:
    """Return the copies that are still to be made, task by task in the plan's order; tasks that are done are left out."""
    made = {(one.copy_of, one.agent) for one in copies}
    wanted = [[Copy(task.task_id, agent) for agent in task.agents] for task in plan.tasks]
    todo = [[copy for copy in task if copy not in made and doable(copy)] for task in wanted]
    return [task for task in todo if task]


def costs_of(copies: Sequence[CopyRow], before: Mapping[str, float]) -> dict[str, float]:
    """Return what one copy of each agent costs in the mean: as its copies said, else as its attempts before; unknown is 0."""
    told: dict[str, list[int]] = {}
    for one in copies:
        if one.cost_microusd is not None:
            told.setdefault(one.agent, []).append(one.cost_microusd)
    return {**before, **{agent: math.fsum(each) / len(each) for agent, each in told.items()}}


def next_round(plan: Calibration, known: Known, doable: Callable[[Copy], bool], size: int) -> list[Copy] | Over:
    """Return the copies to make next, of `size` tasks at most, or why there are none."""
    left = missing(plan, known.copies, doable)
    if not left:
        return _done(plan, known.copies)
    if over := _not_worth_it(plan.limits, known, left):
        return over
    affordable = _affordable(plan.limits, known, left[:size])
    if not affordable:
        return _spent(plan.limits, known, left[0])
    return [copy for task in affordable for copy in task]


def _done(plan: Calibration, copies: Sequence[CopyRow]) -> Over:
    """Return that nothing is left to do, and what was left out."""
    planned = {(task.task_id, agent) for task in plan.tasks for agent in task.agents}
    left_out = planned - {(one.copy_of, one.agent) for one in copies}
    why = f", but for {len(left_out)} copies: their agents are paused or gone, or the tasks forgotten" if left_out else ""
    return Over("tasks_done", f"all {len(plan.tasks)} tasks are done{why}")


def _not_worth_it(limits: Limits, known: Known, left: Sequence[Sequence[Copy]]) -> Over | None:
    """Return that no further batch of tasks is worth its cost, if none is."""
    if limits.worth_microusd is None:
        return None
    costs = {copy.agent: known.costs.get(copy.agent, 0.0) for task in left for copy in task}
    best = best_batch(known.standings, costs, len(left), Stakes(limits.horizon, limits.worth_microusd))
    if best.pays or not any(costs.values()):
        return None
    told = f"{best.tasks} more would cost {dollars(best.cost_microusd)} and be worth {dollars(best.gain_microusd)}"
    return Over("not_worth_it", f"no further task is worth its cost: {told} in {limits.horizon} tasks to come")


def _affordable(limits: Limits, known: Known, tasks: Sequence[Sequence[Copy]]) -> list[Sequence[Copy]]:
    """Return as many tasks as the budget is expected to allow; one at most while nobody knows what some agent costs."""
    if limits.budget_microusd is None:
        return list(tasks)
    if any(_is_unknown(known, copy.agent) for task in tasks for copy in task):
        tasks = tasks[:1]
    room, taken = float(limits.budget_microusd - sums(known.copies).cost_microusd), []
    for task in tasks:
        room -= _price(known, task)
        if room < 0:
            break
        taken.append(task)
    return taken


def _spent(limits: Limits, known: Known, task: Sequence[Copy]) -> Over:
    spent, budget = dollars(sums(known.copies).cost_microusd), dollars(limits.budget_microusd or 0)
    return Over("budget_spent", f"{spent} of {budget} are spent, and a further task costs {dollars(_price(known, task))}")


def _price(known: Known, task: Sequence[Copy]) -> float:
    """Return what a task is expected to cost: an agent that nobody knows is taken for as dear as the dearest."""
    dearest = max(known.costs.values(), default=0.0)
    return math.fsum(known.costs.get(copy.agent, dearest if _is_unknown(known, copy.agent) else 0.0) for copy in task)


def _is_unknown(known: Known, agent: str) -> bool:
    """Say whether an agent's cost is yet to be heard; one that did a copy and did not say it never will."""
    return agent not in known.costs and all(one.agent != agent for one in known.copies)


def dollars(microusd: float) -> str:
    """Return an amount for people."""
    return f"{microusd / 1e6:.6g} dollars"
