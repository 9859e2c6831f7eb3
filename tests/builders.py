"""Facts for tests: every field has a default, so a test names only what it is about. Times are told in seconds."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised, AgentSpec
from events.calibration import CalibrationEnded, CalibrationStarted, CopyOf, Limits, Planned
from events.dead_letter import DeadLetter, DeadLetterSettled
from events.event import Event, Fact, Message
from events.experiment import ExperimentConcluded, ExperimentStarted, Variant
from events.learning import ExampleRecorded, ExampleSuperseded, SnapshotPublished
from events.model import ModelPromoted, ModelRegistered, ModelRejected, ModelRolledBack, ModelValidated, Origin, PolicySet
from events.search import Budget, Dimension, SearchEnded, SearchStarted, TrialEnded, Window
from events.stamp import stamp
from events.task import (
    AgentChosen,
    Assignment,
    AttemptEnded,
    AttemptStarted,
    CancelRequested,
    Candidate,
    ChoiceContext,
    Features,
    FeedbackGiven,
    FeedbackRevised,
    LeftOut,
    PolicyRef,
    RewardTerms,
    Sentiment,
    Step,
    TaskAdmitted,
    TaskEnded,
    TaskForgotten,
    TaskSubmitted,
)
from events.topics import Names
from events.wire import Incoming, encode

START = datetime(2025, 1, 1, tzinfo=UTC)
TENANT = "default"
SCOPE = "default"
TASK = "0b0f1a2e-0000-5000-8000-000000000001"
NAMES = Names("test")


def moment(seconds: float) -> datetime:
    """Return the time so many seconds after the start of the tests' time."""
    return START + timedelta(seconds=seconds)


def stamped(fact: Fact, at: float = 0, cause: str | None = None) -> Event[Fact]:
    """Return the event of a fact, at so many seconds; its story is its task, or its key."""
    story = str(getattr(fact, "task_id", fact.key))
    return stamp(fact, source="tests", now=moment(at), correlation=story, cause=cause or story)


def halves(numbers: Sequence[float]) -> bytes:
    """Return numbers as facts keep them: little-endian float16."""
    return struct.pack(f"<{len(numbers)}e", *numbers)


def features(version: str = "test-1", embedding: bytes = b"\x00\x3c", surface: bytes = b"\x00\x40") -> Features:
    """Return features of two made-up vectors, each one float16 long."""
    return Features(version=version, embedding=embedding, surface=surface)


def context(scope: str = SCOPE, **fields: Any) -> ChoiceContext:
    """Return what a choice looks at."""
    defaults: dict[str, Any] = {
        "kind": "arithmetic",
        "features": features(),
        "priority": 5,
        "deadline": moment(3600),
        "max_attempts": 3,
    }
    return ChoiceContext(scope=scope, **{**defaults, **fields})


def terms(costs: float = 0.0, latency: float = 0.0, **fields: Any) -> RewardTerms:
    """Return how rewards are made: 1,000 microdollars, and a second, are worth one half."""
    defaults = {"rule": "balance/1", "cost_half_microusd": 1_000, "latency_half_us": 1_000_000}
    return RewardTerms(cost_weight=costs, latency_weight=latency, **{**defaults, **fields})


def felt(compound: float) -> Sentiment:
    """Return what was read out of a comment."""
    return Sentiment(model="reader/1", compound=compound)


def assigned(variant: str = "b", experiment: str = "exp", unit: str = "unit-1") -> Assignment:
    """Return an experiment's assignment."""
    return Assignment(experiment=experiment, variant=variant, unit=unit)


