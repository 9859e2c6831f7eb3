"""From the facts of one task to what there is to learn from it: a pure fold, one task at a time.

Feedback may come late, twice, revised, before its attempt ended or before its task is known: what is recorded in the
end is the same. An attempt is an example once its choice, its end and a reward are known; a reward that changes later
supersedes the example.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from events.event import Fact
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import (
    AgentChosen,
    AttemptEnded,
    AttemptOutcome,
    Features,
    FeedbackGiven,
    FeedbackRevised,
    RewardTerms,
)
from learning.feedback import Judgement, numbers_first, of_sentiment
from learning.likeness import answer_text
from learning.reward import BEFORE, Tried, reward

Example = ExampleRecorded | ExampleSuperseded


class Choice(Struct, frozen=True):
    """What was known when an agent was chosen."""

    agent: str
    scope: str
    features: Features
    propensity: float
    variant: str | None
    terms: RewardTerms = BEFORE
    fit: float | None = None


class Spent(Struct, frozen=True):
    """What an attempt took and brought, as far as a reward depends on it."""

    cost_microusd: int | None
    duration_us: int
    answer: str | None


class Said(Struct, frozen=True):
    """What one rater said last, in one way, of one attempt (None: of the one that completed the task)."""

    attempt: int | None
    rater: str
    revision: int
    kind: str
    value: float | None
    sentiment: float | None = None
    correction: str | None = None

    @property
    def voice(self) -> tuple[int | None, str, str]:
        """Return what only a later revision in the same way replaces.

        Words that are worth nothing replace none that are, whenever they come: nothing could undo the example that these made.
        """
        if self.value is not None:
            return self.attempt, self.rater, "number"
        if self.correction:
            return self.attempt, self.rater, "correction"
        return self.attempt, self.rater, "words" if of_sentiment(self.sentiment) is None else "sentiment"


class Learnt(Struct, frozen=True):
    """The example that an attempt is recorded as, after so many corrections."""

    revision: int
    reward: float


class TaskMemory(Struct, frozen=True):
    """All that the fold remembers of one task."""

    tenant: str
    task_id: str
    choices: dict[int, Choice] = {}
    outcomes: dict[int, AttemptOutcome] = {}
    spent: dict[int, Spent] = {}
    said: tuple[Said, ...] = ()
    learnt: dict[int, Learnt] = {}

    @property
    def waiting(self) -> bool:
        """Return whether there is feedback whose attempt is not known yet."""
        return any(self.attempt_of(said) is None for said in self.said)

    def attempt_of(self, said: Said) -> int | None:
        """Return the attempt that feedback is about, once it is known."""
        if said.attempt is not None:
            return said.attempt if said.attempt in self.choices else None
        return next((number for number, outcome in self.outcomes.items() if outcome == "completed"), None)


def evolve(memory: TaskMemory, fact: Fact) -> TaskMemory:
    """Take in one fact of the task; facts of another tenant and those that teach nothing are passed over."""
    if fact.tenant != memory.tenant:
        return memory
    match fact:
        case AgentChosen(attempt=attempt):
            return replace(memory, choices={attempt: _choice(fact), **memory.choices})
        case AttemptEnded(attempt=attempt, outcome=outcome):
            outcomes, spent = {attempt: outcome, **memory.outcomes}, {attempt: _spent(fact), **memory.spent}
            return replace(memory, outcomes=outcomes, spent=spent)
        case FeedbackGiven():
            return _hear(memory, _said(fact, 0))
        case FeedbackRevised():
            return _hear(memory, _said(fact, fact.revision))
        case _:
            return memory


def conclude(memory: TaskMemory) -> tuple[TaskMemory, tuple[Example, ...]]:
    """Return the examples that the memory calls for and does not have yet, and the memory that has them.

    Their `sequence` is 0: it is given when they are stored, in the order in which they are.
    """
    found = (_example(memory, attempt, choice) for attempt, choice in sorted(memory.choices.items()))
    examples = tuple(example for example in found if example is not None)
    learnt = {example.attempt: Learnt(_revision(example), example.reward) for example in examples}
    return replace(memory, learnt={**memory.learnt, **learnt}), examples


def _hear(memory: TaskMemory, said: Said) -> TaskMemory:
    """Keep what a rater said, unless a later revision of it is here already."""
    same = [old for old in memory.said if old.voice == said.voice]
    if any(old.revision >= said.revision for old in same):
        return memory
    return replace(memory, said=(*(old for old in memory.said if old not in same), said))


def _example(memory: TaskMemory, attempt: int, choice: Choice) -> Example | None:
    """Return the example that this attempt calls for, if it is new or differs from the one recorded."""
    outcome = memory.outcomes.get(attempt)
    value = None if outcome is None else reward(choice.terms, _tried(memory, attempt, outcome), _judgements(memory, attempt))
    known = memory.learnt.get(attempt)
    if value is None or (known is not None and known.reward == value):
        return None
    if known is None:
        return _recorded(memory, attempt, choice, value)
    return _superseded(memory, attempt, choice, known, value)


def _recorded(memory: TaskMemory, attempt: int, choice: Choice, value: float) -> ExampleRecorded:
    return ExampleRecorded(
        tenant=memory.tenant,
        scope=choice.scope,
        sequence=0,
        task_id=memory.task_id,
        attempt=attempt,
        agent=choice.agent,
        features=choice.features,
        propensity=choice.propensity,
        reward=value,
        rule=choice.terms.rule,
        variant=choice.variant,
        fit=choice.fit,
    )


def _superseded(memory: TaskMemory, attempt: int, choice: Choice, known: Learnt, value: float) -> ExampleSuperseded:
    return ExampleSuperseded(
        tenant=memory.tenant,
        scope=choice.scope,
        sequence=0,
        task_id=memory.task_id,
        attempt=attempt,
        revision=known.revision + 1,
        agent=choice.agent,
        features=choice.features,
        propensity=choice.propensity,
        old_reward=known.reward,
        reward=value,
        rule=choice.terms.rule,
        variant=choice.variant,
        fit=choice.fit,
    )


def _judgements(memory: TaskMemory, attempt: int) -> list[Judgement]:
    """Return what was said of an attempt; who named it by number and again as the final one is heard once."""
    about = [said for said in memory.said if memory.attempt_of(said) == attempt]
    about.sort(key=lambda said: (said.rater, said.revision, said.attempt is None))
    return numbers_first(
        Judgement(said.rater, said.revision, said.kind, said.value, said.sentiment, said.correction) for said in about
    )


def _tried(memory: TaskMemory, attempt: int, outcome: AttemptOutcome) -> Tried:
    """Return what is known of an attempt that is over; of one that ended under an older release only the outcome is."""
    spent = memory.spent.get(attempt)
    return Tried(outcome, spent.cost_microusd, spent.duration_us, spent.answer) if spent else Tried(outcome)


def _spent(fact: AttemptEnded) -> Spent:
    return Spent(fact.cost_microusd, fact.duration_us, answer_text(fact.output) if fact.outcome == "completed" else None)


def _said(fact: FeedbackGiven | FeedbackRevised, revision: int) -> Said:
    sentiment = fact.sentiment.compound if fact.sentiment else None
    correction = fact.correction if fact.kind == "correction" and fact.value is None else None
    return Said(fact.attempt, fact.rater, revision, fact.kind, fact.value, sentiment, correction)


def _revision(example: Example) -> int:
    return example.revision if isinstance(example, ExampleSuperseded) else 0


def _choice(fact: AgentChosen) -> Choice:
    assignment = fact.context.assignment
    return Choice(
        agent=fact.agent,
        scope=fact.context.scope,
        features=fact.context.features,
        propensity=fact.propensity,
        variant=f"{assignment.experiment}/{assignment.variant}" if assignment else None,
        terms=fact.context.reward or BEFORE,
        fit=next((one.fit for one in fact.candidates if one.agent == fact.agent), None),
    )


def final(memories: Mapping[str, TaskMemory]) -> dict[tuple[str, int], float]:
    """Return the reward of every example in force by (task, attempt): what a re-join of the task facts must give."""
    return {
        (task_id, attempt): learnt.reward for task_id, memory in memories.items() for attempt, learnt in memory.learnt.items()
    }
