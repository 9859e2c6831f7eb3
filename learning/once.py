"""Opening what is large once in a process, however many threads ask for it at the same time."""

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def once(load: Callable[[], T]) -> Callable[[], T]:
    """Return a function that loads at its first call and gives the same thing from then on; a failure is tried again.

    `functools.cache` alone would let all who come before the first is done load, too: eight tasks at once, eight models.
    """
    lock = threading.Lock()
    loaded: list[T] = []

    def opened() -> T:
        with lock:
            if not loaded:
                loaded.append(load())
        return loaded[0]

    return opened
