"""What outsiders may ask for. A request is not a fact: intake checks it and turns it into facts, once.

Its CloudEvents id and source name it; the tenant is decided by the topic it came in on. Those about knowledge are in
`events.knowledge_request`, those about model cards in `events.card`.
"""

from events.request.agent import ChangeAgent, RegisterAgent
from events.request.approval import AnswerApproval
from events.request.conversation import ForgetMemory, Remember, SendMessage
from events.request.experiment import EndCalibration, StartCalibration, StartExperiment, StopExperiment
from events.request.feedback import GiveFeedback, OtherAnswer, ReviseFeedback
from events.request.key import RegisterKey, RevokeKey
from events.request.model import JudgeModel, PromoteModel, RegisterModel, RollBackModel, SetPolicy
from events.request.request import Reason, Request
from events.request.search import EndSearch, EndTrial, StartSearch
from events.request.task import CancelTask, ForgetTask, GivenFile, SubmitTask
from events.request.worker import OF_WORKERS, AnnounceWorker, AnswerAttempt, BeatWorker, DoneStep, Held, RefuseCommand

__all__ = [
    "OF_WORKERS",
    "AnnounceWorker",
    "AnswerApproval",
    "AnswerAttempt",
    "BeatWorker",
    "CancelTask",
    "ChangeAgent",
    "DoneStep",
    "EndCalibration",
    "EndSearch",
    "EndTrial",
    "ForgetMemory",
    "ForgetTask",
    "GiveFeedback",
    "GivenFile",
    "Held",
    "JudgeModel",
    "OtherAnswer",
    "PromoteModel",
    "Reason",
    "RefuseCommand",
    "RegisterAgent",
    "RegisterKey",
    "RegisterModel",
    "Remember",
    "Request",
    "ReviseFeedback",
    "RevokeKey",
    "RollBackModel",
    "SendMessage",
    "SetPolicy",
    "StartCalibration",
    "StartExperiment",
    "StartSearch",
    "StopExperiment",
    "SubmitTask",
]
