"""What workers that live elsewhere are told, each on the topic of its pool. Key: the worker. Kept for a day: it is no history."""

from typing import Annotated, Any

from msgspec import Struct

from events.event import Message, event
from events.field import Moment, says
from events.task import AttemptNumber, TaskRef
from events.topics import WORK

Source = Annotated[str, says("`ce_source` of the worker that it is for.")]
Worker = Annotated[str, says("What that worker calls itself; others pass the command over.")]
Claim = Annotated[int, says("Number of the claim: it goes back in beats and in the answer, and an older one counts no more.")]


class SentFile(Struct, frozen=True):
    """A file that came with the task, whole where there was room for it."""

    name: Annotated[str, says("What the file is called.")]
    media_type: Annotated[str, says("What it is, as in `application/pdf`.")]
    sha256: Annotated[str, says("Digest of its bytes.")]
    size: Annotated[int, says("How many bytes it has.")]
    content: Annotated[bytes | None, says("Its bytes; null: they did not fit.")] = None


@event("attempt.do", version=1, topic=WORK, key="worker")
class DoAttempt(Message, frozen=True, kw_only=True):
    """Do this attempt, and answer under its claim before the time is up; beat meanwhile, or another worker gets it."""

    source: Source
    worker: Worker
    tenant: Annotated[str, says("Whose task it is.")]
    task_id: TaskRef
    attempt: AttemptNumber
    epoch: Claim
    agent: Annotated[str, says("Which of the pool's agents is asked.")]
    kind: Annotated[str | None, says("Kind of the task, if it has one.")]
    text: Annotated[str, says("What is to be done, in words.")]
    input: Annotated[dict[str, Any], says("What the task was submitted with.")]
    files: Annotated[tuple[SentFile, ...], says("Files that came with the task.")]
    prompts: Annotated[dict[str, str], says("What the agent's model is told, by name, as in its spec.")]
    outputs: Annotated[dict[str, Any] | None, says("JSON Schema that the output has to fit; null: any JSON.")]
    due: Annotated[Moment, says("An answer after this comes too late.")]
    lease_s: Annotated[float, says("Seconds after which the attempt goes to another worker, unless a beat names it.")]
    effect_key: Annotated[
        str, says("Key for side effects, one for each task and pool: put the step behind it, and let the provider do it once.")
    ]
    session: Annotated[
        str | None,
        says("`ce_id` of the announcement that the worker began with: one that began anew since refuses; null: not known."),
    ] = None


@event("attempt.drop", version=1, topic=WORK, key="worker")
class DropAttempt(Message, frozen=True, kw_only=True):
    """Stop this attempt: it is over, or another worker has it by now. No answer to it counts."""

    source: Source
    worker: Worker
    task_id: TaskRef
    attempt: AttemptNumber
    epoch: Claim
