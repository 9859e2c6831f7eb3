"""What networks tell of rows that they were not trained on: all rows, a stretch of time at a time, each by a network of its own.

Calibrating on these (cross-fitting) takes every row instead of the few that stopped the training: with a hundred and fifty rows a
mean is off by four hundredths by luck alone.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from training.calibrate import platt, span
from training.export import Scales
from training.job import Job, Rows
from training.loop import Fitted, Part, Trainer, part_of
from training.ranks import Ranks

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]
VALIDATION = 0.15  # of the rows of a fold that stop its training, the latest of them
_FEWEST = 2  # rows to train on, and to stop by


class Calibrated(NamedTuple):
    """What makes chances of logits, and the ends of the span around times, in deviations."""

    scales: Scales
    span: tuple[float, float] | None


def calibrated(fitted: Fitted, job: Job, rows: Rows, ranks: Ranks, folder: Path, resume: bool = False) -> Calibrated:
    """Return the calibration of a network by its folds, trained as it was; without folds by the rows that stopped it."""
    told = _out_of_fold(job, rows, ranks, folder, resume)
    if told is None:
        told = [_told(fitted, job, part_of(rows, rows.validation), target) for target in range(3)]
    reward, success, duration = told
    return Calibrated((platt(*reward), platt(*success)), span(duration[1] - duration[0]))


def _out_of_fold(job: Job, rows: Rows, ranks: Ranks, folder: Path, resume: bool) -> list[tuple[Vector, Vector]] | None:
    """Return by target what was told and what came of every row; None where there are no folds, or too few rows for them."""
    folds, count = job.words.folds, len(rows.agents)
    if folds < 2 or count < folds * 2 * _FEWEST:
        return None
    place = np.arange(count) * folds // count
    each = [_fold(job, rows, place == number, ranks, folder / f"fold-{number}", resume) for number in range(folds)]
    return [
        (np.concatenate([one[target][0] for one in each]), np.concatenate([one[target][1] for one in each]))
        for target in range(3)
    ]


def _fold(job: Job, rows: Rows, out: Mask, ranks: Ranks, folder: Path, resume: bool) -> list[tuple[Vector, Vector]]:
    """Train without some rows, and return what is told of them, and what came."""
    rest = _some(rows, ~out)
    stops = np.arange(len(rest.agents)) >= int((1.0 - VALIDATION) * len(rest.agents))
    trainer = Trainer(job, rest._replace(validation=stops), ranks, folder)
    if resume:
        trainer.resume()
    fitted, part = trainer.run(), part_of(rows, out)
    return [_told(fitted, job, part, target) for target in range(3)]


def _some(rows: Rows, which: Mask) -> Rows:
    return Rows(rows.contexts[which], rows.agents[which], rows.targets[which], rows.known[which], rows.validation[which])


def _told(fitted: Fitted, job: Job, part: Part, target: int) -> tuple[Vector, Vector]:
    """Return what a network tells of a target for who did the work, and what came, where it is known."""
    roster = torch.arange(1, len(job.agents) + 1).expand(len(part.agents), -1)
    with torch.no_grad():
        told = fitted.net(part.contexts, roster)[target].gather(1, part.agents[:, None] - 1).squeeze(1).numpy()
    known = part.known[:, target].numpy() > 0
    return told[known], part.targets[:, target].numpy()[known]
