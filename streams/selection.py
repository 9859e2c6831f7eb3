"""Selection: chooses an agent for every admitted task, and another one after an attempt that failed.

It keeps nothing of its own: what it needs stands in the record, in what is in force, and in the policies' states, all
folded from the log. Run again after a crash it fills the same slots, perhaps with other content; the first in the log
wins.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from bus.producer import Publisher
from events.aside import dead_letter
from events.errors import EventError
from events.event import Envelope
from events.task import AttemptEnded, TaskAdmitted, TaskEnded
from events.topics import TASKS, Names
from events.wire import Incoming, Outgoing, decode
from learning.book import PolicyKey
from learning.draw import draw
from learning.errors import LearningError
from store.postgres import Connection
from store.snapshot import newest
from streams.choice import Wanted, choose_agent, served, wanted_after
from streams.control import ControlReader
from streams.library import Library
from streams.live import LiveAgents
from streams.outgoing import fact_record

SOURCE = "smolit/selection"


class Selection:
    """The processor. `default` is the policy that serves where neither a person nor an experiment says otherwise."""

    name = "selection"
    wants = frozenset({TaskAdmitted.event_type.wire_name, AttemptEnded.event_type.wire_name})
    batch = 100
    gather_s = 0.01

    def __init__(
        self,
        *,
        names: Names,
        default: PolicyKey,
        secret: bytes,
        clock: Callable[[], datetime],
        connect: Callable[[], Awaitable[Connection]],
        publisher: Publisher,
        control: ControlReader,
        library: Library,
        live: LiveAgents,
    ) -> None:
        self.topics: tuple[str, ...] = (names.of(TASKS),)
        self.outcomes: Counter[str] = Counter()
        self._names, self._default, self._secret, self._clock, self._connect = names, default, secret, clock, connect
        self._publisher, self._control, self._library, self._live = publisher, control, library, live

    async def start(self) -> None:
        """Read what is in force, who is live and what was learned, to the ends seen now."""
        connection = await self._connect()
        try:
            await self._library.start(await newest(connection))
        finally:
            await connection.close()
        await self._control.start()
        await self._live.start()
        await self._publisher.start()

    async def stop(self) -> None:
        """Disconnect."""
        for part in (self._publisher, self._live, self._control, self._library):
            await part.stop()

    def assigned(self) -> None:
        """Nothing is cached by partition."""

    def foresee(self, record: Incoming) -> None:
        """Nothing can be begun before its turn."""

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Publish what was decided about every record of the batch."""
        for follower in (self._control, self._library, self._live):
            follower.check()
        await self._publisher.publish([outgoing for record in batch for outgoing in await self._decide(record)])

    async def _decide(self, record: Incoming) -> list[Outgoing]:
        """Return the choice that a record calls for; what cannot be chosen for is set aside with its reason."""
        try:
            event = decode(record.headers, record.value)
            wanted = wanted_after(event.fact)
            return [] if wanted is None else [await self._choose(wanted, event.envelope)]
        except (EventError, LearningError) as error:
            self.outcomes["dead_letter"] += 1
            reason = getattr(error, "code", type(error).__name__)
            return [dead_letter(record, "selection", "", reason, str(error), self._names, self._clock())]

    async def _choose(self, wanted: Wanted, by: Envelope) -> Outgoing:
        await self._control.reach(wanted.context.seen)
        serving = served(wanted, self._control.control, self._default)
        page = await self._library.page(wanted.tenant, wanted.context.scope, serving.key)
        chosen = choose_agent(
            wanted,
            self._control.control,
            serving,
            page,
            to_context=self._library.to_context,
            context_map=self._library.context_map,
            is_live=self._live.serves,
            draw=draw(self._secret, "choice", wanted.task_id, wanted.attempt),
        )
        self.outcomes["nobody_fits" if isinstance(chosen, TaskEnded) else "chosen"] += 1
        return fact_record(chosen, by, wanted.task_id, self._names, SOURCE, self._clock())
