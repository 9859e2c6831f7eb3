"""The load: tasks with real side effects and what people say of them, flowing while things break."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from events.agent import AgentSpec
from events.ids import derived_id, task_id
from events.request import CancelTask, GiveFeedback, OtherAnswer, RegisterAgent, ReviseFeedback, SubmitTask
from events.topics import DEFAULT_TENANT, MAX_RECORD_BYTES
from smolit.chaos.client import SOURCE, Answers, Sender
from smolit.chaos.script import PLAN, TEAM, Job, Word

AT_ONCE = 24
_BURST = 5  # tasks come in bursts, so that batches overlap


class Load:
    """Clients of one world. `late` is what will be said when everything else has settled."""

    def __init__(self, sender: Sender, answers: Answers, script: Iterator[Job], at_once: int = AT_ONCE) -> None:
        self._sender, self._answers, self._script = sender, answers, script
        self._gate = asyncio.Semaphore(at_once)
        self._late: list[tuple[Job, Word]] = []
        self.jobs = 0
        self.unanswered: set[str] = set()

    async def enlist(self, specs: Sequence[AgentSpec]) -> None:
        """Ask for agents to be registered."""
        for spec in specs:
            request_id = f"enlist-{spec.id}"
            fact = derived_id(DEFAULT_TENANT, "agent", spec.id, request_id)
            await self._sender.ask(RegisterAgent(spec=spec), request_id, [fact])

    async def flow(self, stopped: asyncio.Event, pace_s: float, at_least: int = 0) -> None:
        """Send jobs at a pace until told to stop, and until there were at least so many; return when all are answered."""
        sent = 0
        async with asyncio.TaskGroup() as group:
            while not stopped.is_set() or sent < at_least:
                await self._gate.acquire()
                group.create_task(self._one(next(self._script)))
                sent += 1
                await asyncio.sleep(0 if sent % _BURST else _BURST * pace_s)

    async def say_late(self) -> None:
        """Say what was kept for later, twice each: the second time is a repeat."""
        late, self._late = self._late, []
        for job, word in late:
            for _ in range(2):
                await self._say(job, word)

    async def overdo(self) -> None:
        """Ask for something that the broker cannot take: it must leave nothing."""
        request_id = f"too-large-{self.jobs}"
        text = "x" * MAX_RECORD_BYTES
        await self._sender.ask(SubmitTask(text=text, kind="quick"), request_id, [])

    async def _one(self, job: Job) -> None:
        self.jobs += 1
        task = _task(job)
        self.unanswered.add(task)
        try:
            await self._say_all(job, "before")
            await self._submit(job)
            await self._answers.of(task)
            await self._say_all(job, "after")
            self._late += [(job, word) for word in job.words if word.when == "late"]
        finally:
            self._gate.release()
        self.unanswered.discard(task)

    async def _submit(self, job: Job) -> None:
        """Submit a task, with what may go wrong on the client's side."""
        given = {"plan": dict(PLAN)} if job.kind == TEAM else {}
        request = SubmitTask(text=job.text, kind=job.kind, input=given, latency=job.latency)
        slots: tuple[tuple[str | int, ...], ...] = (("submitted",), ("admitted",), ("chosen", 1))
        facts = [derived_id(DEFAULT_TENANT, _task(job), *slot) for slot in slots]
        for _ in range(1 + job.repeated):
            await self._sender.ask(request, job.request_id, facts)
        if job.forged:
            await self._sender.ask(SubmitTask(text=f"forged {job.text}", kind=job.kind), job.request_id, [], "refusal")
        if job.cancelled:
            fact = derived_id(DEFAULT_TENANT, _task(job), "cancel_requested")
            await self._sender.ask(CancelTask(task_id=_task(job), reason="changed my mind"), f"{job.request_id}-cancel", [fact])

    async def _say_all(self, job: Job, when: str) -> None:
        for word in job.words:
            if word.when == when:
                await self._say(job, word)

    async def _say(self, job: Job, word: Word) -> None:
        """Give or revise feedback."""
        task = _task(job)
        fact = derived_id(DEFAULT_TENANT, task, "feedback", word.attempt or 0, word.rater, word.revision)
        request_id = f"{job.request_id}-{word.rater}-{word.revision}"
        await self._sender.ask(_judgement(task, word), request_id, [fact])


def _task(job: Job) -> str:
    return task_id(DEFAULT_TENANT, SOURCE, job.request_id)


def _judgement(task: str, word: Word) -> GiveFeedback | ReviseFeedback:
    """Return the request that a word becomes: the first is given, later ones revise it."""
    said: dict[str, Any] = {"task_id": task, "attempt": word.attempt, "rater": word.rater, "kind": word.kind, "value": word.value}
    if word.text is not None:
        said[word.kind] = word.text
    if word.kind == "comparison":
        said["against"] = OtherAnswer(attempt=2)
    return ReviseFeedback(**said, revision=word.revision) if word.revision else GiveFeedback(**said)
