"""Is it time to train again: by date, by how many tasks were judged since, or because rewards fell? Pure; time is told."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from msgspec import Struct

from learning.special import student_quantile
from learning.statistics import Interval
from smolit.retrain.history import History, Lesson

Why = Literal["date", "tasks", "reward"]
_FEWEST = 30  # rewards of a window, for a fall to be told from chance


class Rule(Struct, frozen=True):
    """When it is time: so long after the newest example that is known, so many judged attempts later, or so much less reward.

    None: that is no reason. `window` judged attempts are compared with as many, the last that the network knows.
    """

    every: timedelta | None = None
    tasks: int | None = None
    drop: float | None = None
    window: int = 200


class Due(Struct, frozen=True):
    """Whether it is time, and all that speaks for it; `rise` is how much rewards rose since (below 0: fell), 95 % interval."""

    due: bool
    reasons: tuple[Why, ...]
    since: datetime | None
    judged_since: int
    before: float | None
    now: float | None
    rise: Interval | None


def due(known: History, cut: int, rule: Rule, at: datetime) -> Due:
    """Return whether to train again; `cut` is the offset of the last example that the network knows, -1 where there is none."""
    seen = [one for one in known.lessons if one.offset <= cut]
    since = [one for one in known.lessons if one.offset > cut and one.first]
    last = seen[-1].at if seen else known.lessons[0].at if known.lessons else None
    before, after = _latest(seen, rule.window), _latest(since, rule.window)
    rise = _difference(after, before)
    reasons: list[Why] = []
    if rule.every is not None and since and last is not None and at - last >= rule.every:
        reasons.append("date")
    if rule.tasks is not None and len(since) >= rule.tasks:
        reasons.append("tasks")
    if rule.drop is not None and rise is not None and rise.high < 0.0 and -rise.value >= rule.drop:
        reasons.append("reward")
    means = [float(np.mean(each)) if each else None for each in (before, after)]
    return Due(bool(reasons), tuple(reasons), last, len(since), means[0], means[1], rise)


def _latest(lessons: Sequence[Lesson], window: int) -> list[float]:
    """Return the first rewards of the last attempts, oldest first; corrections come too late to tell of a fall."""
    return [one.reward for one in lessons if one.first][-window:]


def _difference(after: Sequence[float], before: Sequence[float]) -> Interval | None:
    """Return by how much the mean rose (Welch's interval); None where one side is too small."""
    if min(len(after), len(before)) < _FEWEST:
        return None
    parts = [float(np.var(each, ddof=1)) / len(each) for each in (after, before)]
    value, spread = float(np.mean(after) - np.mean(before)), sum(parts)
    if spread == 0.0:
        return Interval(value, value, value)
    freedom = spread**2 / sum(part**2 / (len(each) - 1) for part, each in zip(parts, (after, before), strict=True))
    half = student_quantile(0.95, freedom) * spread**0.5
    return Interval(value, value - half, value + half)
