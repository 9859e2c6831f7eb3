"""One call of one back end through the `openai` client, whose own retries are off; every failure is a typed one.

What comes back is read strictly and only up to a size. A text that is no completion is refused, never handed on.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from agents.llm.backend import Backend, BackendFailed, Reply
from agents.port import Ask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from openai import AsyncOpenAI

MOST_BYTES = 4_000_000
_CONNECT_S = 3.0
_LONGEST_NAME = 128
_LONGEST_QUOTE = 200  # characters of what a back end says of its own failure
_TOO_MANY, _REQUEST_TIMEOUT, _SERVER = 429, 408, 500


class _Text(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Text
    finish_reason: str | None = None


class _Usage(Struct):
    prompt_tokens: int
    completion_tokens: int


class _Completion(Struct):
    """What the body of an answer must hold; other fields may be there."""

    choices: list[_Choice]
    model: str
    usage: _Usage | None = None


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

    async def pieces(self, backend: Backend, ask: Ask, key: str, most_s: float) -> AsyncGenerator[str | Reply, None]:
        """Yield the answer's pieces as they come, then the reply; one that has begun is cut when its time is up.

        Raises:
            BackendFailed: nothing came, or it broke off.
        """
        loop = asyncio.get_running_loop()
        end, gathered = loop.time() + most_s, _Gathered(backend.model)
        stream = await self._translated(backend, self._open(backend, ask, key), most_s)
        chunks = stream.__aiter__()
        try:
            while True:
                chunk = await self._translated(backend, _next(chunks), max(0.0, end - loop.time()), gathered)
                if chunk is None:
                    break
                if piece := gathered.take(chunk):
                    yield piece
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
        self, backend: Backend, calling: Awaitable[Any], most_s: float, gathered: _Gathered | None = None
    ) -> Any:
        """Wait for a call, for so long at most; whatever the client raises becomes a typed failure, without our key in it."""
        await self.load()
        try:
            return await self._typed(calling, most_s, gathered)
        except BackendFailed as error:
            if backend.key and backend.key in error.detail:  # some quote what they refuse
                raise BackendFailed(error.trouble, error.detail.replace(backend.key, "[key]"), error.retry_after_s) from None
            raise

    async def _typed(self, calling: Awaitable[Any], most_s: float, gathered: _Gathered | None) -> Any:
        """Wait for a call; raises nothing but BackendFailed for what comes from outside."""
        from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

        try:
            async with asyncio.timeout(most_s):
                return await calling
        except (TimeoutError, APITimeoutError) as error:
            if gathered is not None and gathered.text:
                gathered.hurried = True
                return None
            raise BackendFailed("timed_out", f"no answer within {most_s:.1f} s") from error
        except APIStatusError as error:
            raise self._refused(error) from error
        except APIConnectionError as error:
            if isinstance(error.__cause__, BackendFailed):
                raise error.__cause__ from error
            raise _disconnected(error) from error
        except (OpenAIError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise BackendFailed("garbage", f"the reply is no completion: {_quote(str(error))}") from error
        except Exception as error:
            if type(error).__module__.partition(".")[0] in ("httpx2", "httpcore2", "httpcore", "httpx"):
                raise BackendFailed("broke_off", _quote(f"it broke off: {error}")) from error
            raise

    def _refused(self, error: Any) -> BackendFailed:
        """Return what a status says."""
        status, said = error.status_code, _quote(str(error.message))
        wait_s = retry_after_s(error.response.headers, self._clock())
        if status == _TOO_MANY:
            return BackendFailed("rate_limited", f"it answered 429: {said}", wait_s if wait_s is not None else 1.0)
        if status >= _SERVER or status == _REQUEST_TIMEOUT:
            return BackendFailed("server_error", f"it answered {status}: {said}", wait_s)
        return BackendFailed("refused", f"it answered {status}: {said}")


class _Gathered:
    """The pieces of a streamed answer so far."""

    def __init__(self, model: str) -> None:
        self.text, self.cut, self.hurried = "", False, False
        self._model = model
        self._usage: tuple[int, int] | None = None
        self._ended = False

    def take(self, chunk: Any) -> str:
        """Return the text of a chunk; a chunk that is none is refused."""
        try:
            piece = _clean(self._piece(chunk))
        except (AttributeError, TypeError, ValueError) as error:
            raise BackendFailed("garbage", "a piece of the stream is no completion") from error
        self.text += piece
        if len(self.text) > MOST_BYTES:
            raise BackendFailed("too_long", f"the answer is longer than {MOST_BYTES} characters")
        return piece

    def _piece(self, chunk: Any) -> str:
        """Return the text of a chunk, and note what else it says."""
        self._model = _clean(chunk.model)[:_LONGEST_NAME] if isinstance(chunk.model, str) else self._model
        if chunk.usage is not None:
            self._usage = (int(chunk.usage.prompt_tokens), int(chunk.usage.completion_tokens))
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        if choice.finish_reason is not None:
            self._ended, self.cut = True, choice.finish_reason == "length"
        return (choice.delta.content or "") if choice.delta is not None else ""

    def reply(self) -> Reply:
        """Return the whole; raises BackendFailed if there is none."""
        if not self.text.strip():
            raise BackendFailed("empty", "the answer is empty")
        tokens_in, tokens_out = self._usage or (None, None)
        return Reply(self.text, self._model, tokens_in, tokens_out, self.cut or not self._ended, self.hurried or not self._ended)


def read(body: bytes) -> Reply:
    """Return what the body of an answer says.

    Raises:
        BackendFailed: it is no completion, or an empty one.
    """
    try:
        found = msgspec.json.decode(body, type=_Completion)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackendFailed("garbage", f"the reply is no completion: {_quote(str(error))}") from error
    text = found.choices[0].message.content if found.choices else None
    if text is None or not text.strip():
        raise BackendFailed("empty", "the answer is empty")
    usage = found.usage
    known = usage is not None and usage.prompt_tokens >= 0 and usage.completion_tokens >= 0
    cut = found.choices[0].finish_reason == "length"
    return Reply(_clean(text), _clean(found.model)[:_LONGEST_NAME], usage.prompt_tokens if known and usage else None,
                 usage.completion_tokens if known and usage else None, cut)  # fmt: skip


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return for how long a server wants to be left alone, in seconds: a number or a date (RFC 9110, 10.2.3)."""
    said = headers.get("retry-after")
    if said is None:
        return None
    with suppress(ValueError):
        seconds = float(said)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(said) - now).total_seconds())
    return None


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


def _disconnected(error: Any) -> BackendFailed:
    """Return whether a connection was never made, or broke off."""
    cause = error.__cause__
    if type(cause).__name__ in ("ConnectError", "ConnectTimeout", "PoolTimeout"):
        return BackendFailed("unreachable", _quote(f"nobody answers there: {cause}"))
    return BackendFailed("broke_off", _quote(f"it broke off: {cause or error}"))


async def _next(chunks: Any) -> Any:
    """Return the next chunk; None at the end."""
    return await anext(chunks, None)


def _clean(text: str) -> str:
    """Return a text that every store can hold: no NUL, no half of a character."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _quote(text: str) -> str:
    """Return a short, one-line quotation."""
    return " ".join(text.split())[:_LONGEST_QUOTE]


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
