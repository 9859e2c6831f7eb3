"""How far a network is off, target by target; what is not known of an attempt counts for nothing, neither for nor against."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from training.nets import Outputs


def sums(outputs: Outputs, chosen: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Return the sum over rows of each target's loss, (3,): cross entropy of reward and success, half the square for time.

    `chosen` (n,) says in which column each row's agent stands; `targets` and `known` are (n, 3).
    """
    told = torch.stack([each.gather(1, chosen[:, None]).squeeze(1) for each in outputs], dim=1)
    shares = cross_entropy(told[:, :2], targets[:, :2], reduction="none")
    every = torch.cat([shares, 0.5 * (told[:, 2:] - targets[:, 2:]) ** 2], dim=1)
    return (every * known).sum(0)


def mean(summed: Tensor, counts: Tensor) -> Tensor:
    """Return the sum over targets of their mean losses; `counts` (3,) are of whole batches, so that parts of one add up."""
    return (summed / counts.clamp(min=1.0)).sum()
