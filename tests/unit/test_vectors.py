"""Encoders of a process: each opened once, whatever asks, and one that is not here is said to be missing."""

import threading

import pytest

from agents.vectors import Encoders
from learning.encoding import EncoderMissing


def test_all_threads_get_the_same_encoder() -> None:
    """Eight that ask at once get one model, with the label of its vectors."""
    encoders = Encoders()
    together, found = threading.Barrier(8), []

    def ask() -> None:
        together.wait()
        found.append(encoders.open("static"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len({id(one) for one in found}) == 1
    assert found[0].label.startswith(f"{found[0].encoder.name}:")


async def test_one_that_cannot_be_opened_is_asked_for_again() -> None:
    """A failure is not remembered: without a folder there is no sentence encoder, the shipped one is there all the same."""
    encoders = Encoders()
    for _ in range(2):
        with pytest.raises(EncoderMissing, match="no sentence encoder"):
            await encoders.get("minilm")

    assert (await encoders.get("static")) is encoders.open("static")
