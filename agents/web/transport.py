"""What a kept client calls through: a name leads only where the operator lets it, and no connection outlives its request."""

from collections.abc import Awaitable, Callable, Collection

import httpx

from agents.errors import AgentFailed
from agents.web.address import Resolved, Target, pinned
from agents.web.client import looked_up

_PORTS = {"http": 80, "https": 443}


class PinnedTransport(httpx.AsyncBaseTransport):
    """Looks a name up once for each request, and connects to an address that was checked; certificates are for the name.

    An address that is not public has to be on the operator's list itself: else whoever answers for a listed name could send
    a task to a service inside.
    """

    def __init__(
        self,
        hosts: Collection[str],
        resolve: Callable[[str, int], Awaitable[Resolved]] = looked_up,
        within: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._hosts, self._resolve = frozenset(hosts), resolve
        limits = httpx.Limits(max_keepalive_connections=0)  # one that were kept would be found by its address, whatever its name
        self._within = within or httpx.AsyncHTTPTransport(trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to where its name may lead.

        Raises:
            httpx.ConnectError: it leads elsewhere, or is not known; nobody was connected to.
        """
        url = request.url
        target = Target(url, url.host.lower(), url.port or _PORTS.get(url.scheme, 0))
        try:
            address = pinned(target, await self._resolve(target.host, target.port), self._hosts)[0]
        except (AgentFailed, OSError) as error:
            raise httpx.ConnectError(str(error), request=request) from error
        request.url = url.copy_with(host=address)
        request.extensions = {**request.extensions, "sni_hostname": target.host}
        return await self._within.handle_async_request(request)

    async def aclose(self) -> None:
        """Close what is left open."""
        await self._within.aclose()
