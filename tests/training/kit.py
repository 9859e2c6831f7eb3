"""Jobs for tests of the training: rows with a rule that is known, so that it is known what can be learned of them."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.job import Job, Rows, Words, pack, write

WIDTH, AGENTS = 9, ("anna", "bert", "carl", "dora")


class World(NamedTuple):
    """The chance of every agent to succeed on every text of a rule, and rows in which one of them was tried."""

    rows: Rows
    contexts: NDArray[np.float64]
    chances: NDArray[np.float64]


def world(seed: int = 0, tasks: int = 600, *, shuffled: bool = False, judged: float = 0.8) -> World:
    """Return texts of which each agent is good at a part; an agent is tried at random, and some attempts are not judged."""
    bits = np.random.default_rng(seed)
    contexts = bits.standard_normal((tasks, WIDTH))
    contexts[:, -1] = 1.0
    slopes = 2.5 * np.random.default_rng(99).standard_normal((len(AGENTS), WIDTH)) / np.sqrt(WIDTH)
    chances = 1.0 / (1.0 + np.exp(-contexts @ slopes.T))
    agents = bits.integers(1, len(AGENTS) + 1, tasks)
    came = (bits.random(tasks) < chances[np.arange(tasks), agents - 1]).astype(np.float64)
    if shuffled:
        came = bits.permutation(came)
    times = bits.standard_normal(tasks) * 0.5 + (agents - 2.5) / 2.0
    known = np.ones((tasks, 3), dtype=np.bool_)
    known[:, 0] = known[:, 1] = bits.random(tasks) < judged
    targets = np.where(known, np.stack([came, came, times], axis=1), 0.0)
    validation = np.arange(tasks) >= int(0.85 * tasks)
    return World(Rows(contexts, agents.astype(np.int64), targets, known, validation), contexts, chances)


def job(rows: Rows, **words: Any) -> Job:
    """Return a job on rows."""
    digest = hashlib.sha256(pack(rows)).hexdigest()
    told = {"hidden": 12, "epochs": 40, "batch": 64, "patience": 10, "rate": 0.01, "folds": 0, **words}
    mean = float(rows.targets[rows.known[:, 0], 0].mean())
    return Job(
        words=Words(**told),
        context_map="c0" * 32,
        width=WIDTH,
        agents=AGENTS,
        mean=mean,
        duration=(5.0, 1.0),
        table_sha256=digest,
    )


def folder_with(folder: Path, rows: Rows, **words: Any) -> Job:
    """Write a job into a folder, as whoever orders a training does."""
    made = job(rows, **words)
    write(folder, made, pack(rows))
    return made
