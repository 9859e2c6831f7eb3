"""One process, or several that train as one: each takes its share of every part of a batch, and gradients are added up."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn

PATIENCE = timedelta(seconds=45)  # for another process: one that was killed is noticed sooner, one that hangs is not


class Ranks(NamedTuple):
    """Which of how many processes this is."""

    rank: int = 0
    size: int = 1

    def share(self, rows: Tensor) -> Tensor:
        """Return the rows that are this process's."""
        return rows[self.rank :: self.size]

    def add_up(self, net: nn.Module) -> None:
        """Replace each gradient by the sum over all processes."""
        if self.size > 1:
            for each in net.parameters():
                if each.grad is None:
                    each.grad = torch.zeros_like(each)
                distributed.all_reduce(each.grad)

    def total(self, number: Tensor) -> Tensor:
        """Return the sum of a number over all processes."""
        if self.size > 1:
            distributed.all_reduce(number)
        return number


@contextmanager
def ranks() -> Iterator[Ranks]:
    """Provide the place that torchrun gave this process; alone, there is nobody to talk to."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks()
        return
    distributed.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Ranks(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
