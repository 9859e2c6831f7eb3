"""The course of a calibration: copies submitted in rounds, waited for, judged, until a rule ends it.

It keeps nothing of its own: what was planned stands in a fact, what was done in the read models, and the id of each request
follows from calibration, task and agent. So it may be killed anywhere, and goes on where it was without doing a copy twice.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from events.calibration import CopyOf
from events.event import Event, Fact
from events.ids import derived_id
from events.request import EndCalibration, SubmitTask
from learning.information import Standing
from projections.calibration import CopyRow, copies
from smolit.calibration.judge import judgement, request_id
from smolit.calibration.past import Past, Reference, spending, standings
from smolit.calibration.rule import Calibration, Copy, Known, Over, costs_of, next_round, settled, sums
from smolit.client import Ask, Client
from smolit.errors import CalibrationUnfinished
from store.postgres import Connection

_POLL_S = 0.2
_PRIORITY = 0  # real tasks go first
Active = Callable[[str], bool]
Told = Callable[[Sequence[CopyRow]], None]


class Course:
    """One calibration under way; `active` says whether an agent may be chosen just now, `told` hears how far it is."""

    def __init__(
        self,
        plan: Calibration,
        tenant: str,
        *,
        client: Client,
        connection: Connection,
        past: Mapping[str, Past],
        references: Mapping[str, Reference],
        active: Active,
        told: Told,
    ) -> None:
        self.plan, self.tenant = plan, tenant
        self._client, self._connection = client, connection
        self._past, self._references = past, references
        self._active, self._told = active, told
        self._sent: set[str] = set()  # tasks that may not be in the read models yet
        self._judged: set[str] = set()  # likewise

    async def run(self, size: int, patience_s: float) -> Over:
        """Do what is left, `size` tasks at a time, and return why nothing more is done.

        Raises:
            CalibrationUnfinished: nothing changed for `patience_s` seconds while copies were not answered or not judged.
        """
        while True:
            await self._settle(patience_s)
            due = next_round(self.plan, await self.known(), self._doable, size)
            if isinstance(due, Over):
                return due
            await self._submit(due)

    async def end(self, over: Over) -> Event[Fact]:
        """Write down that it is over, and what it came to; raises RequestRefused."""
        came_to = sums(await self._copies())
        request = EndCalibration(
            calibration_id=self.plan.calibration_id,
            why=over.why,
            reason=over.reason,
            copies=came_to.copies,
            judged=came_to.judged,
            cost_microusd=came_to.cost_microusd,
            costed=came_to.costed,
        )
        return await self._client.effect(Ask(request))

    async def waiting(self) -> list[CopyRow]:
        """Return the copies that have neither a reward nor an end that brings none."""
        return [one for one in await self._copies() if not settled(one)]

    async def known(self) -> Known:
        """Return what is known just now."""
        made = await self._copies()
        before = await spending(self._connection, self.tenant, self.plan.scope)
        return Known(made, await self._standings(), costs_of(made, before))

    async def _standings(self) -> list[Standing]:
        """Return what the agents earned that may be chosen, those that are to be tried among them."""
        found = {one.agent: one for one in await standings(self._connection, self.tenant, self.plan.scope)}
        planned = {agent for task in self.plan.tasks for agent in task.agents}
        everybody = sorted(agent for agent in found.keys() | planned if self._active(agent))
        return [found.get(agent) or Standing(agent, 0, 0.0) for agent in everybody]

    def _doable(self, copy: Copy) -> bool:
        """Say whether a copy can be made: somebody may have forgotten the task, or paused the agent."""
        return copy.task_id in self._past and self._active(copy.agent)

    async def _submit(self, due: Sequence[Copy]) -> None:
        """Send copies; one that was sent before under the same id counts once."""
        asks = [Ask(self._request(copy), self._id(copy)) for copy in due]
        self._sent.update(sent.task_id for sent in await self._client.send(asks) if sent.task_id)

    def _request(self, copy: Copy) -> SubmitTask:
        past = self._past[copy.task_id]
        terms = past.context.reward
        return SubmitTask(
            text=past.text,
            kind=past.kind,
            input=past.input,
            scope=self.plan.scope,
            priority=_PRIORITY,
            max_attempts=1,
            costs=terms.cost_weight if terms else None,
            latency=terms.latency_weight if terms else None,
            agent=copy.agent,
            copy_of=CopyOf(self.plan.calibration_id, copy.task_id),
        )

    def _id(self, copy: Copy) -> str:
        return derived_id("calibration", self.plan.calibration_id, copy.task_id, copy.agent)

    async def _settle(self, patience_s: float) -> None:
        """Wait until every copy has its reward, or will have none; raises CalibrationUnfinished."""
        seen: tuple[int, int, int] | None = None
        since = time.monotonic()
        while True:
            made = await self._copies()
            self._told(made)
            await self._judge(made)
            waiting = [one for one in made if not settled(one)]
            unheard = self._sent - {one.task_id for one in made}
            if not waiting and not unheard:
                return
            now = (len(made), sum(one.outcome is not None for one in made), len(waiting))
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > patience_s:
                raise CalibrationUnfinished(self._unfinished(waiting, len(unheard)))
            await asyncio.sleep(_POLL_S)

    async def _judge(self, made: Sequence[CopyRow]) -> None:
        """Judge what is answered by what is known to be right; asked for twice, a judgement counts once."""
        if self.plan.judged_by != "reference":
            return
        answered = [one for one in made if one.outcome == "completed" and one.reward_micro is None]
        ready = [one for one in answered if one.copy_of in self._references and one.task_id not in self._judged]
        if ready:
            await self._client.send([Ask(judgement(one, self._references[one.copy_of]), request_id(one)) for one in ready])
        self._judged.update(one.task_id for one in ready)

    def _unfinished(self, waiting: Sequence[CopyRow], unheard: int) -> str:
        """Say which copies are waited for, and how to go on."""
        unjudged = [one.task_id for one in waiting if one.outcome == "completed"]
        parts = [f"{len(unjudged)} are answered and not judged (such as {unjudged[0]})"] if unjudged else []
        parts += [f"{len(waiting) - len(unjudged)} are not answered"] if len(waiting) > len(unjudged) else []
        parts += [f"{unheard} were not accepted"] if unheard else []
        going_on = f"`smolit policy calibrate --resume {self.plan.calibration_id}` goes on"
        return f"of the copies {', '.join(parts)}; `smolit feedback give TASK` judges one, {going_on}"

    async def _copies(self) -> list[CopyRow]:
        return await copies(self._connection, self.tenant, self.plan.calibration_id)
