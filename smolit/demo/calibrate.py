"""The demo's beginning: its first questions are given to all agents, so that it is learned at once who is good at all.

That is `smolit policy calibrate` with the demo as the judge, as whoever asked would be. Every further call shows in the report.
"""

import asyncio
from collections.abc import Sequence

from events.calibration import Limits
from events.request import GiveFeedback
from events.topics import Names
from projections.calibration import CopyRow
from smolit.calibration.past import past_tasks
from smolit.calibration.presence import present
from smolit.calibration.rule import Calibration, settled
from smolit.calibration.session import Open, Wanted, course, plan, start
from smolit.cli import out
from smolit.client import Ask
from smolit.demo.drive import Asking
from smolit.process.ports import utc_now
from smolit.settings import Settings
from smolit.stack.local import Endpoints
from store.postgres import connect

POLL_S = 0.1
HORIZON = 1  # nothing here has a price, so nobody reckons with what is to come


class Judge:
    """Judges copies by the recorded outcomes, as the demo judges everything."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._waiting: asyncio.Queue[CopyRow] = asyncio.Queue()
        self._heard: set[str] = set()

    def hear(self, made: Sequence[CopyRow]) -> None:
        """Take note of the copies that were answered since."""
        for one in made:
            if one.outcome == "completed" and one.task_id not in self._heard:
                self._heard.add(one.task_id)
                self._waiting.put_nowait(one)

    async def judge(self) -> None:
        """Say what each is worth, until cancelled."""
        while True:
            await self._asking.client.send([self._feedback(await self._waiting.get())])

    def _feedback(self, copy: CopyRow) -> Ask:
        asking, prompt = self._asking, self._asking.course.runs[copy.copy_of].prompt_id
        worth = asking.outcomes.outcome(prompt, copy.output["model"]).score
        request_id = f"{asking.run_id}/{prompt}/{copy.agent}/feedback"
        return Ask(GiveFeedback(task_id=copy.task_id, rater="demo", kind="score", value=worth), request_id)


async def calibrated(asking: Asking, settings: Settings, endpoints: Endpoints, tasks: int) -> int:
    """Give that many of the questions asked so far to every agent that has not done them; return how many calls that took.

    Raises:
        CalibrationUnfinished: a copy was not answered in time.
    """
    names, tenant = Names(settings.topic_prefix), asking.origin.tenant
    connection = await connect(endpoints.postgres, "smolit-demo")
    try:
        async with present(endpoints.kafka, names, tenant, settings.heartbeat_s, utc_now) as presence:
            there = Open(tenant, asking.client, connection, presence)
            await _told_of_all(there, asking)
            made = await plan(there, _wanted(asking, tasks))
            await start(there, made)
            return await _run(there, made, asking)
    finally:
        await connection.close()


async def _told_of_all(there: Open, asking: Asking) -> None:
    """Wait until the read models know what was asked and learned so far: who did a question is not asked again."""
    texts_of = {prompt.prompt_id: prompt.text for prompt in asking.outcomes.prompts}
    texts = {texts_of[run.prompt_id] for run in asking.course.runs.values() if run.reward is not None}
    async with asyncio.timeout(asking.patience_s):
        while await _learned(there, asking.scope) < len(texts):  # noqa: ASYNC110 read models ring nobody
            await asyncio.sleep(POLL_S)


async def _learned(there: Open, scope: str) -> int:
    """Return how many past tasks the read models know with a reward."""
    return sum(bool(one.done_by) for one in await past_tasks(there.connection, there.tenant, scope))


def _wanted(asking: Asking, tasks: int) -> Wanted:
    agents = frozenset(asking.outcomes.models)
    return Wanted(asking.scope, asking.scope, tasks, agents, Limits(None, HORIZON, None), "feedback")


async def _run(there: Open, made: Calibration, asking: Asking) -> int:
    """Have all copies done and judged."""
    total, judge = sum(len(task.agents) for task in made.tasks), Judge(asking)
    with out.progress(total) as shown:
        bar = shown.add_task("giving the first questions to all agents", total=total)

        def told(copies: Sequence[CopyRow]) -> None:
            judge.hear(copies)
            shown.update(bar, completed=sum(settled(one) for one in copies))

        going = await course(there, made, told)
        async with asyncio.TaskGroup() as group:
            judging = group.create_task(judge.judge())
            over = await going.run(len(made.tasks), asking.patience_s)
            judging.cancel()
    await going.end(over)
    return total
