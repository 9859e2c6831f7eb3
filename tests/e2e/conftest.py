"""The whole system, running: all processes on the run's own stack, as `smolit up` starts them."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from events.topics import Names
from smolit.process import background
from smolit.process.prepare import prepare
from smolit.settings import Settings
from smolit.stack.local import Endpoints

CANARY = "canary-7d1f0c52-must-be-nowhere"


@dataclass(frozen=True)
class System:
    """Where the running system is."""

    settings: Settings
    endpoints: Endpoints

    @property
    def names(self) -> Names:
        """Return the names of topics."""
        return Names(self.settings.topic_prefix)


def told(_what: str) -> None:
    """Keep quiet: pytest shows what matters when a test fails."""


@pytest.fixture(scope="session")
def system(stack: Endpoints, stack_settings: Settings) -> Iterator[System]:
    """All processes of smolit, ready; stopped after the run."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CANARY_API_KEY", CANARY)
        with background.launching(stack_settings) as begin:
            asyncio.run(prepare(stack_settings, stack, told))
            begin()
    try:
        background.wait_ready(stack_settings, told)
        yield System(stack_settings, stack)
    finally:
        background.halt(stack_settings, told)
