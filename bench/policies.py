"""How much reward each policy earns in one pass over real routing data, and how long a choice takes.

`python -m bench.policies [DIR] [--seeds 10] [--jobs 2] [--json FILE]` reads the data sets of DIR (else of
../shared/data/routing, else the sample in bench/data): every agent's score on every prompt. Per seed the prompts come in
a new order and the agents get new names; a policy is shown a text's context, chooses, and learns the chosen agent's
score alone. Every learner meets the same orders, names and draws, so differences are paired by seed.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.make_sample import MID9
from learning.features import ContextMap, to_half
from learning.hashed import HashedEncoder
from learning.outcomes import Outcomes
from learning.policies import create
from learning.policy import Decision, Example, Policy, Scored, choose
from learning.statistics import Interval, bootstrap_interval, paired_difference
from learning.surface import surface

Matrix = NDArray[np.float64]

SHARED, SAMPLE = Path("../shared/data/routing"), Path(__file__).parent / "data"
FRONTIER10 = [
    "gemini-1.5-pro-002",
    "gemini-1.5-flash-002",
    "Meta-Llama-3_1-70B-Instruct",
    "jamba-1.5-large",
    "Qwen1.5-110B",
    "Yi-34B",
    "mathstral-7B",
    "Mixtral-8x7B-Instruct-v0.1",
    "Phi-3-mini-4k-instruct",
    "Meta-Llama-3_1-8B-Instruct",
]
POOLS: dict[str, tuple[str, Sequence[str] | None]] = {  # name -> file stem, models (None: all)
    "llmrouter": ("llmrouter", None),
    "mid9": ("mmlupro", MID9),
    "frontier10": ("mmlupro", FRONTIER10),
    "sample": ("mmlupro_mid9", None),
}
LEARNERS: dict[str, tuple[str, dict[str, float | str]]] = {
    "uniform": ("uniform", {}),
    "thompson, no context": ("thompson", {}),
    "ridge_igw (default)": ("ridge_igw", {}),
    "ridge_igw gain 10, ridge 4": ("ridge_igw", {"gain": 10.0, "ridge": 4.0}),
    "ridge_igw gain 40": ("ridge_igw", {"gain": 40.0}),
    "ridge_igw ridge 25": ("ridge_igw", {"ridge": 25.0}),
}
WIDTH = 65  # of the shipped context map


@dataclass(frozen=True)
class Pool:
    """Prompts as contexts (one a row, the shipped map's) and every agent's score on each of them."""

    contexts: Matrix
    scores: Matrix

    @property
    def best(self) -> float:
        """The best single agent's mean, known only in hindsight."""
        return float(self.scores.mean(axis=0).max())


class Thompson:
    """Beta-Bernoulli Thompson sampling without context: a baseline; it draws, so it has no exact propensities."""

    def __init__(self, seed: int) -> None:
        self._draws = np.random.default_rng(seed)
        self._won: defaultdict[str, float] = defaultdict(float)
        self._lost: defaultdict[str, float] = defaultdict(float)

    def decide(self, context: Matrix, candidates: Sequence[str]) -> Decision:  # noqa: ARG002  # the protocol's verb
        """Return certainty for the agent whose drawn mean is largest."""
        agents = sorted(candidates)
        drawn = self._draws.beta([1 + self._won[a] for a in agents], [1 + self._lost[a] for a in agents])
        best = int(np.argmax(drawn))
        scored = tuple(Scored(agent, float(value), {}) for agent, value in zip(agents, drawn, strict=True))
        return Decision(scored, tuple(float(i == best) for i in range(len(agents))), agents[best], {})

    def learn(self, example: Example) -> None:
        """Count the reward as a won share and the rest as a lost one."""
        self._won[example.agent] += example.reward
        self._lost[example.agent] += 1.0 - example.reward


def make(learner: str, width: int, seed: int) -> Policy | Thompson:
    """Return a learner of the table by its name."""
    name, settings = LEARNERS[learner]
    return Thompson(seed) if name == "thompson" else create(name, width, settings)


def replay(pool: Pool, learner: str, seed: int) -> Matrix:
    """Return the reward of every step of one pass."""
    draws = np.random.default_rng(seed)
    order, names = draws.permutation(len(pool.scores)), draws.permutation(pool.scores.shape[1])
    column = {f"agent-{name:02}": index for index, name in enumerate(names)}
    policy, agents, hits = make(learner, pool.contexts.shape[1], seed), sorted(column), draws.random(len(order))
    rewards = np.empty(len(order))
    for step, row in enumerate(order):
        choice = choose(policy.decide(pool.contexts[row], agents), float(hits[step]))
        rewards[step] = pool.scores[row, column[choice.agent]]
        policy.learn(Example(pool.contexts[row], choice.agent, choice.propensity, float(rewards[step])))
    return rewards


def read_pool(directory: Path, name: str) -> Pool:
    """Read one pool's prompts and scores."""
    stem, models = POOLS[name]
    outcomes = Outcomes.load(directory, stem)
    scores = [
        [outcomes.outcome(prompt.prompt_id, model).score for model in models or outcomes.models] for prompt in outcomes.prompts
    ]
    stored = directory / f"{stem}.emb.npy"
    return Pool(contexts([prompt.text for prompt in outcomes.prompts], stored), np.array(scores))


def contexts(texts: Sequence[str], stored: Path) -> Matrix:
    """Return the shipped map's context of every text, from embeddings stored beside the set or from hashed words."""
    if stored.exists():
        context_map, embeddings = ContextMap.load(), list(np.load(stored))
    else:
        encoder = HashedEncoder()
        context_map, embeddings = ContextMap.load(encoder.name), [encoder.encode(text) for text in texts]
    pairs = zip(texts, embeddings, strict=True)
    return np.array([context_map.apply(to_half(embedding), to_half(surface(text))) for text, embedding in pairs])


def measure(directory: Path, name: str, seeds: int, jobs: int) -> dict[str, Any]:
    """Return a pool's table: per learner the stream, its start and its worst order against the best single agent."""
    pool = read_pool(directory, name)
    with ProcessPoolExecutor(jobs) as workers:
        runs = {learner: list(workers.map(replay, [pool] * seeds, [learner] * seeds, range(seeds))) for learner in LEARNERS}
    means = {learner: [float(run.mean()) for run in passes] for learner, passes in runs.items()}
    rows = {learner: _figures(pool, passes, means, learner) for learner, passes in runs.items()}
    return {"best_single": pool.best, "tasks": len(pool.scores), "agents": pool.scores.shape[1], "learners": rows}


def _figures(pool: Pool, passes: list[Matrix], means: dict[str, list[float]], learner: str) -> dict[str, Any]:
    own = means[learner]
    return {
        "stream": _spread(bootstrap_interval(own, seed=0)),
        "regret": float(np.mean(own)) - pool.best,
        "first_500": float(np.mean([run[:500].mean() for run in passes])) - pool.best,
        "worst": min(own) - pool.best,
        "over_uniform": _spread(paired_difference(own, means["uniform"])),
        "over_thompson": _spread(paired_difference(own, means["thompson, no context"])),
        "over_default": _spread(paired_difference(own, means["ridge_igw (default)"])),
    }


def _spread(interval: Interval) -> list[float]:
    return [interval.value, interval.low, interval.high]


def measure_speed(agents: int, width: int = WIDTH, steps: int = 3000) -> dict[str, float]:
    """Return milliseconds of the thread's own time for one choice and one example of the default policy."""
    draws = np.random.default_rng(0)
    policy, names = create("ridge_igw", width), [f"agent-{number:03}" for number in range(agents)]
    contexts, hits = draws.standard_normal((steps, width)) / width**0.5, draws.random(steps)
    spent = np.empty(steps)
    for step in range(steps):
        began = time.thread_time_ns()
        choice = choose(policy.decide(contexts[step], names), float(hits[step]))
        policy.learn(Example(contexts[step], choice.agent, choice.propensity, float(hits[step] > 0.5)))
        spent[step] = (time.thread_time_ns() - began) / 1e6
    return {"p50_ms": float(np.percentile(spent, 50)), "p99_ms": float(np.percentile(spent, 99))}


def show(name: str, table: dict[str, Any]) -> None:
    """Print one pool's table; differences in thousandths."""
    print(f"\n{name}: {table['tasks']} tasks, {table['agents']} agents, best single {table['best_single']:.4f}")
    print(f"{'learner':28} {'stream':>7} {'95 %':>15}  -best 1st500 worst   over uniform      over Thompson     over default")
    for learner, row in table["learners"].items():
        stream, low, high = row["stream"]
        gaps = " ".join(f"{1000 * row[key]:+6.1f}" for key in ("regret", "first_500", "worst"))
        pairs = "  ".join(_thousandths(row[key]) for key in ("over_uniform", "over_thompson", "over_default"))
        print(f"{learner:28} {stream:7.4f} [{low:.4f} {high:.4f}] {gaps}  {pairs}")


def _thousandths(spread: list[float]) -> str:
    value, low, _ = (1000 * number for number in spread)
    return f"{value:+6.1f} +-{value - low:5.1f}".ljust(16)


def main(arguments: Sequence[str]) -> int:
    """Measure what the directory holds, print it, and store it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=SHARED if SHARED.exists() else SAMPLE)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    speed = {str(agents): measure_speed(agents) for agents in (10, 28, 512)}
    print(
        "choose + learn, 65 features: "
        + ", ".join(f"{k} agents p50 {v['p50_ms']:.3f} p99 {v['p99_ms']:.3f} ms" for k, v in speed.items())
    )
    tables: dict[str, Any] = {}
    for name, (stem, _) in POOLS.items():
        if (options.directory / f"{stem}.prompts.csv.gz").exists():
            tables[name] = measure(options.directory, name, options.seeds, options.jobs)
            show(name, tables[name])
    if options.json:
        options.json.write_text(json.dumps({"seeds": options.seeds, "speed": speed, "pools": tables}, indent=1) + "\n")
    return 0 if tables else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
