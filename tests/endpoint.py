"""An OpenAI-compatible endpoint that can be made to misbehave: a real HTTP server on loopback, for tests of what calls it.

`mood` says how it answers the next calls; every call that reaches it is counted.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from aiohttp import web

Mood = Literal[
    "well", "slow", "hang", "drip", "garbage", "invalid_json", "error_text", "empty", "limited", "broken", "huge", "packed",
    "cut", "misfit", "refuses", "redirects", "echoes", "one_by_one",
]  # fmt: skip
MODEL, KEY = "stand-in-1", "sk-canary-7c1e5b"
TEXT = "The cat sat down."
_HUGE = 10 * 2**20


class Endpoint:
    """The server's state."""

    def __init__(self) -> None:
        self.mood: Mood = "well"
        self.calls: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.text = TEXT
        self.retry_after = "2"
        self.url = ""
        self._slot = asyncio.Lock()

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer one call the way it feels."""
        body = await request.json()
        self.calls.append(body)
        self.keys.append(request.headers.get("idempotency-key"))
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": "bad key"}}, status=401)
        match self.mood:
            case "well" | "misfit":
                return await self._well(request, body)
            case "one_by_one":  # as the local model does: a word at a time, others wait
                async with self._slot:
                    return await self._well(request, body, 0.02)
            case "slow":
                await asyncio.sleep(0.4)
                return await self._well(request, body)
            case "hang":
                await asyncio.sleep(3600)
                return web.Response()
            case "drip":
                return await _drip(request)
            case "garbage":
                return web.Response(body=b"\x00\xff\x17 no \x80 json", content_type="application/json")
            case "invalid_json":
                return web.Response(text='{"choices": [{"message": {"content": "half', content_type="application/json")
            case "error_text":
                return web.json_response({"error": {"message": "the model is overloaded, call 0170 1234567"}})
            case "empty":
                return web.json_response(completion("", body))
            case "limited":
                return web.json_response(
                    {"error": {"message": "slow down"}}, status=429, headers={"retry-after": self.retry_after}
                )
            case "broken":
                return web.json_response({"error": {"message": "it hurts"}}, status=500)
            case "huge":
                return web.json_response(completion("x" * _HUGE, body))
            case "packed":
                response = web.json_response(completion(self.text, body))
                response.enable_compression(web.ContentCoding.gzip)
                return response
            case "refuses":
                return web.json_response({"error": {"message": "this prompt is not allowed"}}, status=400)
            case "echoes":
                said = f"Incorrect API key provided: {request.headers.get('authorization')}"
                return web.json_response({"error": {"message": said}}, status=500)
            case "redirects":
                return web.Response(status=307, headers={"location": "http://127.0.0.1:1/v1/chat/completions"})
            case "cut":
                return await _cut(request)

    async def models(self, _request: web.Request) -> web.Response:
        """Name the model."""
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "us"}]})

    async def _well(self, request: web.Request, body: dict[str, Any], pause_s: float = 0.0) -> web.StreamResponse:
        """Answer as one should, with a pause before each word of a stream."""
        if not body.get("stream"):
            return web.json_response(completion(self.text, body))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for word in self.text.split(" "):
            await asyncio.sleep(pause_s)
            await response.write(_event({"choices": [{"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]}))
        await response.write(_event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        await response.write(_event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}}))
        await response.write(b"data: [DONE]\n\n")
        return response


def completion(text: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a good answer."""
    return {
        "id": "c-1",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model"),
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14},
    }


@asynccontextmanager
async def standing() -> AsyncIterator[Endpoint]:
    """Serve while the context lasts."""
    endpoint = Endpoint()
    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", endpoint.complete), web.get("/v1/models", endpoint.models)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield endpoint
    finally:
        await runner.cleanup()


async def _drip(request: web.Request) -> web.StreamResponse:
    """Send a byte now and then, for ever."""
    response = web.StreamResponse(headers={"content-type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.05)


async def _cut(request: web.Request) -> web.StreamResponse:
    """Promise more than is sent, and hang up."""
    response = web.StreamResponse(headers={"content-type": "application/json", "content-length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    if request.transport is not None:
        request.transport.abort()
    return response


def _event(content: dict[str, Any]) -> bytes:
    """Return one event of a stream."""
    whole = {"id": "c-1", "object": "chat.completion.chunk", "created": 0, "model": MODEL, **content}
    return b"data: " + json.dumps(whole).encode() + b"\n\n"