def submitted(task_id: str = TASK, at: float = 0, **fields: Any) -> Event[Fact]:
    """Return a task's submission."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "request_id": f"request-{task_id}",
        "requested_by": "tests",
        "kind": "arithmetic",
        "scope": SCOPE,
        "text": "1 + 1",
        "text_sha256": "0" * 64,
        "text_chars": 5,
        "input": {},
        "priority": 5,
        "deadline": moment(3600),
        "max_attempts": 3,
        "reply_to": None,
    }
    return stamped(TaskSubmitted(task_id=task_id, **{**defaults, **fields}), at)


def admitted(task_id: str = TASK, at: float = 1, **fields: Any) -> Event[Fact]:
    """Return a task's admission."""
    defaults: dict[str, Any] = {"tenant": TENANT, "language": "en", "context": context()}
    return stamped(TaskAdmitted(task_id=task_id, **{**defaults, **fields}), at)


def policy_ref(name: str = "ridge", **fields: Any) -> PolicyRef:
    """Return the policy that chose, before it has learned anything."""
    return PolicyRef(name=name, **{"version": 1, "parameters": {}, "digest": "d0", "upto": -1, **fields})


def chosen(agent: str = "calculator", task_id: str = TASK, attempt: int = 1, at: float = 2, **fields: Any) -> Event[Fact]:
    """Return the choice of an agent, with another candidate beside it and one left out."""
    propensity = fields.get("propensity", 0.75)
    candidates = (
        Candidate(agent=agent, score=0.5, parts={"mean": 0.25, "text": 0.25}, probability=propensity),
        Candidate(agent="other", score=0.125, parts={"mean": 0.125}, probability=1 - propensity),
    )
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "context": context(),
        "context_map": "map-1",
        "candidates": candidates,
        "left_out": (LeftOut(agent="sleeper", reason="paused"),),
        "propensity": propensity,
        "draw": 0.5,
        "explored": False,
        "policy": policy_ref(),
        "decided_by": "default",
    }
    return stamped(AgentChosen(task_id=task_id, attempt=attempt, agent=agent, **{**defaults, **fields}), at)


def started(agent: str = "calculator", task_id: str = TASK, attempt: int = 1, at: float = 3, **fields: Any) -> Event[Fact]:
    """Return the start of an attempt."""
    defaults: dict[str, Any] = {"tenant": TENANT, "worker": "worker-1"}
    return stamped(AttemptStarted(task_id=task_id, attempt=attempt, agent=agent, **{**defaults, **fields}), at)


