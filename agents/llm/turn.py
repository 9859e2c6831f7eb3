"""What the chain is made of and works with, and one question on its way through it."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
from msgspec import Struct

from agents.llm import prompt
from agents.llm.backend import Backend, BackendFailed, Reply
from agents.llm.cache import Cache, NoCache
from agents.llm.client import Caller
from agents.llm.member import Standing
from agents.llm.price import FREE, Prices
from agents.llm.purse import Charge, NoPurse, Purse
from agents.llm.turnstile import Turnstile
from agents.pipeline import Timer
from agents.port import NO_BLOBS, Ask, Blobs

# What the local model needs for a question, as measured on busy cores (docs/llm.md): until its first token, and tokens a second.
_LOCAL_START_S, _LOCAL_TOKENS_S = 4.0, 20.0
_SHARE_OF_LAST = 0.5  # of the time that is left, at most, is kept for whoever comes last


async def _nothing() -> None:
    """Wake nobody."""


class Backends(Struct, frozen=True):
    """The chain's members: `remote` in order, and what says where the local one answers now (None: there is none here).

    `wake` has the local one loaded, so that it is ready when a remote one turns out to be too slow; it may not raise.
    """

    remote: tuple[Backend, ...]
    local: Callable[[], Backend] | None = None
    prices: Prices = {}
    patience_s: float = 30.0
    wake: Callable[[], Awaitable[None]] = _nothing

    def price(self, backend: Backend, tokens_in: int, tokens_out: int) -> int | None:
        """Return what tokens cost; None where nobody said."""
        price = FREE if backend.local else self.prices.get(backend.model)
        return price.of(tokens_in, tokens_out) if price is not None else None

    def where(self, name: str, local: bool) -> Backend:
        """Return where a member answers now; raises BackendFailed."""
        if local and self.local is not None:
            return self.local()
        return next(one for one in self.remote if one.name == name)


class Means(Struct, frozen=True):
    """What the chain works with: clocks, budgets, cache, blob store, and where lines about trouble and standings go."""

    clock: Callable[[], datetime]
    timer: Timer
    purse: Purse = NoPurse()
    cache: Cache = NoCache()
    blobs: Blobs = NO_BLOBS
    tell: Callable[[str], None] = lambda _line: None
    note: Callable[[list[Standing]], None] = lambda _standings: None


class Desk(Struct, frozen=True):
    """Everything that asking one member takes; questions for the local model go through the turnstile."""

    backends: Backends
    means: Means
    caller: Caller
    turnstile: Turnstile


class Turn(Struct, frozen=True):
    """One question on its way; `began` and `ends` on the chain's timer, `whole`: nobody wants pieces."""

    ask: Ask
    whole: bool
    prompt_sha256: str
    began: float
    ends: float

    def allotted_s(self, now: float, others: int, patience_s: float) -> float:
        """Return how long a call may take: the last one has all that is left, those before share what it can spare."""
        left_s = self.ends - now
        if not others:
            return left_s
        need_s = _LOCAL_START_S + self.ask.max_tokens / _LOCAL_TOKENS_S
        return min(patience_s, (left_s - min(need_s, left_s * _SHARE_OF_LAST)) / others)


def most_of(backends: Backends, backend: Backend, ask: Ask, most_s: float) -> Charge:
    """Return what a call may take at most."""
    tokens_in = tokens_of(ask)
    cost = backends.price(backend, tokens_in, ask.max_tokens)
    return Charge(tokens_in + ask.max_tokens, cost, round(most_s * 1_000_000))


def spent_on(backends: Backends, backend: Backend, reply: Reply, took_s: float) -> Charge:
    """Return what a call took."""
    tokens_in, tokens_out = reply.tokens_in or 0, reply.tokens_out or 0
    return Charge(tokens_in + tokens_out, backends.price(backend, tokens_in, tokens_out), round(took_s * 1_000_000))


def lost_on(most: Charge, error: BackendFailed, took_s: float) -> Charge:
    """Return what a failed call took: one that may have been worked on counts as a whole, for it may be billed."""
    took_us = round(took_s * 1_000_000)
    if error.trouble in ("unreachable", "rate_limited", "server_error", "refused"):
        return Charge(0, 0, took_us)
    return Charge(most.tokens, most.microusd, took_us)


def counted(reply: Reply, ask: Ask) -> Reply:
    """Return a reply with its tokens; where the back end did not count them, we estimate."""
    if reply.tokens_in is not None and reply.tokens_out is not None:
        return reply
    return msgspec.structs.replace(reply, tokens_in=tokens_of(ask), tokens_out=prompt.estimate([reply.text]))


def tokens_of(ask: Ask) -> int:
    """Return about how many tokens a prompt is, rather too many than too few."""
    return prompt.estimate([one.content for one in ask.messages])
