"""Two agents that really work here, on a few tasks of their own: nothing recorded, nothing looked up."""

from msgspec import Struct

from events.answer import AnswerGiven
from events.request import SubmitTask
from smolit.client import Ask, Client
from smolit.demo.watch import Watch

TASKS: tuple[tuple[str, str], ...] = (
    ("arithmetic", "What is 12 * (3 + 4) - 5?"),
    ("arithmetic", "Was ist 2 hoch 20 geteilt durch 16?"),
    ("arithmetic", "Compute 1/3 + 1/6"),
    ("sentiment", "I love how quickly this worked, thank you!"),
    ("sentiment", "The delivery was late and the box was broken."),
    ("sentiment", "The package weighs two kilograms."),
)


class Done(Struct, frozen=True):
    """One task and what came of it."""

    text: str
    agent: str | None
    outcome: str
    output: object


async def work_here(client: Client, watch: Watch, run_id: str, scope: str) -> list[Done]:
    """Submit the tasks and return what came of each, in their order."""
    asked = [(f"{run_id}/local/{number}", kind, text) for number, (kind, text) in enumerate(TASKS)]
    waiting = [watch.expect(request_id) for request_id, _, _ in asked]
    await client.send([Ask(SubmitTask(text=text, kind=kind, scope=scope), request_id) for request_id, kind, text in asked])
    return [_done(text, await answer) for (_, _, text), answer in zip(asked, waiting, strict=True)]


def _done(text: str, answer: object) -> Done:
    if isinstance(answer, AnswerGiven):
        return Done(text, answer.agent, answer.outcome, answer.output if answer.outcome == "completed" else answer.detail)
    return Done(text, None, "refused", getattr(answer, "detail", None))
