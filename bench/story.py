"""A made-up history that looks like the demo's: the same kinds of facts, in its proportions, as large and as interleaved.

Each task has eight facts: submitted, admitted, chosen, attempt started and ended, ended, judged, and an example of it. The
texts, agents and rewards are the recorded ones of `bench/data`; embeddings are random unit vectors, which compress as badly
as real ones. The same number gives the same facts.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np

from events.event import Event, Fact
from events.ids import derived_id
from events.learning import ExampleRecorded
from events.stamp import stamp
from events.task import (
    AgentChosen,
    AttemptEnded,
    AttemptStarted,
    Candidate,
    ChoiceContext,
    Features,
    FeedbackGiven,
    PolicyRef,
    Step,
    TaskAdmitted,
    TaskEnded,
    TaskSubmitted,
)
from events.topics import DEFAULT_TENANT
from learning.features import to_half
from learning.outcomes import Outcomes
from learning.surface import surface

FACTS = 8  # of one task
IN_FLIGHT = 32  # as in the demo
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
SPACING = timedelta(milliseconds=25)
_WIDTH = 384


def soon_after(moment: datetime) -> datetime:
    """Return a deadline as the demo sets it."""
    return moment + timedelta(minutes=15)


class Stories:
    """Makes the facts of any number of tasks; `name` keeps two histories apart."""

    def __init__(
        self, outcomes: Outcomes, name: str = "bench", scope: str = "default", due: Callable[[datetime], datetime] = soon_after
    ) -> None:
        """Make tasks of a scope; `due` says until when one that was asked for at a moment is wanted."""
        self._outcomes, self._name, self._scope, self._due = outcomes, name, scope, due

    def history(self, first: int, tasks: int, in_flight: int = IN_FLIGHT) -> Iterator[Event[Fact]]:
        """Yield the facts of so many tasks, `in_flight` of them under way at a time."""
        waiting = iter(range(first, first + tasks))
        open_ = [iter(self.life(number)) for number in islice(waiting, in_flight)]
        while open_:
            for life in list(open_):
                fact = next(life, None)
                if fact is not None:
                    yield fact
                    continue
                open_.remove(life)
                open_ += [iter(self.life(number)) for number in islice(waiting, 1)]

    def life(self, number: int) -> list[Event[Fact]]:
        """Return the facts of one task, in order."""
        task, at = self.task_id(number), BEGUN + number * SPACING
        facts = [*self._asked(task, number, at), *self._worked(task, number), *self._judged(task, number)]
        return [
            stamp(fact, source="smolit/bench", now=at + timedelta(milliseconds=20 * place), correlation=task, cause=task)
            for place, fact in enumerate(facts)
        ]

    @property
    def agents(self) -> tuple[str, ...]:
        """Return who does the tasks."""
        return self._outcomes.models

    def task_id(self, number: int) -> str:
        """Return the id of a task."""
        return derived_id("task", self._name, number)

    def features(self, number: int) -> Features:
        """Return what a policy sees of a task's text."""
        return _features(self._prompt(number).text, number % len(self._outcomes.prompts))

    def agent(self, number: int) -> str:
        """Return who does a task."""
        return self._outcomes.models[number * 7 % len(self._outcomes.models)]

    def _asked(self, task: str, number: int, at: datetime) -> list[Fact]:
        """Return how a task comes in, and who is to do it."""
        prompt, told = self._prompt(number), _told(task)
        deadline, agent = self._due(at), self.agent(number)
        context = ChoiceContext(
            self._scope, "question", self.features(number), 5, deadline, 3, seen={f"{self._name}.agents.v1/0": 11}
        )
        submitted = TaskSubmitted(
            **told, request_id=f"{self._name}/{number}", requested_by="smolit/demo", kind="question", scope=self._scope,
            text=prompt.text, text_sha256=f"{number:064x}", text_chars=len(prompt.text), input={"prompt_id": prompt.prompt_id},
            priority=5, deadline=deadline, max_attempts=3, reply_to=None,
        )  # fmt: skip
        chosen = AgentChosen(
            **told, attempt=1, context=context, context_map="minilm-surface-64:3f2a9c1d7e5b4a60", left_out=(), agent=agent,
            candidates=self._candidates(number), propensity=self._share(agent, number), draw=_fraction(number),
            explored=number % 5 == 0, policy=self._policy(number), decided_by="default",
        )  # fmt: skip
        return [submitted, TaskAdmitted(**told, language="en", context=context), chosen]

    def _worked(self, task: str, number: int) -> list[Fact]:
        """Return how the work went."""
        told, agent, output = (
            _told(task),
            self.agent(number),
            self._outcomes.outcome(self._prompt(number).prompt_id, self.agent(number)),
        )
        cost = round(output.cost * 1_000_000)
        return [
            AttemptStarted(**told, attempt=1, agent=agent, worker="worker-1"),
            AttemptEnded(
                **told, attempt=1, agent=agent, scope=self._scope, outcome="completed", worker="worker-1", epoch=1,
                duration_us=1_000 + number % 977, steps=(Step("recorded", 900, agent, cost_microusd=cost),),
                output={"model": agent, "score": output.score}, cost_microusd=cost,
            ),
            TaskEnded(**told, scope=self._scope, outcome="completed", attempts=1, agent=agent),
        ]  # fmt: skip

    def _judged(self, task: str, number: int) -> list[Fact]:
        """Return what was said of it, and what is learned from that."""
        told, agent = _told(task), self.agent(number)
        value = self._outcomes.outcome(self._prompt(number).prompt_id, agent).score
        return [
            FeedbackGiven(**told, attempt=1, rater="demo", kind="score", value=value),
            ExampleRecorded(
                **told, scope=self._scope, sequence=number + 1, attempt=1, agent=agent, features=self.features(number),
                propensity=self._share(agent, number), reward=value, rule="quality/1",
            ),
        ]  # fmt: skip

    def _prompt(self, number: int) -> Any:
        return self._outcomes.prompts[number % len(self._outcomes.prompts)]

    def _candidates(self, number: int) -> tuple[Candidate, ...]:
        """Return every agent with the parts of its score."""
        return tuple(
            Candidate(
                agent,
                _fraction(number + place),
                {"pooled": 0.5, "agent": _fraction(number) / 3, "text": _fraction(number + 2 * place) / 7},
                self._share(agent, number),
            )
            for place, agent in enumerate(self._outcomes.models)
        )

    def _share(self, agent: str, number: int) -> float:
        """Return the probability that an agent had."""
        others = len(self._outcomes.models) - 1
        return 0.7 if agent == self.agent(number) else 0.3 / max(1, others)

    def _policy(self, number: int) -> PolicyRef:
        settings = {"ridge": 12.0, "trust": 10.0, "gain": 20.0, "floor": 0.002}
        return PolicyRef("ridge_igw", 1, settings, f"{number * 2654435761:064x}", number - IN_FLIGHT)


def _told(task: str) -> dict[str, Any]:
    return {"task_id": task, "tenant": DEFAULT_TENANT}


def _fraction(number: int) -> float:
    """Return a number in [0, 1) with as many digits as a score has."""
    return (number * 2654435761 % 2**32) / 2**32


@lru_cache(maxsize=4096)
def _features(text: str, seed: int) -> Features:
    """Return features as large as real ones."""
    vector = np.random.default_rng(seed).normal(size=_WIDTH)
    return Features("minilm-int8-128:0c7e1a2b+surface/1", to_half(vector / np.linalg.norm(vector)), to_half(surface(text)))
