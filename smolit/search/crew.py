"""Processes that score settings: what crashes there, is killed, or takes too long is a failed trial, and no more than that."""

import math
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, NamedTuple, Self

from smolit.search.score import Scorer
from smolit.search.trial import Scored

Work = tuple[Mapping[str, Any], Sequence[float]]  # a setting, and the bars of its steps
_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy threads of Kafka's client in the middle of something


class _Hand(NamedTuple):
    """One process and our end of the line to it."""

    process: BaseProcess
    line: Any


class Crew:
    """So many processes, all with the same scorer; one that ends is replaced when there is work for it again."""

    def __init__(self, scorer: Scorer, workers: int) -> None:
        self._scorer, self._hands = scorer, list[_Hand | None]([None] * workers)

    def __enter__(self) -> Self:
        """Start nothing yet: processes are made when there is work."""
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """End all processes."""
        for place in range(len(self._hands)):
            self._dismiss(place)

    def pids(self) -> list[int]:
        """Return the ids of the processes that are there."""
        return [hand.process.pid for hand in self._hands if hand is not None and hand.process.pid is not None]

    def score(self, works: Sequence[Work], seconds: float) -> list[Scored]:
        """Score settings, each in a process of its own, and wait for all of them, or until so many seconds are over."""
        began, found = time.monotonic(), dict[int, Scored]()
        lines = [self._line(place) for place in range(len(works))]  # all of them begin to load before the first is waited for
        for place, work in enumerate(works):
            if (failed := self._give(place, *lines[place], work)) is not None:
                found[place] = failed
        while len(found) < len(works):
            open_places = [place for place in range(len(works)) if place not in found]
            left = seconds - (time.monotonic() - began)
            if not self._hear(open_places, found, left, began):
                for place in open_places:
                    self._dismiss(place)
                    found[place] = _failed("the budget in seconds was spent before it ended", began)
        return [found[place] for place in range(len(works))]

    def _line(self, place: int) -> tuple[Any, bool]:
        """Return the line to a process, and whether it is a new one."""
        hand = self._hands[place]
        if hand is not None and hand.process.is_alive():
            return hand.line, False
        self._dismiss(place)
        made = self._hands[place] = _hired()
        return made.line, True

    def _give(self, place: int, line: Any, new: bool, work: Work) -> Scored | None:
        """Send a new process how to score, and any process a setting; return what that came to if it cannot be reached."""
        try:
            if new:
                line.send(self._scorer)
            line.send(work)
        except OSError as error:
            # Its end of the line may close some time before it is gone: who is not dismissed now could be taken to be alive.
            return _failed(f"its process could not be reached ({error}): {self._dismiss(place)}", time.monotonic())
        return None

    def _hear(self, places: Sequence[int], found: dict[int, Scored], left: float, began: float) -> bool:
        """Take in what is ready; False if nothing was in time."""
        lines: dict[Any, int] = {hand.line: place for place in places if (hand := self._hands[place]) is not None}
        ready: Sequence[Any] = wait(list(lines), timeout=max(0.0, left))
        for line in ready:
            place = lines[line]
            try:
                found[place] = line.recv()
            except (EOFError, OSError):
                found[place] = _failed(f"its process ended: {self._dismiss(place)}", began)
        return bool(ready)

    def _dismiss(self, place: int) -> str:
        """End a process and say how it ended."""
        hand, self._hands[place] = self._hands[place], None
        if hand is None:
            return "it was not there"
        hand.line.close()
        hand.process.join(timeout=0.5)
        hand.process.kill()
        hand.process.join()
        code = hand.process.exitcode or 0
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def _hired() -> _Hand:
    """Start a process that knows nothing yet.

    What is large goes over the line: given to `Process` it would be written to a pipe whose other end we hold, too, while the
    process starts, and whoever is killed then would leave us writing for ever.
    """
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return _Hand(process, ours)


def _work(line: Any) -> None:
    """Hear how to score, then score what comes, until nobody is there any more."""
    with suppress(EOFError, OSError):
        scorer: Scorer = line.recv()
        while True:
            parameters, bars = line.recv()
            line.send(checked(scorer, parameters, bars))


def checked(scorer: Scorer, parameters: Mapping[str, Any], bars: Sequence[float]) -> Scored:
    """Return what a scorer says, or that it crashed; a score that is no number has failed."""
    began = time.monotonic()
    try:
        scored = scorer(parameters, bars)
    except Exception as error:  # noqa: BLE001 a trial may fail in any way: it is recorded, and the search goes on
        return _failed(f"it crashed: {type(error).__name__}: {error}"[:1_000], began)
    numbers = [*scored.steps, *([scored.score] if scored.score is not None else [])]
    if not all(math.isfinite(number) for number in numbers):
        return _failed("its score is not a number", began)
    return scored


def _failed(reason: str, began: float) -> Scored:
    return Scored("failed", None, (), reason, time.monotonic() - began)
