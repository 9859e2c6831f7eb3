"""Which past tasks to do again, and when to stop: rules compared on recorded outcomes, paired over orders of the stream.

`python -m bench.selection.picking [--data DIR --set NAME --agents POOL --orders N --policy NAME]`. In each order a policy
serves 200 tasks and learns from its own choices; then a rule has past tasks done again by all other agents, 30 of them or until
it stops; then the policy serves 1,000 more, which are what is compared.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.make_sample import SAMPLE_SET
from bench.selection.learner import Entry, make
from bench.selection.routing import POOLS, Routing, open_set
from learning.encoders import open_encoder
from learning.information import Stakes, Standing, best_batch
from learning.picking import kinds_in_turn
from learning.policy import Example, Policy, choose
from learning.statistics import paired_difference
from smolit.settings import load_settings

PAST, TO_COME, AGAIN, LOT = 200, 1_000, 30, 5
SAMPLE = Path(__file__).parent.parent / "data"
Rule = Callable[["Scene", NDArray[np.float64]], Sequence[int]]


class Scene(NamedTuple):
    """One order of a stream: what was asked, what each agent would earn and cost, and who is called what."""

    routing: Routing
    agents: list[str]
    column: dict[str, int]
    draws: NDArray[np.float64]
    bits: np.random.Generator


def of_order(routing: Routing, seed: int) -> Scene:
    """Return an order with names of its own for the agents."""
    bits = np.random.default_rng(seed)
    part = routing.rows(bits.permutation(len(routing.keys))[: PAST + TO_COME])
    column = {f"agent-{name:03}": place for place, name in enumerate(bits.permutation(len(routing.agents)).tolist())}
    return Scene(part, sorted(column), column, bits.random(PAST + TO_COME), bits)


def _newest_kinds(scene: Scene, _: NDArray[np.float64]) -> Sequence[int]:
    kinds = list(scene.routing.domains[:PAST][::-1])
    return [PAST - 1 - place for place in kinds_in_turn(kinds, PAST)]


def _by(value: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Rule:
    return lambda _, scores: np.argsort(-value(scores), kind="stable").tolist()


def _lead(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much the best agent is expected to beat the second."""
    ordered = np.sort(scores, axis=1)
    lead: NDArray[np.float64] = ordered[:, -1] - ordered[:, -2]
    return lead


RULES: dict[str, Rule] = {
    "at random": lambda scene, _: scene.bits.permutation(PAST).tolist(),
    "newest, kinds in turn": _newest_kinds,
    "agents differ most": _by(lambda scores: scores.std(axis=1)),
    "agents differ least": _by(lambda scores: -scores.std(axis=1)),
    "two best are closest": _by(lambda scores: -_lead(scores)),
    "best is expected best": _by(lambda scores: scores.max(axis=1)),
}


class Result(NamedTuple):
    """What a rule led to: mean reward of the tasks to come, tasks done again, what that cost in dollars."""

    reward: float
    again: int
    cost: float


def course(scene: Scene, policy: Policy, rule: Rule | None, most: int, stakes: Stakes | None) -> Result:
    """Serve, calibrate, serve on."""
    did = [_serve(scene, policy, step)[0] for step in range(PAST)]
    again, cost = _calibrate(scene, policy, rule, did, most, stakes) if rule else (0, 0.0)
    return Result(float(np.mean([_serve(scene, policy, PAST + step)[1] for step in range(TO_COME)])), again, cost)


def _serve(scene: Scene, policy: Policy, step: int) -> tuple[str, float]:
    """Choose for one task and learn from it."""
    context = scene.routing.contexts[step]
    choice = choose(policy.decide(context, scene.agents), float(scene.draws[step]))
    reward = float(scene.routing.scores[step, scene.column[choice.agent]])
    policy.learn(Example(context, choice.agent, choice.propensity, reward))
    return choice.agent, reward


