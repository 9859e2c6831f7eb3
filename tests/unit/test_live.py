"""Who is alive: a worker that was not heard for three heartbeats is gone, and back as soon as it is heard again."""

from datetime import datetime

from events.heartbeat import WorkerSeen
from smolit.chat.live import MISSED, serving
from tests.builders import moment


def beat(worker: str, at: float, agents: tuple[str, ...] = ("ocr",), capacity: int = 8) -> WorkerSeen:
    """Return a heartbeat."""
    return WorkerSeen(worker=worker, agents=agents, capacity=capacity, busy=0, seen_at=moment(at))


def now(seconds: float) -> datetime:
    """Return when it is asked."""
    return moment(seconds)


def test_a_killed_worker_is_gone_after_three_heartbeats_and_back_after_a_restart() -> None:
    """With a heartbeat of a second: at three seconds it is still there, a moment later it is not."""
    beats = [beat("w1", 0), beat("w1", 10)]

    assert serving(beats, now(10 + MISSED), MISSED * 1.0) == {"ocr": ["w1"]}
    assert serving(beats, now(10 + MISSED + 0.1), MISSED * 1.0) == {}
    assert serving([*beats, beat("w1", 60)], now(61), MISSED * 1.0) == {"ocr": ["w1"]}


def test_a_worker_that_said_farewell_serves_nobody() -> None:
    """Others serve on; and what counts is what a worker said last."""
    beats = [beat("w1", 5), beat("w2", 5, ("ocr", "sums")), beat("w1", 6, (), 0)]

    assert serving(beats, now(6), 3.0) == {"ocr": ["w2"], "sums": ["w2"]}