def attempt_ended(
    outcome: str = "completed",
    agent: str = "calculator",
    task_id: str = TASK,
    attempt: int = 1,
    at: float = 4,
    **fields: Any,
) -> Event[Fact]:
    """Return the end of an attempt."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "scope": SCOPE,
        "outcome": outcome,
        "worker": "worker-1",
        "epoch": 1,
        "duration_us": 1_500,
        "steps": (Step(name="compute", duration_us=1_400), Step("ask", 700, "small@1", 12, 5, 3)),
        "output": {"answer": 2} if outcome == "completed" else None,
        "error": None if outcome == "completed" else "it did not work",
    }
    return stamped(AttemptEnded(task_id=task_id, attempt=attempt, agent=agent, **{**defaults, **fields}), at)


def cancel_requested(task_id: str = TASK, at: float = 3, **fields: Any) -> Event[Fact]:
    """Return the wish to cancel a task."""
    defaults: dict[str, Any] = {"tenant": TENANT, "request_id": "cancel-1", "requested_by": "tests", "reason": ""}
    return stamped(CancelRequested(task_id=task_id, **{**defaults, **fields}), at)


def forgotten(task_id: str = TASK, at: float = 7, **fields: Any) -> Event[Fact]:
    """Return that a task shall no longer be found by likeness."""
    defaults: dict[str, Any] = {"tenant": TENANT, "request_id": "forget-1", "requested_by": "tests", "reason": ""}
    return stamped(TaskForgotten(task_id=task_id, **{**defaults, **fields}), at)


def ended(outcome: str = "completed", task_id: str = TASK, at: float = 5, **fields: Any) -> Event[Fact]:
    """Return the end of a task."""
    agent = "calculator" if outcome == "completed" else None
    defaults: dict[str, Any] = {"tenant": TENANT, "scope": SCOPE, "outcome": outcome, "attempts": 1, "agent": agent}
    return stamped(TaskEnded(task_id=task_id, **{**defaults, **fields}), at)


def given(value: float | None = 1.0, task_id: str = TASK, at: float = 6, **fields: Any) -> Event[Fact]:
    """Return a judgement of the attempt that completed a task."""
    defaults: dict[str, Any] = {"tenant": TENANT, "attempt": None, "rater": "ann", "kind": "score"}
    return stamped(FeedbackGiven(task_id=task_id, value=value, **{**defaults, **fields}), at)


def revised(value: float | None = 0.0, revision: int = 1, task_id: str = TASK, at: float = 7, **fields: Any) -> Event[Fact]:
    """Return a judgement that was changed."""
    defaults: dict[str, Any] = {"tenant": TENANT, "attempt": None, "rater": "ann", "kind": "score"}
    return stamped(FeedbackRevised(task_id=task_id, value=value, revision=revision, **{**defaults, **fields}), at)


def example(
    reward: float = 1.0,
    agent: str = "calculator",
    task_id: str = TASK,
    attempt: int = 1,
    at: float = 8,
    **fields: Any,
) -> Event[Fact]:
    """Return the first example of an attempt."""
    return stamped(ExampleRecorded(reward=reward, **_learned(agent, task_id, attempt, fields)), at)


def superseded(
    old_reward: float = 1.0,
    reward: float = 0.25,
    agent: str = "calculator",
    task_id: str = TASK,
    attempt: int = 1,
    revision: int = 1,
    at: float = 9,
    **fields: Any,
) -> Event[Fact]:
    """Return the correction of an attempt's example."""
    learned = _learned(agent, task_id, attempt, {"sequence": 2, **fields})
    return stamped(ExampleSuperseded(old_reward=old_reward, reward=reward, revision=revision, **learned), at)


def _learned(agent: str, task_id: str, attempt: int, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that both kinds of example have."""
    defaults = {
        "tenant": TENANT,
        "scope": SCOPE,
        "sequence": 1,
        "features": features(),
        "propensity": 0.75,
        "rule": "quality-1",
        "variant": None,
    }
    return {"task_id": task_id, "attempt": attempt, "agent": agent, **defaults, **fields}


def snapshot(upto: int = 10, at: float = 20, **fields: Any) -> Event[Fact]:
    """Return the announcement that a policy's state was stored."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "scope": SCOPE,
        "policy": "ridge",
        "policy_version": 1,
        "context_map": "map-1",
        "sequence": 11,
        "digest": "d11",
    }
    return stamped(SnapshotPublished(upto=upto, **{**defaults, **fields}), at)


def spec(agent_id: str = "calculator", **fields: Any) -> AgentSpec:
    """Return an agent as data."""
    defaults: dict[str, Any] = {"description": "does sums", "skills": ("arithmetic",), "pipeline": "arithmetic"}
    return AgentSpec(id=agent_id, **{**defaults, **fields})


def registered(agent_id: str = "calculator", at: float = 0, **fields: Any) -> Event[Fact]:
    """Return the registration of an agent."""
    return stamped(AgentRegistered(**_described(agent_id, {"request_id": f"register-{agent_id}", **fields})), at)


def agent_revised(agent_id: str = "calculator", at: float = 1, **fields: Any) -> Event[Fact]:
    """Return the revision of an agent."""
    return stamped(AgentRevised(**_described(agent_id, {"request_id": f"revise-{agent_id}", **fields})), at)


