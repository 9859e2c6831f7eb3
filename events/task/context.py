"""What a choice looks at: features, experiment, how rewards are made, who has tried."""

from typing import Annotated

from msgspec import Struct

from events.field import Moment, says


class Features(Struct, frozen=True):
    """What a policy may see of a task's text: little-endian float16 vectors and the version that made them."""

    version: str
    embedding: bytes
    surface: bytes


class Assignment(Struct, frozen=True):
    """The variant of a running experiment that a unit was put into, by hash."""

    experiment: str
    variant: str
    unit: str


class RewardTerms(Struct, frozen=True):
    """How rewards of a task are made, fixed when it is admitted, so that each can be made again whatever the settings say later.

    Quality has the weight that cost and latency leave. A scale is the amount that is worth one half: less is worth more.
    """

    rule: Annotated[str, says("Name and version of the rule.")]
    cost_weight: Annotated[float, says("Weight of cost, 0 to 1.")]
    latency_weight: Annotated[float, says("Weight of latency, 0 to 1.")]
    cost_half_microusd: Annotated[int, says("Cost of an attempt that is worth one half, in millionths of a dollar.")]
    latency_half_us: Annotated[int, says("Duration of an attempt that is worth one half, in microseconds.")]


class ChoiceContext(Struct, frozen=True):
    """All that is needed to choose an agent for a task, again if need be: a choice looks nowhere else.

    `tried` are the agents whose attempts failed. `kind` None means: match by the agents' descriptions. `seen` holds how
    far intake had read each control topic: who chooses waits until it has read as far, so that an agent registered
    before a task is known when the task is given away. `reward` None (a choice of an older release): rule `quality/1`.
    `agent`: who was asked for by name; nobody else may do it, so the choice says nothing of the policy. `brings`: what the
    task comes with besides its text, sorted: the names in its input, and `file:` with the media type of each file; an agent
    that needs something else is no candidate. None: not recorded (an older release, or too many names).
    """

    scope: str
    kind: str | None
    features: Features
    priority: int
    deadline: Moment
    max_attempts: int
    assignment: Assignment | None = None
    tried: tuple[str, ...] = ()
    seen: dict[str, int] = {}
    reward: RewardTerms | None = None
    agent: str | None = None
    brings: tuple[str, ...] | None = None
