"""Was a recorded choice made the way it says: the same state, context and draw give the same figures, to the bit."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from learning.policy import Context, Decision, Policy, choose


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """What a choice fact says: what was seen, the chances in the order of `candidates`, the draw and whom it hit.

    `parts` are those of the candidates' scores, and `weights` those of the parts, where they are to be compared, too.
    """

    context: Context
    candidates: tuple[str, ...]
    probabilities: tuple[float, ...]
    draw: float
    agent: str
    propensity: float
    explored: bool
    digest: str
    parts: tuple[Mapping[str, float], ...] = ()
    weights: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that comes out otherwise than it was recorded."""

    what: str
    recorded: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """All differences between a recorded choice and the recomputed one; none means that the record is true."""

    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether the record is true."""
        return not self.differences


def compare(policy: Policy, made: str, decision: Decision, recorded: Recorded) -> Verdict:
    """Compare a record exactly (`==` on every float) with what the policy, whose digest is `made`, decided again.

    The policy must stand at the record's `upto`; that it does is part of the comparison (its digest).
    """
    again = dict(zip(decision.agents, decision.probabilities, strict=True))
    choice = choose(decision, recorded.draw)
    pairs: list[tuple[str, object, object]] = [("state digest", recorded.digest, _digest_like(recorded.digest, made, policy))]
    if len(recorded.probabilities) != len(recorded.candidates):
        pairs.append(("number of probabilities", len(recorded.probabilities), len(recorded.candidates)))
    for agent, chance in zip(recorded.candidates, recorded.probabilities, strict=False):
        pairs.append((f"probability of {agent}", chance, again[agent]))
    parts = dict(zip(decision.agents, decision.parts_by_name(), strict=True))
    pairs += [(f"parts of {who}", dict(was), parts[who]) for who, was in zip(recorded.candidates, recorded.parts, strict=False)]
    if recorded.weights is not None:
        pairs.append(("weights", dict(recorded.weights), dict(decision.weights)))
    pairs.append(("agent", recorded.agent, choice.agent))
    pairs.append(("propensity", recorded.propensity, choice.propensity))
    pairs.append(("explored", recorded.explored, choice.explored))
    return Verdict(tuple(Difference(what, repr(was), repr(now)) for what, was, now in pairs if was != now))


def _digest_like(recorded: str, made: str, policy: Policy) -> str:
    """Return a policy's digest; where the record has that of the whole state, as releases before wrote it, that one."""
    whole = hashlib.sha256(policy.dump()).hexdigest() if recorded != made else made
    return whole if recorded == whole else made
