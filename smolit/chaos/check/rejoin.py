"""The examples as they follow from the task facts, joined anew and naively, with none of the code that learns.

Per attempt: the first choice, the first end, and of each rater one word: the last number, or else the last words that are
worth something. A failed attempt is worth 0, a completed one what its raters say in the mean, weighed against cost and time
as its choice says; an abandoned one is worth nothing.
"""

import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised, RewardTerms
from smolit.chaos.check.evidence import Evidence
from smolit.chaos.check.finding import Finding, found

Attempt = tuple[str, int]
Word = FeedbackGiven | FeedbackRevised


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
    ends: dict[Attempt, AttemptEnded] = {}
    completed: dict[str, int] = {}
    said: dict[str, list[Word]] = {}
    for _, event in evidence.log.facts(AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised):
        fact = event.fact
        if isinstance(fact, AgentChosen):
            choices[fact.task_id, fact.attempt] = fact
        elif isinstance(fact, AttemptEnded):
            ends[fact.task_id, fact.attempt] = fact
            if fact.outcome == "completed":
                completed[fact.task_id] = fact.attempt
        else:
            said.setdefault(fact.task_id, []).append(fact)
    lessons: dict[Attempt, Lesson] = {}
    for (task, attempt), choice in choices.items():
        about = [word for word in said.get(task, ()) if (word.attempt or completed.get(task)) == attempt]
        reward = _reward(choice.context.reward, ends.get((task, attempt)), about)
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


def _reward(terms: RewardTerms | None, end: AttemptEnded | None, words: Iterable[Word]) -> float | None:
    """Return what an attempt was worth."""
    if end is None or end.outcome == "abandoned":
        return None
    if end.outcome != "completed":
        return 0.0
    values = _values(words, end, by_words=terms is not None)
    if not values:
        return None
    quality = math.fsum(values) / len(values)
    return _weighed(quality, terms, end) if terms else quality


def _values(words: Iterable[Word], end: AttemptEnded, by_words: bool) -> list[float]:
    """Return what each rater says; who spoke of it by number and as the final one is heard by number."""
    last: dict[str, tuple[tuple[bool, int, bool], float]] = {}
    for word in words:
        value = word.value if word.value is not None or not by_words else _meant(word, end.output)
        if value is None:
            continue
        revision = word.revision if isinstance(word, FeedbackRevised) else 0
        place = (word.value is not None, revision, word.attempt is not None)
        if word.rater not in last or place > last[word.rater][0]:
            last[word.rater] = place, value
    return [value for _, value in last.values()]


def _meant(word: Word, output: Any) -> float | None:
    """Return what words without a number are worth."""
    if word.kind == "comment" and word.sentiment is not None and abs(word.sentiment.compound) >= 0.05:
        return (1 + word.sentiment.compound) / 2
    if word.kind != "correction" or not word.correction:
        return None
    if isinstance(output, dict):
        output = next((output[name] for name in ("text", "answer", "value", "label") if name in output), None)
    if isinstance(output, bool) or not isinstance(output, str | int | float) or len(str(output)) > 10_000:
        return None
    return _alike(_TOKEN.findall(str(output)), _TOKEN.findall(word.correction))


_ALONE = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"\d+(?:[.,]\d+)+|[{_ALONE}]|[^\W{_ALONE}]+(?:['’][^\W{_ALONE}]+)*|[^\w\s]")


def _alike(one: list[str], other: list[str]) -> float | None:
    """Return the share of words that stay, by the textbook's table of edits, cell by cell."""
    longer = max(len(one), len(other))
    if not longer or longer > 2_000:
        return None if longer else 1.0
    above = list(range(len(other) + 1))
    for number, mine in enumerate(one, 1):
        row = [number]
        for place, theirs in enumerate(other, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (mine != theirs)))
        above = row
    return 1.0 - above[-1] / longer


def _weighed(quality: float, terms: RewardTerms, end: AttemptEnded) -> float | None:
    """Return quality weighed against cost and time; what was not measured leaves its weight to the others."""
    weights, worths = [1.0 - (terms.cost_weight + terms.latency_weight)], [quality]
    if end.cost_microusd is not None:
        weights.append(terms.cost_weight)
        worths.append(terms.cost_half_microusd / (terms.cost_half_microusd + end.cost_microusd))
    weights.append(terms.latency_weight)
    worths.append(terms.latency_half_us / (terms.latency_half_us + end.duration_us))
    whole = math.fsum(weights)
    return min(1.0, math.fsum(map(float.__mul__, weights, worths)) / whole) if whole > 0 else None


def _wrongly_corrected(evidence: Evidence) -> Iterable[str]:
    """Yield corrections whose old reward is not the one before them."""
    rewards: dict[Attempt, float] = {}
    for record, event in evidence.log.facts(ExampleRecorded, ExampleSuperseded):
        fact, attempt = event.fact, (event.fact.task_id, event.fact.attempt)
        if isinstance(fact, ExampleSuperseded) and rewards.get(attempt) != fact.old_reward:
            yield record.origin
        rewards[attempt] = fact.reward