def _described(agent_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that describe an agent."""
    defaults = {"tenant": TENANT, "spec": spec(agent_id), "digest": f"digest-{agent_id}", "described": features()}
    return {"agent_id": agent_id, **defaults, **fields}


def paused(agent_id: str = "calculator", at: float = 2, **fields: Any) -> Event[Fact]:
    """Return the pause of an agent."""
    defaults: dict[str, Any] = {"tenant": TENANT, "request_id": f"pause-{agent_id}", "reason": "maintenance"}
    return stamped(AgentPaused(agent_id=agent_id, **{**defaults, **fields}), at)


def resumed(agent_id: str = "calculator", at: float = 3, **fields: Any) -> Event[Fact]:
    """Return the end of an agent's pause."""
    defaults: dict[str, Any] = {"tenant": TENANT, "request_id": f"resume-{agent_id}"}
    return stamped(AgentResumed(agent_id=agent_id, **{**defaults, **fields}), at)


def retired(agent_id: str = "calculator", at: float = 4, **fields: Any) -> Event[Fact]:
    """Return the retirement of an agent."""
    defaults: dict[str, Any] = {"tenant": TENANT, "request_id": f"retire-{agent_id}", "reason": "replaced"}
    return stamped(AgentRetired(agent_id=agent_id, **{**defaults, **fields}), at)


def experiment_started(experiment_id: str = "exp", at: float = 0, **fields: Any) -> Event[Fact]:
    """Return the start of an experiment between two policies."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "request_id": f"start-{experiment_id}",
        "scope": SCOPE,
        "salt": "salt",
        "variants": (Variant(name="a", policy="uniform"), Variant(name="b", policy="ridge")),
    }
    return stamped(ExperimentStarted(experiment_id=experiment_id, **{**defaults, **fields}), at)


def concluded(experiment_id: str = "exp", at: float = 10, **fields: Any) -> Event[Fact]:
    """Return the end of an experiment."""
    defaults: dict[str, Any] = {"tenant": TENANT, "request_id": f"stop-{experiment_id}", "reason": "enough"}
    return stamped(ExperimentConcluded(experiment_id=experiment_id, **{**defaults, **fields}), at)


def calibration_started(calibration_id: str = "cal", at: float = 0, **fields: Any) -> Event[Fact]:
    """Return the start of a calibration in which two agents do one task again."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "request_id": f"start-{calibration_id}",
        "scope": SCOPE,
        "tasks": (Planned(task_id=TASK, agents=("anna", "bert"), why="newest"),),
        "limits": Limits(budget_microusd=5_000, worth_microusd=10_000),
        "judged_by": "feedback",
    }
    return stamped(CalibrationStarted(calibration_id=calibration_id, **{**defaults, **fields}), at)


def calibration_ended(calibration_id: str = "cal", at: float = 10, **fields: Any) -> Event[Fact]:
    """Return the end of a calibration."""
    sums = {"copies": 2, "judged": 2, "cost_microusd": 700, "costed": 1}
    defaults = {"tenant": TENANT, "request_id": f"end-{calibration_id}", "why": "tasks_done", "reason": "all is done", **sums}
    return stamped(CalibrationEnded(calibration_id=calibration_id, **{**defaults, **fields}), at)


def search_started(search_id: str = "look", at: float = 0, **fields: Any) -> Event[Fact]:
    """Return the start of a search for one setting."""
    window = {"context_map": "c0" * 32, "validate_from": 9, "test_from": 19, "upto": 29, "scored": 10, "tested": 10}
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "scope": SCOPE,
        "request_id": f"start-{search_id}",
        "started_by": "ann",
        "policy": "ridge_igw",
        "space": (Dimension(name="gain", low=1.0, high=100.0, log=True),),
        "seed": 1,
        "budget": Budget(trials=4, seconds=60.0, workers=2),
        "window": Window(**window),
        "code_sha256": "c1" * 32,
        "environment": {"python": "3.12"},
    }
    return stamped(SearchStarted(search_id=search_id, **{**defaults, **fields}), at)


