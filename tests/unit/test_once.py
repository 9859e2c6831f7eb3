"""What is large is opened once, however many ask at the same time."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from learning.once import once


def test_all_who_come_together_get_the_one_that_was_opened() -> None:
    """Eight threads that start at the same moment, one load, one thing."""
    loads: list[object] = []
    gate = threading.Barrier(8)

    def load() -> object:
        loads.append(object())
        time.sleep(0.05)  # long enough for all others to come while it loads
        return loads[-1]

    opened = once(load)

    def ask() -> object:
        gate.wait()
        return opened()

    with ThreadPoolExecutor(8) as threads:
        got = [one.result() for one in [threads.submit(ask) for _ in range(8)]]

    assert (len(loads), set(got)) == (1, {loads[0]})


def test_a_failure_is_tried_again() -> None:
    """It is not remembered as what there is."""
    answers = iter([ValueError("not yet"), "here"])

    def load() -> str:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    opened = once(load)

    with pytest.raises(ValueError, match="not yet"):
        opened()
    assert (opened(), opened()) == ("here", "here")
