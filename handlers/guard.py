"""The guard of a worker's memory: a thread that has a runaway attempt fail, and ends the process before the machine does.

It is a thread, so that a loop which hangs does not blind it. What runs in other threads cannot be stopped in Python, so there
are two steps: above the limit the attempt that grew most fails, and the process ends in order; well above it, the process ends
at once, after what it held is given back.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

from msgspec import Struct

from agents.errors import AgentFailed
from store.claim import Hold

MIB = 2**20
_LOOKS = 600  # a minute of them tells under whom memory grows


class Bounds(Struct, frozen=True):
    """Bytes above which an attempt fails, and above which the process ends at once; seconds between looks, and of patience."""

    soft: int
    hard: int
    pause_s: float = 0.1
    grace_s: float = 1.0

    @classmethod
    def of(cls, most_mb: int) -> "Bounds":
        """Return the bounds of a limit: at once half above it."""
        return cls(most_mb * MIB, most_mb * MIB * 3 // 2)


class Growth:
    """Which attempt memory grows under: each growth is divided among those that were under way. Pure.

    The one with the largest median growth of its last looks is suspected, since whoever comes first has once to load what all
    of them use; of two that see the same growth, the one that began later.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._begun = 0
        self._grown: dict[Hold, tuple[int, deque[float]]] = {}  # the how manieth it is, and bytes of each look

    def note(self, used: int, under_way: Sequence[Hold]) -> None:
        """Take in a reading; attempts come in the order in which they began."""
        grown = max(0, used - self._last) if self._last is not None else 0
        self._last = used
        self._grown = {hold: self._grown.get(hold) or self._new() for hold in under_way}
        for _, shares in self._grown.values():
            shares.append(grown / len(under_way))

    def _new(self) -> tuple[int, deque[float]]:
        """Return an attempt that is seen for the first time."""
        self._begun += 1
        return self._begun, deque(maxlen=_LOOKS)

    def suspect(self) -> Hold | None:
        """Return the attempt that memory grows under most; None: nothing is under way."""
        rates = {hold: (median(shares), place) for hold, (place, shares) in self._grown.items()}
        return max(rates, key=lambda hold: rates[hold], default=None)


class Guarded(Struct, frozen=True):
    """What a guard does things with, all of it safe to call from its thread.

    `fail` has an attempt fail, if the loop still turns; `stop` tells the process to end in order; `give_up` is run in a loop of
    the thread's own, writes the failure if nobody has, and gives the others back; `end` ends the process.
    """

    used: Callable[[], int | None]
    under_way: Callable[[], Sequence[Hold]]
    fail: Callable[[Hold, AgentFailed], None]
    stop: Callable[[], None]
    give_up: Callable[[Hold | None, AgentFailed], Awaitable[None]]
    end: Callable[[str], None]


class Guard:
    """Looks while attempts are under way."""

    def __init__(self, bounds: Bounds, guarded: Guarded, sleep: Callable[[float], None] = time.sleep) -> None:
        self._bounds, self._guarded, self._sleep = bounds, guarded, sleep
        self._growth, self._over = Growth(), threading.Event()
        self._failed: Hold | None = None

    def start(self) -> None:
        """Begin, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="memory-guard", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():
            self.look()
            self._sleep(self._bounds.pause_s)

    def look(self) -> None:
        """Look once, and do what is called for."""
        under_way, used = self._guarded.under_way(), self._guarded.used() if self._guarded.under_way() else None
        if used is None:
            return
        self._growth.note(used, under_way)
        if used > self._bounds.hard:
            self._end(used)
        elif used > self._bounds.soft and self._failed is None:
            self._fail(used)

    def _fail(self, used: int) -> None:
        """Have the attempt fail that grew most, and the process end in order unless that was enough."""
        self._failed = self._growth.suspect()
        if self._failed is None:
            return
        self._guarded.fail(self._failed, self._error(used))
        deadline = time.monotonic() + self._bounds.grace_s
        while time.monotonic() < deadline:
            now = self._guarded.used() or 0
            if now > self._bounds.hard:
                self._end(now)
                return
            if now <= self._bounds.soft and self._failed not in self._guarded.under_way():
                self._failed = None
                return
            self._sleep(self._bounds.pause_s)
        self._guarded.stop()

    def _end(self, used: int) -> None:
        """End the process at once; what it held goes to others."""
        suspect = self._failed or self._growth.suspect()
        still = suspect if suspect in self._guarded.under_way() else None
        try:
            asyncio.run(asyncio.wait_for(self._given_up(still, used), self._bounds.grace_s * 5))
        except Exception as error:  # noqa: BLE001 whatever goes wrong, the process has to end: leases run out by themselves
            told = f"; what it held could not be given back: {error}"
        else:
            told = ""
        self._over.set()
        self._guarded.end(
            f"it used {used // MIB} MiB, more than the {self._bounds.hard // MIB} at which a worker ends at once{told}"
        )

    async def _given_up(self, still: Hold | None, used: int) -> None:
        await self._guarded.give_up(still, self._error(used))

    def _error(self, used: int) -> AgentFailed:
        limit = self._bounds.soft // MIB
        return AgentFailed("out_of_memory", f"the worker used {used // MIB} MiB while it ran, and may use {limit}")
