"""What agents are worth in a scope where they worked, as another scope may start from it."""

from typing import NamedTuple

from events.task import Features
from learning.book import Page
from learning.features import ContextMap
from learning.levels import SPREAD, Levels
from learning.policies.joint_thompson import JointThompson
from learning.policy import Context
from smolit.audit.choices import Log
from smolit.errors import NothingFound


class Known(NamedTuple):
    """Parameters of a policy that starts from a scope's levels, and how many examples these rest on."""

    parameters: dict[str, float | str]
    examples: int


def known_of(log: Log, tenant: str, scope: str, used: ContextMap) -> Known:
    """Fold a scope's examples, whatever chose there, and return what its agents are worth; raises NothingFound."""

    def to_context(features: Features) -> Context:
        return used.apply(features.embedding, features.surface)

    policy = JointThompson(used.width)
    page = Page(policy)
    for offset, example in log.examples.get((tenant, scope), []):
        page.take_in(example, offset, to_context)
    if not page.sequence:
        raise NothingFound(f"nothing was learned in scope {scope!r} (yet), so no levels are known from there")
    return Known({"level": SPREAD, "levels": Levels.rounded(policy.levels).told}, page.sequence)