def trial_ended(number: int = 0, search_id: str = "look", at: float = 1, **fields: Any) -> Event[Fact]:
    """Return a trial that was completed."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "scope": SCOPE,
        "request_id": f"trial-{search_id}-{number}",
        "arm": "guided",
        "parameters": {"gain": 1.0 + number},
        "state": "completed",
        "score": number / 16,
        "steps": (number / 16,),
        "reason": "",
        "seconds": 0.5,
    }
    return stamped(TrialEnded(search_id=search_id, number=number, **{**defaults, **fields}), at)


def search_ended(search_id: str = "look", at: float = 10, **fields: Any) -> Event[Fact]:
    """Return the end of a search."""
    came = {"why": "budget_spent", "best": 1, "best_random": None, "figures": {"default": 0.5}, "verdict": "no better"}
    defaults = {"tenant": TENANT, "scope": SCOPE, "request_id": f"end-{search_id}", **came}
    return stamped(SearchEnded(search_id=search_id, **{**defaults, **fields}), at)


def copy_of(task_id: str = TASK, calibration: str = "cal") -> CopyOf:
    """Return which task a copy does again."""
    return CopyOf(calibration=calibration, task_id=task_id)


def policy_set(policy: str | None = "uniform", at: float = 0, **fields: Any) -> Event[Fact]:
    """Return a policy put in force."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "scope": SCOPE,
        "request_id": f"set-{policy}",
        "parameters": {},
        "reason": "trouble",
        "set_by": "ann",
    }
    return stamped(PolicySet(policy=policy, **{**defaults, **fields}), at)


def origin(number: int = 1, **fields: Any) -> Origin:
    """Return where a version comes from; each number is another one."""
    defaults: dict[str, Any] = {
        "policy": "ridge_igw",
        "policy_version": 1,
        "parameters": {"ridge": float(number)},
        "context_map": "c0" * 32,
        "width": 8,
        "first": 3,
        "upto": 10 * number,
        "examples": number,
        "data_sha256": "da" * 32,
        "digest": "d1" * 32,
        "artefact_sha256": f"{number:064x}",
        "artefact_bytes": 100,
        "code_sha256": "c1" * 32,
        "environment": {"python": "3.12"},
        "metrics": {"dr": number / 16},
        "cost": {"cpu_s": 0.5},
    }
    return Origin(**{**defaults, **fields})


def model_id(number: int = 1, scope: str = SCOPE) -> str:
    """Return the id of a version."""
    return origin(number).id_in(TENANT, scope)


def model_registered(number: int = 1, at: float = 0, scope: str = SCOPE, **fields: Any) -> Event[Fact]:
    """Return the registration of a version."""
    made = {
        "origin": origin(number),
        "model_id": model_id(number, scope),
        "request_id": f"register-{number}",
        "registered_by": "ann",
    }
    return stamped(ModelRegistered(tenant=TENANT, scope=scope, **{**made, **fields}), at)


def model_judged(number: int = 1, at: float = 1, scope: str = SCOPE, fine: bool = True, **fields: Any) -> Event[Fact]:
    """Return a verdict on a version."""
    judged = {"request_id": f"judge-{number}-{at}", "judged_by": "bob", "reason": "it is what it is" if fine else "it is torn"}
    kind = ModelValidated if fine else ModelRejected
    return stamped(kind(tenant=TENANT, scope=scope, model_id=model_id(number, scope), **{**judged, **fields}), at)


def model_promoted(number: int = 1, at: float = 2, scope: str = SCOPE, **fields: Any) -> Event[Fact]:
    """Return the promotion of a version."""
    promoted: dict[str, Any] = {
        "request_id": f"promote-{number}-{at}",
        "alias": "champion",
        "policy": "ridge_igw",
        "parameters": {"ridge": float(number)},
        "reason": "it is better",
        "promoted_by": "ann",
    }
    return stamped(ModelPromoted(tenant=TENANT, scope=scope, model_id=model_id(number, scope), **{**promoted, **fields}), at)


