"""What workers that live elsewhere are told: commands, each signed by the house for one pool. Pure but for the keys."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agents.pipeline import Effect
from agents.pipelines.remote import settings_of
from agents.signature import Key
from events.agent import AgentSpec
from events.event import Envelope, Event
from events.ids import derived_id
from events.topics import Names
from events.vouched import AUDIENCE, COMMANDED, COVERED, KEY_ID, SIGNATURE, signed_bytes
from events.wire import Outgoing, encode
from events.work import DoAttempt, DropAttempt, SentFile
from store import ledger
from store.claim import Claimed, Hold
from store.remote import Worker

SOURCE = "smolit/bridge"
STEP = "remote"  # stands in the ledger
_MOST_SENT = 900_000  # bytes of files in a command, in base64; a record holds more, but with the rest of it

Command = DoAttempt | DropAttempt


class House(Struct, frozen=True):
    """Says commands in the name of the house: `key_of` returns its key for a tenant."""

    names: Names
    key_of: Callable[[str], Key]

    def told(self, command: Command, tenant: str, pool: str, by: Envelope, now: datetime) -> Outgoing:
        """Return the signed record of a command for a pool; the same command has the same id."""
        kind = command.event_type.name
        envelope = Envelope(
            id=derived_id(kind, command.task_id, command.attempt, command.epoch, command.worker),
            source=SOURCE,
            subject=command.worker,
            time=now,
            correlation_id=command.task_id,
            causation_id=by.id,
            traceparent=by.traceparent,
        )
        return signed(encode(self.names.work_of(tenant, pool), Event(envelope, command)), self.key_of(tenant))


def signed(record: Outgoing, key: Key) -> Outgoing:
    """Return a command with our signature, for the topic that it goes to."""
    found = {name: content.decode() for name, content in record.headers}
    kind, source, event_id, time = (found[name] for name in COVERED)
    content = signed_bytes(record.topic, kind, source, event_id, time, record.value, COMMANDED)
    ours = ((AUDIENCE, record.topic), (KEY_ID, key.name), (SIGNATURE, key.sign(content)))
    return replace(record, headers=(*record.headers, *((name, text.encode()) for name, text in ours)))


def effect_of(claimed: Claimed) -> Effect:
    """Return the side effect that giving an attempt away may be, as the ledger writes it down."""
    task, spec = claimed.task, claimed.spec
    asked = msgspec.json.encode([task.task_id, spec.id, task.text_sha256, task.input], order="deterministic")
    keyed = settings_of(spec.settings).effects != "once"
    return Effect(STEP, target_of(spec), hashlib.sha256(asked).hexdigest(), keyed)


def ask_of(claimed: Claimed) -> ledger.Ask:
    """Return the question to the ledger whether an attempt may be given away."""
    effect = effect_of(claimed)
    return ledger.Ask(claimed.hold, effect.step, key_of(claimed), effect.target, effect.request_sha256, effect.idempotent)


def target_of(spec: AgentSpec) -> str:
    """Return whom a side effect of a pool is asked of, as the ledger names it."""
    return f"work.{spec.pool}"


def key_of(claimed: Claimed) -> str:
    """Return the key of a task's side effects in a pool: the same for every attempt and every claim."""
    return derived_id("effect", claimed.task.task_id, STEP, target_of(claimed.spec))


def order(claimed: Claimed, worker: Worker, text: str, files: Mapping[str, bytes], lease_s: float, due: datetime) -> DoAttempt:
    """Return the command to do an attempt; `files` are bytes by their sha256, those that fit go along."""
    task, spec, sent, left = claimed.task, claimed.spec, [], _MOST_SENT
    for one in task.files:
        content = files.get(one.sha256)
        if content is not None and (size := len(content) * 4 // 3) <= left:
            left -= size
        else:
            content = None
        sent.append(SentFile(one.name, one.media_type, one.sha256, one.size, content))
    return DoAttempt(
        source=worker.source,
        worker=worker.name,
        tenant=task.tenant,
        task_id=task.task_id,
        attempt=claimed.hold.attempt,
        epoch=claimed.hold.epoch,
        agent=spec.id,
        kind=task.kind,
        text=text,
        input=task.input,
        files=tuple(sent),
        prompts=spec.prompts,
        outputs=spec.outputs,
        due=due,
        lease_s=lease_s,
        effect_key=key_of(claimed),
        session=worker.session,
    )


def drop(worker: Worker, hold: Hold) -> DropAttempt:
    """Return the command to stop an attempt."""
    return DropAttempt(source=worker.source, worker=worker.name, task_id=hold.task_id, attempt=hold.attempt, epoch=hold.epoch)
