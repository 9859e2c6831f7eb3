"""The demo's producer: sends questions with a plain client, a few at a time, and returns the real score as feedback."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from events.answer import AnswerGiven, RequestRefused
from events.ids import task_id
from events.request import GiveFeedback, SubmitTask
from learning.outcomes import Outcomes, Prompt
from smolit.client import Ask, Client, Origin
from smolit.demo.course import Course, Run
from smolit.demo.watch import Watch
from smolit.demo.window import Window

KIND = "question"


@dataclass(frozen=True)
class Asking:
    """What one course is driven with; a task without an answer after `patience_s` counts as lost."""

    client: Client
    origin: Origin
    watch: Watch
    outcomes: Outcomes
    course: Course
    run_id: str
    scope: str
    monotonic: Callable[[], float]
    patience_s: float


async def drive(asking: Asking, prompts: Sequence[Prompt], window: Window, ticked: Callable[[], None]) -> None:
    """Send all prompts, as many at a time as the window allows; a task is over when its feedback was acknowledged."""
    waiting = iter(prompts)
    began = asking.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(window.most):
            group.create_task(_one_after_another(asking, waiting, window, ticked))
    asking.course.seconds += asking.monotonic() - began


async def _one_after_another(asking: Asking, waiting: Iterator[Prompt], window: Window, ticked: Callable[[], None]) -> None:
    """Take the next prompt whenever there is room, until none is left."""
    while True:
        async with window:
            prompt = next(waiting, None)
            if prompt is None:
                return
            run = await ask(asking, prompt)
        if run.chosen is not None:
            window.told(run.chosen - run.acknowledged)
        ticked()


async def ask(asking: Asking, prompt: Prompt) -> Run:
    """Submit one question, wait for its answer, and judge it by the recorded outcome."""
    request_id = f"{asking.run_id}/{prompt.prompt_id}"
    task = task_id(asking.origin.tenant, asking.origin.source, request_id)
    run = asking.course.runs[task] = Run(prompt.prompt_id, float("nan"))
    waiting = asking.watch.expect(request_id)
    request = SubmitTask(text=prompt.text, kind=KIND, scope=asking.scope, input={"prompt_id": prompt.prompt_id})
    await asking.client.send([Ask(request, request_id)])
    run.acknowledged = asking.monotonic()
    try:
        answer = await asyncio.wait_for(waiting, asking.patience_s)
    except TimeoutError:
        return run  # counted as lost
    run.answered = asking.monotonic()
    await _judge(asking, run, task, answer)
    return run


async def _judge(asking: Asking, run: Run, task: str, answer: AnswerGiven | RequestRefused) -> None:
    """Note how a task ended, and return the real score of a completed one as feedback."""
    if isinstance(answer, RequestRefused):
        run.outcome = f"refused: {answer.reason}"
        return
    run.outcome, run.agent = answer.outcome, answer.agent
    if answer.outcome != "completed":
        return
    run.reward = asking.outcomes.outcome(run.prompt_id, answer.output["model"]).score
    feedback = GiveFeedback(task_id=task, attempt=answer.attempt, rater="demo", kind="score", value=run.reward)
    await asking.client.send([Ask(feedback, f"{asking.run_id}/{run.prompt_id}/feedback")])
    run.feedback_acknowledged = asking.monotonic()
