"""What dispatch reads: facts sorted by kind, and what is no fact set aside as dead letters."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised
from events.approval import ApprovalAnswered
from events.catalog import FACTS
from events.errors import EventError
from events.event import Event, Message
from events.task import AgentChosen, CancelRequested, TaskEnded, TaskSubmitted
from events.wire import Incoming, decode, event_type
from handlers.ending import HANDS

Urgency = Literal["now", "soon", "never"]
AgentFact = AgentRegistered | AgentRevised | AgentPaused | AgentResumed | AgentRetired

_READS = (
    TaskSubmitted,
    AgentChosen,
    CancelRequested,
    ApprovalAnswered,
    TaskEnded,
    AgentRegistered,
    AgentRevised,
    AgentPaused,
    AgentResumed,
    AgentRetired,
)
_ENDED = TaskEnded.event_type.wire_name
# A submission can wait for its choice; agents and what people are waiting for cannot.
_URGENT = frozenset(cls.event_type.wire_name for cls in _READS if cls not in (TaskSubmitted, TaskEnded))
# Passed over by their header, without decoding; whatever else we do not know is no fact of ours.
_PASSED_OVER = frozenset(cls.event_type.wire_name for cls in FACTS if cls not in _READS)


class Batch(Struct, frozen=True):
    """One batch of the log: facts by kind, each list in the order of the log, and records that are no facts."""

    agents: list[Event[AgentFact]]
    submitted: list[Event[TaskSubmitted]]
    chosen: list[Event[AgentChosen]]
    cancels: list[Event[CancelRequested]]
    answers: list[Event[ApprovalAnswered]]
    ended: list[Event[TaskEnded]]
    unreadable: list[tuple[Incoming, EventError]]

    @property
    def touched(self) -> list[str]:
        """Return the tasks whose state may change, sorted."""
        chosen = {event.fact.task_id for event in self.chosen}
        told = {event.fact.task_id for event in self.cancels} | {event.fact.task_id for event in self.answers}
        return sorted(chosen | told | {event.fact.task_id for event in self.ended})


def urgency(record: Incoming) -> Urgency:
    """Say from the headers alone whether a record must be acted on now, soon or never."""
    kind = event_type(record.headers)
    if kind in _PASSED_OVER:
        return "never"
    if kind == _ENDED:
        return "never" if _source(record) in HANDS else "now"
    return "now" if kind in _URGENT else "soon"


def read(records: Sequence[Incoming]) -> Batch:
    """Decode what dispatch acts on; the rest of our facts is passed over."""
    batch = Batch([], [], [], [], [], [], [])
    for record in records:
        if urgency(record) != "never":
            _read_one(batch, record)
    return batch


def _source(record: Incoming) -> str:
    """Return who wrote an event of ours."""
    return next((content.decode("utf-8", "replace") for name, content in record.headers if name == "ce_source"), "")


def _read_one(batch: Batch, record: Incoming) -> None:
    """Put one record where it belongs."""
    try:
        event: Event[Message] = decode(record.headers, record.value)
    except EventError as error:
        batch.unreadable.append((record, error))
        return
    match event.fact:
        case TaskSubmitted() as fact:
            batch.submitted.append(Event(event.envelope, fact))
        case AgentChosen() as fact:
            batch.chosen.append(Event(event.envelope, fact))
        case CancelRequested() as fact:
            batch.cancels.append(Event(event.envelope, fact))
        case ApprovalAnswered() as fact:
            batch.answers.append(Event(event.envelope, fact))
        case TaskEnded() as fact:
            batch.ended.append(Event(event.envelope, fact))
        case AgentRegistered() | AgentRevised() | AgentPaused() | AgentResumed() | AgentRetired() as fact:
            batch.agents.append(Event(event.envelope, fact))
        case _:
            return  # an older version of a fact that is passed over
