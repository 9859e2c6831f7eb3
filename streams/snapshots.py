"""The learner's snapshots: the states of all policies as of now, so that who starts later need not fold all history."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from events.learning import SnapshotPublished
from events.stamp import stamp
from events.topics import LEARNING, Names
from events.wire import Outgoing, encode
from learning.book import Page, PolicyKey
from store import outbox, snapshot
from store.postgres import Connection
from store.snapshot import Snapshot
from streams.choice import policies_in_force
from streams.control import ControlReader
from streams.library import Library, Scope, kind_of

EVERY = 500  # examples of a partition between two snapshots: folding them takes well under a second


class Snapshots:
    """Watches a library and stores what it holds, partition by partition, announced as facts."""

    def __init__(
        self,
        library: Library,
        control: ControlReader,
        connection: Connection,
        names: Names,
        clock: Callable[[], datetime],
        every: int = EVERY,
    ) -> None:
        self._library, self._control, self._connection, self._names, self._clock = library, control, connection, names, clock
        self._every = every
        self._stored: dict[int, int] = {}

    async def store_due(self) -> int:
        """Store every partition that has moved far enough since its last snapshot; return how many were stored.

        What is in force is held beside the defaults, so that whoever starts later need not fold that from the beginning.
        """
        self._control.check()
        await self._library.open(policies_in_force(self._control.control))
        due = [partition for partition in sorted(set(self._library.partitions.values())) if self._moved(partition)]
        for partition in due:
            await self._store(partition)
        return len(due)

    def _moved(self, partition: int) -> bool:
        return self._library.position(partition) - self._stored.get(partition, 0) >= self._every

    async def _store(self, partition: int) -> None:
        """Store all scopes of a partition as of one position, with their facts in the outbox."""
        covers = self._library.position(partition)
        scopes = [scope for scope, where in self._library.partitions.items() if where == partition]
        pages = [(scope, key, page) for scope in sorted(scopes) for key, page in self._library.pages[scope].items()]
        states = [self._snapshot(scope, key, page, partition, covers) for scope, key, page in pages]
        async with self._connection.transaction():
            await snapshot.save(self._connection, states)
            await outbox.put(self._connection, [self._announced(scope, page) for scope, _, page in pages])
        self._stored[partition] = covers

    def _snapshot(self, scope: Scope, key: PolicyKey, page: Page, partition: int, covers: int) -> Snapshot:
        return Snapshot(
            tenant=scope[0],
            scope=scope[1],
            policy=kind_of(key, self._library.context_map),
            upto=page.upto,
            partition=partition,
            covers=covers,
            sequence=page.sequence,
            digest=page.digest,
            state=page.policy.dump(),
        )

    def _announced(self, scope: Scope, page: Page) -> Outgoing:
        fact = SnapshotPublished(
            tenant=scope[0],
            scope=scope[1],
            policy=page.policy.name,
            policy_version=page.policy.version,
            context_map=self._library.context_map,
            upto=page.upto,
            sequence=page.sequence,
            digest=page.digest,
        )
        event = stamp(fact, source="smolit/learning", now=self._clock(), correlation=scope[1], cause=page.digest)
        return encode(self._names.of(LEARNING), event)


async def keep_storing(snapshots: Snapshots, stopped: Callable[[], bool], pause_s: float = 1.0) -> None:
    """Store what is due, again and again, until told to stop."""
    while not stopped():
        await snapshots.store_due()
        await asyncio.sleep(pause_s)
