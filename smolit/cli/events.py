"""`smolit events`: what happened, as it is in the log."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from events.errors import EventError
from events.event import Event, Message
from events.topics import DEFAULT_TENANT, TOPICS, Topic
from events.wire import Incoming, decode
from projections.event_log import story
from projections.training import as_csv, as_json_lines, training_table
from smolit.cli import out
from smolit.cli.desk import Desk, now, open_desk, read
from smolit.cli.option import Json, TaskIdArgument, Tenant, moment
from smolit.cli.trace import from_log, show_tree, tree, whole
from smolit.cli.words import words
from smolit.client import ends, places_of, reading
from smolit.errors import NothingFound, UsageInvalid

TopicName = Annotated[str, typer.Option("--topic", help="Topic to read, such as tasks, agents, learning, answers.")]
Lines = Annotated[int, typer.Option("--lines", min=0, help="How many of the last events to begin with.")]
Follow = Annotated[bool, typer.Option("--follow/--no-follow", help="Go on as new ones come, until Ctrl-C.")]
FromLog = Annotated[bool, typer.Option("--from-log", help="Read Kafka itself instead of the read models.")]
Since = Annotated[str, typer.Option("--since", help="Tasks that ended from then on: a time, or a span such as 7d.")]
Until = Annotated[str | None, typer.Option("--until", help="Tasks that ended before then; else now.")]
Target = Annotated[Path | None, typer.Option("--output", help="File to write: .csv or .jsonl; else CSV on standard output.")]


def tail(topic: TopicName = "tasks", lines: Lines = 20, follow: Follow = True, as_json: Json = False) -> None:
    """Print the last events of a topic, then new ones as they come."""
    asyncio.run(_tail(open_desk(), _topic(topic), lines, follow, as_json))


def trace(task_id: TaskIdArgument, log: FromLog = False, as_json: Json = False) -> None:
    """Print the tree of a task's events: what caused what."""
    desk = open_desk()
    if log:
        found = asyncio.run(whole(lambda one: from_log(desk, one), task_id))
    else:
        found = read(desk, lambda db: whole(lambda one: story(db, one), task_id))
    if not found:
        raise NothingFound(f"no event of task {task_id!r} is known (yet)")
    made = tree(found)
    if as_json:
        out.json(made)
    else:
        show_tree(made)


def export(
    since: Since, until: Until = None, target: Target = None, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False
) -> None:
    """Write the training table: one row per task that ended in a time range, the same bytes every time."""
    moments = moment(since, now(), -1), moment(until, now(), -1) if until else now()
    rows = read(open_desk(), lambda connection: training_table(connection, *moments, tenant=tenant))
    lined = as_json or (target is not None and target.suffix == ".jsonl")
    content = as_json_lines(rows) if lined else as_csv(rows)
    if target is None:
        typer.echo(content, nl=False)
    else:
        target.write_bytes(content)
    out.say(f"{len(rows)} ended task(s) from {moments[0].isoformat()} until {moments[1].isoformat()}")


def _topic(entity: str) -> Topic:
    """Return a topic by its entity; raises UsageInvalid."""
    for topic in TOPICS:
        if topic.entity == entity:
            return topic
    raise UsageInvalid(f"no topic is called {entity!r}; there are {', '.join(topic.entity for topic in TOPICS)}")


async def _tail(desk: Desk, topic: Topic, lines: int, follow: bool, as_json: bool) -> None:
    """Read the end of each partition, print the last events by time, then follow."""
    last = await ends(desk.endpoints.kafka, places_of(desk.names, (topic,)))
    begin = {place: max(0, end - lines) for place, end in last.items()}
    async with reading(desk.endpoints.kafka, begin) as reader:
        behind = {place: end for place, end in last.items() if end > begin[place]}
        old: list[Incoming] = []
        while behind:
            old += await reader.fetch()
            behind = {place: end for place, end in behind.items() if await reader.position(*place) < end}
        fresh = [record for record in old if record.offset >= last[record.topic, record.partition]]
        before = sorted((record for record in old if record not in fresh), key=_time)
        _print(before[len(before) - min(lines, len(before)) :], as_json)
        while follow:
            _print(fresh, as_json)
            fresh = await reader.fetch(wait_ms=500)


def _time(record: Incoming) -> bytes:
    """Return the time on a record; RFC 3339 in UTC sorts as text."""
    return next((content for name, content in record.headers if name == "ce_time"), b"")


def _print(records: Iterable[Incoming], as_json: bool) -> None:
    """Print events; what cannot be read is said, not skipped."""
    for record in records:
        try:
            event = decode(record.headers, record.value)
        except EventError as error:
            out.line(f"{record.origin}: {error}")
            continue
        _print_event(record, event, as_json)


def _print_event(record: Incoming, event: Event[Message], as_json: bool) -> None:
    name, payload = event.fact.event_type.name, msgspec.to_builtins(event.fact)
    if as_json:
        told: dict[str, Any] = {"type": event.fact.event_type.wire_name, "origin": record.origin, "envelope": event.envelope}
        out.json_line({**told, "data": event.fact})
    else:
        out.line(f"{out.cell(event.envelope.time)}  {event.fact.key}  {words(name, payload)}")
