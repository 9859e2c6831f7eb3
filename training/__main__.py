"""`python -m training FOLDER... [--resume]`: train what each folder says; under torchrun, with several processes as one."""

import argparse
import os
import sys
import time
from pathlib import Path

import msgspec
import torch
from msgspec import Struct

from learning.errors import LearningError
from training import checkpoint
from training.checkpoint import Epoch
from training.crossed import Calibrated, calibrated
from training.errors import TrainingError
from training.export import Scales, check_parity, export
from training.job import CHECKPOINTS, NETWORK, RESULT, Job, read
from training.loop import Fitted, Part, Trainer, part_of
from training.nets import count
from training.ranks import Ranks, ranks


class Result(Struct, frozen=True, kw_only=True):
    """What came of a training; `parity` is the largest difference between network and graph."""

    epochs: int
    best_epoch: int
    validation: float
    steps: int
    numbers: int
    scales: Scales
    parity: float
    curve: tuple[Epoch, ...]
    torch: str
    seconds: float


def main(arguments: list[str] | None = None) -> int:
    """Train, export, prove, and write the result last: a folder with a result has a network that is whole."""
    said = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    said.add_argument("folder", type=Path, nargs="+")
    said.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    asked = said.parse_args(arguments)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        with ranks() as here:
            for folder in asked.folder:
                train(folder, here, asked.resume)
    except (TrainingError, LearningError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    except RuntimeError as error:  # what the others' end looks like from here
        if "WORLD_SIZE" not in os.environ:
            raise
        print(f"training: a process that trains with this one ended: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    return 0


def train(folder: Path, here: Ranks, resume: bool) -> None:
    """Train one job; the first process writes what comes of it."""
    began = time.perf_counter()
    job, rows = read(folder)
    trainer = Trainer(job, rows, here, folder / CHECKPOINTS)
    if resume:
        trainer.resume()
    elif here.rank == 0:
        checkpoint.clear(folder / CHECKPOINTS)
    fitted = trainer.run(_say if here.rank == 0 else lambda _epoch: None)
    found = calibrated(fitted, job, rows, here, folder / CHECKPOINTS, resume)
    if here.rank == 0:
        _finish(folder, job, fitted, found, part_of(rows, rows.validation), began)


def _finish(folder: Path, job: Job, fitted: Fitted, found: Calibrated, validation: Part, began: float) -> None:
    """Export, prove, and write."""
    scales = found.scales
    graph = export(fitted.net, scales, job, found.span)
    parity = check_parity(fitted.net, scales, graph, job, validation)
    at = fitted.position
    result = Result(
        epochs=at.epoch,
        best_epoch=at.best_epoch,
        validation=at.best if at.best is not None else float("inf"),
        steps=at.step,
        numbers=count(fitted.net),
        scales=scales,
        parity=parity,
        curve=at.curve,
        torch=str(torch.__version__),
        seconds=time.perf_counter() - began,
    )
    (folder / NETWORK).write_bytes(graph)
    (folder / RESULT).write_bytes(msgspec.json.encode(result))


def _say(epoch: Epoch) -> None:
    """Tell who ordered it how far it is: one line of JSON an epoch."""
    print(msgspec.json.encode(epoch).decode(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
