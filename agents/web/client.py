"""The client: looks a name up once, connects to exactly that address, and checks every redirect anew.

It reads no proxy from the environment, keeps no connection and no cookie, and takes no more bytes and seconds than it may.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import httpx
from msgspec import Struct

from agents.errors import AgentFailed, EffectUnanswered, EffectUnreached
from agents.web.address import Resolved, Target, pinned, target_of

MOST_BYTES = 1_000_000
MOST_REDIRECTS = 3
_CONNECT_S = 5.0
_MOVED = frozenset({301, 302, 303, 307, 308})
_SAFE = frozenset({"GET", "HEAD"})

Resolve = Callable[[str, int], Awaitable[Resolved]]


class Reply(Struct, frozen=True):
    """What a service answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str


class Web:
    """Calls hosts that the operator listed, and nothing that only seems to be one of them."""

    def __init__(
        self,
        hosts: Collection[str],
        resolve: Resolve | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._hosts = frozenset(hosts)
        self._resolve = resolve or looked_up
        self._transport = transport
        self._most_bytes = most_bytes

    async def fetch(
        self, method: str, address: str, headers: Mapping[str, str], body: bytes | None = None, timeout_s: float = 30.0
    ) -> Reply:
        """Call an address, and follow where a safe method is sent on to.

        Raises:
            AgentFailed: an address on the way may not be called, or the reply is too big.
            EffectUnreached: nobody was connected to.
            EffectUnanswered: somebody was, and did not answer, or not in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._followed(method, address, dict(headers), body)
        except TimeoutError as error:
            raise EffectUnanswered(f"no answer within {timeout_s:g} s") from error

    async def _followed(self, method: str, address: str, headers: dict[str, str], body: bytes | None) -> Reply:
        """Call, and again where the reply says so, each time from the start."""
        for _ in range(MOST_REDIRECTS + 1):
            target = target_of(address, self._hosts)
            reply = await self._once(method, target, headers, body)
            moved = reply.headers.get("location")
            if method not in _SAFE or reply.status not in _MOVED or moved is None:
                return reply
            address = _joined(target.url, moved)
            if httpx.URL(address).host.lower() != target.host:
                headers = {name: value for name, value in headers.items() if name.lower() in {"accept", "user-agent"}}
        raise AgentFailed("too_many_redirects", f"it was sent on more than {MOST_REDIRECTS} times")

    async def _once(self, method: str, target: Target, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Connect to one of the addresses of a target, and ask."""
        addresses = pinned(target, await self._addresses(target), self._hosts)
        problem: Exception | None = None
        for address in addresses:
            try:
                return await self._asked(method, target, address, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem = error
        raise EffectUnreached(f"{target.host} was not reached: {type(problem).__name__}") from problem

    async def _addresses(self, target: Target) -> Resolved:
        """Look a name up, once for this request."""
        try:
            return await self._resolve(target.host, target.port)
        except OSError as error:
            raise EffectUnreached(f"{target.host} is not known") from error

    async def _asked(self, method: str, target: Target, address: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Ask at this address, and no other; certificates are still checked against the name."""
        shown = target.url.netloc.decode("ascii")
        sent = {**headers, "host": shown, "accept-encoding": "identity"}
        place = target.url.copy_with(host=address)
        timeout = httpx.Timeout(None, connect=_CONNECT_S)
        # A client of its own: a connection that were kept would be found again by its address, whatever name it was made for.
        async with httpx.AsyncClient(
            trust_env=False, follow_redirects=False, transport=self._transport, timeout=timeout
        ) as client:
            request = client.build_request(
                method, place, headers=sent, content=body, extensions={"sni_hostname": target.host, "timeout": timeout.as_dict()}
            )
            try:
                response = await client.send(request, stream=True)
                return Reply(response.status_code, _flat(response), await self._read(response), str(target.url))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                raise
            except httpx.HTTPError as error:
                raise EffectUnanswered(f"{target.host} did not answer: {type(error).__name__}") from error

    async def _read(self, response: httpx.Response) -> bytes:
        """Return the body as it came over the wire, up to a size."""
        if response.headers.get("content-encoding", "identity").lower() not in {"identity", ""}:
            raise AgentFailed("bad_reply", "the reply is packed, although it was asked for as it is")
        content = bytearray()
        try:
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > self._most_bytes:
                    raise AgentFailed("reply_too_big", f"the reply has more than {self._most_bytes} bytes")
        finally:
            await response.aclose()
        return bytes(content)


async def looked_up(host: str, port: int) -> Resolved:
    """Return the addresses of a name, as this machine's resolver says them, each once; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def _joined(url: Any, location: str) -> str:
    """Return where a reply sends on to; raises AgentFailed."""
    try:
        return str(url.join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise AgentFailed("bad_address", "it was sent on to what is no address") from error


def _flat(response: httpx.Response) -> dict[str, str]:
    """Return headers by lower-case name."""
    return {name.lower(): value for name, value in response.headers.items()}
