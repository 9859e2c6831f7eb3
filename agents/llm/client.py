"""One call of one back end through the `openai` client, whose own retries are off; every failure is a typed one.

What comes back is read strictly (`agents.llm.completion`), what fails gets a name (`agents.llm.trouble`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from agents.llm.backend import Backend, BackendFailed, Reply
from agents.llm.completion import MOST_BYTES, Gathered, read
from agents.llm.trouble import failure_of
from agents.port import Ask

if TYPE_CHECKING:
    from datetime import datetime

    from openai import AsyncOpenAI

_CONNECT_S = 3.0


class Caller:
    """Calls back ends; the `openai` package is loaded at the first call, and a client is kept for each back end."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._clients: dict[Backend, AsyncOpenAI] = {}
        self._make: Callable[[Backend], AsyncOpenAI] | None = None

    async def call(self, backend: Backend, ask: Ask, key: str, most_s: float) -> Reply:
        """Return the answer to one request, whole.

        Raises:
            BackendFailed: there is none within `most_s` seconds.
        """
        reply: Reply = await self._translated(backend, self._whole(backend, ask, key), most_s)
        return reply

    async def pieces(
        self, backend: Backend, ask: Ask, key: str, most_s: float, over: Callable[[], bool]
    ) -> AsyncGenerator[str | Reply, None]:
        """Yield the answer's pieces as they come, then the reply; one that has begun is cut when its time is up.

        Where `over` says so it is cut, too, once there is a little of it: others are waiting.

        Raises:
            BackendFailed: nothing came, or it broke off.
        """
        loop = asyncio.get_running_loop()
        end, gathered = loop.time() + most_s, Gathered(backend.model)
        stream = await self._translated(backend, self._open(backend, ask, key), most_s)
        chunks = stream.__aiter__()
        try:
            while True:
                chunk = await self._translated(backend, _next(chunks), max(0.0, end - loop.time()), gathered)
                if chunk is None:
                    break
                if piece := gathered.take(chunk):
                    yield piece
                if over() and gathered.hurry():
                    break
        finally:
            await asyncio.shield(stream.close())
        yield gathered.reply()

    async def models(self, backend: Backend, most_s: float) -> list[str]:
        """Return the names of the models that a back end has.

        Raises:
            BackendFailed: it does not say.
        """

        async def listed() -> list[str]:
            client = await self._client(backend)
            return [one.id async for one in client.models.list()]

        names: list[str] = await self._translated(backend, listed(), most_s)
        return names

    async def load(self) -> None:
        """Load the client's package, which takes a second or two, in a thread; later calls find it there."""
        if self._make is None:
            self._make = await asyncio.to_thread(_maker)

    async def close(self) -> None:
        """Close every client."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    async def _whole(self, backend: Backend, ask: Ask, key: str) -> Reply:
        """Ask once."""
        client = await self._client(backend)
        raw = await client.chat.completions.with_raw_response.create(**_request(backend, ask, key))
        return read(raw.content)

    async def _open(self, backend: Backend, ask: Ask, key: str) -> Any:
        """Begin a stream."""
        client = await self._client(backend)
        streaming = {"stream": True, "stream_options": {"include_usage": True}}
        return await client.chat.completions.create(**_request(backend, ask, key) | streaming)

    async def _client(self, backend: Backend) -> AsyncOpenAI:
        """Return the client of a back end."""
        if self._make is None:
            raise RuntimeError("the client's package was not loaded")
        if backend not in self._clients:
            moved = [one for one in self._clients if one.name == backend.name]  # it answers elsewhere now
            self._clients[backend] = self._make(backend)
            for old in moved:
                if (gone := self._clients.pop(old, None)) is not None:
                    await gone.close()
        return self._clients[backend]

    async def _translated(
        self, backend: Backend, calling: Awaitable[Any], most_s: float, gathered: Gathered | None = None
    ) -> Any:
        """Wait for a call, for so long at most; whatever the client raises becomes a typed failure, without our key in it."""
        await self.load()
        try:
            return await self._typed(calling, most_s, gathered)
        except BackendFailed as error:
            if backend.key and backend.key in error.detail:  # some quote what they refuse
                raise BackendFailed(error.trouble, error.detail.replace(backend.key, "[key]"), error.retry_after_s) from None
            raise

    async def _typed(self, calling: Awaitable[Any], most_s: float, gathered: Gathered | None) -> Any:
        """Wait for a call; raises nothing but BackendFailed for what comes from outside."""
        try:
            async with asyncio.timeout(most_s):
                return await calling
        except Exception as error:
            failed = failure_of(error, most_s, self._clock())
            if failed is None:
                raise
            if failed.trouble == "timed_out" and gathered is not None and gathered.text:
                gathered.hurried = True
                return None
            raise failed from error


def _request(backend: Backend, ask: Ask, key: str) -> dict[str, Any]:
    """Return the arguments of a request."""
    request: dict[str, Any] = {
        "model": backend.model,
        "messages": [{"role": one.role, "content": one.content} for one in ask.messages],
        "max_tokens": ask.max_tokens,
        "temperature": ask.temperature,
        "extra_headers": {"Idempotency-Key": key},
    }
    if ask.schema is not None:
        schema = {"name": "answer", "schema": ask.schema, "strict": True}
        request["response_format"] = {"type": "json_schema", "json_schema": schema}
    return request


async def _next(chunks: Any) -> Any:
    """Return the next chunk; None at the end."""
    return await anext(chunks, None)


def _maker() -> Callable[[Backend], AsyncOpenAI]:
    """Load the client's package, and return what makes clients."""
    from openai import AsyncOpenAI

    from agents.llm.bounded import transport

    def make(backend: Backend) -> AsyncOpenAI:
        import httpx2

        timeout = httpx2.Timeout(None, connect=_CONNECT_S)  # each call has its own end
        http = httpx2.AsyncClient(
            transport=transport(MOST_BYTES), timeout=timeout, trust_env=False, headers={"accept-encoding": "identity"}
        )
        return AsyncOpenAI(base_url=backend.url, api_key=backend.key or "none", max_retries=0, http_client=http, timeout=timeout)

    return make
