"""A trained network says who is good at a text, ridge heads learn online where it errs, inverse-gap weighting doubts both."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np

from learning.errors import InvalidPolicySetting, UnreadableState
from learning.heads import RidgeHeads
from learning.inverse_gap import inverse_gap_weights
from learning.network import Network, Networks, none_here
from learning.policy import (
    NO_FITS,
    Context,
    Contexts,
    Decision,
    Example,
    Fits,
    check_contexts,
    check_example,
    check_reward,
    ranked,
)
from learning.setting import positive
from learning.state import pack, unpack

_DIGEST = re.compile(r"[0-9a-f]{64}")
TOO_EARLY = "the network was trained on what came later, so everybody has the same chance"


class Neural:
    """Choose by the network `model`, corrected by what was learned since, as `ridge_igw` chooses by its heads.

    The first `trained` examples of the scope are those that the network may have seen: they are counted, and nothing else. Until
    then it would choose by what it knows of the future, so everybody has the same chance. From the next one on, the heads learn
    the rest between reward and network. An agent that the network does not know is worth the mean of its training, plus that.
    Context: any finite vector of about unit length. Reward: 0 to 1; propensities serve evaluation, not learning.
    """

    name: ClassVar[str] = "neural"
    version: ClassVar[int] = 1
    explores: ClassVar[bool] = True
    matches: ClassVar[bool] = False

    def __init__(
        self,
        width: int,
        model: str = "",
        trained: float = 0.0,
        ridge: float = 12.0,
        trust: float = 10.0,
        gain: float = 20.0,
        floor: float = 0.002,
        networks: Networks = none_here,
    ) -> None:
        if not isinstance(model, str) or not _DIGEST.fullmatch(model):
            raise InvalidPolicySetting(f"neural: model must be the sha256 of a network, not {model!r}")
        figures = positive(self.name, {"ridge": ridge, "trust": trust, "gain": gain, "floor": floor})
        if not (float(trained) >= 0.0 and float(trained).is_integer()):
            raise InvalidPolicySetting(f"neural: trained must be a number of examples, not {trained!r}")
        self._width, self._model, self._figures, self._trained = width, model, figures, float(trained)
        self._networks, self._found = networks, None
        self._counted = 0.0
        self._heads = RidgeHeads(width, figures["ridge"], figures["trust"])

    _found: Network | None

    @property
    def width(self) -> int:
        """How many numbers a context has."""
        return self._width

    @property
    def model(self) -> str:
        """Digest of the network."""
        return self._model

    @property
    def settings(self) -> Mapping[str, float | str]:
        """Digest of the network, how many examples it may have seen, and the settings of `ridge_igw`."""
        return {"model": self._model, "trained": self._trained, **self._figures}

    def decide(self, context: Context, candidates: Sequence[str], _fits: Fits = NO_FITS) -> Decision:
        """Return every candidate's exact probability; raises ArtefactError where the network cannot be had."""
        return self.decide_many(context[None], candidates)[0]

    def decide_many(self, contexts: Contexts, candidates: Sequence[str], _fits: Sequence[Fits] = ()) -> list[Decision]:
        """Return what `decide` would for each context; the network looks at each alone."""
        check_contexts(contexts, self._width)
        agents = ranked(candidates)
        if self._counted < self._trained:
            return [_alike(agents)] * len(contexts)
        base = np.array([self._told(context, agents) for context in contexts]).reshape(len(contexts), len(agents))
        worth = self._heads.worth(contexts, agents)
        # The heads learn (rest + 1) / 2, whose prior is one half: no rest.
        pooled, own, text = 2.0 * worth.pooled - 1.0, 2.0 * worth.agent, 2.0 * worth.text
        scores = base + (pooled + own) + text
        best = scores.argmax(axis=1)
        figures = self._exploration(len(agents))
        chances = inverse_gap_weights(scores, best, figures["gamma"], figures["floor"])
        same = {"pooled": (pooled,) * len(agents), "agent": tuple(own.tolist())}
        rows = zip(scores.tolist(), base.tolist(), text.tolist(), chances, best.tolist(), strict=True)
        return [
            Decision(agents, tuple(score), {"network": tuple(told), **same, "text": tuple(rest)}, chance, agents[at], figures)
            for score, told, rest, chance, at in rows
        ]

    def learn(self, example: Example) -> None:
        """Count one example; from the first that the network cannot have seen on, learn where it errs."""
        check_example(example, self._width)
        if self._counted >= self._trained:
            told = self._told(example.context, (example.agent,))[0]
            self._heads.add(example.context, example.agent, (example.reward - told + 1.0) / 2.0)
        self._counted += 1.0

    def revise(self, example: Example, old_reward: float) -> None:
        """Move what was learned of an agent by a correction; one of what only the network saw waits for the next network."""
        check_example(example, self._width)
        check_reward(old_reward)
        if self._counted >= self._trained and self._heads.knows(example.agent):
            self._heads.move(example.context, example.agent, (example.reward - old_reward) / 2.0)
        self._counted += self._counted < self._trained  # corrections are numbered as examples are

    def dump(self) -> bytes:
        """Return the settings, the count, and the heads' sums and inverses; the network is named, not held."""
        heads = self._heads
        arrays = {"counted": np.array([self._counted]), **heads.arrays()}
        return pack(self.name, self.version, self._width, self.settings, heads.agents(), arrays)

    def essence(self) -> bytes:
        """Return the settings, the count, and a mark of each agent's sums and inverse."""
        heads = self._heads
        arrays = {"counted": np.array([self._counted])}
        return pack(self.name, self.version, self._width, self.settings, heads.agents(), arrays) + b"".join(heads.marks())

    @classmethod
    def load(cls, state: bytes, width: int, networks: Networks = none_here) -> Self:
        """Continue from a state; the network is opened when it is needed."""
        parts = unpack(state, cls.name, cls.version, width)
        try:
            policy = cls(width, **parts.header.settings, networks=networks)  # type: ignore[arg-type]  # checked there
        except (TypeError, ValueError, InvalidPolicySetting) as error:
            raise UnreadableState(f"the settings of a neural state cannot be taken: {error}") from error
        agents = parts.header.agents
        wanted = {"counted": (1,), "means": (len(agents), 2), "sums": (len(agents), 2, width)}
        wanted["inverses"] = (len(agents), width, width)
        found = {name: array.shape for name, array in parts.arrays.items()}
        if found != wanted:
            raise UnreadableState(f"a neural state has arrays {found}, not {wanted}")
        policy._counted = float(parts.arrays["counted"][0])
        figures = policy._figures
        policy._heads = RidgeHeads.of(agents, parts.arrays, width, figures["ridge"], figures["trust"])
        return policy

    def _network(self) -> Network:
        """Return the network, opened once; raises ArtefactError."""
        if self._found is None:
            self._found = self._networks(self._model)
        return self._found

    def _told(self, context: Context, agents: Sequence[str]) -> list[float]:
        """Return what the network tells of these agents, and the mean for those that it does not know."""
        network = self._network()
        known = dict(zip(network.card.agents, network.rewards(context).tolist(), strict=True))
        return [known.get(agent, network.card.mean) for agent in agents]

    def _exploration(self, candidates: int) -> dict[str, float]:
        gamma = self._figures["gain"] * math.sqrt(self._counted + 1.0)
        return {"gamma": gamma, "floor": min(self._figures["floor"], 1.0 / (4 * candidates))}


def _alike(agents: tuple[str, ...]) -> Decision:
    """Return the same chance for everybody."""
    share, nothing = 1.0 / len(agents), (0.0,) * len(agents)
    return Decision(agents, nothing, {"network": nothing}, (share,) * len(agents), None, {"floor": share}, TOO_EARLY)
