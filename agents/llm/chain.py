"""The chain: back ends in order, of which the last runs on this machine; whoever answers by the deadline is named.

Each back end has a circuit breaker; what is left of the time is divided so that the last one still can answer.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec
from msgspec import Struct

from agents.errors import AgentFailed
from agents.llm import fit, pii, prompt
from agents.llm.allowance import Retries
from agents.llm.backend import AGAIN, Backend, BackendFailed, Reply
from agents.llm.breaker import Breaker, State
from agents.llm.cache import Cache, NoCache, kept_of
from agents.llm.client import Caller
from agents.llm.price import FREE, Prices
from agents.llm.purse import Charge, NoPurse, OverBudget, Purse
from agents.pipeline import Timer
from agents.port import NO_BLOBS, Ask, Blobs, Said

LEAST_S = 0.05  # less time is none
_LOCAL_REST_S, _LOCAL_PAUSE_S, _LOCAL_COMES_BACK_S = 1.0, 0.25, 15.0
_LOCAL_START_S, _LOCAL_TOKENS_S = 2.0, 30.0  # as measured on a busy machine (docs/llm.md)
_SHARE_OF_LAST = 0.5  # of the time that is left, at most, is kept for whoever comes last


class Standing(Struct, frozen=True):
    """How a back end stands: its breaker, for how long that stays open, calls and failures so far, and the last failure."""

    backend: str
    model: str
    local: bool
    state: State
    rests_s: float
    calls: int
    failures: int
    last_failure: str | None


class Backends(Struct, frozen=True):
    """The chain's members: `remote` in order, and what says where the local one answers now (None: there is none here)."""

    remote: tuple[Backend, ...]
    local: Callable[[], Backend] | None = None
    prices: Prices = {}
    patience_s: float = 30.0


class Means(Struct, frozen=True):
    """What the chain works with: clocks, budgets, cache, blob store, and where a line about trouble goes."""

    clock: Callable[[], datetime]
    timer: Timer
    purse: Purse = NoPurse()
    cache: Cache = NoCache()
    blobs: Blobs = NO_BLOBS
    tell: Callable[[str], None] = lambda _line: None
    note: Callable[[list[Standing]], None] = lambda _standings: None


class _Member:
    """A back end in this process: its breaker, its retries, and what was counted."""

    def __init__(self, name: str, local: bool) -> None:
        self.name, self.local = name, local
        self.breaker = Breaker(rest_s=_LOCAL_REST_S) if local else Breaker()
        self.retries = Retries()
        self.calls = self.failures = 0
        self.last_failure: str | None = None


class _Turn(Struct, frozen=True):
    """One ask on its way through the chain."""

    ask: Ask
    prompt_sha256: str
    began: float
    ends: float  # of the timer

    def left_s(self, now: float) -> float:
        """Return how much time is left."""
        return self.ends - now


