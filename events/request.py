"""What outsiders may ask for. A request is not a fact: intake checks it and turns it into facts, once.

Its CloudEvents id and source name it; the tenant is decided by the topic it came in on.
"""

from datetime import UTC
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from events.agent import AgentSpec
from events.approval import Decision
from events.calibration import CopyOf, Judge, Limits, Planned, Why
from events.conversation import Base64, KeyId, KeyOwner, Letter, Scope, Spoken, Whose
from events.conversation import MemoryId as MemoryName
from events.event import Message, event
from events.experiment import Variant
from events.field import Ident, Moment, Name, Sentence, TaskId, says
from events.model import Alias, Arm, ModelId, Number, Seed, Sha256
from events.model import Origin as ModelOrigin
from events.search import Budget, Dimension, Seconds, TrialState, WhyEnded, Window
from events.task import FeedbackKind
from events.topics import REQUESTS

Judged = Annotated[
    Annotated[int, Meta(ge=1, le=1000)] | None,
    says("Attempt that is judged, counted from 1; null: the one that completed the task."),
]
Rater = Annotated[Ident, says("Who judges: each rater has one say about an attempt, and may revise it.")]
Kind = Annotated[FeedbackKind, says("What sort of judgement it is; `boolean`, `score` and `comparison` need a value.")]
Worth = Annotated[
    Annotated[float, Meta(ge=0, le=1)] | None,
    says("0 is worst and 1 is best; a boolean is 0 or 1, a comparison 1 (better), 0.5 (as good) or 0 (worse)."),
]
Comment = Annotated[Sentence | None, says("What the rater says in words; alone it counts by its sentiment.")]
Correction = Annotated[Sentence | None, says("What the result should have been; alone it counts by how alike the two are.")]
Weight = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=10**15)]
Reason = Annotated[Sentence, says("Why, in words, for whoever reads the history.")]
ScopeName = Annotated[Name, says("Family of tasks that one policy learns on.")]
WorkerName = Annotated[Name, says("What the worker calls itself; no two of one source share it.")]
PoolName = Annotated[Name, says("Pool that it serves: the one in the specs of its agents.")]
Epoch = Annotated[int, Meta(ge=1, le=10**15)]
SearchId = Annotated[Name, says("Its name, used once.")]


