"""Which of several models a step uses: the policies that choose agents, over other actions, with the domain in the context.

A policy's state is the fold of the judged outcomes of one subtask, in their order, so whoever reads the same outcomes holds the
same bytes and finds the same probabilities. A model that is new keeps a share until its interval lies below the best one's.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from learning.policies import create
from learning.policy import Context, Decision, Example, Fits, Policy, digest
from learning.reward import micro
from learning.statistics import Sums, mean_interval

# How much a domain says beside a text, which tells most of it already, and alone: docs/decisions/052-models-inside-agents.md.
BESIDE, ALONE = 1.0, 2.0
Make = Callable[[int], Policy]  # of a width
_NOTHING = Sums(0, 0, 0)


class Told(Struct, frozen=True, eq=False):
    """One judged outcome: where it stands in the log's order, what was known of the task, the model, and what it earned.

    `context` is that of the text, its last number a bias; `place` tells it from every other.
    """

    place: tuple[str, int, str]
    model: str
    domain: str | None
    context: Context
    probability: float
    reward: float
    fit: float | None = None


class Page:
    """A policy that has taken in outcomes, what these come to by model and domain, and the domains that its contexts know."""

    def __init__(self, policy: Policy, domains: Sequence[str]) -> None:
        self.policy, self.domains = policy, tuple(domains)
        self.outcomes: list[Told] = []
        self._sums: dict[tuple[str, str | None], Sums] = {}

    @property
    def digest(self) -> str:
        """Return the sha256 of the policy's state."""
        return digest(self.policy)

    def sums(self, model: str, domain: str | None) -> Sums:
        """Return what a model earned in a domain; None: in all of them."""
        return self._sums.get((model, domain), _NOTHING)

    def take_in(self, one: Told) -> None:
        """Learn one outcome."""
        self.policy.learn(Example(placed(one.context, one.domain, self.domains), one.model, one.probability, one.reward, one.fit))
        self.outcomes.append(one)
        value = micro(one.reward)
        for domain in {None, one.domain}:
            sums = self.sums(one.model, domain)
            self._sums[one.model, domain] = Sums(sums.n + 1, sums.total + value, sums.squares + value * value)

    def copy(self) -> "Page":
        """Return one that goes on from here by itself."""
        made = Page(type(self.policy).load(self.policy.dump(), self.policy.width), self.domains)
        made.outcomes, made._sums = list(self.outcomes), dict(self._sums)
        return made


def fold(outcomes: Sequence[Told], make: Make, width: int, before: Page | None = None) -> Page:
    """Return the page of these outcomes; it goes on from the one before where that begins alike, which changes no bit of it."""
    domains = tuple(sorted({one.domain for one in outcomes if one.domain is not None}))
    if before is not None and before.domains == domains and _begins(outcomes, before.outcomes):
        page = before.copy()
    else:
        page = Page(make(width + len(domains)), domains)
    for one in outcomes[len(page.outcomes) :]:
        page.take_in(one)
    return page


def maker(policy: str, settings: Mapping[str, float | str]) -> Make:
    """Return what makes a policy that knows nothing; raises UnknownPolicy or InvalidPolicySetting when it is called."""
    return lambda width: create(policy, width, settings)


def placed(context: Context, domain: str | None, domains: Sequence[str]) -> Context:
    """Return a text's context with its domain marked before the bias; one that nobody met has no mark."""
    mark = BESIDE if context[:-1].any() else ALONE
    marks = [mark * (domain == one) for one in domains]
    return np.concatenate([context[:-1], np.array(marks, dtype=np.float64), context[-1:]])


def decide(page: Page, context: Context, domain: str | None, models: Sequence[str], fits: Fits, share: float) -> Decision:
    """Return each model's exact probability; those that may still be the best have at least `share` (at most half in all)."""
    decision = page.policy.decide(placed(context, domain, page.domains), models, fits)
    floor = min(share, 0.5 / len(models))
    still = hopeful(page, domain, models)
    least = [floor if model in still else 0.0 for model in decision.agents]
    return _lifted(decision, least)


def explained(decision: Decision, page: Page, context: Context, domain: str | None, fits: Fits) -> Decision:
    """Return a decision with what the domain adds to the scores apart from what the text does."""
    if domain not in page.domains or "text" not in decision.parts:
        return decision
    plain = page.policy.decide(placed(context, None, page.domains), decision.agents, fits)
    added = tuple(one - other for one, other in zip(decision.scores, plain.scores, strict=True))
    text = tuple(one - more for one, more in zip(decision.parts["text"], added, strict=True))
    return replace(decision, parts={**decision.parts, "text": text, "domain": added})


def hopeful(page: Page, domain: str | None, models: Sequence[str]) -> frozenset[str]:
    """Return the models whose 95 % interval does not lie below the best one's: in the domain, where that is known."""
    bounds: dict[str, tuple[float, float]] = {}
    for model in models:
        sums = page.sums(model, domain)
        if sums.n > 1:
            interval = mean_interval(sums)
            bounds[model] = (interval.low, interval.high)
    best = max((low for low, _ in bounds.values()), default=0.0)
    return frozenset(model for model in models if model not in bounds or bounds[model][1] >= best)


def _lifted(decision: Decision, least: Sequence[float]) -> Decision:
    """Return the decision with every probability at least its floor; the others give what that takes, in proportion."""
    short = [max(0.0, floor - chance) for floor, chance in zip(least, decision.probabilities, strict=True)]
    missing = sum(short)
    if missing == 0.0:
        return decision
    spare = [max(0.0, chance - floor) for floor, chance in zip(least, decision.probabilities, strict=True)]
    kept = 1.0 - missing / sum(spare)
    return replace(decision, probabilities=tuple(floor + over * kept for floor, over in zip(least, spare, strict=True)))


def _begins(outcomes: Sequence[Told], known: Sequence[Told]) -> bool:
    """Say whether outcomes begin with the known ones, none of them judged anew."""
    if len(known) > len(outcomes):
        return False
    return all(one.place == other.place and one.reward == other.reward for one, other in zip(outcomes, known, strict=False))
