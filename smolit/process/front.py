"""The front agent, wired: what it reads out of the read models, what reads texts, and the keys that it signs with."""

import asyncio
from functools import cached_property, lru_cache

import msgspec
import numpy as np

from agents.front.recollect import Memory
from agents.front.sort import Sorter
from agents.pipeline import Toolbox
from agents.team.goal import Suit
from agents.team.suiting import Suiting
from events.agent import AgentSpec
from events.conversation import Spoken
from events.task import Features
from handlers import front, front_port
from handlers.count import Count
from handlers.errand import Ended, Errands
from handlers.telling import Teller
from learning.encoding import TextEncoder
from learning.features import extract, features_version, reader
from projections.agent import agents
from projections.attempt import attempts_of
from projections.conversation import messages_with, thread
from projections.errors import VectorUnfit
from projections.memory import memories, recall
from projections.similar import vector_of
from projections.task import task
from smolit.process.keys import keyring
from smolit.process.place import Place
from store.postgres import Connection

_KNOWN_TEXTS = 4_096


class FrontReads:
    """The read models as the front reads them, over a connection of their own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    async def thread(self, tenant: str, conversation_id: str) -> list[front_port.Heard]:
        """Return what was said, in order."""
        async with self._lock:
            rows = await thread(self._connection, tenant, conversation_id)
        return [
            front_port.Heard(one.message_id, one.sender or "", one.kind or "", one.text or "", one.body or {})
            for one in rows
            if one.delivered_at is not None and one.forgotten_at is None
        ]

    async def agents(self, tenant: str) -> list[front_port.Agent]:
        """Return the active agents."""
        async with self._lock:
            rows = await agents(self._connection, tenant)
        return [
            front_port.Agent(
                one.agent_id,
                one.spec.get("description", ""),
                tuple(one.spec.get("skills", ())),
                tuple((one.spec.get("inputs") or {}).get("required", ())),
                tuple(one.spec.get("examples", ())),
                msgspec.convert(one.spec, AgentSpec),
            )
            for one in rows
            if one.state == "active" and one.spec is not None
        ]

    async def memories(self, tenant: str, user: str) -> list[Memory]:
        """Return what holds of a user, the newest first."""
        async with self._lock:
            rows = await memories(self._connection, tenant, user) if user else []
        return [
            Memory(one.memory_id, one.subject or "", one.text, one.learned_at, source=one.source or "")
            for one in rows
            if one.state == "holds" and one.text is not None and one.learned_at is not None
        ]

    async def recall(self, tenant: str, user: str, features: Features, k: int) -> list[Memory]:
        """Return what holds of a user and is nearest to a text."""
        try:
            vector = vector_of(features.embedding, features.version)
        except VectorUnfit:
            return []
        async with self._lock:
            rows = await recall(self._connection, tenant, user, front_port.FRONT, vector, k)
        return [Memory(one.memory_id, one.subject, one.text, one.learned_at, one.cosine) for one in rows]

    async def spoken(self, tenant: str, source: str, memory_id: str) -> list[Spoken]:
        """Return the messages that hold a memory's words."""
        async with self._lock:
            rows = await messages_with(self._connection, tenant, source, memory_id)
        return [Spoken(message_id=one.message_id, request_id=one.request_id) for one in rows]

    async def ended(self, tenant: str, task_id: str) -> Ended | None:
        """Return how a task ended, if the read models know that it did."""
        async with self._lock:
            row = await task(self._connection, tenant, task_id)
            if row is None or row.outcome is None:
                return None
            tried = await attempts_of(self._connection, task_id)
        last = next((one for one in reversed(tried) if one.outcome == "completed"), None)
        output, sha256 = (last.output, last.output_sha256) if last else (None, None)
        return Ended(row.outcome, row.agent, output, sha256, row.reason, row.detail)


class FrontMind:
    """Reads texts with one encoder, and remembers the vectors of those it has seen; `words` is what supervisors read with."""

    def __init__(self, encoder: TextEncoder, words: TextEncoder) -> None:
        self._encoder, self._words = encoder, words
        self._suiting: tuple[tuple[str, tuple[AgentSpec, ...]], Suiting] | None = None  # agents seldom change
        self._version = features_version(self._encoder)
        self._vector = lru_cache(_KNOWN_TEXTS)(self._encoder.encode)

    def features(self, text: str) -> Features:
        """Return the features of a text, as facts keep them."""
        embedding, surface = extract(text, self._encoder)
        return Features(self._version, embedding, surface)

    def alike(self, text: str, other: str) -> float:
        """Return the cosine of two texts."""
        return float(np.dot(self._vector(text), self._vector(other)))

    def suit_of(self, tenant: str, specs: tuple[AgentSpec, ...]) -> Suit:
        """Return what tells which of these agents a text suits, as supervisors do."""
        if self._suiting is None or self._suiting[0] != (tenant, specs):
            self._suiting = ((tenant, specs), Suiting(tenant, specs, reader(self._words)))
        return self._suiting[1].suited

    @cached_property
    def sorter(self) -> Sorter:
        """Return what tells tasks from talk, fitted when it is first needed."""
        return Sorter.load(self._vector)


async def run(place: Place, who: str, toolbox: Toolbox, teller: Teller, stopped: asyncio.Event, count: Count) -> None:
    """Answer what people say to the front agent, until told to stop; model and encoders are those of the worker's agents."""
    settings, ports = place.settings, place.ports
    reading = await ports.connect(place.endpoints.postgres, f"{who}-front-reads")
    publisher = ports.publisher(place.endpoints.kafka, f"{who}-front")
    await publisher.start()
    try:
        reads = FrontReads(reading)
        errands = Errands(place.endpoints.kafka, place.names, publisher, reads.ended, ports.clock, ports.reader)

        def mind() -> FrontMind:  # called in a thread, when it is first needed
            words = toolbox.encoders.open("static").encoder
            return FrontMind(toolbox.encoders.open(settings.encoder).encoder, words)

        def make(connection: Connection) -> front.Front:
            return front.Front(
                place.names,
                reads,
                mind,
                toolbox.language,
                errands,
                keyring(settings),
                connection,
                ports.clock,
                count,
                teller.telling,
                settings.memory_llm,
                settings.lease_s,
            )

        await front.run(place.endpoints.postgres, who, make, errands, stopped, connect=ports.connect)
    finally:
        await publisher.stop()
        await reading.close()
