"""Workers that live elsewhere, decided: what they say, and whether it counts. Pure.

The tenant of a worker is decided by the topic that it speaks on; source and name are its own word, for which a key vouches
(`handlers.voucher`). An answer counts only from the tenant, source and name that has the attempt under its last claim.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from agents.contract import accepted
from agents.errors import AgentFailed
from agents.pipeline import Result
from agents.pipelines.remote import settings_of
from events.agent import AgentSpec
from events.errors import EventError
from events.event import Envelope, Event, Message
from events.ids import request_key
from events.pool import elsewhere
from events.request import OF_WORKERS, AnnounceWorker, AnswerAttempt, BeatWorker, RefuseCommand
from events.task import Step
from events.text import unstorable
from events.topics import Names
from events.wire import Incoming, decode, event_type
from handlers.attempt import Tried, completed, failed
from store.remote import Standing, Worker

_KINDS = frozenset(cls.event_type.wire_name for cls in OF_WORKERS)
_SKEW_S = 60.0


class Rhythm(Struct, frozen=True):
    """Seconds: of a lease, between heartbeats, between two looks for work, and between two looks for agents elsewhere."""

    lease_s: float = 10.0
    heartbeat_s: float = 1.0
    poll_s: float = 0.25
    asleep_s: float = 1.0

    @property
    def patience_s(self) -> float:
        """Return how long a worker may be silent before it gets nothing more."""
        return 3 * self.heartbeat_s


class Heard(Struct, frozen=True):
    """What a worker said, and whose topic it said it on."""

    record: Incoming
    tenant: str
    envelope: Envelope
    said: AnnounceWorker | BeatWorker | AnswerAttempt | RefuseCommand

    @property
    def worker(self) -> Worker:
        """Return who spoke; an answer names no pool."""
        said, about = self.said, getattr(self.said, "about", "")
        label = "" if isinstance(said, AnswerAttempt) else elsewhere(self.tenant, said.pool)
        session = self.envelope.id if isinstance(said, AnnounceWorker) else None
        return Worker(self.tenant, self.envelope.source, said.worker, label, getattr(said, "capacity", 0), about, session)


class No(Struct, frozen=True):
    """Why what was said does not count: a code, and a sentence."""

    reason: str
    detail: str


def urgency(record: Incoming) -> Literal["now", "never"]:
    """Say from the headers alone whether a record may be of a worker."""
    kind = event_type(record.headers)
    return "now" if kind is None or kind in _KINDS else "never"


def hear(records: Sequence[Incoming], names: Names, limit_bytes: int) -> list[Heard]:
    """Return what workers said; whatever else is on request topics, and what cannot be read, intake answers."""
    found = []
    for record in records:
        if urgency(record) == "never" or len(record.value or b"") > limit_bytes:
            continue
        try:
            event: Event[Message] = decode(record.headers, record.value)
        except EventError:
            continue
        if isinstance(event.fact, OF_WORKERS) and not unstorable(event.fact):
            found.append(Heard(record, names.tenant_of(record.topic), event.envelope, event.fact))
    return found


def claim_of(heard: Heard) -> tuple[str, str, str]:
    """Return the request key, the tenant, and the payload's hash of what was said, as intake would have them."""
    named = heard.said.event_type.wire_name.encode() + b"\n" + (heard.record.value or b"")
    key = request_key(heard.tenant, heard.envelope.source, heard.envelope.id)
    return key, heard.tenant, hashlib.sha256(named).hexdigest()


def is_late(heard: Heard, now: datetime) -> bool:
    """Return whether a sign of life is too old to be one: it was read long after it was sent. One without a time is never."""
    age_s = (now - heard.envelope.time).total_seconds()
    return heard.envelope.time.timestamp() > 0 and age_s > _SKEW_S


def granted(worker: Worker, pool: str, agents: Sequence[AgentSpec]) -> No | None:
    """Return why a worker may not serve a pool, or None if one of the pool's agents lets it."""
    if not agents:
        return No("unknown_pool", f"pool: no agent that lives elsewhere is in pool {pool!r}; register one first")
    if any(not (named := settings_of(agent.settings).sources) or worker.source in named for agent in agents):
        return None
    return No("not_granted", f"pool: source {worker.source!r} may not serve pool {pool!r}")


def judge(heard: Heard, standing: Standing | None) -> No | None:
    """Return why an answer does not count, or None if it does."""
    said = heard.said
    if not isinstance(said, AnswerAttempt):
        return None
    if standing is None or standing.claimed.task.tenant != heard.tenant:
        return No("unknown_attempt", "task_id: you have no such attempt")
    epoch = standing.claimed.hold.epoch
    if said.epoch > epoch:
        return No("unknown_epoch", f"epoch: the attempt was never claimed under {said.epoch}")
    if said.epoch < epoch:
        return No("stale_epoch", f"epoch: the attempt went to another worker since, under {epoch}; {said.epoch} counts no more")
    if standing.claimed.worker != heard.worker.holder:
        return No("not_yours", "worker: another worker has this attempt")
    if standing.state == "queued":
        return No("lease_lost", "epoch: the lease ran out, and the attempt waits for another worker")
    return None if standing.state == "running" else No("attempt_over", f"attempt: it is over ({standing.state})")


def tried(said: AnswerAttempt, standing: Standing) -> Tried:
    """Return how an attempt went, as the queue writes it down; an output that its agent's schema does not allow is none."""
    steps = tuple(
        Step(one.name, one.duration_us, one.model, one.tokens_in, one.tokens_out, one.cost_microusd) for one in said.steps
    )
    try:
        if said.outcome == "failed":
            raise AgentFailed(said.reason or "remote_failed", said.detail or "its worker said no more")
        result = accepted(standing.claimed.spec, Result(said.output, steps, said.cost_microusd))
    except AgentFailed as failure:
        failure.steps = steps
        return failed(standing.claimed, failure, standing.duration_us)
    return completed(standing.claimed, result, standing.duration_us)
