"""The policy states of every scope, followed live from the learning log: what selection chooses with.

Any process that follows the same log holds the same states. It starts from the newest snapshots; a policy that comes
into use later is folded from the beginning of its scope's partition.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from bus.broadcast import Broadcast
from bus.reader import MakeReader, PartitionReader
from events.learning import ExampleRecorded, ExampleSuperseded
from events.topics import LEARNING, Names
from events.wire import Incoming, decode, event_type
from learning.book import Page, PolicyKey, ToContext
from learning.errors import ArtefactError
from learning.network import Networks, none_here
from learning.policies import load
from store.snapshot import Snapshot

_WANTS = frozenset({ExampleRecorded.event_type.wire_name, ExampleSuperseded.event_type.wire_name})
Scope = tuple[str, str]


class Library:
    """Pages by (tenant, scope) and policy; `page` finds one or folds it."""

    def __init__(
        self,
        kafka: str,
        client_id: str,
        names: Names,
        default: PolicyKey,
        width: int,
        context_map: str,
        to_context: ToContext,
        on_example: Callable[[], None] = lambda: None,
        make_reader: MakeReader = PartitionReader,
        gather_s: float = 0.0,
        networks: Networks = none_here,
    ) -> None:
        self._kafka, self._client_id, self._topic = kafka, client_id, names.of(LEARNING)
        self.context_map, self.to_context = context_map, to_context
        self._default, self._width = default, width
        self.networks = networks
        self._make_reader = make_reader
        self._broadcast = Broadcast(kafka, client_id, (self._topic,), make_reader, gather_s)
        self._on_example = on_example
        self.pages: dict[Scope, dict[PolicyKey, Page]] = {}
        self.partitions: dict[Scope, int] = {}

    async def start(self, snapshots: Sequence[Snapshot] = ()) -> None:
        """Open the snapshots, read what came after them, then follow."""
        for snapshot in snapshots:
            self._open(snapshot)
        starts: dict[tuple[str, int], int] = {}
        for snapshot in snapshots:
            place = (self._topic, snapshot.partition)
            starts[place] = min(snapshot.covers, starts.get(place, snapshot.covers))
        await self._broadcast.start(self._take, starts)

    async def stop(self) -> None:
        """Follow no longer."""
        await self._broadcast.stop()

    def check(self) -> None:
        """Raise if following failed."""
        self._broadcast.check()

    def position(self, partition: int) -> int:
        """Return the offset after the last record read of a partition."""
        return self._broadcast.position(self._topic, partition)

    async def page(self, tenant: str, scope: str, key: PolicyKey) -> Page:
        """Return a policy's state in a scope, as of everything read.

        Raises:
            ArtefactError: the network that it chooses by cannot be had.
        """
        pages = self._scope(tenant, scope)
        if key not in pages:
            await self._fold(tenant, scope, key)
        return pages[key]

    async def open(self, wanted: Iterable[tuple[str, str, PolicyKey]]) -> None:
        """Have these policies' states (tenant, scope, policy) ready before anybody asks for them."""
        for tenant, scope, key in wanted:
            with suppress(ArtefactError):  # whoever is to be chosen for is told; others are served all the same
                await self.page(tenant, scope, key)

    def _scope(self, tenant: str, scope: str) -> dict[PolicyKey, Page]:
        """Return a scope's pages; a new scope starts with the default policy, from the prior."""
        if (tenant, scope) not in self.pages:
            self.pages[tenant, scope] = {self._default: Page(self._default.make(self._width))}
        return self.pages[tenant, scope]

    def _take(self, record: Incoming) -> None:
        if event_type(record.headers) not in _WANTS:
            return
        event = decode(record.headers, record.value)
        fact = event.fact
        if isinstance(fact, ExampleRecorded | ExampleSuperseded):
            self.partitions[fact.tenant, fact.scope] = record.partition
            self._learn(fact, record.offset)
            self._on_example()

    def _learn(self, fact: ExampleRecorded | ExampleSuperseded, offset: int) -> None:
        """Fold an example into every page of its scope; one whose network is gone is folded anew when it is asked for."""
        pages = self._scope(fact.tenant, fact.scope)
        for key, page in tuple(pages.items()):
            try:
                page.take_in(fact, offset, self.to_context)
            except ArtefactError:
                del pages[key]

    async def _fold(self, tenant: str, scope: str, key: PolicyKey) -> None:
        """Fold a policy's state from the beginning of the log to where we stand now, and follow it from there."""
        page = Page(key.make(self._width, self.networks))
        pages, partition = self._scope(tenant, scope), self.partitions.get((tenant, scope))
        if partition is None:
            pages.setdefault(key, page)
            return
        reader = self._make_reader(self._kafka, f"{self._client_id}-refold")
        await reader.start({(self._topic, partition): 0})
        offset = 0
        try:
            while offset < self.position(partition):
                for record in await reader.fetch():
                    offset = record.offset + 1
                    self._fold_record(page, tenant, scope, record)
            pages.setdefault(key, page)  # before anything is waited for: the next example would be missed
        finally:
            await reader.stop()

    def _fold_record(self, page: Page, tenant: str, scope: str, record: Incoming) -> None:
        if event_type(record.headers) not in _WANTS:
            return
        fact = decode(record.headers, record.value).fact
        if isinstance(fact, ExampleRecorded | ExampleSuperseded) and (fact.tenant, fact.scope) == (tenant, scope):
            page.take_in(fact, record.offset, self.to_context)

    def _open(self, snapshot: Snapshot) -> None:
        key, context_map = opened(snapshot.policy)
        if context_map != self.context_map:
            return
        page = Page(load(key.name, snapshot.state, self._width, self.networks), snapshot.upto, snapshot.sequence)
        self.pages.setdefault((snapshot.tenant, snapshot.scope), {})[key] = page
        self.partitions[snapshot.tenant, snapshot.scope] = snapshot.partition


def kind_of(key: PolicyKey, context_map: str) -> str:
    """Return the name under which snapshots of a policy with a context map are kept."""
    return f"{key.name} {context_map} {key.settings}"


def opened(kind: str) -> tuple[PolicyKey, str]:
    """Return policy and context map of a snapshot's name."""
    name, context_map, settings = kind.split(" ", 2)
    return PolicyKey(name, settings), context_map
