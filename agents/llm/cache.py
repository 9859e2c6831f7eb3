"""The cache as the chain sees it; whatever is wrong with it, an answer is only slower, never wrong."""

from typing import Protocol

import msgspec
from msgspec import Struct

from agents.port import Said


class Kept(Struct, frozen=True):
    """An answer as it is cached, with what it took to get it."""

    text: str
    model: str
    tokens_in: int
    tokens_out: int
    cost_microusd: int | None
    duration_us: int
    prompt_sha256: str | None
    answer_sha256: str | None


class Cache(Protocol):
    """Holds answers under keys for a while; the tenant is part of the key, and counted for."""

    async def get(self, tenant: str, key: str, /) -> Kept | None:
        """Return what is kept, or None: also where the cache does not answer."""
        ...

    async def put(self, tenant: str, key: str, kept: Kept, /) -> None:
        """Keep an answer; where the cache does not answer, nothing is kept."""
        ...


class NoCache:
    """Keeps nothing."""

    async def get(self, _tenant: str, _key: str, /) -> Kept | None:
        """Know nothing."""
        return None

    async def put(self, _tenant: str, _key: str, _kept: Kept, /) -> None:
        """Forget it."""


def kept_of(said: Said) -> Kept:
    """Return what is cached of an answer."""
    return msgspec.convert(said, Kept, from_attributes=True)
