"""The guard of a worker's memory: whom it suspects, and what it does at each bound."""

from collections.abc import Sequence

from agents.errors import AgentFailed
from handlers.guard import MIB, Bounds, Growth, Guard, Guarded
from store.claim import Hold

ONE, TWO = Hold("one", 1, 1), Hold("two", 1, 1)
BOUNDS = Bounds(100 * MIB, 150 * MIB, pause_s=0.0, grace_s=0.02)


class Process:
    """A process whose memory is told reading by reading; the last one stays."""

    def __init__(self, readings: Sequence[int | None], under_way: Sequence[Hold] = (ONE,), deaf: bool = False) -> None:
        self.readings, self.running, self.deaf = list(readings), list(under_way), deaf
        self.failed: list[Hold] = []
        self.given_up: list[Hold | None] = []
        self.did: list[str] = []
        self.why = ""

    def used(self) -> int | None:
        """Return the next reading."""
        now = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        return None if now is None else now * MIB

    def fail(self, hold: Hold, error: AgentFailed) -> None:
        """Have an attempt fail, unless the loop hangs."""
        self.failed.append(hold)
        self.why = str(error)
        if not self.deaf:
            self.running.remove(hold)

    async def give_up(self, hold: Hold | None, error: AgentFailed) -> None:
        """Write the failure, and give the rest back."""
        self.given_up.append(hold)

    def guard(self) -> Guard:
        """Return what guards it."""
        stop, end = (lambda: self.did.append("stop")), (lambda why: self.did.append(f"end: {why}"))
        return Guard(BOUNDS, Guarded(self.used, lambda: tuple(self.running), self.fail, stop, self.give_up, end), lambda _: None)


def looked(process: Process, times: int) -> Process:
    """Look so often."""
    guard = process.guard()
    for _ in range(times):
        guard.look()
    return process


def test_the_attempt_that_memory_grew_under_is_suspected() -> None:
    """Growth before the other one began is its own; of what both see the later one is suspected; who is gone is not."""
    growth = Growth()
    for used, under_way in ((10, [ONE]), (50, [ONE]), (90, [ONE]), (100, [ONE, TWO]), (101, [ONE, TWO])):
        growth.note(used, under_way)
    first = growth.suspect()
    for used in (200, 300, 400):
        growth.note(used, [ONE, TWO])
    second = growth.suspect()
    growth.note(401, [ONE])

    assert (first, second, growth.suspect()) == (ONE, TWO, ONE)
    growth.note(71, [])
    assert growth.suspect() is None


def test_who_loads_once_what_all_use_is_not_suspected_for_it() -> None:
    """One leap at the beginning is no running away; of two seen at the same look the later one is."""
    growth = Growth()
    for used in (10, 500, 505, 510, 515):
        growth.note(used, [ONE])
    for used in (535, 555, 575):
        growth.note(used, [ONE, TWO])
    both = Growth()
    for used in (10, 20, 30):
        both.note(used, [TWO, ONE])

    assert (growth.suspect(), both.suspect()) == (TWO, ONE)


def test_within_the_limit_nothing_is_done() -> None:
    """Nor is anything where nobody can say how much is used, or nothing is under way."""
    for process in (Process([50, 100]), Process([None]), Process([400], under_way=())):
        assert looked(process, 4).failed == []
        assert process.did == []


def test_above_the_limit_the_attempt_fails_and_where_memory_falls_all_goes_on() -> None:
    """The failure names what was used and what may be."""
    process = looked(Process([50, 120, 60]), 3)

    assert (process.failed, process.did, process.given_up) == ([ONE], [], [])
    assert process.why == "out_of_memory: the worker used 120 MiB while it ran, and may use 100"


def test_where_memory_stays_the_process_ends_in_order() -> None:
    """Only one attempt fails for it: the others may be innocent."""
    process = looked(Process([50, 120], under_way=(ONE, TWO)), 5)

    assert (len(process.failed), process.did) == (1, ["stop"])


def test_well_above_it_ends_at_once_after_giving_back() -> None:
    """An attempt whose failure is written already is not written again."""
    process = looked(Process([50, 120, 120, 170]), 2)

    assert process.given_up == [None]
    assert [what.partition(":")[0] for what in process.did] == ["end"]


def test_a_loop_that_hangs_does_not_save_the_attempt() -> None:
    """Where the loop does not take the failure, the guard writes it."""
    process = looked(Process([50, 120, 120, 170], deaf=True), 2)

    assert process.given_up == [ONE]


def test_a_leap_over_both_bounds_ends_at_once() -> None:
    """What comes so quickly leaves no time to ask."""
    process = looked(Process([50, 400]), 2)

    assert (process.failed, process.given_up) == ([], [ONE])
    assert process.did == ["end: it used 400 MiB, more than the 150 at which a worker ends at once"]
