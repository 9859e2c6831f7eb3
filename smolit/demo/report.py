"""The demo's figures, computed from what the producer saw and from the recorded outcomes. Pure."""

import itertools
from collections.abc import Sequence

from msgspec import Struct

from learning.outcomes import Outcomes
from learning.reward import micro
from learning.statistics import Interval, Sums, mean_interval, paired_difference
from smolit.demo.course import Course, Run

FIFTHS = 5


class Figure(Struct, frozen=True):
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, interval: Interval) -> "Figure":
        """Return an interval of the statistics module in a form that JSON can hold."""
        return cls(interval.value, interval.low, interval.high)


class Report(Struct, frozen=True):
    """What `smolit demo --json` writes. Times in milliseconds; rewards from 0 to 1; intervals at 95 %."""

    submitted: int
    completed: int
    lost: int
    failed: int
    in_flight_most: int
    calibration_calls: int
    reward_stream: float
    reward_fifths: tuple[float, ...]
    random: float
    best_single: float
    best_single_agent: str
    tasks_per_s: float
    seconds: float
    choice_ms_p50: float
    choice_ms_p99: float
    answer_ms_p50: float
    answer_ms_p99: float
    effect_ms_p50: float
    effect_ms_p95: float
    feedback_seen: int
    intervals: dict[str, Figure]
    fifths: tuple[Figure, ...]


def report(course: Course, outcomes: Outcomes, in_flight: int, calibration_calls: int) -> Report:
    """Return the figures of a course; `calibration_calls` were made beside it, and are in no other figure.

    Raises:
        StatisticError: too few tasks were completed for an interval.
    """
    runs = list(course.runs.values())
    judged = [run for run in runs if run.reward is not None]
    rewards = [run.reward for run in judged if run.reward is not None]
    by_chance = [_by_chance(run, outcomes) for run in judged]
    best, best_rewards = _best_single(judged, outcomes)
    intervals = {
        "reward_stream": _mean(rewards),
        "random": _mean(by_chance),
        "best_single": _mean(best_rewards),
        "reward_minus_random": Figure.of(paired_difference(rewards, by_chance)),
        "reward_minus_best_single": Figure.of(paired_difference(rewards, best_rewards)),
    }
    fifths = tuple(_mean(part) for part in _parts(rewards))
    times = _times(course, runs)
    return Report(
        submitted=len(runs),
        completed=sum(run.outcome == "completed" for run in runs),
        lost=sum(run.outcome is None for run in runs),
        failed=sum(run.outcome not in (None, "completed") for run in runs),
        in_flight_most=in_flight,
        calibration_calls=calibration_calls,
        reward_stream=intervals["reward_stream"].value,
        reward_fifths=tuple(fifth.value for fifth in fifths),
        random=intervals["random"].value,
        best_single=intervals["best_single"].value,
        best_single_agent=best,
        tasks_per_s=len(runs) / course.seconds,
        seconds=course.seconds,
        **times,
        feedback_seen=len(course.effect_times()),
        intervals=intervals,
        fifths=fifths,
    )


def _times(course: Course, runs: Sequence[Run]) -> dict[str, float]:
    """Return the percentiles of the three ways that a user waits."""
    choice = [run.chosen - run.acknowledged for run in runs if run.chosen is not None]
    answer = [run.answered - run.acknowledged for run in runs if run.answered is not None]
    effect = course.effect_times()
    return {
        "choice_ms_p50": percentile(choice, 0.50),
        "choice_ms_p99": percentile(choice, 0.99),
        "answer_ms_p50": percentile(answer, 0.50),
        "answer_ms_p99": percentile(answer, 0.99),
        "effect_ms_p50": percentile(effect, 0.50),
        "effect_ms_p95": percentile(effect, 0.95),
    }


def percentile(seconds: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile in milliseconds; not a number where nothing was measured."""
    if not seconds:
        return float("nan")
    ordered = sorted(seconds)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _by_chance(run: Run, outcomes: Outcomes) -> float:
    """Return what a uniformly drawn agent earns on the question, in expectation."""
    return sum(outcomes.outcome(run.prompt_id, model).score for model in outcomes.models) / len(outcomes.models)


def _best_single(judged: Sequence[Run], outcomes: Outcomes) -> tuple[str, list[float]]:
    """Return the agent that would have earned most on the same questions, known only in hindsight."""
    earned = {model: [outcomes.outcome(run.prompt_id, model).score for run in judged] for model in sorted(outcomes.models)}
    best = max(earned, key=lambda model: sum(earned[model]))
    return best, earned[best]


def _parts(values: Sequence[float]) -> list[Sequence[float]]:
    """Return five consecutive parts of nearly equal size."""
    edges = [round(index * len(values) / FIFTHS) for index in range(FIFTHS + 1)]
    return [values[low:high] for low, high in itertools.pairwise(edges)]


def _mean(values: Sequence[float]) -> Figure:
    return Figure.of(mean_interval(Sums.of([micro(value) for value in values])))
