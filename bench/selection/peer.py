"""Other people's learners behind our verbs, with settings that their authors recommend or that did best in published replays.

Each is imported only when it runs; one that is not installed is left out (`make install-bench`).
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from bench.selection.learner import Learner
from learning.policy import NO_FITS, Context, Contexts, Decision, Example, Fits


class Peer(NamedTuple):
    """A learner of somebody else's: its line in the table, the module it needs, and how to make it."""

    label: str
    module: str
    make: Callable[[Sequence[str], int], Learner]


class OneByOne(ABC):
    """A learner that knows no batches."""

    @abstractmethod
    def decide(self, context: Context, candidates: Sequence[str], _fits: Fits = NO_FITS) -> Decision:
        """Return every candidate's probability."""

    def decide_many(self, contexts: Contexts, candidates: Sequence[str], _fits: Sequence[Fits] = ()) -> list[Decision]:
        """Return the same for each context, a row each."""
        return [self.decide(context, candidates) for context in contexts]


class VowpalWabbit(OneByOne):
    """SquareCB over action-dependent features (vowpalwabbit.org): each agent's weights on the context, crossed by -q."""

    def __init__(self, agents: Sequence[str], seed: int) -> None:
        self._agents = sorted(agents)
        self._model = _module("vowpalwabbit").Workspace(
            f"--cb_explore_adf --squarecb --gamma_scale 10 -q ST --quiet --random_seed {seed + 1}"
        )

    def decide(self, context: Context, candidates: Sequence[str], _fits: Fits = NO_FITS) -> Decision:
        """Return the distribution that it predicts."""
        chances = self._model.predict(self._lines(context, None))
        return _decision(sorted(candidates), [float(chance) for chance in chances])

    def learn(self, example: Example) -> None:
        """Tell it a cost: one minus the reward."""
        label = (example.agent, f"0:{1.0 - example.reward:.6f}:{example.propensity:.6f} ")
        self._model.learn(self._lines(example.context, label))

    def _lines(self, context: Context, label: tuple[str, str] | None) -> list[str]:
        shared = "shared |S " + " ".join(f"{at}:{value:.5f}" for at, value in enumerate(context.tolist()))
        told, cost = label or ("", "")
        return [shared, *(f"{cost if agent == told else ''}|T agent={agent}" for agent in self._agents)]


class MabWiser(OneByOne):
    """LinTS of fidelity's MABWiser: a Bayesian regression per agent, one draw of its weights per choice."""

    def __init__(self, agents: Sequence[str], seed: int) -> None:
        module, self._agents = _module("mabwiser.mab"), sorted(agents)
        self._model = module.MAB(self._agents, module.LearningPolicy.LinTS(alpha=0.3, l2_lambda=4.0), seed=seed)
        self._started = False

    def decide(self, context: Context, candidates: Sequence[str], _fits: Fits = NO_FITS) -> Decision:
        """Return certainty for whomever it predicts; anybody while it knows nothing."""
        agents = sorted(candidates)
        chosen = str(self._model.predict(context[None, :])) if self._started else None
        return _decision(agents, [1.0 / len(agents) if chosen is None else float(agent == chosen) for agent in agents])

    def learn(self, example: Example) -> None:
        """Fit one outcome more."""
        learn = self._model.partial_fit if self._started else self._model.fit
        learn([example.agent], [example.reward], example.context[None, :])
        self._started = True


class River(OneByOne):
    """Disjoint LinUCB of river (riverml.xyz): a Bayesian regression per agent and an upper bound on each."""

    def __init__(self, _agents: Sequence[str], seed: int) -> None:
        self._model = _module("river.bandit").LinUCBDisjoint(alpha=4.0, beta=5.0, seed=seed)

    def decide(self, context: Context, candidates: Sequence[str], _fits: Fits = NO_FITS) -> Decision:
        """Return certainty for the arm that it pulls."""
        agents = sorted(candidates)
        chosen = self._model.pull(agents, context=_named(context))
        return _decision(agents, [float(agent == chosen) for agent in agents])

    def learn(self, example: Example) -> None:
        """Update the arm."""
        self._model.update(example.agent, _named(example.context), example.reward)


PEERS: tuple[Peer, ...] = (
    Peer("Vowpal Wabbit squarecb", "vowpalwabbit", VowpalWabbit),
    Peer("MABWiser LinTS", "mabwiser", MabWiser),
    Peer("river LinUCB", "river", River),
)


def installed(peers: Sequence[Peer] = PEERS) -> tuple[list[Peer], list[Peer]]:
    """Return the peers that can run here, and those that are not installed."""
    found = [peer for peer in peers if find_spec(peer.module) is not None]
    return found, [peer for peer in peers if peer not in found]


def make_peer(label: str, agents: Sequence[str], seed: int) -> Learner:
    """Return a peer by its line in the table."""
    return next(one for one in PEERS if one.label == label).make(agents, seed)


def _module(name: str) -> Any:
    """Import what may not be installed; what it warns of is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)


def _named(context: Context) -> dict[str, Any]:
    return {str(at): value for at, value in enumerate(context.tolist())}


def _decision(agents: list[str], chances: Sequence[float]) -> Decision:
    """Return a decision in our words; the likeliest agent is the favourite."""
    shares = np.array(chances) / sum(chances)
    chances_of = tuple(shares.tolist())
    return Decision(tuple(agents), chances_of, {}, chances_of, agents[int(shares.argmax())], {})
