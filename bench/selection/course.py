"""One replay: a pass over the stream in an order of its own, then the policy as it stands on texts it never saw."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.selection.learner import Entry, Learner, make
from bench.selection.peer import PEERS, make_peer
from bench.selection.routing import Routing
from bench.selection.world import World
from learning.policy import Decision, Example, choose

Matrix = NDArray[np.float64]
FAILING = 0.3  # what is left of the best agent's scores after half the stream, where drift is asked for


@dataclass(frozen=True)
class Course:
    """What is replayed, and how: texts to learn on and to be judged on, delay, calibration, drift, and the weight of cost."""

    stream: Routing
    test: Routing
    delay: int = 0
    calibrate: int = 0
    drift: bool = False
    costs: float = 0.0

    def rewards(self, part: Routing) -> Matrix:
        """Return what policies learn from and are judged by: scores, less cost where it has a weight (still 0 to 1)."""
        dearest = float(self.stream.costs.mean(axis=0).max()) or 1.0
        return (1.0 - self.costs) * part.scores + self.costs * (1.0 - np.minimum(part.costs / dearest, 1.0))

    def met(self, stream: Routing) -> Matrix:
        """Return the rewards that are met on a stream in its order: with the best agent failing, where drift is asked for."""
        return _drifted(self.rewards(stream)) if self.drift else self.rewards(stream)


@dataclass(frozen=True)
class Pass:
    """What a learner earned: reward, score and cost by step, the same on the test, and milliseconds per choice and example."""

    rewards: Matrix
    scores: Matrix
    costs: Matrix
    best: float  # of a single agent, in hindsight, on this very stream
    test: float
    test_score: float
    times: Matrix = field(repr=False)
    weights: Mapping[str, float] = field(default_factory=dict)  # of the parts of scores, at the end


@dataclass(frozen=True)
class Order:
    """One seed's order of the stream, names of the agents, and draws."""

    rows: NDArray[np.intp]
    columns: dict[str, int]
    draws: Matrix

    @classmethod
    def of(cls, seed: int, tasks: int, agents: int) -> "Order":
        """Shuffle."""
        bits = np.random.default_rng(seed)
        rows, names = bits.permutation(tasks), bits.permutation(agents)
        columns = {f"agent-{name:03}": column for column, name in enumerate(names.tolist())}
        return cls(rows, columns, bits.random(tasks))


class Step(NamedTuple):
    """One task given away: what was decided, who was drawn (name and column), and milliseconds of choice and lesson."""

    decision: Decision
    agent: str
    column: int
    ms: float


def replay(course: Course, entry: Entry, seed: int) -> Pass:
    """Return what one learner earns in one order; the same seed gives every learner the same order, names and draws."""
    order = Order.of(seed, len(course.stream.keys), len(course.stream.agents))
    stream = course.stream.rows(order.rows)
    rewards = course.met(stream)
    world = World(rewards, order.columns, delay=course.delay, calibrate=course.calibrate)
    learner = learner_of(entry, course.stream, world.agents, seed)
    steps = list(walk(learner, world, stream, order))
    at, picks = np.arange(len(steps)), np.array([step.column for step in steps])
    test, test_score = _frozen(learner, course, world.agents, order.columns)
    return Pass(
        rewards=rewards[at, picks],
        scores=stream.scores[at, picks],
        costs=stream.costs[at, picks],
        best=float(rewards.mean(axis=0).max()),
        test=test,
        test_score=test_score,
        times=np.array([step.ms for step in steps]),
        weights=steps[-1].decision.weights,
    )


def learner_of(entry: Entry, stream: Routing, agents: Sequence[str], seed: int) -> Learner:
    """Return a learner that knows nothing yet."""
    if entry.kind in {peer.label for peer in PEERS}:
        return make_peer(entry.kind, agents, seed)
    return make(entry, stream.contexts.shape[1])


def walk(learner: Learner, world: World, stream: Routing, order: Order) -> Iterator[Step]:
    """Choose for every task, and learn from what is due after each choice; the stream is in its order already."""
    agents, contexts, fits = world.agents, stream.contexts, stream.fits_under(order.columns)
    for context, near, draw in zip(contexts, fits, order.draws.tolist(), strict=True):
        began = time.thread_time_ns()
        decision = learner.decide(context, agents, near)
        choice = choose(decision, draw)
        world.choose(choice.agent, choice.propensity)
        for told in world.due():
            fit = fits[told.step].get(told.agent)
            learner.learn(Example(contexts[told.step], told.agent, told.propensity, told.reward, fit))
        yield Step(decision, choice.agent, order.columns[choice.agent], (time.thread_time_ns() - began) / 1e6)


def _frozen(learner: Learner, course: Course, agents: Sequence[str], columns: dict[str, int]) -> tuple[float, float]:
    """Return mean reward and score of the favourite on the test; without an opinion, what its probabilities would earn."""
    if not course.test.keys:
        return float("nan"), float("nan")
    decisions = learner.decide_many(course.test.contexts, agents, course.test.fits_under(columns))
    shares = np.array([_share(one, columns) for one in decisions])
    rewards = course.rewards(course.test)
    return float((shares * rewards).sum(axis=1).mean()), float((shares * course.test.scores).sum(axis=1).mean())


def _share(decision: Decision, columns: dict[str, int]) -> Matrix:
    share = np.zeros(len(columns))
    for agent, chance in zip(decision.agents, decision.probabilities, strict=True):
        share[columns[agent]] = chance if decision.favourite is None else float(agent == decision.favourite)
    return share


def _drifted(rewards: Matrix) -> Matrix:
    """Return the rewards with the best agent failing from half-way."""
    found = rewards.copy()
    found[len(found) // 2 :, int(rewards.mean(axis=0).argmax())] *= FAILING
    return found
