"""The networks: what each agent would earn on a text, whether it would succeed, and how long it would take.

All take contexts (n, width) and agents (n, k), numbered from 1 with 0 for nobody, and return (n, k) for each of the three
targets: logits of reward and success, and the logarithm of the duration in deviations. Nobody's columns tell nothing.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.errors import BatchStatistics
from training.job import TARGETS, Job, Kind

NOBODY = -1e4  # added to what attention says of a place where nobody is
AGENT = 8  # numbers that describe an agent


class Outputs(NamedTuple):
    """One column per place."""

    reward: Tensor
    success: Tensor
    duration: Tensor


class Linear(nn.Module):
    """One linear function of the context per agent and target."""

    def __init__(self, width: int, agents: int, _hidden: int) -> None:
        super().__init__()
        self.slopes = nn.ModuleList(nn.Embedding(agents + 1, width) for _ in TARGETS)
        for each in self.slopes:
            nn.init.zeros_(each.weight)

    def forward(self, contexts: Tensor, agents: Tensor) -> Outputs:
        """Return the three targets."""
        return Outputs(*((slopes(agents) * contexts[:, None, :]).sum(-1) for slopes in self.slopes))


class Pair(nn.Module):
    """A vector for each text with each agent: what both say, added up and bent, then one layer more."""

    def __init__(self, width: int, agents: int, hidden: int) -> None:
        super().__init__()
        self.agent = nn.Embedding(agents + 1, AGENT, padding_idx=0)
        self.of_text, self.of_agent = nn.Linear(width, hidden), nn.Linear(AGENT, hidden, bias=False)
        self.within = nn.Linear(hidden, hidden)

    def forward(self, contexts: Tensor, agents: Tensor) -> Tensor:
        """Return (n, k, hidden)."""
        both = self.of_text(contexts)[:, None, :] + self.of_agent(self.agent(agents))
        return torch.relu(self.within(torch.relu(both)))


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

    def __init__(self, width: int, agents: int, hidden: int) -> None:
        super().__init__()
        self.pairs = nn.ModuleList(Pair(width, agents, hidden) for _ in TARGETS)
        self.heads = nn.ModuleList(Head(agents, hidden) for _ in TARGETS)

    def forward(self, contexts: Tensor, agents: Tensor) -> Outputs:
        """Return the three targets."""
        every = zip(self.pairs, self.heads, strict=True)
        return Outputs(*(head(pair(contexts, agents), agents) for pair, head in every))


class Shared(nn.Module):
    """One trunk for all targets: each candidate's vector attends to those of all candidates, then a head for each target."""

    def __init__(self, width: int, agents: int, hidden: int) -> None:
        super().__init__()
        self.pair = Pair(width, agents, hidden)
        self.query, self.key = nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, hidden, bias=False)
        self.value = nn.Linear(hidden, hidden)
        self.heads = nn.ModuleList(Head(agents, hidden) for _ in TARGETS)

    def forward(self, contexts: Tensor, agents: Tensor) -> Outputs:
        """Return the three targets."""
        vectors = self.pair(contexts, agents)
        alike = self.query(vectors) @ self.key(vectors).transpose(1, 2) / vectors.shape[-1] ** 0.5
        alike = alike + NOBODY * (agents == 0).to(vectors.dtype)[:, None, :]
        vectors = vectors + torch.softmax(alike, dim=-1) @ self.value(vectors)
        return Outputs(*(head(vectors, agents) for head in self.heads))


NETS: dict[Kind, type[Linear] | type[Separate] | type[Shared]] = {"linear": Linear, "mlp": Separate, "multitask": Shared}


def make(job: Job) -> nn.Module:
    """Return the network of a job in float64, its numbers drawn from the job's seed.

    `hidden` is that of the shared network; separate ones are as wide as leaves all of them about as many numbers.
    """
    words, sizes = job.words, (job.width, len(job.agents))
    torch.manual_seed(words.seed)
    hidden = _as_many(*sizes, words.hidden) if words.kind == "mlp" else words.hidden
    return NETS[words.kind](*sizes, hidden).to(torch.float64)


def count(net: nn.Module) -> int:
    """Return how many numbers a network learns."""
    return sum(each.numel() for each in net.parameters())


def refuse_batch_statistics(net: nn.Module) -> None:
    """Raise BatchStatistics for a network that normalises over a batch."""
    for name, part in net.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            raise BatchStatistics(f"{name or 'the network'} normalises over a batch: parts of a batch would not add up to it")


def _as_many(width: int, agents: int, hidden: int) -> int:
    """Return how wide separate networks are that have about as many numbers as the shared one."""
    wanted = count(Shared(width, agents, hidden))
    return min(range(1, hidden + 1), key=lambda each: abs(count(Separate(width, agents, each)) - wanted))
