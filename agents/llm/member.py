"""A member of the chain in this process: its breaker, its retries, and what was counted."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from agents.llm import pii
from agents.llm.allowance import Retries
from agents.llm.backend import AGAIN, BackendFailed
from agents.llm.breaker import Breaker, State
from agents.pipeline import Timer

_LOCAL_REST_S = 1.0  # the local model has nobody to spare, and is started again within a second


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


class Member:
    """One back end as this process knows it; `tell` hears of a breaker that opens, `changed` of whatever others should see."""

    def __init__(
        self, name: str, model: str, local: bool, timer: Timer, tell: Callable[[str], None], changed: Callable[[], None]
    ) -> None:
        self.name, self.model, self.local = name, model, local
        self.retries = Retries()
        self._breaker = Breaker(rest_s=_LOCAL_REST_S) if local else Breaker()
        self._timer, self._tell, self._changed = timer, tell, changed
        self._calls = self._failures = 0
        self._last_failure: str | None = None

    def standing(self) -> Standing:
        """Return how it stands."""
        now = self._timer()
        state, rests_s = self._breaker.state(now), round(self._breaker.rests_s(now), 1)
        return Standing(self.name, self.model, self.local, state, rests_s, self._calls, self._failures, self._last_failure)

    def refuse_if_resting(self) -> None:
        """Refuse to be asked while it is left alone.

        Raises:
            BackendFailed: it is.
        """
        if rests_s := self._breaker.rests_s(self._timer()):
            raise BackendFailed("unreachable", f"left alone for {rests_s:.0f} s more after {self._last_failure}")

    def again(self, error: BackendFailed) -> bool:
        """Say whether a failed call may be made once more, and count it."""
        return error.trouble in AGAIN and self.retries.take()

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Make a call inside, if the breaker lets it through; how it ends is the breaker's verdict.

        A request that was refused, or that we stopped, says nothing of the back end.

        Raises:
            BackendFailed: it is left alone.
        """
        before = self._breaker.state(self._timer())
        if not self._breaker.allow(self._timer()):
            self.refuse_if_resting()
            raise BackendFailed("unreachable", f"others are finding out whether it is back after {self._last_failure}")
        self._calls += 1
        try:
            yield
        except BackendFailed as error:
            self._failed(error, before)
            raise
        except BaseException:
            self._breaker.gave_up()
            raise
        self._breaker.succeeded()
        if before != "closed" or self._calls == 1:
            self._changed()

    def _failed(self, error: BackendFailed, before: State) -> None:
        """Count a failure, and say so if it changes anything."""
        self._failures += 1
        self._last_failure = pii.hide(f"{error.trouble}: {error.detail}")
        if error.trouble == "refused":
            self._breaker.gave_up()
        else:
            self._breaker.failed(self._timer(), error.retry_after_s)
        if (after := self._breaker.state(self._timer())) != before:
            self._tell(f"{self.name} is left alone ({after}): {self._last_failure}")
        self._changed()
