"""Calibrations: past tasks done again by several agents, so that it is learned early who is good at what. Key: its id."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from events.event import Fact, event
from events.field import Name, TaskId, says
from events.topics import EXPERIMENTS

Judge = Literal["feedback", "reference"]
Why = Literal["tasks_done", "budget_spent", "not_worth_it", "stopped"]


class CopyOf(Struct, frozen=True, forbid_unknown_fields=True):
    """Which task is done again, and for which calibration."""

    calibration: Annotated[Name, says("Id of the calibration.")]
    task_id: TaskId


class Planned(Struct, frozen=True, forbid_unknown_fields=True):
    """A past task that is to be done again, by these agents, and why it was picked."""

    task_id: TaskId
    agents: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=1000), says("Who does it again, each once.")]
    why: Annotated[str, Meta(max_length=1000), says("Why this task, in words.")] = ""


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """When a calibration ends before all its tasks are done: money in millionths of a dollar, null where nothing limits it."""

    budget_microusd: Annotated[Annotated[int, Meta(ge=0)] | None, says("What all copies may cost together.")] = None
    horizon: Annotated[
        int, Meta(ge=1, le=10**9), says("Tasks that are to come: what is learned is worth something for each.")
    ] = 1000
    worth_microusd: Annotated[
        Annotated[int, Meta(ge=0)] | None, says("What a reward of 1 rather than 0 is worth; null: all tasks are done.")
    ] = None


@event("calibration.started", version=1, topic=EXPERIMENTS, key="calibration_id")
class CalibrationStarted(Fact, frozen=True, kw_only=True):
    """From here on these past tasks of a scope are done again by these agents, in this order, until a limit ends it."""

    calibration_id: str
    request_id: str
    scope: str
    tasks: tuple[Planned, ...]
    limits: Limits
    judged_by: Judge

    def slot(self) -> tuple[str | int, ...]:
        """A calibration starts once."""
        return (self.tenant, "calibration", self.calibration_id, "started")


@event("calibration.ended", version=1, topic=EXPERIMENTS, key="calibration_id")
class CalibrationEnded(Fact, frozen=True, kw_only=True):
    """No task is done again for it any more. The sums are those of its copies as they stood when it ended."""

    calibration_id: str
    request_id: str
    why: Why
    reason: str
    copies: int
    judged: int
    cost_microusd: int
    costed: int

    def slot(self) -> tuple[str | int, ...]:
        """A calibration ends once."""
        return (self.tenant, "calibration", self.calibration_id, "ended")
