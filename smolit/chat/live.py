"""Who is alive: the last heartbeat of each worker, by its own word and our clock."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from events.errors import EventError
from events.heartbeat import WorkerSeen
from events.topics import AGENTS_LIVE
from events.wire import decode
from smolit.cli.desk import Desk, now
from smolit.client import ends, places_of, reading

MISSED = 3  # heartbeats after which a worker is taken for dead, as by whoever chooses
_BACK = 2_000  # records that are looked at: many times what a house of workers says in three heartbeats


async def live_agents(desk: Desk) -> dict[str, list[str]]:
    """Return the live workers of each agent that has any."""
    beats = await _beats(desk)
    return serving(beats, now(), MISSED * desk.settings.heartbeat_s)


def serving(beats: Iterable[WorkerSeen], moment: datetime, patience_s: float) -> dict[str, list[str]]:
    """Return the workers of each agent whose last heartbeat is recent; one that said farewell has no capacity."""
    last = {one.worker: one for one in sorted(beats, key=lambda one: one.seen_at)}
    since = moment - timedelta(seconds=patience_s)
    found: dict[str, list[str]] = {}
    for worker, one in sorted(last.items()):
        if one.seen_at >= since and one.capacity:
            for agent in one.agents:
                found.setdefault(agent, []).append(worker)
    return found


async def _beats(desk: Desk) -> list[WorkerSeen]:
    """Return the heartbeats at the end of the log as it is now."""
    places = places_of(desk.names, (AGENTS_LIVE,))
    until = await ends(desk.endpoints.kafka, places)
    found: list[WorkerSeen] = []
    async with reading(desk.endpoints.kafka, {place: max(0, end - _BACK) for place, end in until.items()}) as reader:
        waiting = {place for place, end in until.items() if end > 0}
        while waiting:
            records = await reader.fetch()
            for record in records:
                if record.offset >= until[record.topic, record.partition] - 1:
                    waiting.discard((record.topic, record.partition))
                try:
                    fact = decode(record.headers, record.value).fact if record.value is not None else None
                except EventError:
                    continue
                if isinstance(fact, WorkerSeen):
                    found.append(fact)
            if not records:
                break  # what was there is compacted away
    return found