class Request(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything that an outsider may ask for; unknown fields are refused."""


FileName = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$(?!\n)")]
MediaType = Annotated[str, Meta(max_length=127, pattern=r"^[a-z0-9][a-z0-9!#&^_.+-]*/[a-z0-9][a-z0-9!#&^_.+-]*$(?!\n)")]


class GivenFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that comes with a task: its bytes, or the sha256 of one that its tenant brought before."""

    name: Annotated[FileName, says("What the file is called, without folders and no dot first.")]
    media_type: Annotated[MediaType, says("What it is, as in `application/pdf`; its first bytes must agree.")]
    content: Annotated[bytes | None, says("Its bytes, base64; null: `sha256` names a file that was brought before.")] = None
    sha256: Annotated[Sha256 | None, says("Digest of its bytes; beside `content` it is checked.")] = None


@event("task.submit", version=1, topic=REQUESTS, key="scope")
class SubmitTask(Request, frozen=True, kw_only=True):
    """Do this task. `input` goes to the agent as it is; no policy sees it. `unit` is what experiments assign by."""

    text: Annotated[str, Meta(min_length=1), says("What is to be done, in words.")]
    kind: Annotated[
        Name | None, says("Skill that an agent must have; null: agents are matched by what they say of themselves.")
    ] = None
    input: Annotated[dict[str, Any], says("Goes to the agent as it is; no policy sees it.")] = {}
    scope: ScopeName = "default"
    unit: Annotated[Ident | None, says("What an experiment assigns by, such as a customer; null: each request for itself.")] = (
        None
    )
    priority: Annotated[int, Meta(ge=0, le=9), says("9 is done first, 0 last.")] = 5
    deadline: Annotated[Moment | None, says("When the task expires, RFC 3339 with a zone; null: as the operator set it.")] = None
    max_attempts: Annotated[
        Annotated[int, Meta(ge=1, le=10)] | None, says("Attempts before the task has failed; null: as the operator set it.")
    ] = None
    reply_to: Annotated[Ident | None, says("Topic that gets the answer too; the operator has to allow it.")] = None
    costs: Annotated[Weight | None, says("Weight of cost in the reward; null: as the operator set it.")] = None
    latency: Annotated[Weight | None, says("Weight of latency in the reward; null: as the operator set it.")] = None
    agent: Annotated[Name | None, says("Who is to do it, and nobody else, whatever comes of it; null: a policy chooses.")] = None
    copy_of: Annotated[
        CopyOf | None, says("The task that a calibration does again with this one; null: it is a task of its own.")
    ] = None
    files: Annotated[tuple[GivenFile, ...], Meta(max_length=16), says("Files for the agent alone, each by another name.")] = ()
    avoid: Annotated[tuple[Name, ...], Meta(max_length=64), says("Agents that must not do it: somebody else is wanted.")] = ()

    def __post_init__(self) -> None:
        """Refuse a deadline that has no place in UTC; msgspec makes a refusal of the error."""
        try:
            _ = self.deadline and self.deadline.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("`deadline` lies outside the years 1 to 9999 in UTC") from error


@event("task.cancel", version=1, topic=REQUESTS, key="task_id")
class CancelTask(Request, frozen=True, kw_only=True):
    """Stop this task if it has not ended."""

    task_id: TaskId
    reason: Reason = ""


@event("task.forget", version=1, topic=REQUESTS, key="task_id")
class ForgetTask(Request, frozen=True, kw_only=True):
    """Let nobody find this task by likeness any more."""

    task_id: TaskId
    reason: Reason = ""


class OtherAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer that one is compared with: another attempt at the task, or the answer to another task."""

    task_id: Annotated[TaskId | None, says("Task of the other answer; null: the same task.")] = None
    attempt: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None, says("Attempt that gave it, from 1; null: the one that completed the task.")
    ] = None


Other = Annotated[OtherAnswer | None, says("What a comparison compares with; only a comparison has it.")]


@event("feedback.give", version=1, topic=REQUESTS, key="task_id")
class GiveFeedback(Request, frozen=True, kw_only=True):
    """This is what I think of the result. `value` runs from 0 (worst) to 1 (best); a boolean is 0 or 1."""

    task_id: TaskId
    attempt: Judged = None
    rater: Rater
    kind: Kind = "score"
    value: Worth = None
    comment: Comment = None
    correction: Correction = None
    against: Other = None


@event("feedback.revise", version=1, topic=REQUESTS, key="task_id")
class ReviseFeedback(Request, frozen=True, kw_only=True):
    """I changed my mind; the highest revision number counts."""

    task_id: TaskId
    attempt: Judged = None
    rater: Rater
    revision: Annotated[int, Meta(ge=1, le=1_000_000), says("Number of the change, from 1; the highest counts.")]
    kind: Kind = "score"
    value: Worth = None
    comment: Comment = None
    correction: Correction = None
    against: Other = None


@event("agent.register", version=1, topic=REQUESTS, key="agent_id")
class RegisterAgent(Request, frozen=True, kw_only=True):
    """Add this agent, or revise it if its id is known."""

    spec: Annotated[AgentSpec, says("The agent as data.")]

    @property
    def agent_id(self) -> str:
        """Return the key of the request."""
        return self.spec.id


@event("agent.change", version=1, topic=REQUESTS, key="agent_id")
class ChangeAgent(Request, frozen=True, kw_only=True):
    """Pause (drain), resume or retire an agent."""

    agent_id: Annotated[Name, says("Which agent.")]
    change: Annotated[Literal["pause", "resume", "retire"], says("What becomes of it.")]
    reason: Reason = ""


@event("experiment.start", version=1, topic=REQUESTS, key="experiment_id")
class StartExperiment(Request, frozen=True, kw_only=True):
    """Compare these policies on the scope's tasks from now on."""

    experiment_id: Annotated[Name, says("Its name, used once.")]
    scope: ScopeName = "default"
    variants: Annotated[tuple[Variant, ...], Meta(min_length=2, max_length=16), says("What is compared.")]
    salt: Annotated[Ident | None, says("What units are hashed with; null: one of its own.")] = None


@event("experiment.stop", version=1, topic=REQUESTS, key="experiment_id")
class StopExperiment(Request, frozen=True, kw_only=True):
    """Assign no more units to this experiment."""

    experiment_id: Annotated[Name, says("Which experiment.")]
    reason: Reason = ""


@event("calibration.start", version=1, topic=REQUESTS, key="calibration_id")
class StartCalibration(Request, frozen=True, kw_only=True):
    """Let these agents do these past tasks again; whoever asks submits the copies, each with `copy_of`."""

    calibration_id: Annotated[Name, says("Its name, used once.")]
    scope: ScopeName = "default"
    tasks: Annotated[tuple[Planned, ...], Meta(min_length=1, max_length=1000), says("What is done again, in this order.")]
    limits: Annotated[Limits, says("When it ends before all is done.")] = Limits()
    judged_by: Annotated[Judge, says("Who judges the copies: whoever gives feedback, or a reference.")] = "feedback"


@event("calibration.end", version=1, topic=REQUESTS, key="calibration_id")
class EndCalibration(Request, frozen=True, kw_only=True):
    """Do nothing more for this calibration; the sums are what its copies came to."""

    calibration_id: Annotated[Name, says("Which calibration.")]
    why: Annotated[Why, says("What ended it.")]
    reason: Reason = ""
    copies: Annotated[Count, says("Copies that were submitted.")]
    judged: Annotated[Count, says("Copies that a reward was learned from.")]
    cost_microusd: Annotated[Count, says("What the copies cost, as far as that is known.")]
    costed: Annotated[Count, says("Copies whose cost is known.")]


@event("policy.put", version=1, topic=REQUESTS, key="scope")
class SetPolicy(Request, frozen=True, kw_only=True):
    """Put this policy in force for the scope, above any experiment; None gives the choice back."""

    scope: ScopeName = "default"
    policy: Annotated[Name | None, says("Name of the policy; null gives the choice back.")]
    parameters: Annotated[dict[str, Any], says("Its parameters; what is left out has the policy's default.")] = {}
    reason: Annotated[str, Meta(min_length=1, max_length=10_000), says("Why, in words, for whoever reads the history.")]


@event("model.register", version=1, topic=REQUESTS, key="scope")
class RegisterModel(Request, frozen=True, kw_only=True):
    """Know this version of a policy from now on; one that is known already stays as it is."""

    scope: ScopeName = "default"
    origin: Annotated[ModelOrigin, says("Where it comes from: its id follows from that.")]
    parent: Annotated[ModelId | None, says("The version that it follows, of the same scope; null: none.")] = None


@event("model.judge", version=1, topic=REQUESTS, key="scope")
class JudgeModel(Request, frozen=True, kw_only=True):
    """This version was checked, and this came out; the last verdict counts."""

    scope: ScopeName = "default"
    model_id: ModelId
    verdict: Annotated[Literal["validated", "rejected"], says("Whether it is what it says it is.")]
    reason: Annotated[str, Meta(min_length=1, max_length=10_000), says("What was checked, or what is wrong.")]


@event("model.promote", version=1, topic=REQUESTS, key="scope")
class PromoteModel(Request, frozen=True, kw_only=True):
    """Give a version that was validated an alias; as the champion its policy is in force at once, above any experiment."""

    scope: ScopeName = "default"
    model_id: ModelId
    alias: Annotated[Alias, says("What it is from now on.")] = "champion"
    reason: Annotated[str, Meta(min_length=1, max_length=10_000), says("Why, in words, for whoever reads the history.")]


@event("model.roll_back", version=1, topic=REQUESTS, key="scope")
class RollBackModel(Request, frozen=True, kw_only=True):
    """Put the champion before in force again."""

    scope: ScopeName = "default"
    reason: Annotated[str, Meta(min_length=1, max_length=10_000), says("Why, in words, for whoever reads the history.")]


@event("search.start", version=1, topic=REQUESTS, key="scope")
class StartSearch(Request, frozen=True, kw_only=True):
    """Know this search from now on; whoever asks makes the trials."""

    scope: ScopeName = "default"
    search_id: SearchId
    policy: Annotated[Name, says("Name of the policy whose settings are looked for.")]
    space: Annotated[tuple[Dimension, ...], Meta(min_length=1, max_length=100), says("What is looked for.")]
    seed: Annotated[Seed, says("What all that is left to chance is drawn with.")]
    budget: Annotated[Budget, says("When each arm ends.")]
    window: Annotated[Window, says("Which choices are asked.")]
    code_sha256: Annotated[Sha256, says("Digest of the code that learns and chooses.")]
    environment: Annotated[dict[Ident, Ident], says("What the code runs on, name by name.")] = {}


@event("trial.end", version=1, topic=REQUESTS, key="scope")
class EndTrial(Request, frozen=True, kw_only=True):
    """This setting was tried, and this came out; a trial that is told twice counts once."""

    scope: ScopeName = "default"
    search_id: SearchId
    arm: Annotated[Arm, says("Which arm of the search.")]
    number: Annotated[Number, says("Number of the trial in its arm, from 0.")]
    parameters: Annotated[dict[str, Any], says("The settings that were tried; what is left out has the policy's default.")]
    state: Annotated[TrialState, says("What became of it.")]
    score: Annotated[float | None, says("Its score; null unless it was completed.")] = None
    steps: Annotated[tuple[float, ...], Meta(max_length=1000), says("The score after each part of the choices.")] = ()
    reason: Annotated[Sentence, says("Why it failed or was pruned, in words.")] = ""
    seconds: Annotated[Seconds, says("What it took.")] = 0.0


@event("search.end", version=1, topic=REQUESTS, key="scope")
class EndSearch(Request, frozen=True, kw_only=True):
    """Try no more for this search; the figures are of choices that no trial saw."""

    scope: ScopeName = "default"
    search_id: SearchId
    why: Annotated[WhyEnded, says("What ended it.")]
    best: Annotated[Annotated[int, Meta(ge=0, le=1_000_000)] | None, says("Number of the best guided trial; null: none.")] = None
    best_random: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None, says("Number of the best trial drawn at random; null: none.")
    ] = None
    figures: Annotated[dict[Ident, float], says("What came out, by name.")] = {}
    verdict: Annotated[str, Meta(min_length=1, max_length=10_000), says("The same in words.")]


