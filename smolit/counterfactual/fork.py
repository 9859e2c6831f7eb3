"""What if another policy had chosen from a moment on? It lives on from there: it draws for itself, and learns from that alone.

At a task the log knows how those agents did that had it. Where the candidate draws one of them the outcome is its own, and it
learns it when the log did; any other draw is passed over, as if the task had never come. If every agent had the same chance,
what is left is a fair sample of the life that the candidate would have had (Li, Chu, Langford & Wang 2011, arXiv:1003.5956);
if not, it has met more of the agents that the log favoured.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from events.learning import ExampleSuperseded
from events.task import AgentChosen, Features
from learning.book import PolicyKey
from learning.draw import draw
from learning.features import ContextMap
from learning.policies import load
from learning.policy import Context, Decision, Policy, choose
from learning.policy import Example as Lesson
from smolit.audit.choices import Example, Log, Maps, Series, fits_of, walk
from smolit.counterfactual.replay import MODEL, expected_at, groups, map_of

Pair = tuple[str, str]  # task, agent
Outcomes = Mapping[Pair, Sequence[tuple[int, Example]]]


class Step(NamedTuple):
    """Whom a life drew, and what that earned (None: nobody knows)."""

    agent: str
    reward: float | None


class Walked(NamedTuple):
    """A task as it was given away, and what each life did with it.

    By agent, sorted by id: the chances in the mean of all lives, and what a model expected.
    """

    choice: AgentChosen
    steps: tuple[Step, ...]
    agents: tuple[str, ...]
    chances: tuple[float, ...]
    expected: tuple[float, ...]


class Start(NamedTuple):
    """Where lives begin: the candidate's state, the last offset in it, and what the log knows of tasks and agents."""

    state: bytes
    upto: int
    outcomes: Outcomes
    to_context: Callable[[Features], Context]


def lived(log: Log, maps: Maps, wanted: PolicyKey, seeds: int) -> Iterator[Walked]:
    """Walk the tasks of the log (their first choices) with that many lives of the candidate, seeded 0, 1, ...

    Before the first choice each life has learned what the log had; from then on only what came of its own draws.
    Raises as `smolit.counterfactual.replay.replay` does.
    """
    firsts = [choice for choice in log.choices if choice.attempt == 1]
    for (tenant, scope, digest), choices in groups(firsts).items():
        used = map_of(maps, digest)
        start = _start(Series(tenant, scope, wanted, digest), choices[0], log, used)
        lives = [Life(load(wanted.name, start.state, used.width, log.networks), start, seed) for seed in range(seeds)]
        for stop in walk(Series(tenant, scope, MODEL, digest), choices, log, used):
            for choice, context, expected in zip(stop.choices, stop.contexts, expected_at(stop), strict=True):
                decisions, steps = zip(*(life.step(choice, context) for life in lives), strict=True)
                yield Walked(choice, steps, decisions[0].agents, _mean_chances(decisions), expected)


def _mean_chances(decisions: Sequence[Decision]) -> tuple[float, ...]:
    chances = zip(*(one.probabilities for one in decisions), strict=True)
    return tuple(math.fsum(each) / len(decisions) for each in chances)


def _start(series: Series, first: AgentChosen, log: Log, used: ContextMap) -> Start:
    """Fold what had been learned when the first choice was made."""
    page = next(walk(series, [first], log, used)).page
    outcomes = outcomes_of(log, series.tenant, series.scope)
    return Start(page.policy.dump(), first.policy.upto, outcomes, lambda seen: used.apply(seen.embedding, seen.surface))


def outcomes_of(log: Log, tenant: str, scope: str) -> dict[Pair, list[tuple[int, Example]]]:
    """Return by task and agent what was learned of the first attempt with a reward, with offsets: example, then corrections."""
    found: dict[Pair, list[tuple[int, Example]]] = {}
    last = 0
    for offset, fact in log.examples.get((tenant, scope), []):
        if fact.sequence <= last:
            continue  # published twice
        last = fact.sequence
        facts = found.setdefault((fact.task_id, fact.agent), [])
        if not facts or facts[0][1].attempt == fact.attempt:
            facts.append((offset, fact))
    return found


class Life:
    """One life of the candidate: its state, and the outcomes of its own choices that it is still to hear of."""

    def __init__(self, policy: Policy, start: Start, seed: int) -> None:
        self._policy, self._start, self._seed = policy, start, str(seed).encode()
        before = {pair: facts for pair, facts in start.outcomes.items() if facts[0][0] <= start.upto}
        self._heard = set(before)
        corrections = [one for facts in before.values() for one in facts if one[0] > start.upto]
        self._ahead = [(offset, fact, fact.propensity) for offset, fact in corrections]
        heapify(self._ahead)

    def step(self, choice: AgentChosen, context: Context) -> tuple[Decision, Step]:
        """Decide about a task and draw, knowing what has been heard by then."""
        self._hear(choice.policy.upto)
        decision = self._policy.decide(context, [one.agent for one in choice.candidates], fits_of(choice))
        drawn = choose(decision, draw(self._seed, "fork", choice.tenant, choice.task_id))
        pair = choice.task_id, drawn.agent
        facts = self._start.outcomes.get(pair, ())
        if pair not in self._heard:
            self._heard.add(pair)
            for offset, fact in facts:
                heappush(self._ahead, (offset, fact, drawn.propensity))
        return decision, Step(drawn.agent, facts[-1][1].reward if facts else None)

    def _hear(self, upto: int) -> None:
        """Learn from own outcomes that the log held by then, in its order."""
        while self._ahead and self._ahead[0][0] <= upto:
            _, fact, propensity = heappop(self._ahead)
            lesson = Lesson(self._start.to_context(fact.features), fact.agent, propensity, fact.reward, fact.fit)
            if isinstance(fact, ExampleSuperseded):
                self._policy.revise(lesson, fact.old_reward)
            else:
                self._policy.learn(lesson)
