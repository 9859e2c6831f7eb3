"""Which shape of network is best at equal cost: each is trained on what was known first, and scored on choices made later.

A setting names a shape: one trunk for all targets or a net for each (`shared`), `depth` of layers, attention `heads`, numbers
that describe an `agent`, and how many `axes` of the context it looks at (the map puts those of the embedding first, then those of
named and of hashed form). Its width follows: as many numbers as the starting net has (`training.size`).
"""

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from events.search import Dimension
from learning.errors import LearningError
from learning.evaluation import missing_support, robust_terms
from learning.network import open_graph
from learning.policies.neural import Neural
from learning.statistics import Interval, paired_difference
from smolit.errors import TrainingFailed, UsageInvalid
from smolit.retrain import child
from smolit.search.judge import BEST, DEFAULT, RANDOM, Judgement, told
from smolit.search.score import OnLog
from smolit.search.trial import Scored
from training.errors import ShapeImpossible
from training.job import Job, Words
from training.size import check_cost, numbers, operations

POLICY = Neural.name  # what a search of shapes is called by
LEARN, VALIDATE = 0.4, 0.3  # shares of the choices: a network takes more to learn from than settings do
START: Mapping[str, float] = {"shared": 1.0, "depth": 1.0, "heads": 1.0, "agent": 8.0, "axes": 0.0}
SPACE = (
    Dimension(name="shared", values=(0.0, 1.0)),
    Dimension(name="depth", values=(1.0, 2.0, 3.0)),
    Dimension(name="heads", values=(0.0, 1.0, 2.0)),
    Dimension(name="agent", values=(4.0, 8.0, 16.0)),
    Dimension(name="axes", values=(0.0, 12.0, 24.0, 40.0)),
)
TRIAL_SEEDS, JUDGE_SEEDS = (0, 1), (100, 101, 102, 103, 104)


class Missing(LearningError):
    """A log cannot tell what a network would have earned."""


def words_of(setting: Mapping[str, Any], seed: int = 0) -> Words:
    """Return the words of a setting; what it does not name is as in the starting net, and trials calibrate without folds."""
    whole = {name: int(value) for name, value in {**START, **setting}.items()}
    kind = "multitask" if whole.pop("shared") else "mlp"
    return msgspec.convert({**whole, "kind": kind, "seed": seed, "folds": 0}, Words)


def typed(setting: Mapping[str, Any]) -> str:
    """Return the command that trains a network of this shape."""
    words = words_of(setting)
    return (
        f"smolit policy retrain --kind {words.kind} --depth {words.depth} --heads {words.heads} --agent-numbers {words.agent} "
        f"--axes {words.axes}"
    )


def cost(setting: Mapping[str, Any], width: int, agents: int) -> tuple[int, int]:
    """Return how many numbers a network of this shape learns, and the operations that one text with all agents takes.

    Raises:
        ShapeImpossible: it cannot be had at the cost of the starting net.
    """
    words = words_of(setting)
    hidden = check_cost(words, width, agents)
    return numbers(words, width, agents, hidden), operations(words, width, agents, hidden)


def check(space: Sequence[Dimension]) -> None:
    """Refuse a space that names what no network has, or what is no whole number."""
    for one in space:
        if one.name not in START:
            raise UsageInvalid(f"a network has no {one.name!r} to look for; it has {', '.join(START)}")
        ends = one.values or (one.low, one.high)
        if not (one.values or one.whole) or any(value < 0 or value != int(value) for value in ends):
            raise UsageInvalid(f"{one.name} of a network is a whole number: give values, or whole: true")


@dataclass(frozen=True)
class OnNetwork:
    """Scores shapes on the choices of a log, by networks trained on rows that were known before; may be sent to a process."""

    log: OnLog
    job: Job
    table: bytes
    trained: int  # examples that the rows know
    seeds: tuple[int, ...] = TRIAL_SEEDS

    def __call__(self, setting: Mapping[str, Any], _wanted: Sequence[float]) -> Scored:
        """Score a shape by the mean over seeds of what its networks would have earned; a step is a seed, and none is pruned."""
        began = time.perf_counter()
        try:
            earned = self.earned(setting)
        except (LearningError, ShapeImpossible, TrainingFailed) as error:
            return Scored("failed", None, (), str(error)[:1_000], time.perf_counter() - began)
        return Scored("completed", float(np.mean(earned)), tuple(earned), "", time.perf_counter() - began)

    def earned(self, setting: Mapping[str, Any]) -> list[float]:
        """Return what networks of this shape would have earned, seed by seed, doubly robust, learning on as they would serve.

        Raises:
            ShapeImpossible: it cannot be had at the cost of the starting net.
            TrainingFailed: it could not be trained.
            Missing: the log cannot tell.
        """
        cost(setting, self.job.width, len(self.job.agents))  # whether it can be had at all is known before anything is trained
        jobs = [msgspec.structs.replace(self.job, words=words_of(setting, seed)) for seed in self.seeds]
        with tempfile.TemporaryDirectory(prefix="smolit-shape-") as folder:
            trained = child.train_each(Path(folder), jobs, self.table)
        return [self._worth(one.graph) for one in trained]

    def _worth(self, graph: bytes) -> float:
        digest, network = sha256(graph).hexdigest(), open_graph(graph)
        log = self.log.log._replace(networks={digest: network}.__getitem__)
        judged = list(replace(self.log, log=log).judged({"model": digest, "trained": float(self.trained)}))
        if refused := missing_support(judged):
            raise Missing(refused)
        score = float(robust_terms(judged).mean())
        if not math.isfinite(score):
            raise Missing("its score is not a number")
        return score


def judge(scorer: OnNetwork, best: Mapping[str, Any], random: Mapping[str, Any] | None) -> Judgement:
    """Compare shapes with the starting net on the choices of a scorer, each trained with seeds that no trial had.

    Intervals are those of the seeds: of what is left to chance in a training, not of another log.
    """
    scorer = replace(scorer, seeds=JUDGE_SEEDS)
    asked = {DEFAULT: dict(START), BEST: {**START, **best}, **({RANDOM: {**START, **random}} if random is not None else {})}
    earned, refused = dict[str, list[float]](), dict[str, str]()
    for label, setting in asked.items():
        same = next((other for other in earned if asked[other] == setting), None)
        try:
            earned[label] = earned[same] if same else scorer.earned(setting)
        except (LearningError, ShapeImpossible, TrainingFailed) as error:
            refused[label] = str(error)
    return over_seeds(earned, refused, "seeds of training, on choices")


def over_seeds(earned: Mapping[str, Sequence[float]], refused: Mapping[str, str], what: str) -> Judgement:
    """Return figures and words of what each shape earned, seed by seed."""
    figures: dict[str, Interval] = {label: paired_difference(each, [0.0] * len(each)) for label, each in earned.items()}
    differences = {
        other: paired_difference(earned[BEST], earned[other]) for other in (DEFAULT, RANDOM) if {BEST, other} <= earned.keys()
    }
    return told(figures, differences, refused, len(next(iter(earned.values()), ())), what, "seeds")
