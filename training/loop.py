"""The training itself: batches in an order that the seed gives, one step of the optimiser per batch, and an early end."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from training import checkpoint
from training.checkpoint import Epoch, Position
from training.errors import LossNotFinite
from training.job import Job, Rows
from training.loss import mean, sums
from training.nets import make, refuse_batch_statistics
from training.ranks import Ranks

Told = Callable[[Epoch], None]
_LEAST_GAIN = 1e-5  # of the validation loss, for an epoch to count as better


class Part(NamedTuple):
    """Rows as tensors."""

    contexts: Tensor
    agents: Tensor
    targets: Tensor
    known: Tensor

    def rows(self, which: Tensor) -> "Part":
        """Return some of them."""
        return Part(*(each[which] for each in self))


class Fitted(NamedTuple):
    """The network with the weights of its best epoch, and how it came there."""

    net: nn.Module
    position: Position


def part_of(rows: Rows, which: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> Part:
    """Return the rows of a mask as tensors."""
    picked = (rows.contexts[which], rows.agents[which], rows.targets[which], rows.known[which].astype(np.float64))
    return Part(*(torch.from_numpy(np.ascontiguousarray(each)) for each in picked))


class Trainer:
    """Trains one job to its end; asked to resume, from its newest checkpoint."""

    def __init__(self, job: Job, rows: Rows, ranks: Ranks, folder: Path, net: nn.Module | None = None) -> None:
        self._job, self._words, self._ranks, self._folder = job, job.words, ranks, folder
        self._training, self._validation = part_of(rows, ~rows.validation), part_of(rows, rows.validation)
        self.net = make(job) if net is None else net
        refuse_batch_statistics(self.net)
        self._best = {name: each.clone() for name, each in self.net.state_dict().items()}
        self._optimiser = AdamW(self.net.parameters(), lr=self._words.rate, weight_decay=self._words.decay, foreach=False)
        self._order = torch.Generator().manual_seed(self._words.seed)
        self._before = self._order.get_state()  # of the random numbers, at the beginning of this epoch
        self._roster = torch.arange(1, len(job.agents) + 1)
        self.at = Position(epoch=0, row=0, step=0, summed=0.0, best=None, best_epoch=0, curve=())

    def resume(self) -> None:
        """Go on from the newest checkpoint, if there is one; raises CheckpointUnusable."""
        found = checkpoint.newest(self._folder, self._job.digest)
        if found is None:
            return
        self.at, tensors = found
        names = list(self.net.state_dict())
        self.net.load_state_dict({name: tensors[f"net.{name}"] for name in names})
        self._best = {name: tensors[f"best.{name}"] for name in names}
        self._before = tensors["order"]
        self._restore_moments(tensors)

    def run(self, told: Told = lambda _epoch: None, most_steps: int | None = None) -> Fitted:
        """Train until nothing improves, or all epochs are over; `most_steps` stops short, as a kill would.

        Raises:
            LossNotFinite: the loss is no number.
        """
        while not self._over():
            self._order.set_state(self._before)
            order = torch.randperm(len(self._training.agents), generator=self._order)
            while self.at.row < len(order):
                if most_steps is not None and self.at.step >= most_steps:
                    return Fitted(self.net, self.at)
                self._step(order[self.at.row : self.at.row + self._words.batch])
            self._before = self._order.get_state()
            told(self._end_epoch(len(order)))
        self.net.load_state_dict(self._best)
        return Fitted(self.net, self.at)

    def losses(self, part: Part) -> Tensor:
        """Return the summed losses of rows, (3,)."""
        outputs = self.net(part.contexts, self._roster.expand(len(part.agents), -1))
        return sums(outputs, part.agents - 1, part.targets, part.known)

    def rate(self) -> float:
        """Return the rate of the next step: a cosine from the first to the last."""
        steps = self._words.epochs * math.ceil(len(self._training.agents) / self._words.batch)
        return self._words.rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, self.at.step / steps)))

    def _step(self, batch: Tensor) -> None:
        """Add up the gradients of a batch, part by part, and let the optimiser move once."""
        counts = self._training.known[batch].sum(0)
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate()
        self._optimiser.zero_grad()
        loss = torch.zeros((), dtype=torch.float64)
        for piece in batch.tensor_split(self._words.accumulate):
            own = self._ranks.share(piece)
            if len(own):
                one = mean(self.losses(self._training.rows(own)), counts)
                one.backward()
                loss += one.detach()
        self._ranks.add_up(self.net)
        loss = self._ranks.total(loss)
        if not torch.isfinite(loss):
            raise LossNotFinite(f"the loss of step {self.at.step + 1} is {float(loss)}; a smaller --rate may help")
        self._optimiser.step()
        at = self.at
        self.at = _moved(at, row=at.row + len(batch), step=at.step + 1, summed=at.summed + float(loss) * len(batch))
        if self._words.checkpoint_steps and self.at.step % self._words.checkpoint_steps == 0:
            self._store()

    def _end_epoch(self, rows: int) -> Epoch:
        """Judge the epoch on rows that nothing was fitted on, and keep the weights of the best."""
        with torch.no_grad():
            judged = float(mean(self.losses(self._validation), self._validation.known.sum(0)))
        if not math.isfinite(judged):
            raise LossNotFinite(f"the validation loss of epoch {self.at.epoch + 1} is {judged}; a smaller --rate may help")
        at, number = self.at, self.at.epoch + 1
        epoch = Epoch(number, at.summed / rows, judged, self.rate())
        better = at.best is None or judged < at.best - _LEAST_GAIN
        if better:
            self._best = {name: each.clone() for name, each in self.net.state_dict().items()}
        best, best_epoch = (judged, number) if better else (at.best, at.best_epoch)
        curve = (*at.curve, epoch)
        self.at = Position(epoch=number, row=0, step=at.step, summed=0.0, best=best, best_epoch=best_epoch, curve=curve)
        self._store()
        return epoch

    def _over(self) -> bool:
        return self.at.epoch >= self._words.epochs or self.at.epoch - self.at.best_epoch >= self._words.patience

    def _store(self) -> None:
        """Write a checkpoint; of several processes, the first does it for all."""
        if self._ranks.rank == 0:
            net, best = self.net.state_dict(), self._best
            tensors = {f"net.{name}": each for name, each in net.items()} | {f"best.{name}": each for name, each in best.items()}
            checkpoint.store(self._folder, self._job.digest, self.at, {**tensors, **self._moments(), "order": self._before})

    def _moments(self) -> dict[str, Tensor]:
        """Return what the optimiser remembers, by the name of the parameter."""
        found = {}
        for name, each in self.net.named_parameters():
            for kind, content in self._optimiser.state[each].items():
                found[f"moment.{kind}.{name}"] = content
        return found

    def _restore_moments(self, tensors: dict[str, Tensor]) -> None:
        for name, each in self.net.named_parameters():
            kinds = [kind for kind in ("step", "exp_avg", "exp_avg_sq") if f"moment.{kind}.{name}" in tensors]
            self._optimiser.state[each] = {kind: tensors[f"moment.{kind}.{name}"] for kind in kinds}


def _moved(at: Position, *, row: int, step: int, summed: float) -> Position:
    return Position(epoch=at.epoch, row=row, step=step, summed=summed, best=at.best, best_epoch=at.best_epoch, curve=at.curve)
