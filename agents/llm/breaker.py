"""A circuit breaker: a back end that fails again and again is left alone, then asked once whether it is back.

Source: M. Nygard, Release It! (2nd ed. 2018), stability pattern "Circuit Breaker". Times in seconds of a monotonic clock.
"""

from typing import Literal

State = Literal["closed", "open", "half_open"]

MOST_FAILURES = 5  # in a row
MOST_CALLS = 10  # that a back end which has begun to fail is given before its breaker opens, however many wait at a time
FIRST_REST_S, LONGEST_REST_S = 10.0, 300.0


class Breaker:
    """One back end's breaker; nothing here looks at a clock. Each call that was allowed ends in one of three verdicts."""

    def __init__(self, most_failures: int = MOST_FAILURES, rest_s: float = FIRST_REST_S) -> None:
        self._most, self._first_rest_s = most_failures, rest_s
        self._failures, self._under_way = 0, 0
        self._rest_s = rest_s
        self._open, self._probing = False, False
        self._until = 0.0

    def state(self, now: float) -> State:
        """Return the state at a moment."""
        if not self._open:
            return "closed"
        return "half_open" if now >= self._until else "open"

    def rests_s(self, now: float) -> float:
        """Return for how long nobody will be let through."""
        return max(0.0, self._until - now) if self._open else 0.0

    def allow(self, now: float) -> bool:
        """Say whether a call may go out; when half open, one at a time may, to probe."""
        state = self.state(now)
        if state == "open" or (state == "half_open" and self._probing):
            return False
        if state == "closed" and self._failures and self._failures + self._under_way >= MOST_CALLS:
            return False
        self._probing = state == "half_open"
        self._under_way += 1
        return True

    def succeeded(self) -> None:
        """Close: it answers."""
        self._under_way -= 1
        self._failures, self._rest_s = 0, self._first_rest_s
        self._open, self._probing = False, False

    def failed(self, now: float, retry_after_s: float | None = None) -> None:
        """Count a failure; a failed probe, too many in a row, or a wish to be left alone opens the breaker."""
        self._under_way -= 1
        self._failures += 1
        probe, self._probing = self._probing, False
        if self._open and not probe:
            return  # it began before the breaker opened
        if probe or self._failures >= self._most:
            rest_s, self._rest_s = max(self._rest_s, retry_after_s or 0.0), min(LONGEST_REST_S, self._rest_s * 2)
        elif retry_after_s is not None:
            rest_s = retry_after_s
        else:
            return
        self._open, self._until = True, now + min(rest_s, LONGEST_REST_S)

    def gave_up(self) -> None:
        """Forget a call that ended without a verdict: it was cancelled, or it was the request that was at fault."""
        self._under_way -= 1
        self._probing = False