@event("worker.announce", version=1, topic=REQUESTS, key="worker")
class AnnounceWorker(Request, frozen=True, kw_only=True):
    """A worker that lives elsewhere begins: it holds nothing, whatever it held before, and wants work."""

    worker: WorkerName
    pool: PoolName
    capacity: Annotated[int, Meta(ge=1, le=1000), says("Attempts that it does at a time.")]
    about: Annotated[Sentence, says("What it is, for people.")] = ""


class Held(Struct, frozen=True, forbid_unknown_fields=True):
    """An attempt that a worker is at, under the claim that it was given it by."""

    task_id: TaskId
    attempt: Annotated[int, Meta(ge=1, le=1000), says("Which attempt at the task, counted from 1.")]
    epoch: Annotated[Epoch, says("The claim, as the command named it.")]


@event("worker.beat", version=1, topic=REQUESTS, key="worker")
class BeatWorker(Request, frozen=True, kw_only=True):
    """A worker lives, and is at these attempts: their leases are renewed, and no others."""

    worker: WorkerName
    pool: PoolName
    capacity: Annotated[int, Meta(ge=0, le=1000), says("Attempts that it does at a time; 0: it wants no more, and will go.")]
    holding: Annotated[tuple[Held, ...], Meta(max_length=1000), says("What it is at.")] = ()


