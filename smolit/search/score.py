"""What a setting would have earned on choices of the log: doubly robust, learning along the log as `policy replay` does. Pure."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from events.task import AgentChosen
from learning.book import PolicyKey
from learning.errors import LearningError
from learning.evaluation import Logged, missing_support, robust_terms
from learning.features import ContextMap
from learning.policy import Decision
from smolit.audit.choices import Log, Series, walk
from smolit.counterfactual.replay import MODEL, expected_at, key_of, logged_as, rewards_of
from smolit.model.fold import Scope
from smolit.search.trial import STEPS, Scored, is_behind

Scorer = Callable[[Mapping[str, Any], Sequence[float]], Scored]


@dataclass(frozen=True)
class OnLog:
    """Scores settings of one policy on the choices of a log, all of one scope and one map.

    Called with a setting and the bars of each step it returns a score, or why there is none; it may be sent to another process.
    """

    log: Log
    used: ContextMap
    place: Scope
    policy: str

    def __call__(self, parameters: Mapping[str, Any], wanted: Sequence[float]) -> Scored:
        """Score a setting; raises nothing that the setting is to blame for."""
        began, steps = time.perf_counter(), list[float]()
        try:
            judged = list[Logged]()
            for one in self.judged(parameters):
                judged.append(one)
                if len(judged) in self._ends:
                    steps.append(float(robust_terms(judged).mean()))
                    if len(judged) < self._count and is_behind(steps, wanted):
                        return _none("pruned", steps, "behind the median of the trials before", began)
            if refused := missing_support(judged):
                return _none("failed", steps, refused, began)
        except LearningError as error:
            return _none("failed", steps, str(error), began)
        score = float(robust_terms(judged).mean())
        if not math.isfinite(score):
            return _none("failed", steps, "its score is not a number", began)
        return Scored("completed", score, tuple(steps), "", time.perf_counter() - began)

    def judged(self, parameters: Mapping[str, Any]) -> Iterator[Logged]:
        """Yield the choices that have a reward, with what the setting would have done; raises LearningError."""
        decisions = self._decisions(PolicyKey.of(self.policy, dict(parameters)))
        for (choice, decision), expected in zip(decisions, self._expected, strict=True):
            reward = self._rewards.get(key_of(choice))
            if reward is not None:
                yield logged_as(choice, reward, decision.agents, decision.probabilities, expected)

    def _decisions(self, key: PolicyKey) -> Iterator[tuple[AgentChosen, Decision]]:
        for stop in walk(self._series(key), self.log.choices, self.log, self.used):
            yield from zip(stop.choices, stop.page.policy.decide_many(stop.contexts, stop.candidates), strict=True)

    def _series(self, key: PolicyKey) -> Series:
        return Series(self.place.tenant, self.place.name, key, self.used.digest)

    @cached_property
    def _expected(self) -> list[tuple[float, ...]]:
        """What a model expected of each agent at each choice: the same for all settings."""
        stops = walk(self._series(MODEL), self.log.choices, self.log, self.used)
        return [expected for stop in stops for expected in expected_at(stop)]

    @cached_property
    def _rewards(self) -> dict[tuple[str, str, int], float]:
        return rewards_of(self.log)

    @cached_property
    def _count(self) -> int:
        return sum(key_of(one) in self._rewards for one in self.log.choices)

    @cached_property
    def _ends(self) -> frozenset[int]:
        return frozenset(max(1, self._count * step // STEPS) for step in range(1, STEPS + 1))


def _none(state: Any, steps: Sequence[float], reason: str, began: float) -> Scored:
    return Scored(state, None, tuple(steps), reason, time.perf_counter() - began)
