"""The demo's producer: sends questions with a plain client, a few at a time, and returns the real score as feedback."""

import asyncio
from collections.abc import Callable, Sequence

from events.answer import AnswerGiven, RequestRefused
from events.ids import task_id
from events.request import GiveFeedback, SubmitTask
from learning.outcomes import Outcomes, Prompt
from smolit.client import Ask, Client, Origin
from smolit.demo.course import Course, Run
from smolit.demo.watch import Watch

KIND = "question"


class Producer:
    """Drives one course; `ticked` is told after each task, for the progress bar."""

    def __init__(
        self,
        client: Client,
        origin: Origin,
        watch: Watch,
        outcomes: Outcomes,
        *,
        run_id: str,
        scope: str,
        course: Course,
        monotonic: Callable[[], float],
        patience_s: float,
        ticked: Callable[[], None],
    ) -> None:
        self._client, self._origin, self._watch, self._outcomes = client, origin, watch, outcomes
        self._run_id, self._scope, self._course = run_id, scope, course
        self._monotonic, self._patience_s, self._ticked = monotonic, patience_s, ticked

    async def drive(self, prompts: Sequence[Prompt], in_flight: int) -> None:
        """Send all prompts, at most `in_flight` at a time; a task is over when its feedback was acknowledged."""
        gate = asyncio.Semaphore(in_flight)
        began = self._monotonic()
        async with asyncio.TaskGroup() as group:
            for prompt in prompts:
                await gate.acquire()
                group.create_task(self._one(prompt, gate))
        self._course.seconds = self._monotonic() - began

    async def _one(self, prompt: Prompt, gate: asyncio.Semaphore) -> None:
        try:
            await self._ask(prompt)
        finally:
            gate.release()
            self._ticked()

    async def _ask(self, prompt: Prompt) -> None:
        """Submit one question, wait for its answer, and judge it by the recorded outcome."""
        request_id = f"{self._run_id}/{prompt.prompt_id}"
        task = task_id(self._origin.tenant, self._origin.source, request_id)
        run = self._course.runs[task] = Run(prompt.prompt_id, float("nan"))
        waiting = self._watch.expect(request_id)
        request = SubmitTask(text=prompt.text, kind=KIND, scope=self._scope, input={"prompt_id": prompt.prompt_id})
        await self._client.send([Ask(request, request_id)])
        run.acknowledged = self._monotonic()
        try:
            answer = await asyncio.wait_for(waiting, self._patience_s)
        except TimeoutError:
            return  # counted as lost
        run.answered = self._monotonic()
        await self._judge(run, task, answer)

    async def _judge(self, run: Run, task: str, answer: AnswerGiven | RequestRefused) -> None:
        if isinstance(answer, RequestRefused):
            run.outcome = f"refused: {answer.reason}"
            return
        run.outcome, run.agent = answer.outcome, answer.agent
        if answer.outcome != "completed":
            return
        run.reward = self._outcomes.outcome(run.prompt_id, answer.output["model"]).score
        feedback = GiveFeedback(task_id=task, attempt=answer.attempt, rater="demo", kind="score", value=run.reward)
        await self._client.send([Ask(feedback, f"{self._run_id}/{run.prompt_id}/feedback")])
        run.feedback_acknowledged = self._monotonic()
