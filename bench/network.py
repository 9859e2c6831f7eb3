"""Is a trained network worth it: trained on the first half of a stream, served on the second, beside policies that learn online.

`python -m bench.network [--data DIR --set NAME --agents POOL --orders N --tasks N]`, after `make install-train`. In each order
`ridge_igw` serves the first half and learns; networks are trained on what it logged, and exported. Then each policy serves the
second half and learns on: the online ones with all they know, networks with their corrections, and three combinations of
`joint_thompson`, `ridge_igw` and the network for all targets: their mean, a vote of their favourites, and a stack that learns
how much each of them says. All of them choose by the same rule (inverse-gap weighting), with the same draws.
"""

import argparse
import hashlib
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from bench.make_sample import SAMPLE_SET
from bench.selection.routing import POOLS, Routing, open_set
from learning.draw import sample
from learning.encoders import open_encoder
from learning.inverse_gap import inverse_gap_weights
from learning.network import Graph, Network, open_graph
from learning.policies import create
from learning.policy import Example, Policy, choose
from learning.reliability import brier, calibration_error, error_by_chance, groups
from learning.statistics import paired_difference
from smolit.settings import load_settings
from training.crossed import calibrated
from training.export import Scales, Served, card_of, check_parity, export
from training.job import KINDS, Job, Kind, Rows, Words, pack
from training.loop import Fitted, Part, Trainer, part_of
from training.ranks import Ranks

Matrix = NDArray[np.float64]
SAMPLE = Path(__file__).parent / "data"
ONLINE = ("joint_thompson", "ridge_igw")
VALIDATION = 0.15
GAIN, FLOOR = 20.0, 0.002


class Scene(NamedTuple):
    """One order of a stream: who is called what, and the numbers that decide."""

    routing: Routing
    agents: list[str]
    column: dict[str, int]
    draws: Matrix

    @property
    def half(self) -> int:
        """How many tasks come before the second half."""
        return len(self.routing.keys) // 2


class Tried(NamedTuple):
    """Who was chosen, and what that earned."""

    agent: str
    propensity: float
    reward: float


def scene_of(routing: Routing, seed: int, tasks: int) -> Scene:
    """Return an order of so many tasks, with names of its own for the agents."""
    bits = np.random.default_rng(seed)
    rows = bits.permutation(len(routing.keys))[:tasks]
    names = bits.permutation(len(routing.agents)).tolist()
    column = {f"agent-{name:03}": place for place, name in enumerate(names)}
    return Scene(routing.rows(rows), sorted(column), column, bits.random(len(rows)))


def serve(scene: Scene, policy: Policy, steps: range) -> list[Tried]:
    """Choose for each task, and learn from it at once."""
    done = []
    for step in steps:
        context = scene.routing.contexts[step]
        choice = choose(policy.decide(context, scene.agents), float(scene.draws[step]))
        reward = float(scene.routing.scores[step, scene.column[choice.agent]])
        policy.learn(Example(context, choice.agent, choice.propensity, reward))
        done.append(Tried(choice.agent, choice.propensity, reward))
    return done


def learned(scene: Scene, name: str, logged: Sequence[Tried]) -> Policy:
    """Return a policy that has learned what was logged."""
    policy = create(name, scene.routing.contexts.shape[1])
    for context, one in zip(scene.routing.contexts, logged, strict=False):
        policy.learn(Example(context, one.agent, one.propensity, one.reward))
    return policy


class Told(NamedTuple):
    """How true a network's chances of success came: of all agents on all later tasks, and of those alone who were chosen by it.

    `by_chance` is the error that true chances of those who were chosen would show.
    """

    brier: float
    error: float
    error_of_chosen: float
    by_chance: float


class Made(NamedTuple):
    """A network that was trained, what makes chances of its logits, and on what it was trained."""

    fitted: Fitted
    scales: Scales
    job: Job
    part: Part


class InTorch:
    """A network as it was trained, without the way through a graph: for trials that nobody serves."""

    def __init__(self, made: Made) -> None:
        self._net, self._agents = Served(made.fitted.net, made.scales), torch.arange(1, len(made.job.agents) + 1)[None]
        self.card = card_of(made.job)

    def rewards(self, context: Matrix) -> Matrix:
        """Return the reward of each agent, 0 to 1."""
        with torch.no_grad():
            found: Matrix = self._net(torch.from_numpy(np.array(context))[None], self._agents).reward[0].numpy()
        return found