class DoneStep(Struct, frozen=True, forbid_unknown_fields=True):
    """One step of an attempt; figures that were not measured are absent."""

    name: Annotated[Ident, says("What it is called.")]
    duration_us: Annotated[Count, says("How long it took, in microseconds.")]
    model: Annotated[Ident | None, says("Model that it used, with its version.")] = None
    tokens_in: Annotated[Count | None, says("Tokens that the model read.")] = None
    tokens_out: Annotated[Count | None, says("Tokens that the model wrote.")] = None
    cost_microusd: Annotated[Count | None, says("What it cost, in millionths of a dollar.")] = None


@event("attempt.answer", version=1, topic=REQUESTS, key="task_id")
class AnswerAttempt(Request, frozen=True, kw_only=True):
    """This came of an attempt. It counts once, and only from the worker that has the attempt, under its last claim."""

    task_id: TaskId
    attempt: Annotated[int, Meta(ge=1, le=1000), says("Which attempt at the task, counted from 1.")]
    epoch: Annotated[Epoch, says("The claim, as the command named it.")]
    worker: WorkerName
    outcome: Annotated[Literal["completed", "failed"], says("How it went.")]
    output: Annotated[Any, says("The result, any JSON.")] = None
    reason: Annotated[
        Ident | None, says("Code of what went wrong; `effect_unknown`: a side effect may have happened, a person decides.")
    ] = None
    detail: Annotated[Sentence, says("What went wrong, for people.")] = ""
    steps: Annotated[tuple[DoneStep, ...], Meta(max_length=100), says("What was done, in order.")] = ()
    cost_microusd: Annotated[Count | None, says("What it cost, in millionths of a dollar; null: not known.")] = None


