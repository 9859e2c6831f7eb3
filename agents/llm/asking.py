"""Asking one member of the chain: out of the cache, or by calls under breaker, budget and time; what it said is kept."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from msgspec import Struct

from agents.llm import fit, prompt
from agents.llm.backend import Backend, BackendFailed, Reply
from agents.llm.cache import kept_of
from agents.llm.member import Member
from agents.llm.turn import Desk, Turn, counted, lost_on, most_of, spent_on
from agents.port import NO_BLOBS, Ask, Said

LEAST_S = 0.05  # less time is none
_PAUSE_S, _COMES_BACK_S = 0.25, 15.0

Over = Callable[[], bool]  # whether an answer has to end, because others wait


def _never() -> bool:
    """Say that nobody waits: of half an answer that has to fit a schema nobody has anything."""
    return False


class _Told(Struct, frozen=True):
    """A reply, with what the calls that led to it took: tokens in and out, and cost (None: not known)."""

    reply: Reply
    tokens_in: int
    tokens_out: int
    microusd: int | None

    def after(self, other: "_Told | None") -> "_Told":
        """Return it with what another one took before."""
        if other is None:
            return self
        cost = None if self.microusd is None or other.microusd is None else self.microusd + other.microusd
        return _Told(self.reply, self.tokens_in + other.tokens_in, self.tokens_out + other.tokens_out, cost)


class Asking:
    """One member, one question; `others` come after it, and `fallback` is what its answer says of it."""

    def __init__(self, desk: Desk, member: Member, turn: Turn, others: int, fallback: bool) -> None:
        self._desk, self._member, self._turn = desk, member, turn
        self._others, self._fallback = others, fallback

    async def parts(self) -> AsyncGenerator[str | Said, None]:
        """Yield pieces and at last the whole.

        Raises:
            BackendFailed: it has no answer.
            OverBudget: a limit does not allow a call.
        """
        backend = await self._awake()
        key = prompt.cache_key(self._turn.ask, self._turn.prompt_sha256, backend.model, "" if backend.local else backend.url)
        if (found := await self._cached(key)) is not None:
            yield found
            return
        self._member.retries.called()
        began, again = self._desk.means.timer(), False
        while True:
            begun = False
            try:
                async with aclosing(self._fitting(backend)) as parts:
                    async for part in parts:
                        begun = True
                        yield part if isinstance(part, str) else await self._said(backend, part, key, began)
                return
            except BackendFailed as error:
                if begun or not (self._comes_back(error) or (not again and self._member.again(error))):
                    raise
                again = True
            backend = await self._awake()

    async def _awake(self) -> Backend:
        """Return where the member answers; the local one, if it is just being started again, is waited for."""
        while True:
            try:
                if self._member.local:
                    self._member.refuse_if_resting()
                return self._desk.backends.where(self._member.name, self._member.local)
            except BackendFailed as error:
                if not self._comes_back(error):
                    raise
            await asyncio.sleep(_PAUSE_S)

    def _comes_back(self, error: BackendFailed) -> bool:
        """Say whether to wait for the local model, which the runner starts again when it died; asking it costs nobody."""
        now = self._desk.means.timer()
        soon = now - self._turn.began < _COMES_BACK_S and self._turn.ends - now > 2 * _PAUSE_S
        return self._member.local and error.trouble in ("unreachable", "broke_off") and soon

    async def _cached(self, key: str) -> Said | None:
        """Return an answer that was given before; only what does not depend on chance is kept."""
        ask = self._turn.ask
        kept = await self._desk.means.cache.get(ask.tenant, key) if ask.temperature <= 0.0 else None
        if kept is None:
            return None
        data = fit.parsed(kept.text, ask.schema) if ask.schema is not None else None
        hashes = (kept.prompt_sha256, kept.answer_sha256)
        took_us = self._since_us(self._turn.began)
        return Said(kept.text, kept.model, self._member.name, self._fallback, 0, 0, 0, took_us, True, data, *hashes)

    async def _said(self, backend: Backend, told: _Told, key: str, began: float) -> Said:
        """Return the answer, after it was stored and kept."""
        ask, reply = self._turn.ask, told.reply
        said = Said(
            text=reply.text,
            model=backend.model if backend.local else reply.model,
            backend=self._member.name,
            fallback=self._fallback,
            tokens_in=told.tokens_in,
            tokens_out=told.tokens_out,
            cost_microusd=told.microusd,
            duration_us=self._since_us(began),
            data=fit.parsed(reply.text, ask.schema) if ask.schema is not None else None,
            prompt_sha256=await self._store(prompt.written(ask)),
            answer_sha256=await self._store(reply.text.encode()),
            cut=reply.cut,
        )
        if ask.temperature <= 0.0 and not reply.hurried:
            await self._desk.means.cache.put(ask.tenant, key, kept_of(said))
        return said

    async def _fitting(self, backend: Backend) -> AsyncGenerator[str | _Told, None]:
        """Yield pieces and the reply; one that does not fit its schema is asked for once more, with what is wrong with it."""
        wanted = self._turn.ask
        ask, before = wanted, None
        while True:
            told: _Told | None = None
            async with aclosing(self._call(backend, ask)) as parts:
                async for part in parts:
                    if isinstance(part, str):
                        yield part
                    else:
                        told = part.after(before)
            if told is None:
                raise RuntimeError("a call ended without a reply")
            try:
                if wanted.schema is not None:
                    fit.parsed(told.reply.text, wanted.schema)
            except BackendFailed as error:
                if before is not None or not (self._member.local or self._member.retries.take()):
                    raise
                ask, before = fit.repaired(wanted, told.reply.text, error.detail), told
                continue
            yield told
            return

    async def _call(self, backend: Backend, ask: Ask) -> AsyncGenerator[str | _Told, None]:
        """Make one call, in turn; yield pieces where they are wanted, and the reply."""
        async with self._turn_of(backend, ask) as over:
            most_s = self._turn.allotted_s(self._desk.means.timer(), self._others, self._desk.backends.patience_s)
            if most_s < LEAST_S:
                raise BackendFailed("timed_out", "no time was left")
            async with aclosing(self._paid(backend, ask, most_s, over)) as parts:
                async for part in parts:
                    yield part

    @asynccontextmanager
    async def _turn_of(self, backend: Backend, ask: Ask) -> AsyncIterator[Over]:
        """Wait until the local model is ours; yield what says when others need it."""
        if not backend.local:
            yield _never
            return
        async with AsyncExitStack() as stack:
            try:
                over = await stack.enter_async_context(self._desk.turnstile.turn(self._turn.ends))
            except TimeoutError as error:
                raise BackendFailed("timed_out", "too many others were waiting for the local model") from error
            yield _never if ask.schema is not None else over

    async def _paid(self, backend: Backend, ask: Ask, most_s: float, over: Over) -> AsyncGenerator[str | _Told, None]:
        """Make one call under breaker and budget."""
        means = self._desk.means
        most = most_of(self._desk.backends, backend, ask, most_s)
        async with self._member.call():
            await means.purse.reserve(ask, most)
            began, spent = means.timer(), most  # what is cancelled may have been worked on, and billed
            try:
                async with aclosing(self._replies(backend, ask, most_s, over)) as parts:
                    async for part in parts:
                        if isinstance(part, str):
                            yield part
                        else:
                            reply = counted(part, ask)
                            spent = spent_on(self._desk.backends, backend, reply, means.timer() - began)
            except BackendFailed as error:
                spent = lost_on(most, error, means.timer() - began)
                raise
            finally:
                await means.purse.settle(ask, most, spent)
        yield _Told(reply, reply.tokens_in or 0, reply.tokens_out or 0, spent.microusd)

    async def _replies(self, backend: Backend, ask: Ask, most_s: float, over: Over) -> AsyncGenerator[str | Reply, None]:
        """Yield what the client gives; the local model's answers come in pieces always, so that time can cut them."""
        key = prompt.call_key(ask, prompt.digest(prompt.written(ask)))
        if self._turn.whole and not backend.local:
            yield await self._desk.caller.call(backend, ask, key, most_s)
            return
        async with aclosing(self._desk.caller.pieces(backend, ask, key, most_s, over)) as parts:
            async for part in parts:
                if isinstance(part, Reply) or not self._turn.whole:
                    yield part

    async def _store(self, content: bytes) -> str:
        """Store a prompt or an answer, once; without a blob store it only has its hash."""
        blobs = self._desk.means.blobs
        return prompt.digest(content) if blobs is NO_BLOBS else await blobs.put(content)

    def _since_us(self, began: float) -> int:
        return round((self._desk.means.timer() - began) * 1_000_000)
