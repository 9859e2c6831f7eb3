"""What is in force now, folded from the control topics themselves."""

from events.control import Control, evolve
from events.topics import CONTROL_TOPICS
from events.wire import decode
from smolit.cli.desk import Desk
from smolit.cli.log import log_of


async def control_of(desk: Desk) -> Control:
    """Return what is in force, up to the ends of the control topics as of now."""
    control, ids = Control(), set()
    for record in await log_of(desk, CONTROL_TOPICS):
        event = decode(record.headers, record.value)
        if event.id not in ids:  # a step run again repeats its facts: the first in the log counts
            ids.add(event.id)
            control = evolve(control, event.fact)
    return control
