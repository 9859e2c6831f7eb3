"""Wait until the read models hold all that was said when we began: who forgets must not miss what was said a moment ago."""

import asyncio

from events.topics import CONVERSATIONS
from smolit.cli.desk import Desk
from smolit.client import ends, places_of
from smolit.errors import CheckFailed
from smolit.process.lag import positions
from store.postgres import Connection

_PATIENCE_S, _LOOK_S = 60.0, 0.05


async def caught_up(desk: Desk, connection: Connection) -> None:
    """Return once every generation that serves has read the conversations up to their end as of now.

    Raises:
        CheckFailed: it has not in time.
    """
    last = await ends(desk.endpoints.kafka, places_of(desk.names, (CONVERSATIONS,)))
    for _ in range(round(_PATIENCE_S / _LOOK_S)):
        stand = await positions(connection, desk.settings.topic_prefix)
        read = [one for one in stand if one.consumer.startswith("projections.") and (one.topic, one.partition) in last]
        if read and all(one.next >= last[one.topic, one.partition] for one in read):
            return
        await asyncio.sleep(_LOOK_S)
    raise CheckFailed("the read models have not read all that was said; `smolit projection lag` tells how far they are")