def model_rolled_back(number: int = 1, at: float = 3, scope: str = SCOPE, **fields: Any) -> Event[Fact]:
    """Return the way back to a version."""
    back: dict[str, Any] = {
        "request_id": f"back-{number}-{at}",
        "policy": "ridge_igw",
        "parameters": {"ridge": float(number)},
        "reason": "it was better",
        "rolled_back_by": "ann",
    }
    return stamped(ModelRolledBack(tenant=TENANT, scope=scope, model_id=model_id(number, scope), **{**back, **fields}), at)


def dead_letter(reason: str = "malformed_payload", at: float = 0, **fields: Any) -> Event[Fact]:
    """Return a record that intake set aside."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "stage": "intake",
        "detail": "task.submit: no text",
        "origin_topic": NAMES.requests_of(TENANT),
        "origin_partition": 0,
        "origin_offset": 0,
        "original_key": "k",
        "original_headers": (("ce_type", b"smolit.task.submit.v1"),),
        "original_value": b"{}",
    }
    return stamped(DeadLetter(reason=reason, **{**defaults, **fields}), at)


def settled(letter: Event[Fact], at: float = 0, **fields: Any) -> Event[Fact]:
    """Return that a dead letter waits no longer."""
    about = letter.fact
    assert isinstance(about, DeadLetter)
    names = ("tenant", "stage", "origin_topic", "origin_partition", "origin_offset", "original_key")
    told: dict[str, Any] = {name: getattr(about, name) for name in names}
    return stamped(DeadLetterSettled(**{**told, "outcome": "purged", **fields}), at)


@dataclass
class Log:
    """A Kafka in memory: it gives each record the next offset of its partition."""

    names: Names = NAMES

    def __post_init__(self) -> None:
        self.records: list[Incoming] = []
        self._next: dict[tuple[str, int], int] = {}

    def add(self, *events: Event[Message], partition: int = 0) -> "Log":
        """Append events to the topics where they belong; dead letters go beside the topic they came from."""
        for event in events:
            sent = encode(self._topic(event.fact), event)
            self.raw(sent.topic, sent.key, sent.headers, sent.value, partition)
        return self

    def raw(
        self,
        topic: str,
        key: bytes | None,
        headers: tuple[tuple[str, bytes], ...],
        value: bytes | None,
        partition: int = 0,
    ) -> "Log":
        """Append a record as it is."""
        offset = self._next.get((topic, partition), 0)
        self._next[topic, partition] = offset + 1
        self.records.append(Incoming(topic, partition, offset, key, headers, value))
        return self

    def repeat(self, index: int) -> "Log":
        """Append a record again, as a producer does that did not hear the broker's acknowledgement."""
        record = self.records[index]
        return self.raw(record.topic, record.key, record.headers, record.value, record.partition)

    def _topic(self, fact: Message) -> str:
        """Return where a fact belongs."""
        if isinstance(fact, DeadLetter | DeadLetterSettled):
            return self.names.dead_letters_of(fact.origin_topic)
        return self.names.of(fact.event_type.topic)


def life(task_id: str, agent: str = "calculator", at: float = 0) -> list[Event[Fact]]:
    """Return the facts of a task that one agent completes, in order."""
    return [
        submitted(task_id, at=at),
        admitted(task_id, at=at + 1),
        chosen(agent, task_id, at=at + 2),
        started(agent, task_id, at=at + 3),
        attempt_ended("completed", agent, task_id, at=at + 4),
        ended("completed", task_id, at=at + 5, agent=agent),
    ]


def moved(record: Incoming, **place: Any) -> Incoming:
    """Return a record at another place."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    return Incoming(**{**fields, **place})


def at_time(event: Event[Fact], seconds: float) -> Event[Fact]:
    """Return an event as if it had happened at another time."""
    envelope = event.envelope
    fields = {name: getattr(envelope, name) for name in envelope.__struct_fields__}
    return Event(type(envelope)(**{**fields, "time": moment(seconds)}), event.fact)