def train(scene: Scene, kind: Kind, logged: Sequence[Tried], seed: int) -> Graph:
    """Train a network on what was logged, and return it as it is served."""
    made = fit(scene, Words(kind=kind, seed=seed), logged)
    graph = export(made.fitted.net, made.scales, made.job)
    check_parity(made.fitted.net, made.scales, graph, made.job, made.part)
    return open_graph(graph)


def fit(scene: Scene, words: Words, logged: Sequence[Tried]) -> Made:
    """Train a network on what was logged."""
    rewards = np.array([one.reward for one in logged])
    success = (rewards >= 0.5).astype(np.float64)
    targets = np.stack([rewards, success, np.zeros(len(logged))], axis=1)
    known = np.ones_like(targets, dtype=np.bool_)
    known[:, 2] = False  # recorded outcomes have no times
    agents = np.array([scene.agents.index(one.agent) + 1 for one in logged], dtype=np.int64)
    validation = np.arange(len(logged)) >= int((1.0 - VALIDATION) * len(logged))
    rows = Rows(scene.routing.contexts[: len(logged)], agents, targets, known, validation)
    job = Job(
        words=words,
        context_map="0" * 64,
        width=rows.contexts.shape[1],
        agents=tuple(scene.agents),
        mean=float(rewards.mean()),
        duration=(0.0, 1.0),
        table_sha256=hashlib.sha256(pack(rows)).hexdigest(),
    )
    with tempfile.TemporaryDirectory() as folder:
        fitted = Trainer(job, rows, Ranks(), Path(folder)).run()
        found = calibrated(fitted, job, rows, Ranks(), Path(folder))
    return Made(fitted, found.scales, job, part_of(rows, validation))


class Combined:
    """Several policies that all learn, and one opinion made of theirs."""

    def __init__(self, members: Sequence[Policy], blend: Callable[["Combined", Matrix], Matrix]) -> None:
        self.members, self._blend = members, blend
        self.inverse, self.sums = np.eye(len(members) + 1) / 12.0, np.array([1.0 / len(members)] * len(members) + [0.0]) * 12.0
        self.counted = 0

    @property
    def weights(self) -> Matrix:
        """What the stack has learned that each member's score, and one, are worth."""
        weights: Matrix = self.inverse @ self.sums
        return weights

    def step(self, scene: Scene, step: int) -> float:
        """Choose for one task, let everybody learn from it, and return what it earned."""
        context = scene.routing.contexts[step]
        told = np.array([policy.decide(context, scene.agents).scores for policy in self.members])
        scores = self._blend(self, told)[None]
        best = scores.argmax(axis=1)
        gamma = GAIN * math.sqrt(self.counted + 1)
        (chances,) = inverse_gap_weights(scores, best, gamma, min(FLOOR, 1.0 / (4 * len(scene.agents))))
        at = sample(chances, float(scene.draws[step]))
        agent = scene.agents[at]
        reward = float(scene.routing.scores[step, scene.column[agent]])
        for policy in self.members:
            policy.learn(Example(context, agent, chances[at], reward))
        self._learn(np.append(told[:, at], 1.0), reward)
        return reward

    def _learn(self, told: Matrix, reward: float) -> None:
        reach = self.inverse @ told
        self.inverse -= np.outer(reach, reach) / (1.0 + float(reach @ told))
        self.sums += told * reward
        self.counted += 1


def weighted(_: Combined, told: Matrix) -> Matrix:
    """Return the mean of the members' scores."""
    mean: Matrix = told.mean(axis=0)
    return mean


def vote(_: Combined, told: Matrix) -> Matrix:
    """Return the share of members whose favourite each agent is; the mean score, a thousandth of it, breaks ties."""
    votes = np.zeros(told.shape[1])
    np.add.at(votes, told.argmax(axis=1), 1.0 / len(told))
    votes += told.mean(axis=0) / 1000.0
    return votes


def stack(one: Combined, told: Matrix) -> Matrix:
    """Return what the members' scores are worth, as learned."""
    scores: Matrix = one.weights[:-1] @ told + one.weights[-1]
    return scores


COMBINATIONS: dict[str, Callable[[Combined, Matrix], Matrix]] = {"mean of three": weighted, "vote": vote, "stack": stack}


