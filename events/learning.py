"""What there is to learn from. Key: the scope: one ordered partition holds all that a policy's state is made of."""

from typing import Annotated

from events.event import Fact, event
from events.field import says
from events.task import Features
from events.topics import LEARNING


@event("example.recorded", version=1, topic=LEARNING, key="scope")
class ExampleRecorded(Fact, frozen=True, kw_only=True):
    """An attempt got its first reward: context, agent, the propensity it was chosen with, and a reward in [0, 1].

    `sequence` counts the examples of a scope, corrections included, from 1: who folds them sees a repeat and a gap.
    """

    scope: str
    sequence: int
    task_id: str
    attempt: int
    agent: str
    features: Features
    propensity: float
    reward: float
    rule: str
    variant: str | None = None
    fit: Annotated[float | None, says("Cosine of task and description as it was at the choice, if the policy looked at it.")] = (
        None
    )

    def slot(self) -> tuple[str | int, ...]:
        """The first example of an attempt."""
        return (self.tenant, self.task_id, "example", self.attempt, self.scope, 0)


@event("example.superseded", version=1, topic=LEARNING, key="scope")
class ExampleSuperseded(Fact, frozen=True, kw_only=True):
    """An attempt's reward changed: whoever learned `old_reward` takes it back and learns `reward`."""

    scope: str
    sequence: int
    task_id: str
    attempt: int
    revision: int
    agent: str
    features: Features
    propensity: float
    old_reward: float
    reward: float
    rule: str
    variant: str | None = None
    fit: Annotated[float | None, says("Cosine of task and description as it was at the choice, if the policy looked at it.")] = (
        None
    )

    def slot(self) -> tuple[str | int, ...]:
        """The n-th correction of an attempt's example."""
        return (self.tenant, self.task_id, "example", self.attempt, self.scope, self.revision)


@event("snapshot.published", version=1, topic=LEARNING, key="scope")
class SnapshotPublished(Fact, frozen=True, kw_only=True):
    """The learner stored a policy's state as of `upto`; its bytes lie in Postgres under `digest`."""

    scope: str
    policy: str
    policy_version: int
    context_map: str
    upto: int
    sequence: int
    digest: str

    def slot(self) -> tuple[str | int, ...]:
        """One snapshot per policy, context map and offset."""
        return (self.tenant, "snapshot", self.scope, self.policy, self.policy_version, self.context_map, self.upto)
