"""Choices as selection makes them, and examples as learning records them, without any server."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace

from events.learning import ExampleRecorded
from events.task import AgentChosen, Candidate, ChoiceContext, Features, PolicyRef
from learning.book import Page
from learning.draw import draw
from learning.features import ContextMap, extract
from learning.hashed import HashedEncoder
from learning.policy import choose
from smolit.audit.choices import Log
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
    fits = {agent: 0.1 * (at + number % 3) for at, agent in enumerate(agents)} if page.policy.matches else {}
    decision = page.policy.decide(context_map.apply(seen.embedding, seen.surface), agents, fits)
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
            Candidate(one.agent, one.score, dict(one.parts), chance, fits.get(one.agent))
            for one, chance in zip(decision.candidates, decision.probabilities, strict=True)
        ),
        left_out=(),
        agent=chosen.agent,
        propensity=chosen.propensity,
        draw=drawn,
        explored=chosen.explored,
        policy=PolicyRef(page.policy.name, page.policy.version, dict(page.policy.settings), page.digest, page.upto),
        decided_by="default",
        weights=dict(decision.weights) or None,
    )


def example(number: int, reward: float) -> ExampleRecorded:
    """Return the n-th example of the scope."""
    fact: Any = builders.example(sequence=number, reward=reward, agent="bert", features=features(f"question {number}")).fact
    return fact  # type: ignore[no-any-return]


def offers(page: Page, context_map: ContextMap, tasks: int) -> list[tuple[AgentChosen, ExampleRecorded]]:
    """Return choices between two agents, and an example to come of each."""
    return [(choice(page, context_map, number, AGENTS[:2]), example(number + 1, 0.0)) for number in range(tasks)]


def worth_of(offered: Sequence[tuple[AgentChosen, ExampleRecorded]]) -> dict[str, tuple[float, float]]:
    """Return what the two agents are truly worth at each task."""
    return {one.task_id: (0.8, 0.3) if number % 3 else (0.4, 0.5) for number, (one, _) in enumerate(offered)}


def simulated(
    offered: Sequence[tuple[AgentChosen, ExampleRecorded]], seed: int, late: int = 3, first: float = 0.5
) -> tuple[Log, dict[str, tuple[float, float]]]:
    """Return a history with rewards 0 and 1, and what each agent is truly worth at each choice; `first` is bert's chance."""
    drawn = np.random.Generator(np.random.PCG64(seed)).random((len(offered), 2)).tolist()
    worth = worth_of(offered)
    chances, choices, examples = (first, 1.0 - first), [], []
    for number, ((one, made), (which, luck)) in enumerate(zip(offered, drawn, strict=True)):
        place, upto = int(which >= first), 10 * (number - late) if number >= late else -1
        had = tuple(replace(who, probability=chance) for who, chance in zip(one.candidates, chances, strict=True))
        policy = replace(one.policy, upto=upto)
        choices.append(replace(one, agent=AGENTS[place], propensity=chances[place], draw=which, candidates=had, policy=policy))
        reward = float(luck < worth[one.task_id][place])
        earned = replace(made, task_id=one.task_id, agent=AGENTS[place], propensity=chances[place], reward=reward)
        examples.append((10 * number, replace(earned, features=one.context.features)))
    return Log({("default", "default"): examples}, choices, 0), worth
