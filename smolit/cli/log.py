"""The log as commands read it whole: all that was chosen and learned, or the facts of a few topics."""

from collections.abc import Iterable

from events.topics import LEARNING, TASKS, Topic
from events.wire import Incoming
from smolit.cli.desk import Desk
from smolit.client import ends, places_of, reading


async def whole_log(desk: Desk) -> list[Incoming]:
    """Return every record of the tasks and learning topics, up to their ends as of now."""
    return await log_of(desk, (TASKS, LEARNING))


async def log_of(desk: Desk, topics: Iterable[Topic]) -> list[Incoming]:
    """Return every record of topics, up to their ends as of now."""
    behind = {place: end for place, end in (await ends(desk.endpoints.kafka, places_of(desk.names, topics))).items() if end}
    last, records = dict(behind), []
    if not behind:  # a reader that is stopped before it has begun to read fails at that
        return []
    async with reading(desk.endpoints.kafka, dict.fromkeys(behind, 0)) as reader:
        while behind:
            records += await reader.fetch(5_000)
            behind = {place: end for place, end in behind.items() if await reader.position(*place) < end}
    return [record for record in records if record.offset < last[record.topic, record.partition]]
