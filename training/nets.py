"""The networks: what each agent would earn on a text, whether it would succeed, and how long it would take.

All take contexts (n, width) and agents (n, k), numbered from 1 with 0 for nobody, and return (n, k) for each of the three
targets: logits of reward and success, and the logarithm of the duration in deviations. Nobody's columns tell nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.errors import BatchStatistics
from training.job import TARGETS, Job, Kind
from training.size import hidden_of, inner, seen

NOBODY = -1e4  # added to what attention says of a place where nobody is


class Outputs(NamedTuple):
    """One column per place."""

    reward: Tensor
    success: Tensor
    duration: Tensor


class Shape(NamedTuple):
    """What a network is made like: numbers of a context, agents, width and depth of layers, heads, numbers of an agent."""

    width: int
    agents: int
    hidden: int
    depth: int = 1
    heads: int = 1
    agent: int = 8
    axes: int = 0


class Linear(nn.Module):
    """One linear function of the context per agent and target."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.slopes = nn.ModuleList(nn.Embedding(shape.agents + 1, shape.width) for _ in TARGETS)
        for each in self.slopes:
            nn.init.zeros_(each.weight)

    def forward(self, contexts: Tensor, agents: Tensor) -> Outputs:
        """Return the three targets."""
        return Outputs(*((slopes(agents) * contexts[:, None, :]).sum(-1) for slopes in self.slopes))


class Pair(nn.Module):
    """A vector for each text with each agent: what both say, added up and bent, then one layer more, or several."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        hidden, self.axes = shape.hidden, shape.axes
        self.agent = nn.Embedding(shape.agents + 1, shape.agent, padding_idx=0)
        self.of_text = nn.Linear(seen(shape.width, shape.axes), hidden)
        self.of_agent = nn.Linear(shape.agent, hidden, bias=False)
        self.within = nn.Linear(hidden, hidden)
        self.deeper = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(shape.depth - 1))

    def forward(self, contexts: Tensor, agents: Tensor) -> Tensor:
        """Return (n, k, hidden)."""
        if self.axes:
            contexts = torch.cat([contexts[:, :-1][:, : self.axes], contexts[:, -1:]], dim=1)
        both = self.of_text(contexts)[:, None, :] + self.of_agent(self.agent(agents))
        vectors = torch.relu(self.within(torch.relu(both)))
        for layer in self.deeper:
            vectors = torch.relu(layer(vectors))
        return vectors


class Head(nn.Module):
    """One number out of a vector, and a level for each agent."""

    def __init__(self, agents: int, hidden: int) -> None:
        super().__init__()
        self.level, self.out = nn.Embedding(agents + 1, 1), nn.Linear(hidden, 1)
        nn.init.zeros_(self.level.weight)

    def forward(self, vectors: Tensor, agents: Tensor) -> Tensor:
        """Return (n, k)."""
        return (self.out(vectors) + self.level(agents)).squeeze(-1)


class Separate(nn.Module):
    """A network of its own for each target."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.pairs = nn.ModuleList(Pair(shape) for _ in TARGETS)
        self.heads = nn.ModuleList(Head(shape.agents, shape.hidden) for _ in TARGETS)

    def forward(self, contexts: Tensor, agents: Tensor) -> Outputs:
        """Return the three targets."""
        every = zip(self.pairs, self.heads, strict=True)
        return Outputs(*(head(pair(contexts, agents), agents) for pair, head in every))


class Shared(nn.Module):
    """One trunk for all targets: each candidate's vector attends to those of all candidates, then a head for each target."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        hidden, self.many = shape.hidden, shape.heads
        wide = inner(hidden, shape.heads)
        self.pair = Pair(shape)
        if self.many:
            self.query, self.key = nn.Linear(hidden, wide, bias=False), nn.Linear(hidden, wide, bias=False)
            self.value = nn.Linear(hidden, wide)
        if self.many > 1:
            self.joined = nn.Linear(wide, hidden)
        self.heads = nn.ModuleList(Head(shape.agents, hidden) for _ in TARGETS)

    def forward(self, contexts: Tensor, agents: Tensor) -> Outputs:
        """Return the three targets."""
        vectors = self.pair(contexts, agents)
        if self.many:
            empty = NOBODY * (agents == 0).to(vectors.dtype)[:, None, :]
            wide = [each(vectors) for each in (self.query, self.key, self.value)]
            heard = [self._heard([self._own(each, at) for each in wide], empty) for at in range(self.many)]
            vectors = vectors + (heard[0] if self.many == 1 else self.joined(torch.cat(heard, dim=-1)))
        return Outputs(*(head(vectors, agents) for head in self.heads))

    def _heard(self, head: Sequence[Tensor], empty: Tensor) -> Tensor:
        """Return what one attention head (query, key, value) tells each candidate of all of them, (n, k, width of a head)."""
        query, key, value = head
        alike = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5 + empty
        return torch.softmax(alike, dim=-1) @ value

    def _own(self, wide: Tensor, at: int) -> Tensor:
        """Return what belongs to one head."""
        each = wide.shape[-1] // self.many
        return wide if self.many == 1 else wide[..., at * each : (at + 1) * each]


NETS: dict[Kind, type[Linear] | type[Separate] | type[Shared]] = {"linear": Linear, "mlp": Separate, "multitask": Shared}


def make(job: Job) -> nn.Module:
    """Return the network of a job in float64, its numbers drawn from the job's seed."""
    words, agents = job.words, len(job.agents)
    hidden = hidden_of(words, job.width, agents)
    torch.manual_seed(words.seed)
    return NETS[words.kind](Shape(job.width, agents, hidden, words.depth, words.heads, words.agent, words.axes)).to(torch.float64)


def count(net: nn.Module) -> int:
    """Return how many numbers a network learns."""
    return sum(each.numel() for each in net.parameters())


def refuse_batch_statistics(net: nn.Module) -> None:
    """Raise BatchStatistics for a network that normalises over a batch."""
    for name, part in net.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            raise BatchStatistics(f"{name or 'the network'} normalises over a batch: parts of a batch would not add up to it")
