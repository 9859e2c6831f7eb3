"""Selection: chooses another agent after an attempt that failed. The first choice of a task is made where it is admitted."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from bus.producer import Publisher
from events.aside import dead_letter
from events.errors import EventError
from events.event import Envelope
from events.task import AttemptEnded, TaskEnded
from events.topics import TASKS, Names
from events.wire import Incoming, Outgoing, decode, event_type
from store.postgres import Connection
from store.snapshot import newest
from streams.choice import Wanted, wanted_next
from streams.chooser import Chooser
from streams.errors import ChoiceImpossible
from streams.outgoing import fact_record

SOURCE = "smolit/selection"


class Selection:
    """The processor."""

    name = "selection"
    wants = frozenset({AttemptEnded.event_type.wire_name})
    batch = 100
    gather_s = 0.05  # a task whose attempt failed has waited longer than that already
    overlap = 1

    def __init__(
        self,
        *,
        names: Names,
        clock: Callable[[], datetime],
        connect: Callable[[], Awaitable[Connection]],
        publisher: Publisher,
        chooser: Chooser,
    ) -> None:
        self.topics: tuple[str, ...] = (names.of(TASKS),)
        self.outcomes: Counter[str] = Counter()
        self._names, self._clock, self._connect = names, clock, connect
        self._publisher, self._chooser = publisher, chooser

    async def start(self) -> None:
        """Read what is in force, who is live and what was learned, to the ends seen now."""
        connection = await self._connect()
        try:
            await self._chooser.start(await newest(connection))
        finally:
            await connection.close()
        await self._publisher.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._publisher.stop()
        await self._chooser.stop()

    def assigned(self) -> None:
        """Nothing is cached by partition."""

    def foresee(self, record: Incoming) -> bool:
        """Nothing can be begun before its turn; whatever is read here is waited for."""
        return event_type(record.headers) in self.wants

    async def process(self, batch: Sequence[Incoming]) -> None:
        """Publish what was decided about every record of the batch."""
        self._chooser.check()
        await self._publisher.publish([outgoing for record in batch for outgoing in await self._decide(record)])

    async def passed(self, batch: Sequence[Incoming]) -> None:
        """Nothing is left to move."""

    async def _decide(self, record: Incoming) -> list[Outgoing]:
        """Return the choice that a record calls for; what cannot be chosen for is set aside with its reason."""
        try:
            event = decode(record.headers, record.value)
            wanted = wanted_next(event.fact) if isinstance(event.fact, AttemptEnded) else None
            return [] if wanted is None else [await self._choose(wanted, event.envelope)]
        except (EventError, ChoiceImpossible) as error:
            self.outcomes["dead_letter"] += 1
            return [dead_letter(record, "selection", "", error.code, str(error), self._names, self._clock())]

    async def _choose(self, wanted: Wanted, by: Envelope) -> Outgoing:
        chosen = await self._chooser.choose(wanted)
        self.outcomes["nobody_left" if isinstance(chosen, TaskEnded) else "chosen"] += 1
        return fact_record(chosen, by, wanted.task_id, self._names, SOURCE, self._clock())
