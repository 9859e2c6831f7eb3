"""The crew: pipelines ready to work, one per spec, and what they need to do an attempt."""

import asyncio

import msgspec

from agents.catalog import build
from agents.contract import accepted, admitted
from agents.effects import LedgerEffects
from agents.errors import AgentFailed
from agents.pipeline import Pipeline, Result, Timer, Toolbox, Work
from events.agent import AgentSpec
from handlers.audience import Audience
from handlers.splitting import StoredTeam
from handlers.telling import Teller
from store import blob
from store.blob import BlobMissing
from store.claim import Claimed
from store.postgres import Connection

_KEPT = 256  # pipelines; a revised agent makes a new one


class StoredBlobs:
    """The blob store, for agents."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, sha256: str) -> bytes:
        """Return what is stored under this digest.

        Raises:
            AgentFailed: nothing is.
        """
        try:
            return await blob.get(self._connection, sha256)
        except BlobMissing as error:
            raise AgentFailed("file_missing", str(error)) from error

    async def put(self, content: bytes) -> str:
        """Store content, once; return its sha256."""
        return await blob.put(self._connection, content)


class Crew:
    """Builds each pipeline once, off the event loop, and runs attempts on it."""

    def __init__(self, connection: Connection, toolbox: Toolbox, timer: Timer, teller: Teller | None = None) -> None:
        self._connection = connection
        self._toolbox = msgspec.structs.replace(toolbox, blobs=StoredBlobs(connection), team=StoredTeam(connection))
        self._timer = timer
        self._audience = Audience(connection, teller) if teller is not None else None
        self._building = asyncio.Lock()
        self._pipelines: dict[bytes, Pipeline] = {}

    async def work(self, claimed: Claimed) -> Result:
        """Do one attempt.

        Raises:
            AgentFailed: there is no result.
        """
        pipeline = await self._pipeline(claimed.spec)
        task = claimed.task
        work = Work(
            tenant=task.tenant,
            task_id=task.task_id,
            attempt=claimed.hold.attempt,
            agent=claimed.spec.id,
            kind=task.kind,
            text=task.text if task.text is not None else await self._stored(task.text_sha256),
            input=task.input,
            deadline=task.deadline,
            files=task.files,
            spec=claimed.spec,
            features=claimed.context.features,
            telling=self._audience.of(claimed) if self._audience is not None else None,
        )
        admitted(claimed.spec, task.input)
        effects = LedgerEffects(self._connection, claimed.hold, task.tenant, self._toolbox.consent)
        result = await pipeline.run(work, effects, self._timer)
        return accepted(claimed.spec, result)

    async def _pipeline(self, spec: AgentSpec) -> Pipeline:
        """Return the pipeline of a spec; loading a model may take a second, so it happens in a thread."""
        key = msgspec.json.encode(spec)
        async with self._building:
            if key not in self._pipelines:
                while len(self._pipelines) >= _KEPT:
                    del self._pipelines[next(iter(self._pipelines))]
                self._pipelines[key] = await asyncio.to_thread(build, spec, self._toolbox)
            return self._pipelines[key]

    async def _stored(self, digest: str) -> str:
        """Return a long text from the blob store."""
        try:
            content = await blob.get(self._connection, digest)
        except BlobMissing as error:
            raise AgentFailed("text_missing", str(error)) from error
        return content.decode("utf-8", "replace")
