"""The examples as they follow from the task facts, joined anew and naively, with none of the code that learns.

Per attempt: the first choice, the first end, and of each rater the highest revision. A failed attempt is worth 0, a
completed one the mean of the values that its raters gave last; an abandoned one is worth nothing.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised
from smolit.chaos.check.evidence import Evidence
from smolit.chaos.check.finding import Finding, found

Attempt = tuple[str, int]


class Lesson(NamedTuple):
    """What an attempt teaches."""

    agent: str
    propensity: float
    features: Any
    reward: float


def unlike_the_facts(evidence: Evidence) -> list[Finding]:
    """Compare the examples in force with what the task facts say, and each correction with what it corrects."""
    wanted, held = rejoined(evidence), in_force(evidence)
    return [
        *found("examples", "an attempt teaches something, and there is no example of it", wanted.keys() - held.keys()),
        *found("examples", "an example stands for an attempt that teaches nothing", held.keys() - wanted.keys()),
        *found("examples", "an example differs from the facts", (a for a in wanted if a in held and wanted[a] != held[a])),
        *found("examples", "a correction takes back what was not in force", _wrongly_corrected(evidence)),
    ]


def rejoined(evidence: Evidence) -> dict[Attempt, Lesson]:
    """Return what every attempt teaches, from the facts of the tasks alone."""
    choices: dict[Attempt, AgentChosen] = {}
    outcomes: dict[Attempt, str] = {}
    completed: dict[str, int] = {}
    said: dict[str, list[FeedbackGiven | FeedbackRevised]] = {}
    for _, event in evidence.log.facts(AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised):
        fact = event.fact
        if isinstance(fact, AgentChosen):
            choices[fact.task_id, fact.attempt] = fact
        elif isinstance(fact, AttemptEnded):
            outcomes[fact.task_id, fact.attempt] = fact.outcome
            if fact.outcome == "completed":
                completed[fact.task_id] = fact.attempt
        else:
            said.setdefault(fact.task_id, []).append(fact)
    lessons: dict[Attempt, Lesson] = {}
    for (task, attempt), choice in choices.items():
        about = [word for word in said.get(task, ()) if (word.attempt or completed.get(task)) == attempt]
        reward = _reward(outcomes.get((task, attempt)), about)
        if reward is not None:
            lessons[task, attempt] = Lesson(choice.agent, choice.propensity, choice.context.features, reward)
    return lessons


def in_force(evidence: Evidence) -> dict[Attempt, Lesson]:
    """Return the last example of each attempt in the learning log."""
    held: dict[Attempt, Lesson] = {}
    for _, event in evidence.log.facts(ExampleRecorded, ExampleSuperseded):
        fact = event.fact
        held[fact.task_id, fact.attempt] = Lesson(fact.agent, fact.propensity, fact.features, fact.reward)
    return held


def _reward(outcome: str | None, words: Iterable[FeedbackGiven | FeedbackRevised]) -> float | None:
    """Return what an attempt was worth; who spoke of it by number and as the final one is heard by number."""
    if outcome in ("failed", "timed_out"):
        return 0.0
    last: dict[str, tuple[int, bool, float]] = {}
    for word in words:
        if word.value is None:
            continue
        revision = word.revision if isinstance(word, FeedbackRevised) else 0
        told = (revision, word.attempt is not None, word.value)
        if word.rater not in last or told[:2] > last[word.rater][:2]:
            last[word.rater] = told
    values = [value for _, _, value in last.values()]
    return math.fsum(values) / len(values) if values and outcome == "completed" else None


def _wrongly_corrected(evidence: Evidence) -> Iterable[str]:
    """Yield corrections whose old reward is not the one before them."""
    rewards: dict[Attempt, float] = {}
    for record, event in evidence.log.facts(ExampleRecorded, ExampleSuperseded):
        fact, attempt = event.fact, (event.fact.task_id, event.fact.attempt)
        if isinstance(fact, ExampleSuperseded) and rewards.get(attempt) != fact.old_reward:
            yield record.origin
        rewards[attempt] = fact.reward
