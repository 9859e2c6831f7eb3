"""What is in force just now: who may be chosen, whether a worker serves them, and which calibrations run."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from msgspec.structs import replace

from events.control import Calibrating
from events.task import ChoiceContext
from events.topics import Names
from learning.match import match
from streams.control import ControlReader
from streams.live import LiveAgents


class Presence:
    """What is in force and who is live, followed."""

    def __init__(self, control: ControlReader, live: LiveAgents, tenant: str) -> None:
        self._control, self._live, self._tenant = control, live, tenant

    def active(self, agent: str) -> bool:
        """Say whether an agent may be chosen; where no worker serves it just now, what it is given waits."""
        known = self._control.control.agents.get((self._tenant, agent))
        return known is not None and known.state == "active"

    def fitting(self, context: ChoiceContext) -> list[str]:
        """Return who could be given a task like this one now, sorted."""
        anybody = replace(context, agent=None, tried=())
        found = match(self._control.control.agents_of(self._tenant), anybody, lambda _: True)
        return [agent for agent in found.candidates if self._live.serves(agent)]

    def calibration(self, calibration_id: str) -> Calibrating | None:
        """Return a calibration, and whether it runs."""
        return self._control.control.calibrations.get((self._tenant, calibration_id))

    def live(self) -> list[str]:
        """Return the agents that are active and served, sorted."""
        everybody = [agent for agent, _ in self._control.control.agents_of(self._tenant)]
        return [agent for agent in everybody if self.active(agent) and self._live.serves(agent)]


@asynccontextmanager
async def present(
    kafka: str, names: Names, tenant: str, heartbeat_s: float, clock: Callable[[], datetime]
) -> AsyncIterator[Presence]:
    """Yield who may be chosen, as of now and followed from here."""
    control = ControlReader(kafka, "smolit-calibrate-control", names)
    live = LiveAgents(kafka, "smolit-calibrate-live", names, heartbeat_s, clock, time.monotonic)
    await control.start()
    await live.start()
    try:
        yield Presence(control, live, tenant)
    finally:
        await live.stop()
        await control.stop()
