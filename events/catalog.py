"""The table of contents: every event class and every upcast, each listed once.

Consumers see only the newest version; what is stored under an older one is lifted step by step.
"""

from collections.abc import Callable, Sequence

from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised
from events.answer import AnswerGiven, RequestRefused
from events.approval import ApprovalAnswered, ApprovalAsked, ApprovalSettled
from events.calibration import CalibrationEnded, CalibrationStarted
from events.card import CardChanged, CardRegistered, CardRetired, RegisterCard, RetireCard
from events.conversation import (
    ContextUsed,
    KeyRegistered,
    KeyRevoked,
    MemoryCorrected,
    MemoryForgotten,
    MemoryLearned,
    MessageDelivered,
    MessageRefused,
    MessageSent,
    MessageSettled,
)
from events.dead_letter import DeadLetter, DeadLetterSettled
from events.errors import MissingUpcaster, UnknownEventType, UnknownEventVersion
from events.event import EventType, Fact, Message, Payload, Upcast
from events.experiment import ExperimentConcluded, ExperimentStarted
from events.heartbeat import WorkerSeen
from events.knowledge import (
    ChunksEmbedded,
    ClearingRequested,
    DocumentAdded,
    DocumentChunked,
    DocumentRefused,
    DocumentRemoved,
    DocumentSubmitted,
    DomainCleared,
    DomainCreated,
    IndexSwitched,
    ReindexBegun,
    ReindexRequested,
    RemovalRequested,
)
from events.knowledge_request import AddDocument, ClearDomain, CreateDomain, Reindex, RemoveDocument
from events.learning import ExampleRecorded, ExampleSuperseded, SnapshotPublished
from events.model import ModelPromoted, ModelRegistered, ModelRejected, ModelRolledBack, ModelValidated, PolicySet
from events.piece import PieceSpoken
from events.plan import PlanEnded, PlanMade, PlanSettled, PlanStepEnded, PlanStepStarted
from events.request import (
    AnnounceWorker,
    AnswerApproval,
    AnswerAttempt,
    BeatWorker,
    CancelTask,
    ChangeAgent,
    EndCalibration,
    EndSearch,
    EndTrial,
    ForgetMemory,
    ForgetTask,
    GiveFeedback,
    JudgeModel,
    PromoteModel,
    RefuseCommand,
    RegisterAgent,
    RegisterKey,
    RegisterModel,
    Remember,
    Request,
    ReviseFeedback,
    RevokeKey,
    RollBackModel,
    SendMessage,
    SetPolicy,
    StartCalibration,
    StartExperiment,
    StartSearch,
    StopExperiment,
    SubmitTask,
)
from events.search import SearchEnded, SearchStarted, TrialEnded
from events.task import (
    AgentChosen,
    AttemptEnded,
    AttemptStarted,
    CancelRequested,
    FeedbackGiven,
    FeedbackRevised,
    TaskAdmitted,
    TaskEnded,
    TaskForgotten,
    TaskSubmitted,
    given_from_1,
    revised_from_1,
)
from events.text import quoted
from events.work import DoAttempt, DropAttempt

REQUESTS: tuple[type[Request], ...] = (
    SubmitTask,
    CancelTask,
    ForgetTask,
    GiveFeedback,
    ReviseFeedback,
    RegisterAgent,
    ChangeAgent,
    StartExperiment,
    StopExperiment,
    StartCalibration,
    EndCalibration,
    SetPolicy,
    RegisterModel,
    JudgeModel,
    PromoteModel,
    RollBackModel,
    StartSearch,
    EndTrial,
    EndSearch,
    AddDocument,
    RemoveDocument,
    CreateDomain,
    ClearDomain,
    Reindex,
    AnnounceWorker,
    BeatWorker,
    AnswerAttempt,
    RefuseCommand,
    AnswerApproval,
    SendMessage,
    RegisterKey,
    RevokeKey,
    Remember,
    ForgetMemory,
    RegisterCard,
    RetireCard,
)
FACTS: tuple[type[Fact], ...] = (
    TaskSubmitted,
    TaskAdmitted,
    AgentChosen,
    AttemptStarted,
    AttemptEnded,
    CancelRequested,
    TaskEnded,
    TaskForgotten,
    FeedbackGiven,
    FeedbackRevised,
    AgentRegistered,
    AgentRevised,
    AgentPaused,
    AgentResumed,
    AgentRetired,
    ExampleRecorded,
    ExampleSuperseded,
    SnapshotPublished,
    ExperimentStarted,
    ExperimentConcluded,
    CalibrationStarted,
    CalibrationEnded,
    PolicySet,
    ModelRegistered,
    ModelValidated,
    ModelRejected,
    ModelPromoted,
    ModelRolledBack,
    SearchStarted,
    TrialEnded,
    SearchEnded,
    DocumentSubmitted,
    RemovalRequested,
    DomainCreated,
    ClearingRequested,
    ReindexRequested,
    ReindexBegun,
    DocumentChunked,
    DocumentAdded,
    DocumentRefused,
    DocumentRemoved,
    DomainCleared,
    ChunksEmbedded,
    IndexSwitched,
    PlanMade,
    PlanStepStarted,
    PlanSettled,
    PlanStepEnded,
    PlanEnded,
    ApprovalAsked,
    ApprovalAnswered,
    ApprovalSettled,
    KeyRegistered,
    KeyRevoked,
    MessageSent,
    MessageDelivered,
    MessageRefused,
    MessageSettled,
    MemoryLearned,
    MemoryCorrected,
    MemoryForgotten,
    ContextUsed,
    CardRegistered,
    CardChanged,
    CardRetired,
)
NOTICES: tuple[type[Message], ...] = (
    AnswerGiven,
    RequestRefused,
    DeadLetter,
    DeadLetterSettled,
    WorkerSeen,
    PieceSpoken,
    DoAttempt,
    DropAttempt,
)
UPCASTS: tuple[Upcast, ...] = (given_from_1, revised_from_1)


class Catalog:
    """Finds the class of a stored event, and lifts old payloads to its version."""

    def __init__(self, classes: Sequence[type[Message]], upcasts: Sequence[Upcast] = ()) -> None:
        self._by_name = {cls.event_type.name: cls for cls in classes}
        self._steps = {(upcast.name, upcast.from_version): upcast.step for upcast in upcasts}
        if len(self._by_name) != len(classes) or len(self._steps) != len(upcasts):
            raise ValueError("two event classes share a name, or two upcasts a name and version")

    def newest(self, name: str) -> type[Message]:
        """Return the class that claims this name.

        Raises:
            UnknownEventType: nobody does.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownEventType(f"no event is called {quoted(name)}") from None

    def steps(self, event_type: EventType, version: int) -> list[Callable[[Payload], Payload]]:
        """Return what lifts a stored version to the newest, in order; nothing if it is the newest.

        Raises:
            UnknownEventVersion: the version is newer than ours, or below 1.
            MissingUpcaster: a step is missing.
        """
        name, newest = event_type.name, event_type.version
        if not 1 <= version <= newest:
            raise UnknownEventVersion(f"{name} v{version} is unknown here; we know v1 to v{newest}")
        for stage in range(version, newest):
            if (name, stage) not in self._steps:
                raise MissingUpcaster(f"nothing lifts {name} from v{stage} to v{stage + 1}")
        return [self._steps[name, stage] for stage in range(version, newest)]


CATALOG = Catalog((*REQUESTS, *FACTS, *NOTICES), UPCASTS)
