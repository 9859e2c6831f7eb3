"""The choice of an agent for an attempt: who could be chosen, with which probability, and who could not."""

from typing import Annotated, Any, Literal

from msgspec import Struct

from events.event import Fact, event
from events.field import says
from events.task.context import ChoiceContext
from events.task.reference import AttemptNumber, TaskRef
from events.topics import TASKS


class Candidate(Struct, frozen=True, gc=False, omit_defaults=True):
    """One agent that could have been chosen: its score, the parts it is the sum of, and its exact probability.

    `fit` is the cosine of task and description, there if the policy looked at it.
    """

    agent: str
    score: float
    parts: dict[str, float]
    probability: float
    fit: float | None = None


class LeftOut(Struct, frozen=True, omit_defaults=True):
    """One agent that could not be chosen, and why; `fit` is the best cosine of text and what it says of itself.

    `lacks`: what the agent needs and the task did not bring; of alternatives (`csv or file:*`) one would do. `score`: how well
    the text suits it beside all others, which decides where a task without a kind goes; absent for who gives no examples.
    """

    agent: str
    reason: str
    fit: float | None = None
    lacks: tuple[str, ...] = ()
    score: float | None = None


class PolicyRef(Struct, frozen=True):
    """The policy that chose, and the state it was in.

    `upto` is the offset, in the scope's learning partition, of the last example taken in (-1: none); `digest` names the
    state's bytes. `model` is the id of the version that was promoted; the state has gone on learning since.
    """

    name: str
    version: int
    parameters: dict[str, Any]
    digest: str
    upto: int
    model: str | None = None


@event("agent.chosen", version=1, topic=TASKS, key="task_id")
class AgentChosen(Fact, frozen=True, kw_only=True):
    """An agent was chosen for one attempt, with the probability it had and all that is needed to recompute it."""

    task_id: TaskRef
    attempt: AttemptNumber
    context: ChoiceContext
    context_map: Annotated[str, says("What made a policy's context of the features.")]
    candidates: Annotated[tuple[Candidate, ...], says("Who could be chosen.")]
    left_out: Annotated[tuple[LeftOut, ...], says("Who could not.")]
    agent: Annotated[str, says("Who was chosen.")]
    propensity: Annotated[float, says("The probability that the agent had.")]
    draw: Annotated[float, says("The number in [0, 1) that decided.")]
    explored: Annotated[bool, says("Whether it is another agent than the policy's favourite.")]
    policy: Annotated[PolicyRef, says("What chose, and the state it was in.")]
    decided_by: Annotated[Literal["default", "experiment", "policy_set"], says("Why it was this policy that chose.")]
    weights: Annotated[dict[str, float] | None, says("Weights of the parts in the scores, where the policy learns such.")] = None

    def slot(self) -> tuple[str | int, ...]:
        """One choice per attempt."""
        return (self.tenant, self.task_id, "chosen", self.attempt)
