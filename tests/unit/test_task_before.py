"""Which task a follow-up goes on with."""

from typing import Any

import pytest

from handlers.front_port import FRONT, Heard
from handlers.reply import task_before


def said(sort: str, kind: str = "response", **body: Any) -> Heard:
    """Return an answer of the front."""
    return Heard("r", FRONT, kind, "84", {"sort": sort, **body})


SUM = said("task", asked="What is 12 * 7?", kind_of_task="arithmetic", output={"value": "84"})


@pytest.mark.parametrize(
    ("answers", "goes_on"),
    [
        ([SUM], True),
        ([SUM, said("recall"), said("note"), said("forget")], True),
        ([SUM, said("talk")], False),
        ([SUM, said("task", kind="error", asked="Read it")], False),
        ([said("note")], False),
        ([], False),
    ],
)
def test_what_was_said_from_memory_ends_no_talk_about_a_task(answers: list[Heard], goes_on: bool) -> None:
    """Talk does, and a task that failed."""
    found = task_before(answers)

    assert (found is not None and (found.text, found.value) == ("What is 12 * 7?", "84")) is goes_on
