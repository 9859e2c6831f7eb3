"""The HTTP API agent: operations that its spec declares, keyed, rate-limited, retried under one key, checked on return."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, Struct

from agents.errors import AgentFailed, EffectRefused, EffectUnanswered, EffectUnreached
from agents.pipeline import Effect, Effects, Result, Stopwatch, Timer, Toolbox, Work, beneath
from agents.tools.call import digest_of
from agents.tools.schema import misfit
from agents.web.api import Built, Key, Operation, built, key_of
from agents.web.blot import blotted
from agents.web.client import Reply, Web

_UNDECIDED = frozenset({408, 409, 425, 429})
_LONGEST_WAIT_S = 10.0


class HttpSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """A service: where it is, what it does, how often it may be asked, and how patient we are.

    `replies` names a file of recorded replies, from the project's folder: then nothing is called, and the output says so.
    `ask`: a person has to allow each operation that is no GET.
    """

    base: str
    operations: Annotated[dict[str, Operation], Meta(min_length=1)]
    key: Key | None = None
    per_minute: Annotated[int, Meta(ge=1)] = 60
    retries: Annotated[int, Meta(ge=0, le=5)] = 2
    backoff_s: Annotated[float, Meta(ge=0, le=10)] = 0.2
    timeout_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    replies: str | None = None
    ask: bool = False


class Undecided(EffectUnanswered):
    """The service has not decided; `status` None: it did not answer. `after_s`: when it wants to be asked again."""

    def __init__(self, told: str, status: int | None, after_s: float = 0.0) -> None:
        super().__init__(told)
        self.status = status
        self.after_s = after_s


class Bucket:
    """A token bucket: so many calls a minute, and as many at once."""

    def __init__(self, per_minute: int) -> None:
        self._rate = per_minute / 60
        self._most = float(per_minute)
        self._left = self._most
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Take a call; return how many seconds it has to wait."""
        if self._at is not None:
            self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        self._left -= 1
        return max(0.0, -self._left / self._rate)

    def give_back(self) -> None:
        """Give a call back that was not made."""
        self._left += 1