def order(routing: Routing, seed: int, tasks: int) -> tuple[dict[str, float], dict[str, Told]]:
    """Return the mean reward on the second half of every policy; and how true what every network told came there."""
    scene = scene_of(routing, seed, tasks)
    logged = serve(scene, create("ridge_igw", routing.contexts.shape[1]), range(scene.half))
    later = range(scene.half, len(scene.routing.keys))
    graphs = {kind: train(scene, kind, logged, seed) for kind in KINDS}
    earned = {name: mean_of(serve(scene, learned(scene, name, logged), later)) for name in ONLINE}
    served = {kind: serve(scene, neural(scene, graph, logged), later) for kind, graph in graphs.items()}
    earned |= {f"neural {kind}": mean_of(tried) for kind, tried in served.items()}
    for name, blend in COMBINATIONS.items():
        members = [*(learned(scene, one, logged) for one in ONLINE), neural(scene, graphs["multitask"], logged)]
        combined = Combined(members, blend)
        combined.counted = scene.half
        earned[name] = float(np.mean([combined.step(scene, step) for step in later]))
    scores = scene.routing.scores[scene.half :]
    earned |= {"random": float(scores.mean()), "best single": float(scores.mean(axis=0).max())}
    return earned, {kind: _foretold(scene, graph, later, served[kind]) for kind, graph in graphs.items()}


def neural(scene: Scene, graph: Network, logged: Sequence[Tried]) -> Policy:
    """Return the policy that serves by a network, as of what the network knows."""
    settings: dict[str, float | str] = {"model": "0" * 64, "trained": float(len(logged))}
    policy = create("neural", scene.routing.contexts.shape[1], settings, lambda _: graph)
    for context, one in zip(scene.routing.contexts, logged, strict=False):
        policy.learn(Example(context, one.agent, one.propensity, one.reward))
    return policy


def _foretold(scene: Scene, graph: Graph, later: range, tried: Sequence[Tried]) -> Told:
    """Return how true chances of success came on later tasks; `tried` is who was chosen for each."""
    columns = [scene.column[agent] for agent in scene.agents]
    told = np.array([graph.told(scene.routing.contexts[step]).success for step in later])
    came = (scene.routing.scores[later.start : later.stop][:, columns] >= 0.5).astype(np.float64)
    who = np.arange(len(later)), np.array([scene.agents.index(one.agent) for one in tried])
    every, chosen = groups(told.ravel(), came.ravel()), groups(told[who], came[who])
    return Told(brier(told.ravel(), came.ravel()), calibration_error(every), calibration_error(chosen), error_by_chance(chosen))


def mean_of(tried: Sequence[Tried]) -> float:
    """Return the mean reward."""
    return float(np.mean([one.reward for one in tried]))


def main() -> None:
    """Print mean rewards, and differences from `ridge_igw` in thousandths, paired by order."""
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--data", type=Path, default=SAMPLE)
    said.add_argument("--set", default=SAMPLE_SET)
    said.add_argument("--agents", default="")
    said.add_argument("--orders", type=int, default=10, help="two or more")
    said.add_argument("--first", type=int, default=0)
    said.add_argument("--tasks", type=int, default=2_000)
    asked = said.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    settings = load_settings()
    encoder = open_encoder(settings.encoder, settings.cache / "encoder")
    routing, vectors = open_set(asked.data, asked.set, POOLS.get(asked.agents, ()), encoder)
    found = []
    for seed in range(asked.first, asked.first + asked.orders):
        found.append(order(routing, seed, asked.tasks))
        print(f"order {seed}: {', '.join(f'{name} {each:.4f}' for name, each in found[-1][0].items())}", flush=True)
    _tell(found, f"{asked.set} {asked.agents}, {asked.tasks} tasks, vectors {vectors}, {asked.orders} orders")


def _tell(found: Sequence[tuple[dict[str, float], dict[str, Told]]], title: str) -> None:
    print(f"{title}: mean reward on the second half; minus ridge_igw and minus neural mlp, x 1000, 95 % intervals")
    for name in found[0][0]:
        each = [earned[name] for earned, _ in found]
        told = [f"{np.mean(each):.4f}"]
        for base in ("ridge_igw", "neural mlp"):
            if name != base:
                gap = paired_difference(each, [earned[base] for earned, _ in found])
                told.append(f"{1000 * gap.value:+7.1f} +- {1000 * (gap.high - gap.value):.1f}")
            else:
                told.append(" " * 7)
        print(f"  {name:18} {'   '.join(told)}")
    for kind in KINDS:
        mean = Told(*np.mean([foretold[kind] for _, foretold in found], axis=0).tolist())
        print(
            f"  {kind:12} Brier {mean.brier:.4f}, calibration error {mean.error:.4f}; "
            f"of those chosen {mean.error_of_chosen:.4f}, where true chances would show {mean.by_chance:.4f}"
        )


if __name__ == "__main__":
    main()
