"""What happens to one task, from its submission to what people thought of the result. Key: the task id."""

from events.task.attempt import AttemptEnded, AttemptOutcome, AttemptStarted, ModelCandidate, ModelChoice, ModelLeftOut, Step
from events.task.choice import AgentChosen, Candidate, LeftOut, PolicyRef
from events.task.context import Assignment, ChoiceContext, Features, RewardTerms
from events.task.feedback import Against, FeedbackGiven, FeedbackKind, FeedbackRevised, Sentiment, given_from_1, revised_from_1
from events.task.reference import AttemptNumber, TaskRef
from events.task.task import CancelRequested, FileRef, TaskAdmitted, TaskEnded, TaskForgotten, TaskOutcome, TaskSubmitted

__all__ = [
    "Against",
    "AgentChosen",
    "Assignment",
    "AttemptEnded",
    "AttemptNumber",
    "AttemptOutcome",
    "AttemptStarted",
    "CancelRequested",
    "Candidate",
    "ChoiceContext",
    "Features",
    "FeedbackGiven",
    "FeedbackKind",
    "FeedbackRevised",
    "FileRef",
    "LeftOut",
    "ModelCandidate",
    "ModelChoice",
    "ModelLeftOut",
    "PolicyRef",
    "RewardTerms",
    "Sentiment",
    "Step",
    "TaskAdmitted",
    "TaskEnded",
    "TaskForgotten",
    "TaskOutcome",
    "TaskRef",
    "TaskSubmitted",
    "given_from_1",
    "revised_from_1",
]
