"""Hashing: real work for the processor, of a length that the settings decide. For measuring how load is shared."""

import asyncio
import hashlib
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work

_BLOCK = 4096  # bytes per round; above 2047 hashlib lets other threads run


class HashingSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How many rounds of 4 KiB: about 400 rounds a millisecond with SHA extensions, a fifth of that without."""

    rounds: Annotated[int, Meta(ge=1, le=10_000_000)]


class Hashing:
    """Hashes the task's text over and over and answers with the last digest."""

    name: ClassVar[str] = "hashing"
    Settings: ClassVar[type[Struct]] = HashingSettings

    def __init__(self, settings: HashingSettings, _toolbox: Toolbox) -> None:
        self._rounds = settings.rounds

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Hash in a thread, so that the worker goes on meanwhile."""
        watch = Stopwatch(timer)
        with watch.step("hash"):
            digest = await asyncio.to_thread(iterate, work.text.encode("utf-8", "replace"), self._rounds)
        return Result({"sha256": digest, "rounds": self._rounds}, watch.steps)


def iterate(seed: bytes, rounds: int) -> str:
    """Return the digest after this many rounds, each over a block filled with the digest before."""
    digest = hashlib.sha256(seed).digest()
    for _ in range(rounds):
        digest = hashlib.sha256(digest * (_BLOCK // len(digest))).digest()
    return digest.hex()