class Chain:
    """Asks one back end after the other."""

    def __init__(self, backends: Backends, means: Means, caller: Caller) -> None:
        self._backends, self._means, self._caller = backends, means, caller
        self._members = {one.name: _Member(one.name, False) for one in backends.remote}
        self._local = _Member("local", True) if backends.local else None

    async def complete(self, ask: Ask) -> Said:
        """Return an answer.

        Raises:
            AgentFailed: nobody answered by the deadline, or a budget does not allow the call.
        """
        said: Said | None = None
        async for part in self._parts(ask, whole=True):
            if isinstance(part, Said):
                said = part
        if said is None:
            raise RuntimeError("the chain ended without an answer")
        return said

    async def stream(self, ask: Ask) -> AsyncIterator[str | Said]:
        """Yield the answer's pieces as they come, and at last the whole.

        Once a piece has come no other back end is asked.

        Raises:
            AgentFailed: as for `complete`, or the answer broke off.
        """
        async for part in self._parts(ask, whole=False):
            yield part

    def standings(self) -> list[Standing]:
        """Return how each back end stands, in order."""
        now = self._means.timer()
        members = [*self._members.values(), *([self._local] if self._local else [])]
        models = {one.name: one.model for one in self._backends.remote}
        return [
            Standing(
                one.name,
                models.get(one.name, "local"),
                one.local,
                one.breaker.state(now),
                round(one.breaker.rests_s(now), 1),
                one.calls,
                one.failures,
                one.last_failure,
            )
            for one in members
        ]

    async def close(self) -> None:
        """Close every connection."""
        await self._caller.close()

    async def _parts(self, ask: Ask, whole: bool) -> AsyncIterator[str | Said]:
        """Yield pieces and at last the whole, from the first back end that answers."""
        if ask.schema is not None:
            fit.check_schema(ask.schema)
        turn = self._turn(ask)
        refusals: list[str] = []
        over: OverBudget | None = None
        order, matched = self._order(ask.model)
        for place, member in enumerate(order):
            fallback = member.local or place > 0 or not matched
            begun = False
            try:
                async for part in self._of(member, turn, fallback, whole, order[place + 1 :]):
                    begun = True
                    yield part
                return
            except OverBudget as error:
                over = error
                refusals.append(f"{member.name}: {error}")
            except BackendFailed as error:
                detail = pii.hide(error.detail)
                refusals.append(f"{member.name}: {detail}")
                if begun:
                    raise AgentFailed("answer_broke_off", f"{member.name} stopped in the middle: {detail}") from error
        told = "; ".join(refusals) or "no language model is set up: SMOLIT_LOCAL_LLM is off and SMOLIT_LLM_URL is empty"
        raise AgentFailed("over_budget" if over else "no_answer", told)

    def _turn(self, ask: Ask) -> _Turn:
        """Begin."""
        now = self._means.timer()
        left_s = (ask.deadline - self._means.clock()).total_seconds()
        return _Turn(ask, prompt.digest(prompt.written(ask)), now, now + left_s)

    def _order(self, wanted: str | None) -> tuple[list[_Member], bool]:
        """Return the members in the order in which they are asked, and whether the wanted one is among them."""
        models = {one.name: one.model for one in self._backends.remote}
        members = list(self._members.values())
        if self._local:
            members.append(self._local)
        first = [one for one in members if wanted is not None and wanted in (one.name, models.get(one.name))]
        return [*first, *(one for one in members if one not in first)], wanted is None or bool(first)

    def _resolve(self, member: _Member) -> Backend:
        """Return where a member answers now; raises BackendFailed."""
        if member.local and self._backends.local is not None:
            return self._backends.local()
        return next(one for one in self._backends.remote if one.name == member.name)

    async def _of(
        self, member: _Member, turn: _Turn, fallback: bool, whole: bool, rest: Sequence[_Member]
    ) -> AsyncIterator[str | Said]:
        """Yield one member's answer: out of the cache, or by asking it, a second time if that is allowed."""
        backend = await self._awake(member, turn) if member.local else self._resolve(member)
        key = prompt.cache_key(turn.ask, turn.prompt_sha256, backend.model, backend.url if not member.local else "")
        found = await self._cached(turn, key, member, fallback)
        if found is not None:
            yield found
            return
        again = False
        while True:
            begun = False
            try:
                async for part in self._once(member, backend, turn, fallback, whole, rest, key):
                    begun = True
                    yield part
                return
            except BackendFailed as error:
                if begun or not (self._comes_back(member, turn, error) or self._again(member, error, again)):
                    raise
                again = True
                backend = await self._awake(member, turn) if member.local else backend

    def _again(self, member: _Member, error: BackendFailed, again: bool) -> bool:
        """Say whether a failed call is made once more."""
        return not again and error.trouble in AGAIN and member.retries.take()

    def _comes_back(self, member: _Member, turn: _Turn, error: BackendFailed) -> bool:
        """Say whether to wait for the local model, which the runner starts again when it died; asking it costs nobody."""
        waited_s = self._means.timer() - turn.began
        left_s = turn.left_s(self._means.timer())
        gone = member.local and error.trouble == "unreachable"
        return gone and waited_s < _LOCAL_COMES_BACK_S and left_s > 2 * _LOCAL_PAUSE_S

    async def _awake(self, member: _Member, turn: _Turn) -> Backend:
        """Return where the local model answers; one that is being started again is waited for."""
        while True:
            try:
                if member.breaker.rests_s(self._means.timer()) > 0:
                    raise BackendFailed("unreachable", f"left alone for a moment after {member.last_failure}")
                return self._resolve(member)
            except BackendFailed as error:
                if not self._comes_back(member, turn, error):
                    raise
            await asyncio.sleep(_LOCAL_PAUSE_S)

    async def _cached(self, turn: _Turn, key: str, member: _Member, fallback: bool) -> Said | None:
        """Return an answer that was given before; only what does not depend on chance is kept."""
        if turn.ask.temperature > 0.0:
            return None
        kept = await self._means.cache.get(turn.ask.tenant, key)
        if kept is None:
            return None
        data = fit.parsed(kept.text, turn.ask.schema) if turn.ask.schema is not None else None
        took_us = round((self._means.timer() - turn.began) * 1_000_000)
        hashes = (kept.prompt_sha256, kept.answer_sha256)
        return Said(kept.text, kept.model, member.name, fallback, 0, 0, 0, took_us, True, data, *hashes)

    async def _once(
        self,
        member: _Member,
        backend: Backend,
        turn: _Turn,
        fallback: bool,
        whole: bool,
        rest: Sequence[_Member],
        key: str,
    ) -> AsyncIterator[str | Said]:
        """Ask a back end once, and once more to mend an answer that does not fit; keep what it said."""
        reply: Reply | None = None
        began = self._means.timer()
        tokens_in = tokens_out = 0
        cost: int | None = 0
        ask = turn.ask
        mended = False
        while True:
            async for part in self._call(member, backend, msgspec.structs.replace(turn, ask=ask), whole, rest):
                if isinstance(part, str):
                    yield part
                else:
                    reply, charge = part
            if reply is None:
                raise RuntimeError("a call ended without a reply")
            tokens_in += reply.tokens_in or 0
            tokens_out += reply.tokens_out or 0
            cost = None if cost is None or charge.microusd is None else cost + charge.microusd
            try:
                data = fit.parsed(reply.text, turn.ask.schema) if turn.ask.schema is not None else None
                break
            except BackendFailed as error:
                if mended or not whole or not (member.local or member.retries.take()):
                    raise
                mended, ask = True, fit.repaired(turn.ask, reply.text, error.detail)
        asked = await self._store(prompt.written(turn.ask))
        answered = await self._store(reply.text.encode())
        took_us = round((self._means.timer() - began) * 1_000_000)
        name = backend.model if backend.local else reply.model
        said = Said(
            reply.text, name, member.name, fallback, tokens_in, tokens_out, cost, took_us, False, data, asked, answered, reply.cut
        )
        if turn.ask.temperature <= 0.0 and not reply.hurried:
            await self._means.cache.put(turn.ask.tenant, key, kept_of(said))
        yield said

    async def _call(
        self, member: _Member, backend: Backend, turn: _Turn, whole: bool, rest: Sequence[_Member]
    ) -> AsyncIterator[str | tuple[Reply, Charge]]:
        """Make one call under breaker, budget and time; yield pieces, and the reply with what it took."""
        means, ask = self._means, turn.ask
        most_s = self._allotted(turn, rest)
        if most_s < LEAST_S:
            raise BackendFailed("timed_out", "no time was left")
        most = self._most(backend, ask, most_s)
        if not member.breaker.allow(means.timer()):
            rests_s = member.breaker.rests_s(means.timer())
            raise BackendFailed("unreachable", f"left alone for {rests_s:.0f} s more after {member.last_failure}")
        async with self._verdict(member):
            await means.purse.reserve(ask, most)
            member.calls += 1
            member.retries.called()
            spent = most  # what is cancelled may have been worked on, and billed
            began = means.timer()
            try:
                call_key = prompt.call_key(ask, prompt.digest(prompt.written(ask)))
                if whole and not backend.local:
                    reply = await self._caller.call(backend, ask, call_key, most_s)
                else:
                    async for part in self._caller.pieces(backend, ask, call_key, most_s):
                        if isinstance(part, Reply):
                            reply = part
                        elif not whole:
                            yield part
                reply = self._counted(reply, ask)
                spent = self._spent(backend, reply, means.timer() - began)
            except BackendFailed as error:
                spent = self._lost(most, error, means.timer() - began)
                raise
            finally:
                await means.purse.settle(ask, most, spent)
        yield reply, spent

    @asynccontextmanager
    async def _verdict(self, member: _Member) -> AsyncIterator[None]:
        """Tell the breaker how a call ended; a request that was refused, or stopped by us, says nothing of the back end."""
        before = member.breaker.state(self._means.timer())
        try:
            yield
        except BackendFailed as error:
            member.failures += 1
            member.last_failure = pii.hide(f"{error.trouble}: {error.detail}")
            if error.trouble == "refused":
                member.breaker.gave_up()
            else:
                member.breaker.failed(self._means.timer(), error.retry_after_s)
            after = member.breaker.state(self._means.timer())
            if after != before:
                self._means.tell(f"{member.name} is left alone ({after}): {member.last_failure}")
            self._means.note(self.standings())
            raise
        except BaseException:
            member.breaker.gave_up()
            raise
        member.breaker.succeeded()
        if before != "closed" or member.calls == 1:
            self._means.note(self.standings())

    def _allotted(self, turn: _Turn, rest: Sequence[_Member]) -> float:
        """Return how long a call may take: what is left for the last one, and patience shared for those before."""
        left_s = turn.left_s(self._means.timer())
        if not rest:
            return left_s
        need_s = _LOCAL_START_S + turn.ask.max_tokens / _LOCAL_TOKENS_S
        free_s = left_s - min(need_s, left_s * _SHARE_OF_LAST)
        return min(self._backends.patience_s, free_s / max(1, len(rest)))

    def _most(self, backend: Backend, ask: Ask, most_s: float) -> Charge:
        """Return what a call may take at most."""
        tokens_in = prompt.estimate([one.content for one in ask.messages])
        return Charge(tokens_in + ask.max_tokens, self._price(backend, tokens_in, ask.max_tokens), round(most_s * 1_000_000))

    def _price(self, backend: Backend, tokens_in: int, tokens_out: int) -> int | None:
        """Return what tokens cost; None where nobody said."""
        price = FREE if backend.local else self._backends.prices.get(backend.model)
        return price.of(tokens_in, tokens_out) if price is not None else None

    def _counted(self, reply: Reply, ask: Ask) -> Reply:
        """Return a reply with its tokens; where the back end did not count them, we estimate."""
        if reply.tokens_in is not None and reply.tokens_out is not None:
            return reply
        tokens_in = prompt.estimate([one.content for one in ask.messages])
        return msgspec.structs.replace(reply, tokens_in=tokens_in, tokens_out=prompt.estimate([reply.text]))

    def _spent(self, backend: Backend, reply: Reply, took_s: float) -> Charge:
        """Return what a call took."""
        tokens_in, tokens_out = reply.tokens_in or 0, reply.tokens_out or 0
        cost = self._price(backend, tokens_in, tokens_out)
        return Charge(tokens_in + tokens_out, cost, round(took_s * 1_000_000))

    def _lost(self, most: Charge, error: BackendFailed, took_s: float) -> Charge:
        """Return what a failed call took: one that may have been worked on counts as a whole, for it may be billed."""
        took_us = round(took_s * 1_000_000)
        if error.trouble in ("timed_out", "too_long", "garbage", "empty"):
            return Charge(most.tokens, most.microusd, took_us)
        return Charge(0, 0, took_us)

    async def _store(self, content: bytes) -> str | None:
        """Store a prompt or an answer, once; without a blob store it only has its hash."""
        if self._means.blobs is NO_BLOBS:
            return prompt.digest(content)
        return await self._means.blobs.put(content)
