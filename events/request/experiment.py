"""Requests about experiments and calibrations: begin one, end one."""

from typing import Annotated

from msgspec import Meta

from events.calibration import Judge, Limits, Planned, Why
from events.event import event
from events.experiment import Variant
from events.field import Ident, Name, says
from events.request.request import Count, Reason, Request, ScopeName
from events.topics import REQUESTS


@event("experiment.start", version=1, topic=REQUESTS, key="experiment_id")
class StartExperiment(Request, frozen=True, kw_only=True):
    """Compare these policies on the scope's tasks from now on."""

    experiment_id: Annotated[Name, says("Its name, used once.")]
    scope: ScopeName = "default"
    variants: Annotated[tuple[Variant, ...], Meta(min_length=2, max_length=16), says("What is compared.")]
    salt: Annotated[Ident | None, says("What units are hashed with; null: one of its own.")] = None


@event("experiment.stop", version=1, topic=REQUESTS, key="experiment_id")
class StopExperiment(Request, frozen=True, kw_only=True):
    """Assign no more units to this experiment."""

    experiment_id: Annotated[Name, says("Which experiment.")]
    reason: Reason = ""


@event("calibration.start", version=1, topic=REQUESTS, key="calibration_id")
class StartCalibration(Request, frozen=True, kw_only=True):
    """Let these agents do these past tasks again; whoever asks submits the copies, each with `copy_of`."""

    calibration_id: Annotated[Name, says("Its name, used once.")]
    scope: ScopeName = "default"
    tasks: Annotated[tuple[Planned, ...], Meta(min_length=1, max_length=1000), says("What is done again, in this order.")]
    limits: Annotated[Limits, says("When it ends before all is done.")] = Limits()
    judged_by: Annotated[Judge, says("Who judges the copies: whoever gives feedback, or a reference.")] = "feedback"


@event("calibration.end", version=1, topic=REQUESTS, key="calibration_id")
class EndCalibration(Request, frozen=True, kw_only=True):
    """Do nothing more for this calibration; the sums are what its copies came to."""

    calibration_id: Annotated[Name, says("Which calibration.")]
    why: Annotated[Why, says("What ended it.")]
    reason: Reason = ""
    copies: Annotated[Count, says("Copies that were submitted.")]
    judged: Annotated[Count, says("Copies that a reward was learned from.")]
    cost_microusd: Annotated[Count, says("What the copies cost, as far as that is known.")]
    costed: Annotated[Count, says("Copies whose cost is known.")]