def _calibrate(scene: Scene, policy: Policy, rule: Rule, did: list[str], most: int, stakes: Stakes | None) -> tuple[int, float]:
    """Have past tasks done again; with stakes until a further one is not worth its cost. Return how many, and the cost."""
    scores = np.array([policy.decide(row, scene.agents).scores for row in scene.routing.contexts[:PAST]])
    earned: dict[str, list[float]] = {agent: [] for agent in scene.agents}
    for step, agent in enumerate(did):
        earned[agent].append(float(scene.routing.scores[step, scene.column[agent]]))
    prices = {agent: 1e6 * float(scene.routing.costs[:PAST, scene.column[agent]].mean()) for agent in scene.agents}
    done, cost = 0, 0.0
    for step in rule(scene, scores)[:most]:
        if stakes and done % LOT == 0:
            known = [Standing(agent, len(each), sum(each)) for agent, each in earned.items()]
            if not best_batch(known, prices, most - done, stakes).pays:
                break
        for agent in scene.agents:
            if agent != did[step]:
                reward = float(scene.routing.scores[step, scene.column[agent]])
                policy.learn(Example(scene.routing.contexts[step], agent, 1.0, reward))
                earned[agent].append(reward)
                cost += float(scene.routing.costs[step, scene.column[agent]])
        done += 1
    return done, cost


def _line(label: str, found: Sequence[float], base: Sequence[float], scale: float) -> str:
    difference = paired_difference(found, base)
    return f"  {label:34} {scale * difference.value:+8.1f} +- {scale * (difference.value - difference.low):.1f}"


def main() -> None:
    """Compare the rules, and print differences in thousandths."""
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--data", type=Path, default=SAMPLE)
    said.add_argument("--set", default=SAMPLE_SET)
    said.add_argument("--agents", default="")
    said.add_argument("--orders", type=int, default=40)
    said.add_argument("--first", type=int, default=0)
    said.add_argument("--policy", default="ridge_igw")
    said.add_argument("--worth", type=float, nargs="*", default=[], help="dollars a reward of 1 is worth: measures when to stop")
    asked = said.parse_args()
    settings = load_settings()
    encoder = open_encoder(settings.encoder, settings.cache / "encoder")
    routing, vectors = open_set(asked.data, asked.set, POOLS.get(asked.agents, ()), encoder)
    orders = range(asked.first, asked.first + asked.orders)

    def each(rule: Rule | None, most: int = AGAIN, stakes: Stakes | None = None) -> list[Result]:
        entry = Entry(asked.policy, asked.policy)
        return [course(of_order(routing, seed), make(entry, routing.contexts.shape[1]), rule, most, stakes) for seed in orders]  # type: ignore[arg-type]

    print(f"{asked.set} {asked.agents}, {asked.policy}, vectors {vectors}, {asked.orders} orders, x 1000", flush=True)
    plain = each(RULES["at random"])
    print(
        f"  30 at random: {1000 * np.mean([one.reward for one in plain]):.1f}, {np.mean([one.cost for one in plain]):.4f} dollars"
    )
    for label, rule in {"nothing": None, **RULES}.items():
        if label != "at random":
            print(
                _line(f"{label}, minus at random", [one.reward for one in each(rule)], [one.reward for one in plain], 1000),
                flush=True,
            )
    _stopping(each, asked.worth)


def _stopping(each: Callable[..., list[Result]], worths: Sequence[float]) -> None:
    """Print what stopping where no further task is worth its cost earns, in what rewards are worth less what was spent."""
    rule = RULES["newest, kinds in turn"]
    fixed = {"nothing": each(None), "30 tasks": each(rule), "100 tasks": each(rule, 100)} if worths else {}
    for worth in worths:
        stopped = each(rule, 100, Stakes(TO_COME, 1e6 * worth))
        net = [TO_COME * worth * one.reward - one.cost for one in stopped]
        print(
            f"  a reward of 1 is worth {worth:g} dollars: stops after {np.mean([one.again for one in stopped]):.0f} tasks",
            flush=True,
        )
        for label, found in fixed.items():
            base = [TO_COME * worth * one.reward - one.cost for one in found]
            print(_line(f"net of that minus {label} (x 1000 / worth)", net, base, 1.0 / worth), flush=True)


if __name__ == "__main__":
    main()
