"""A trial and what is known of a search: scores, budgets, who is best, and when a trial has fallen behind. Pure."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, NamedTuple

from msgspec import Struct

from events.event import Event, Message
from events.model import Arm
from events.search import Budget, SearchEnded, SearchStarted, TrialEnded, TrialState

STEPS = 5  # parts of what a trial is scored on: after each it is compared with the trials before
WARM_UP = 4  # completed trials before one may be pruned


class Scored(Struct, frozen=True):
    """What came of a setting: its score if it was completed, and the score after each part as far as it came."""

    state: TrialState
    score: float | None
    steps: tuple[float, ...]
    reason: str
    seconds: float


class Trial(Struct, frozen=True):
    """A setting that was tried."""

    arm: Arm
    number: int
    parameters: dict[str, Any]
    scored: Scored


class Known(NamedTuple):
    """A search as its facts tell it; trials by arm and number."""

    started: SearchStarted
    trials: dict[tuple[Arm, int], Trial]
    ended: SearchEnded | None

    def of(self, arm: Arm) -> list[Trial]:
        """Return an arm's trials by number."""
        return [trial for (which, _), trial in sorted(self.trials.items()) if which == arm]


def searches(events: Iterable[Event[Message]]) -> dict[tuple[str, str], Known]:
    """Fold facts into searches by tenant and id, in the order of the log; a trial that is told twice counts once."""
    found: dict[tuple[str, str], Known] = {}
    for event in events:
        match event.fact:
            case SearchStarted() as fact:
                found.setdefault((fact.tenant, fact.search_id), Known(fact, {}, None))
            case TrialEnded(tenant=tenant, search_id=search_id) as fact if (tenant, search_id) in found:
                found[tenant, search_id].trials.setdefault((fact.arm, fact.number), trial_of(fact))
            case SearchEnded(tenant=tenant, search_id=search_id) as fact if (tenant, search_id) in found:
                found[tenant, search_id] = found[tenant, search_id]._replace(ended=fact)
            case _:
                continue
    return found


def trial_of(fact: TrialEnded) -> Trial:
    """Return the trial that a fact tells of."""
    return Trial(fact.arm, fact.number, fact.parameters, Scored(fact.state, fact.score, fact.steps, fact.reason, fact.seconds))


def best_of(trials: Iterable[Trial]) -> Trial | None:
    """Return the completed trial with the highest score, the first of equals."""
    completed = [one for one in trials if one.scored.score is not None]
    return max(completed, key=lambda one: (one.scored.score, -one.number), default=None)


def bars(trials: Sequence[Trial], before: int) -> tuple[float, ...]:
    """Return for each step what a trial must have reached by then: the median of the completed trials before a number.

    The rule is Optuna's MedianPruner; trials of the same round are left out, so that it does not matter who ends first.
    """
    completed = [one.scored.steps for one in trials if one.number < before and one.scored.state == "completed"]
    if len(completed) < WARM_UP:
        return ()
    return tuple(median(steps) for steps in zip(*completed, strict=False))


def is_behind(steps: Sequence[float], wanted: Sequence[float]) -> bool:
    """Say whether a trial may be given up after its last step: its best so far is below the bar."""
    return len(steps) <= len(wanted) and max(steps) < wanted[len(steps) - 1]


def spent(trials: Iterable[Trial], budget: Budget) -> float:
    """Return the seconds that each worker has spent in the mean."""
    return sum(one.scored.seconds for one in trials) / budget.workers


def next_round(trials: Sequence[Trial], budget: Budget) -> list[int]:
    """Return the numbers of the trials that are to be made together; none once the budget is spent.

    A round that was broken off is made whole first. With equal seeds and enough seconds a search that was killed makes the
    same trials as one that was not.
    """
    done = {one.number for one in trials}
    for first in range(0, budget.trials, budget.workers):
        left = [number for number in range(first, min(first + budget.workers, budget.trials)) if number not in done]
        if left:
            return left if spent(trials, budget) < budget.seconds else []
    return []
