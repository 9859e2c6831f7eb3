"""Feedback that waits for a task that never comes: after the horizon it becomes a dead letter."""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from events.dead_letter import DeadLetter
from events.stamp import stamp
from events.topics import Names
from events.wire import Outgoing, encode
from learning.examples import Said, TaskMemory
from store import outbox, training
from store.postgres import Connection
from store.training import Kept

REASON = "task_never_came"


async def bury(connection: Connection, names: Names, now: datetime, horizon: timedelta, limit: int = 500) -> int:
    """Set aside feedback that waits longer than the horizon, in one transaction; return how many items."""
    async with connection.transaction():
        late = await training.overdue(connection, now - horizon, limit)
        letters: list[Outgoing] = []
        for raw, _since, origin in late:
            memory = msgspec.json.decode(raw, type=TaskMemory)
            waiting = [said for said in memory.said if memory.attempt_of(said) is None]
            letters += [_letter(memory, said, origin, number, names, now) for number, said in enumerate(waiting)]
            left = replace(memory, said=tuple(said for said in memory.said if said not in waiting))
            await training.save(connection, {(memory.tenant, memory.task_id): Kept(msgspec.json.encode(left), None)})
        await outbox.put(connection, letters)
    return len(letters)


def _letter(memory: TaskMemory, said: Said, origin: str, number: int, names: Names, now: datetime) -> Outgoing:
    """Return one piece of waiting feedback as a dead letter; its origin is the record that first waited."""
    topic, partition, offset = origin.rsplit("/", 2)
    fact = DeadLetter(
        tenant=memory.tenant,
        stage="learning",
        reason=REASON,
        detail=f"feedback of {said.rater!r} on task {memory.task_id} (attempt {said.attempt}) found no such attempt",
        origin_topic=topic,
        origin_partition=int(partition),
        origin_offset=int(offset) if number == 0 else -number,
        original_key=memory.task_id,
        original_headers=(),
        original_value=msgspec.json.encode(said),
    )
    event = stamp(fact, source="smolit/learning", now=now, correlation=memory.task_id, cause=origin)
    return encode(names.dead_letters_of(topic), event)
