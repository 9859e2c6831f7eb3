"""Webhook: hands the task to a service over HTTP, under a key that makes the service do it once."""

import hashlib
from typing import Any, ClassVar

import httpx
import msgspec
from msgspec import Struct

from agents.errors import AgentFailed, EffectRefused, EffectUnanswered, EffectUnreached
from agents.pipeline import Effect, Effects, Result, Stopwatch, Timer, Toolbox, Work

MOST_BYTES = 1_000_000
MOST_MICROUSD = 10**15  # more is no cost that facts can hold
_CONNECT_S = 5.0
# The service has not decided: too early, a conflict with its own running call, too many calls, or an error of its own.
_UNDECIDED = frozenset({408, 409, 425, 429})


class WebhookSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to, and whether the service does a thing once however often it is asked under one key."""

    url: str
    idempotent: bool


class Webhook:
    """Posts the task as JSON with the header `Idempotency-Key` and answers with what the service says.

    A service that answers with an object may say in `cost_microusd` what that cost, in millionths of a dollar.
    """

    name: ClassVar[str] = "webhook"
    Settings: ClassVar[type[Struct]] = WebhookSettings

    def __init__(self, settings: WebhookSettings, toolbox: Toolbox) -> None:
        self._settings = settings
        self._http = toolbox.http
        self._hosts = toolbox.hosts

    async def run(self, work: Work, effects: Effects, timer: Timer) -> Result:
        """Ask the service, once.

        Raises:
            AgentFailed: the host is not on the list, or the service said no, or nothing.
        """
        watch = Stopwatch(timer)
        url = allowed(self._settings.url, self._hosts)
        # Neither attempt nor agent: the same task asks for the same thing, whoever asks.
        body = msgspec.json.encode({"task_id": work.task_id, "kind": work.kind, "text": work.text, "input": work.input})
        effect = Effect("webhook", str(url), hashlib.sha256(body).hexdigest(), self._settings.idempotent, arguments=body.decode())
        with watch.step("call"):
            output = await effects.once(effect, lambda key: self._post(url, body, key))
        return Result(output, watch.steps, cost_of(output))

    async def _post(self, url: httpx.URL, body: bytes, key: str) -> Any:
        """Post once; say whether the service was reached, and whether it decided."""
        headers = {"content-type": "application/json", "idempotency-key": key}
        timeout = httpx.Timeout(None, connect=_CONNECT_S)  # the attempt has its own deadline
        try:
            async with self._http.stream("POST", url, content=body, headers=headers, timeout=timeout) as response:
                return judge(response, await _bounded(response))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise EffectUnreached(f"{url.host} was not reached: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise EffectUnanswered(f"{url.host} did not answer: {type(error).__name__}") from error


def allowed(address: str, hosts: frozenset[str]) -> httpx.URL:
    """Return the address if its `host` or `host:port` is on the list.

    Raises:
        AgentFailed: it is not, or it is no plain http(s) address.
    """
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise AgentFailed("agent_broken", "the address of the webhook is none") from error
    if url.scheme not in ("http", "https") or url.userinfo or not url.host:
        raise AgentFailed("agent_broken", "the address of the webhook must be http(s), without a user")
    if url.host not in hosts and f"{url.host}:{url.port}" not in hosts:
        raise AgentFailed("host_not_allowed", f"{url.host} is not on the list of hosts that agents may call")
    return url


def cost_of(output: Any) -> int | None:
    """Return what a service says in `cost_microusd` that the answer cost; None if it says nothing that can be a cost."""
    cost = output.get("cost_microusd") if isinstance(output, dict) else None
    return cost if isinstance(cost, int) and not isinstance(cost, bool) and 0 <= cost <= MOST_MICROUSD else None


def judge(response: httpx.Response, content: bytes) -> Any:
    """Return what the service answered.

    Raises:
        EffectRefused: it said no.
        EffectUnanswered: it has not decided.
    """
    status = response.status_code
    if status in _UNDECIDED or status >= 500:
        raise EffectUnanswered(f"{response.url.host} answered {status}")
    if not 200 <= status < 300:
        raise EffectRefused(f"{response.url.host} answered {status}")
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):  # a service may answer with plain text
        return {"text": content.decode("utf-8", "replace")}


async def _bounded(response: httpx.Response) -> bytes:
    """Return the body, up to a limit; what is beyond is cut, for the thing is done."""
    content = b""
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MOST_BYTES:
            return content[:MOST_BYTES]
    return content
