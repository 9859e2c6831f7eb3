"""Is a version what it says it is? Its artefact against its fact, the fact against the log, and its choices for sanity. Pure."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from events.model import Origin
from events.task import AgentChosen
from learning.errors import LearningError
from learning.features import ContextMap
from learning.policy import Context, Decision, Fits, Policy
from smolit.audit.choices import fits_of
from smolit.model.fold import Folded, Scope

CONTEXTS = 5  # recorded choices that are made again with both states
_NEAR_ONE = 1e-9


class Asked(NamedTuple):
    """What a recorded choice was made from: context, candidates, and how near their descriptions lay."""

    context: Context
    candidates: Sequence[str]
    fits: Fits


class Verdict(NamedTuple):
    """Whether a version may be promoted, and what was checked or is wrong."""

    fine: bool
    reason: str


def judge(policy: Policy, origin: Origin, again: Folded, contexts: Sequence[Asked]) -> Verdict:
    """Compare the policy of an artefact, read and found whole, with the fold of the log, and let both choose."""
    if wrong := next(_unlike(origin, again), None):
        return Verdict(False, wrong)
    if policy.dump() != again.page.policy.dump():
        return Verdict(False, "its artefact is not the state that the log folds to")
    for number, asked in enumerate(contexts, start=1):
        if wrong := _odd(policy, again.page.policy, asked):
            return Verdict(False, f"choice {number} of {len(contexts)}: {wrong}")
    told = f"{again.page.sequence} examples fold to the same bytes; {len(contexts)} recorded choices get sound probabilities"
    return Verdict(True, f"artefact whole and finite; {told}")


def contexts_of(choices: Iterable[AgentChosen], scope: Scope, used: ContextMap) -> list[Asked]:
    """Return the last few contexts of a scope with their candidates, as recorded; those of another map are passed over."""
    fitting = [one for one in choices if (one.tenant, one.context.scope) == scope and one.context_map == used.digest]
    fitting.sort(key=lambda one: (one.policy.upto, one.task_id, one.attempt))
    return [
        Asked(
            used.apply(it.context.features.embedding, it.context.features.surface),
            [who.agent for who in it.candidates],
            fits_of(it),
        )
        for it in fitting[-CONTEXTS:]
    ]


def _unlike(origin: Origin, again: Folded) -> Iterator[str]:
    """Yield each figure that the log does not give again."""
    page = again.page
    pairs = {
        "version of the policy": (origin.policy_version, page.policy.version),
        "range of examples": ((origin.first, origin.upto, origin.examples), (again.first, page.upto, page.sequence)),
        "digest of the data": (origin.data_sha256, again.data_sha256),
        "digest of the state": (origin.digest, page.digest),
    }
    for what, (said, found) in pairs.items():
        if said != found:
            yield f"the log gives another {what}: {found} instead of {said}"


def _odd(policy: Policy, again: Policy, asked: Asked) -> str | None:
    """Return what is wrong with a decision, if something is."""
    try:
        decision, other = policy.decide(*asked), again.decide(*asked)
    except LearningError as error:
        return f"cannot be made: {error}"
    if decision != other:
        return "comes out otherwise with the fold of the log"
    return None if _is_sound(decision) else "its probabilities are no distribution"


def _is_sound(decision: Decision) -> bool:
    chances = decision.probabilities
    return all(0.0 <= chance <= 1.0 for chance in chances) and abs(math.fsum(chances) - 1.0) < _NEAR_ONE
