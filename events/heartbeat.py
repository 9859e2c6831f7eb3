"""Signs of life of workers, compacted: what is live now is no history and enters no digest. Key: the worker."""

from events.event import Message, event
from events.field import Moment
from events.topics import AGENTS_LIVE


@event("worker.seen", version=1, topic=AGENTS_LIVE, key="worker")
class WorkerSeen(Message, frozen=True, kw_only=True):
    """A worker is there, serves these agents, and is doing `busy` of at most `capacity` attempts."""

    worker: str
    agents: tuple[str, ...]
    capacity: int
    busy: int
    seen_at: Moment