@event("command.refuse", version=1, topic=REQUESTS, key="worker")
class RefuseCommand(Request, frozen=True, kw_only=True):
    """A worker elsewhere was told something that the house did not say, or not to it, or not now; it did nothing of it."""

    worker: WorkerName
    pool: PoolName
    reason: Annotated[
        Literal["unsigned", "unknown_key", "forged", "foreign_pool", "late", "replayed"], says("What is wrong with the command.")
    ]
    place: Annotated[Ident, says("Where the command stands: topic, partition and offset, with `/` between.")]
    command_id: Annotated[Ident | None, says("`ce_id` of the command, if it has one.")] = None


# Taken in by the bridge (`handlers/bridge.py`), not by intake: they become no facts of their own.
OF_WORKERS = (AnnounceWorker, BeatWorker, AnswerAttempt, RefuseCommand)


@event("message.send", version=1, topic=REQUESTS, key="conversation_id")
class SendMessage(Request, frozen=True, kw_only=True):
    """Put this message into a conversation; the recipient's side checks whose it is."""

    letter: Annotated[Letter, says("The message as its sender signed it.")]

    @property
    def conversation_id(self) -> str:
        """Return the key of the request."""
        return self.letter.conversation_id


@event("key.register", version=1, topic=REQUESTS, key="sender")
class RegisterKey(Request, frozen=True, kw_only=True):
    """Let a sender sign with this key from now on; after the first one, the key before has to sign for it.

    For each key of a worker elsewhere the house's operator has to sign; it counts beside those that the worker has.
    """

    sender: KeyOwner
    public_key: Annotated[Base64, says("Ed25519 public key, base64.")]
    scope: Annotated[Scope, says("What it may be used for; a later key may have less of it, never more.")] = Scope()
    proof: Annotated[Base64, says("Signature of the key before over `key_bytes`; empty for the first.")] = ""


@event("key.revoke", version=1, topic=REQUESTS, key="sender")
class RevokeKey(Request, frozen=True, kw_only=True):
    """Let a key of a worker elsewhere count no more, from this moment on; only the house's operator can sign it."""

    sender: KeyOwner
    key_id: KeyId
    reason: Reason = ""
    proof: Annotated[Base64, says("The operator's signature over `revoke_bytes`.")]


@event("approval.answer", version=1, topic=REQUESTS, key="task_id")
class AnswerApproval(Request, frozen=True, kw_only=True):
    """Allow or deny a call that an agent asks about; only the house's operator can sign it."""

    approval_id: Annotated[TaskId, says("Id of the question.")]
    task_id: TaskId
    arguments_sha256: Annotated[Sha256, says("sha256 of the arguments that are meant.")]
    decision: Annotated[Decision, says("granted, or denied.")]
    by: Annotated[Ident, says("Who says so.")]
    reason: Reason = ""
    proof: Annotated[Base64, says("Signature of the operator over `events.approval.answer_bytes`, base64.")]


@event("memory.remember", version=1, topic=REQUESTS, key="user")
class Remember(Request, frozen=True, kw_only=True):
    """Remember this of a user."""

    user: Whose
    agent: Annotated[Name | None, says("The agent that alone may use it; null: whoever works for the user.")] = None
    subject: Annotated[Ident | None, says("What it is about: a newer one of it holds instead; null: a note.")] = None
    text: Annotated[str, Meta(min_length=1, max_length=2_000), says("What is to be remembered, as a sentence.")]
    replaces: Annotated[MemoryName | None, says("The memory that it corrects.")] = None


@event("memory.forget", version=1, topic=REQUESTS, key="user")
class ForgetMemory(Request, frozen=True, kw_only=True):
    """Forget this memory of a user everywhere."""

    user: Whose
    memory_id: MemoryName
    messages: Annotated[tuple[Spoken, ...], Meta(max_length=1000), says("Messages whose words go with it.")] = ()
    reason: Reason = ""
