"""The log as commands read it whole: all that was chosen and learned."""

from events.topics import LEARNING, TASKS
from events.wire import Incoming
from smolit.cli.desk import Desk
from smolit.client import ends, places_of, reading


async def whole_log(desk: Desk) -> list[Incoming]:
    """Return every record of the tasks and learning topics, up to their ends as of now."""
    behind = {
        place: end for place, end in (await ends(desk.endpoints.kafka, places_of(desk.names, (TASKS, LEARNING)))).items() if end
    }
    last, records = dict(behind), []
    async with reading(desk.endpoints.kafka, dict.fromkeys(behind, 0)) as reader:
        while behind:
            records += await reader.fetch(5_000)
            behind = {place: end for place, end in behind.items() if await reader.position(*place) < end}
    return [record for record in records if record.offset < last[record.topic, record.partition]]
