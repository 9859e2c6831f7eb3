"""The causation tree of a task: every event under the one that caused it."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from events.event import Fact
from events.ids import task_id
from events.plan import SUPERVISOR, PlanStepStarted
from events.topics import LEARNING, TASKS
from events.wire import Incoming, decode
from projections.event_log import EventRow
from smolit.cli import out
from smolit.cli.desk import Desk
from smolit.cli.words import words
from smolit.client import ends, places_of, reading

INTAKE = "smolit/intake"  # as it stands in the source of events
_CORRELATION = "ce_correlationid"
_ASKED = PlanStepStarted.event_type.name


class Node(Struct, frozen=True):
    """One event, and the events that it caused."""

    event: EventRow
    caused: "tuple[Node, ...]"


def tree(events: Sequence[EventRow]) -> list[Node]:
    """Return the events as trees, in the order they happened; what is caused from outside (a request) is a root."""
    first: dict[str, EventRow] = {}
    for event in events:
        first.setdefault(event.event_id, event)  # a repeat is the same event
    below: dict[str, list[EventRow]] = {}
    for event in first.values():
        cause = event.causation_id if event.causation_id in first and event.causation_id != event.event_id else ""
        below.setdefault(cause, []).append(event)
    return [_node(event, below) for event in below.get("", [])]


def show_tree(nodes: Sequence[Node]) -> None:
    """Print the trees; those that one request caused stand under it."""
    causes = dict.fromkeys((_outside(node), node.event.causation_id) for node in nodes)
    for outside, cause in causes:
        out.line(f"{outside} {cause}")
        for node in nodes:
            if node.event.causation_id == cause:
                for line in _lines(node, ""):
                    out.line(line)


def _outside(node: Node) -> str:
    """Say what sort of thing caused an event whose cause is not in the story: intake turns requests into facts."""
    return "request" if node.event.source == INTAKE else "because of"


def parts_of(events: Sequence[EventRow]) -> set[str]:
    """Return the tasks that a split task's events asked for; each request has the id of the event that says so."""
    return {task_id(one.tenant, SUPERVISOR, one.event_id) for one in events if one.type == _ASKED}


async def whole(story: Callable[[str], Awaitable[Sequence[EventRow]]], correlation_id: str) -> list[EventRow]:
    """Return a story's events with those of all its parts, and of theirs."""
    found: dict[str, Sequence[EventRow]] = {}
    wanted = {correlation_id}
    while wanted:
        told = {one: await story(one) for one in sorted(wanted)}
        found |= told
        wanted = {part for events in told.values() for part in parts_of(events)} - set(found)
    return sorted((one for events in found.values() for one in events), key=_when)


async def from_log(desk: Desk, correlation_id: str) -> list[EventRow]:
    """Return a story's events from Kafka alone, first in the log wins, by time."""
    last = await ends(desk.endpoints.kafka, places_of(desk.names, (TASKS, LEARNING)))
    behind = {place: end for place, end in last.items() if end}
    found: list[EventRow] = []
    async with reading(desk.endpoints.kafka, dict.fromkeys(behind, 0)) as reader:
        while behind:
            records = await reader.fetch(2_000)
            found += [_row(record) for record in records if _belongs(record, correlation_id)]
            behind = {place: end for place, end in behind.items() if await reader.position(*place) < end}
    return sorted(found, key=_when)


def _when(row: EventRow) -> tuple[datetime, str, int, int]:
    """Return what events are sorted by."""
    return row.occurred_at, row.topic, row.partition, row.log_offset


def _node(event: EventRow, below: dict[str, list[EventRow]]) -> Node:
    return Node(event, tuple(_node(one, below) for one in below.get(event.event_id, [])))


def _lines(node: Node, indent: str) -> Iterator[str]:
    """Yield one line per event, indented by cause."""
    event = node.event
    yield f"{indent}└─ {out.cell(event.occurred_at)}  {event.type}  {words(event.type, event.payload)}"
    for one in node.caused:
        yield from _lines(one, indent + "   ")


def _belongs(record: Incoming, correlation_id: str) -> bool:
    """Return whether a record belongs to the story, by its header alone."""
    return any(name == _CORRELATION and content.decode("utf-8", "replace") == correlation_id for name, content in record.headers)


def _row(record: Incoming) -> EventRow:
    """Return a record as the event log would show it."""
    event = decode(record.headers, record.value)
    fact, envelope = event.fact, event.envelope
    return EventRow(
        event_id=envelope.id,
        type=fact.event_type.name,
        version=fact.event_type.version,
        topic=record.topic,
        partition=record.partition,
        log_offset=record.offset,
        tenant=fact.tenant if isinstance(fact, Fact) else "",
        source=envelope.source,
        correlation_id=envelope.correlation_id,
        causation_id=envelope.causation_id,
        occurred_at=envelope.time,
        traceparent=envelope.traceparent,
        payload=msgspec.to_builtins(fact),
    )