class Http:
    """Does `input.operation` with `input.arguments`."""

    name: ClassVar[str] = "http"
    Settings: ClassVar[type[Struct]] = HttpSettings

    def __init__(self, settings: HttpSettings, toolbox: Toolbox) -> None:
        self._settings = settings
        self._toolbox = toolbox
        self._web = Web(toolbox.hosts)
        self._bucket = Bucket(settings.per_minute)
        self._recorded = recorded(beneath(toolbox.root, settings.replies)) if settings.replies else None

    async def run(self, work: Work, effects: Effects, timer: Timer) -> Result:
        """Ask the service, or look up what it said.

        Raises:
            AgentFailed: the operation or its arguments are none, the host is not listed, or there is no good reply.
        """
        name, operation, arguments = self._asked(work)
        call = built(self._settings.base, operation, arguments)
        watch = Stopwatch(timer)
        with watch.step(name):
            reply = await self._reply(name, operation, arguments, call, effects, timer)
        wrong = misfit(reply, operation.returns)
        if wrong:
            raise AgentFailed("bad_reply", f"the reply does not fit what the spec declares: {wrong}", watch.steps)
        output = {"operation": name, "arguments": arguments, "reply": reply, "recorded": self._recorded is not None}
        return Result(output, watch.steps)

    def _asked(self, work: Work) -> tuple[str, Operation, Any]:
        """Return what is to be done; a service that does one thing only need not be told which."""
        operations = self._settings.operations
        name = work.input.get("operation", next(iter(operations)) if len(operations) == 1 else None)
        if not isinstance(name, str) or name not in operations:
            raise AgentFailed("operation_unknown", f"input.operation must be one of {', '.join(sorted(operations))}")
        return name, operations[name], work.input.get("arguments", {})

    async def _reply(self, name: str, operation: Operation, arguments: Any, call: Built, effects: Effects, timer: Timer) -> Any:
        """Return the reply, from the recording where there is one."""
        if self._recorded is not None:
            digest = digest_of([name, arguments])
            if digest not in self._recorded:
                raise AgentFailed("not_recorded", f"no reply is recorded of {name} with these arguments")
            return self._recorded[digest]
        secret, headers = key_of(self._settings.key, self._toolbox.keys, self._settings.base, self._toolbox.hosts)
        await self._room(timer)
        try:
            if operation.method == "GET":
                return blotted(await self._patiently(call, headers, None, again=True), [secret])
            why = "grant" if self._settings.ask else None
            told = {"operation": name, "arguments": arguments}
            effect = Effect(name, call.target, digest_of([name, arguments]), operation.idempotent, ask=why, arguments=told)
            asked = effects.once(effect, lambda key: self._effect(call, headers, key, operation.idempotent, secret))
            return await asked
        except (Undecided, EffectUnreached, EffectRefused) as error:
            raise AgentFailed(reason_of(error), blotted(str(error), [secret])) from None

    async def _effect(self, call: Built, headers: Mapping[str, str], key: str, idempotent: bool, secret: str) -> Any:
        """Have something done; what is kept of the reply holds no secret."""
        return blotted(await self._patiently(call, headers, key, again=idempotent), [secret])

    async def _patiently(self, call: Built, headers: Mapping[str, str], key: str | None, again: bool) -> Any:
        """Ask, and ask again under the same key after a while where that does no harm."""
        for turn in range(self._settings.retries if again else 0):
            try:
                return await self._once(call, headers, key)
            except (EffectUnreached, Undecided) as error:
                after = getattr(error, "after_s", 0.0)
                await asyncio.sleep(min(max(after, self._settings.backoff_s * 2**turn), _LONGEST_WAIT_S))
        return await self._once(call, headers, key)

    async def _once(self, call: Built, headers: Mapping[str, str], key: str | None) -> Any:
        """Ask once."""
        sent = {"accept": "application/json", **headers}
        if call.body is not None:
            sent["content-type"] = "application/json"
        if key is not None:
            sent["idempotency-key"] = key
        try:
            reply = await self._web.fetch(call.method, call.url, sent, call.body, self._settings.timeout_s)
        except EffectUnanswered as error:
            raise Undecided(str(error), None) from error
        return judged(reply)

    async def _room(self, timer: Timer) -> None:
        """Wait for the rate limit, for a while."""
        wait_s = self._bucket.take(timer())
        if wait_s > _LONGEST_WAIT_S:
            self._bucket.give_back()
            raise AgentFailed("rate_limited_here", f"{self._settings.per_minute} calls a minute are spent; wait {wait_s:.0f} s")
        await asyncio.sleep(wait_s)


def judged(reply: Reply) -> Any:
    """Return what a service answered, as JSON.

    Raises:
        EffectRefused: it said no.
        Undecided: it has not decided.
        AgentFailed: the answer is no JSON.
    """
    if reply.status in _UNDECIDED or reply.status >= 500:
        raise Undecided(f"the service answered {reply.status}", reply.status, _after(reply.headers.get("retry-after", "")))
    if not 200 <= reply.status < 300:
        raise EffectRefused(f"the service answered {reply.status}")
    if not reply.content:
        return None
    try:
        return msgspec.json.decode(reply.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AgentFailed("bad_reply", "the service did not answer with JSON") from error


def reason_of(error: Exception) -> str:
    """Return the code of an error: each kind of trouble has one of its own."""
    if isinstance(error, EffectUnreached):
        return "provider_unreachable"
    if isinstance(error, EffectRefused):
        return "provider_refused"
    status = getattr(error, "status", None)
    return {None: "provider_timeout", 429: "provider_rate_limit"}.get(status, "provider_error")


def recorded(path: Path) -> dict[str, Any]:
    """Return recorded replies by the digest of operation and arguments; each line of the file is an output of this pipeline.

    Raises:
        AgentFailed: the file is not there, or holds something else.
    """
    try:
        lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line.strip()]
        return {digest_of([one["operation"], one["arguments"]]): one["reply"] for one in lines}
    except (OSError, msgspec.DecodeError, KeyError, TypeError) as error:
        raise AgentFailed("agent_broken", f"{path.name} holds no recorded replies ({type(error).__name__})") from error


def _after(header: str) -> float:
    """Return the seconds that a service wants us to wait; 0 where it does not say."""
    return float(header) if header.isdigit() and len(header) < 6 else 0.0
