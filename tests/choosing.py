"""Choices as selection makes them, and examples as learning records them, without any server."""

from collections.abc import Sequence
from typing import Any

from events.learning import ExampleRecorded
from events.task import AgentChosen, Candidate, ChoiceContext, Features, PolicyRef
from learning.book import Page
from learning.draw import draw
from learning.features import ContextMap, extract
from learning.hashed import HashedEncoder
from learning.policy import choose
from tests import builders

SECRET = b"test"
AGENTS = ("bert", "clara", "dora")


def features(text: str) -> Features:
    """Return the features of a text."""
    embedding, surface = extract(text, HashedEncoder())
    return Features("hashed", embedding, surface)


def choice(page: Page, context_map: ContextMap, number: int, agents: Sequence[str] = AGENTS) -> AgentChosen:
    """Make a choice the way selection does."""
    seen, task_id = features(f"question {number}"), f"00000000-0000-5000-8000-{number:012d}"
    decision = page.policy.decide(context_map.apply(seen.embedding, seen.surface), agents)
    drawn = draw(SECRET, "choice", task_id, 1)
    chosen = choose(decision, drawn)
    context: ChoiceContext = builders.context(features=seen)
    return AgentChosen(
        tenant="default",
        task_id=task_id,
        attempt=1,
        context=context,
        context_map=context_map.digest,
        candidates=tuple(
            Candidate(one.agent, one.score, dict(one.parts), chance)
            for one, chance in zip(decision.candidates, decision.probabilities, strict=True)
        ),
        left_out=(),
        agent=chosen.agent,
        propensity=chosen.propensity,
        draw=drawn,
        explored=chosen.explored,
        policy=PolicyRef(page.policy.name, page.policy.version, dict(page.policy.settings), page.digest, page.upto),
        decided_by="default",
    )


def example(number: int, reward: float) -> ExampleRecorded:
    """Return the n-th example of the scope."""
    fact: Any = builders.example(sequence=number, reward=reward, agent="bert", features=features(f"question {number}")).fact
    return fact  # type: ignore[no-any-return]
