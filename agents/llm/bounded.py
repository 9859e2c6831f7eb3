"""An HTTP transport that reads no more of a reply than a limit: a back end cannot fill our memory."""

from collections.abc import AsyncIterator

import httpx2

from agents.llm.backend import BackendFailed


class _Bounded(httpx2.AsyncByteStream):
    """A body that breaks off at the limit."""

    def __init__(self, inner: httpx2.AsyncByteStream, most: int) -> None:
        self._inner, self._most = inner, most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        left = self._most
        async for chunk in self._inner:
            left -= len(chunk)
            if left < 0:
                raise BackendFailed("too_long", f"the reply is longer than {self._most} bytes")
            yield chunk

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()


class _Transport(httpx2.AsyncBaseTransport):
    """Bounds the body of every reply."""

    def __init__(self, most: int) -> None:
        self._inner, self._most = httpx2.AsyncHTTPTransport(retries=0), most

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request."""
        response = await self._inner.handle_async_request(request)
        if not isinstance(response.stream, httpx2.AsyncByteStream):
            raise TypeError("an asynchronous transport gave another stream")
        if response.headers.get("content-encoding", "identity") != "identity":  # a megabyte of it may unfold to a gigabyte
            await response.aclose()
            raise BackendFailed("garbage", "the reply is packed, which was not asked for")
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Bounded(response.stream, self._most),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


def transport(most: int) -> httpx2.AsyncBaseTransport:
    """Return a transport whose replies hold at most so many bytes."""
    return _Transport(most)
