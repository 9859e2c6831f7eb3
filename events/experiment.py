"""Experiments between two or more policies. Key: the experiment id."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from events.event import Fact, event
from events.field import Name, says
from events.topics import EXPERIMENTS


class Variant(Struct, frozen=True, forbid_unknown_fields=True):
    """One arm of an experiment: a policy with its parameters, and its share of the units."""

    name: Annotated[Name, says("Name of the variant.")]
    policy: Annotated[Name, says("Name of the policy that chooses for it.")]
    parameters: Annotated[dict[str, Any], says("Parameters of that policy.")] = {}
    weight: Annotated[float, Meta(gt=0, le=1_000_000), says("Its share of the units, beside the others' weights.")] = 1.0


@event("experiment.started", version=1, topic=EXPERIMENTS, key="experiment_id")
class ExperimentStarted(Fact, frozen=True, kw_only=True):
    """From here on units of the scope are put into a variant by `hash(salt, unit)`. One runs per scope at a time."""

    experiment_id: str
    request_id: str
    scope: str
    salt: str
    variants: tuple[Variant, ...]

    def slot(self) -> tuple[str | int, ...]:
        """An experiment starts once."""
        return (self.tenant, "experiment", self.experiment_id, "started")


@event("experiment.concluded", version=1, topic=EXPERIMENTS, key="experiment_id")
class ExperimentConcluded(Fact, frozen=True, kw_only=True):
    """No unit is assigned any more; later attempts of assigned tasks keep their variant."""

    experiment_id: str
    request_id: str
    reason: str

    def slot(self) -> tuple[str | int, ...]:
        """An experiment ends once."""
        return (self.tenant, "experiment", self.experiment_id, "concluded")
