"""The course of a search: rounds of trials in two arms, each trial written down as it ends, until the budget is spent.

Nothing depends on who of a round ends first, so a search that was killed, and taken up again, makes the trials that it would
have made. What was tried is in our facts; Optuna's storage is told it, and is filled from it where it was lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from events.model import Arm
from events.search import Budget
from smolit.search.crew import Crew, Work
from smolit.search.trial import Scored, Trial, bars, next_round, spent

ARMS: tuple[Arm, ...] = ("guided", "random")
Written = Callable[[Trial], Awaitable[None]]


class Asked(Protocol):
    """What says which setting is to be tried next."""

    def ask(self, number: int, first: int) -> dict[str, Any]:
        """Return the setting of a trial whose round began at `first`."""
        ...

    def tell(self, trial: Trial) -> None:
        """Hear what came of a trial."""
        ...


Scoring = Callable[[Sequence[Work], float], Awaitable[list[Scored]]]


async def run_arm(
    arm: Arm, budget: Budget, study: Asked, scoring: Scoring, known: Sequence[Trial], written: Written
) -> list[Trial]:
    """Make an arm's trials from where it is, and return all there are; `written` hears each before anything depends on it."""
    trials = list(known)
    _restore(study, budget, trials)
    while numbers := next_round(trials, budget):
        first = numbers[0] - numbers[0] % budget.workers
        asked = {number: study.ask(number, first) for number in range(first, numbers[-1] + 1)}
        wanted = bars(trials, first)
        left = budget.seconds - spent(trials, budget)
        scored = await scoring([(asked[number], wanted) for number in numbers], left)
        for number, one in zip(numbers, scored, strict=True):
            trial = Trial(arm, number, asked[number], one)
            await written(trial)
            study.tell(trial)
            trials.append(trial)
        trials.sort(key=lambda one: one.number)
    return trials


def _restore(study: Asked, budget: Budget, trials: Sequence[Trial]) -> None:
    """Tell a study what it may have missed: it was killed between a fact and its own commit, or lost its storage."""
    known: Mapping[int, Trial] = {one.number: one for one in trials}
    for number in range(max(known, default=-1) + 1):
        if number in known:
            study.tell(known[number])
        else:
            study.ask(number, number - number % budget.workers)


def in_threads(crew: Crew) -> Scoring:
    """Return what scores with a crew while the rest of the process goes on."""

    async def score(works: Sequence[Work], seconds: float) -> list[Scored]:
        return await asyncio.to_thread(crew.score, works, seconds)

    return score
