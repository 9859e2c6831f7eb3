"""The front agent at work: takes messages out of its mailbox, decides what each is, and answers in the same conversation.

Nothing of a conversation is kept here: what went before is read from the thread, so any worker may take the next turn, after a
restart as well. The answer, what was learned and that the message was handled are written in one transaction.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from agents.context import Chosen, counter
from agents.errors import AgentFailed
from agents.front import decide, words
from agents.front.recollect import Memory, recollect
from agents.front.remember import METHOD
from agents.front.sort import Sorter
from agents.port import Ask, Language
from agents.signature import Key, Keyring
from events.conversation import USER, ContextUsed, Letter, MemoryCorrected, MemoryLearned, MessageSent, Scope
from events.event import Fact
from events.ids import derived_id, task_id
from events.request import RegisterKey
from events.task import Features
from events.topics import Names
from events.wire import Outgoing
from handlers.count import Count
from handlers.errand import Ended, Errands, submission
from handlers.postman import record, settled
from store import blob, mailbox, outbox, sender_key
from store.doorbell import Doorbell
from store.mailbox import Taken
from store.postgres import Connect, Connection, connect

FRONT = "front"
SOURCE = "smolit/front"
LEASE_S, POLL_S, LIMIT = 30.0, 0.5, 8
PATIENCE = timedelta(seconds=120)  # for a task that somebody waits for at a terminal
READ_S = 5.0  # for the read models to show what was said before
TRIES = 3
NEAREST = 5


class Heard(Struct, frozen=True):
    """One message of the thread, as far as the front needs it."""

    message_id: str
    sender: str
    kind: str
    text: str
    body: dict[str, Any]


class Agent(Struct, frozen=True):
    """An agent that may be chosen, as its spec describes it."""

    id: str
    description: str
    skills: tuple[str, ...]
    required: tuple[str, ...]


class Reads(Protocol):
    """What the front reads out of the read models."""

    async def thread(self, tenant: str, conversation_id: str) -> list[Heard]:
        """Return what was said, in order; what was refused or forgotten is left out."""
        ...

    async def agents(self, tenant: str) -> list[Agent]:
        """Return the agents that may be chosen."""
        ...

    async def memories(self, tenant: str, user: str) -> list[Memory]:
        """Return what holds of a user, the newest first."""
        ...

    async def recall(self, tenant: str, user: str, features: Features, k: int) -> list[Memory]:
        """Return what holds of a user and is nearest, nearest first."""
        ...

    async def ended(self, tenant: str, task_id: str) -> Ended | None:
        """Return how a task ended, if it did."""
        ...


class Mind(Protocol):
    """What reads texts: vectors, and features as facts keep them."""

    def features(self, text: str) -> Features:
        """Return the features of a text."""
        ...

    def alike(self, text: str, other: str) -> float:
        """Return the cosine of two texts."""
        ...

    @property
    def sorter(self) -> Sorter:
        """Return what tells tasks from talk."""
        ...


class Reply(Struct, frozen=True):
    """What is answered, what goes with it for programs, what was learned and what it was made with."""

    kind: str
    text: str
    body: dict[str, Any] = {}
    facts: tuple[Fact, ...] = ()


class KeyForeign(Exception):
    """Somebody else's key is registered as ours, so nothing that we sign reaches anybody."""


_UNSAID = Reply("error", "", {"sort": "key_foreign"})


class Front:
    """Answers one message at a time; several may be under way."""

    def __init__(
        self,
        names: Names,
        reads: Reads,
        mind: Callable[[], Mind],
        language: Language | None,
        errands: Errands,
        keyring: Keyring,
        connection: Connection,
        clock: Callable[[], datetime],
        count: Count,
    ) -> None:
        self._names, self._reads, self._open_mind, self._language = names, reads, mind, language
        self._errands, self._keyring, self._connection = errands, keyring, connection
        self._clock, self._count = clock, count
        self._lock = asyncio.Lock()  # of the connection: one transaction at a time
        self._mind: Mind | None = None
        self._signed_in: set[str] = set()

    async def take(self, who: str, limit: int) -> list[Taken]:
        """Take messages that wait."""
        async with self._lock:
            return await mailbox.take(self._connection, who, [FRONT], limit, LEASE_S)

    async def answer(self, taken: Taken) -> None:
        """Answer a message and settle it, once: who finds it taken by somebody else writes nothing."""
        beat = asyncio.create_task(self._renew(taken))
        try:
            reply = await self._reply(taken)
            records = await self._records(taken, reply)
        except KeyForeign:
            reply, records = _UNSAID, [settled(taken.event, FRONT, "parked", "key_foreign", SOURCE, self._names, self._clock())]
        finally:
            beat.cancel()
        async with self._lock, self._connection.transaction():
            if await mailbox.settle(self._connection, taken):
                await outbox.put(self._connection, records)
                self._count(f"front.{reply.body.get('sort', reply.kind)}", 1)
            else:
                self._count("front.lost_lease", 1)

    async def _renew(self, taken: Taken) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            async with self._lock:
                await mailbox.renew(self._connection, taken, LEASE_S)

    async def _reply(self, taken: Taken) -> Reply:
        if taken.epoch > TRIES:
            return Reply("error", "This message could not be answered; three tries failed.", {"reason": "too_many_tries"})
        if self._mind is None:
            self._mind = await asyncio.to_thread(self._open_mind)
        mind = self._mind
        thread = await self._thread(taken)
        turn = await self._turn(taken, thread, mind)
        match decide.decide(turn):
            case decide.Do() as errand:
                return await self._do(taken, errand, turn)
            case decide.AskBack() as question:
                return _asked_back(question)
            case decide.Recall(text=text):
                return await self._recall(taken, text, mind)
            case decide.Note(said=said):
                return await self._note(taken, [(one.subject, one.text) for one in said], mind)
            case decide.Talk(text=text):
                return await self._talk(taken, text, thread, mind)

    async def _thread(self, taken: Taken) -> list[Heard]:
        """Return what was said before this message, once the read models show what it follows."""
        tenant, letter, waited = taken.event.fact.tenant, taken.letter, 0.0
        while True:
            thread = await self._reads.thread(tenant, letter.conversation_id)
            before = [one for one in thread if one.message_id != letter.message_id]
            if letter.in_reply_to is None or waited >= READ_S or any(one.message_id == letter.in_reply_to for one in before):
                return before
            await asyncio.sleep(0.05)
            waited += 0.05

    async def _turn(self, taken: Taken, thread: Sequence[Heard], mind: Mind) -> decide.Turn:
        text, body = taken.letter.text, taken.letter.body
        ours = [one for one in thread if one.sender == FRONT]
        pending = ours[-1].body.get("pending") if ours and ours[-1].kind == "clarification" else None
        missing = tuple(ours[-1].body.get("missing") or ()) if pending else ()
        whole = f"{pending}\n{text}" if pending else text
        agents = await self._reads.agents(taken.event.fact.tenant)
        helpers = tuple(
            decide.Helper(one.id, one.description, one.skills, mind.alike(whole, one.description), one.required) for one in agents
        )
        given = body.get("input") if isinstance(body.get("input"), dict) else {}
        return decide.Turn(text, len(body.get("files", ())), mind.sorter.sort(text), helpers, pending, missing, given or {})

    async def _do(self, taken: Taken, errand: decide.Do, turn: decide.Turn) -> Reply:
        """Give a task away and return its answer; where nobody fits, ask back."""
        letter, tenant, until = taken.letter, taken.event.fact.tenant, self._clock() + PATIENCE
        try:
            request = submission(errand.text, errand.kind, dict(errand.input), letter.body.get("files", ()), letter.sender, until)
        except msgspec.ValidationError as error:
            return Reply("error", f"That cannot be given to an agent: {error}", {"reason": "bad_task"})
        ended = await self._errands.do(tenant, request, errand_id(letter.message_id), until)
        return await self._ended(tenant, letter, errand, ended, turn)

    async def _ended(self, tenant: str, letter: Letter, errand: decide.Do, ended: Ended, turn: decide.Turn) -> Reply:
        task = task_id(tenant, SOURCE, errand_id(letter.message_id))
        about: dict[str, Any] = {"sort": "task", "task_id": task, "agent": ended.agent, "kind": errand.kind}
        about |= {"task_probability": round(turn.sorted.task_probability, 4), "outcome": ended.outcome}
        if ended.outcome == "completed":
            output = ended.output if ended.output_sha256 is None else await self._stored(ended.output_sha256)
            return Reply("response", words.output_text(output), {**about, "output": output})
        if ended.reason == "no_fitting_agent":
            return _asked_back(decide.nobody(errand.text, turn.helpers), about)
        why = ended.detail or ended.reason or "no reason was given"
        return Reply("error", f"The task {ended.outcome.replace('_', ' ')}: {why}", {**about, "reason": ended.reason})

    async def _stored(self, sha256: str) -> Any:
        async with self._lock:
            return msgspec.json.decode(await blob.get(self._connection, sha256))

    async def _recall(self, taken: Taken, text: str, mind: Mind) -> Reply:
        """Answer from memory alone: the subject that is named, else what is nearest, else that it is not known."""
        tenant, user = taken.event.fact.tenant, user_of(taken.letter)
        known = await self._reads.memories(tenant, user)
        nearest = await self._reads.recall(tenant, user, mind.features(text), 1) if known else []
        used, said = recollect(text, known, nearest)
        context = self._used(taken, Chosen((), words.NO_REPORT), [one.memory_id for one in used])
        return Reply("response", said, {"sort": "recall", "memories": [one.memory_id for one in used]}, (context,))

    async def _note(self, taken: Taken, said: Sequence[tuple[str, str]], mind: Mind) -> Reply:
        """Remember what was said; what contradicts an older memory corrects it."""
        user = user_of(taken.letter)
        held = {one.subject: one for one in await self._reads.memories(taken.event.fact.tenant, user)}
        facts = tuple(self._learned(taken, user, subject, text, held.get(subject), mind) for subject, text in said)
        return Reply("response", words.noted([text for _, text in said]), {"sort": "note"}, facts)

    def _learned(self, taken: Taken, user: str, subject: str, text: str, before: Memory | None, mind: Mind) -> Fact:
        tenant, letter = taken.event.fact.tenant, taken.letter
        common: dict[str, Any] = {
            "tenant": tenant,
            "user": user,
            "memory_id": derived_id("memory", tenant, user, letter.message_id, subject),
            "subject": subject,
            "text": text,
            "features": mind.features(text),
            "source": letter.message_id,
            "method": METHOD,
        }
        if before is None or before.memory_id == common["memory_id"]:
            return MemoryLearned(**common)
        return MemoryCorrected(**common, replaces=before.memory_id)

    async def _talk(self, taken: Taken, text: str, thread: Sequence[Heard], mind: Mind) -> Reply:
        """Let a language model talk, with what is known of the user and of the talk so far."""
        if self._language is None:
            return Reply("response", words.NO_MODEL, {"sort": "talk", "model": None})
        tenant, user = taken.event.fact.tenant, user_of(taken.letter)
        memories = await self._reads.recall(tenant, user, mind.features(text), NEAREST) if user else []
        lines = [words.Line(one.sender != FRONT, one.text) for one in thread if one.text]
        chosen = words.context(
            text, lines, [words.Remembered(one.memory_id, one.text, one.cosine) for one in memories], counter()
        )
        ask = Ask(
            words.messages(chosen), self._clock() + PATIENCE, tenant, FRONT, taken.letter.message_id, "chat", max_tokens=160
        )
        used = [part.id for part in chosen.of("memory") if part.id is not None]
        facts = (self._used(taken, chosen, used),)
        try:
            said = await self._language.complete(ask)
        except AgentFailed as error:
            return Reply("error", f"No language model answered: {error}", {"sort": "talk", "reason": error.reason}, facts)
        figures = {name: getattr(said, name) for name in ("model", "backend", "fallback", "tokens_in", "tokens_out")}
        return Reply("response", said.text.strip() or "(The model said nothing.)", {"sort": "talk", **figures}, facts)

    def _used(self, taken: Taken, chosen: Chosen, memories: Sequence[str]) -> ContextUsed:
        return ContextUsed(
            tenant=taken.event.fact.tenant,
            conversation_id=taken.letter.conversation_id,
            message_id=taken.letter.message_id,
            budget_tokens=chosen.report.budget,
            used_tokens=chosen.report.used,
            parts=chosen.report.by_sort,
            left_out=chosen.report.left_out,
            memories=tuple(memories),
        )

    async def _records(self, taken: Taken, reply: Reply) -> list[Outgoing]:
        """Return the answer, what was learned, and that the message was handled."""
        tenant, now = taken.event.fact.tenant, self._clock()
        key = await self._key(tenant)
        asked = taken.letter
        letter = Letter(
            conversation_id=asked.conversation_id,
            message_id=derived_id("reply", tenant, asked.conversation_id, asked.message_id),
            sender=FRONT,
            recipient=asked.sender,
            kind=reply.kind,
            text=reply.text[:100_000],
            body=reply.body,
            priority=asked.priority,
            in_reply_to=asked.message_id,
        )
        sent = MessageSent(
            tenant=tenant,
            conversation_id=asked.conversation_id,
            letter=key.signed(tenant, letter),
            request_id=derived_id("reply to", tenant, asked.conversation_id, asked.message_id),
        )
        told = [record(taken.event, fact, SOURCE, self._names, now) for fact in (*reply.facts, sent)]
        return [*told, settled(taken.event, FRONT, "handled", None, SOURCE, self._names, now)]

    async def _key(self, tenant: str) -> Key:
        """Return our key, registered; the house is asked for that once per tenant."""
        key = self._keyring.key(tenant, FRONT)
        waited = 0.0
        while tenant not in self._signed_in:
            async with self._lock:
                known = await sender_key.keys_of(self._connection, tenant, [FRONT])
            if any(row.key_id == key.name and row.replaced_at is None for row in known):
                self._signed_in.add(tenant)
            elif known or waited > READ_S:
                raise KeyForeign(f"{FRONT} of {tenant} signs with another key than the one in this data folder")
            else:
                if waited == 0.0:
                    ours = Scope(kinds=("response", "clarification", "update", "error"))
                    request = RegisterKey(sender=FRONT, public_key=key.public, scope=ours)
                    await self._errands.ask(tenant, request, derived_id("front key", tenant, key.name))
                await asyncio.sleep(0.05)
                waited += 0.05
        return key


def errand_id(message_id: str) -> str:
    """Return the id of the request for the task that a message asks for; the task's id follows from it."""
    return f"front-{message_id}"


def user_of(letter: Letter) -> str:
    """Return the name of the person who writes; empty for an agent, of whom nothing is remembered."""
    return letter.sender.removeprefix(USER) if letter.sender.startswith(USER) else ""


def _asked_back(question: decide.AskBack, about: dict[str, Any] | None = None) -> Reply:
    body = {"sort": "clarification", **(about or {}), "pending": question.pending, "missing": list(question.missing)}
    return Reply("clarification", question.question, body)


async def run(
    dsn: str,
    who: str,
    make: Callable[[Connection], Front],
    errands: Errands,
    stopped: asyncio.Event,
    *,
    connect: Connect = connect,
) -> None:
    """Answer until told to stop; any error of ours ends it, and the runner starts the process again."""
    connection = await connect(dsn, f"{who}-front")
    doorbell = await Doorbell.install(dsn, "mailbox", f"{who}-front")
    try:
        front = make(connection)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(errands.listen())
            await _answering(front, who, doorbell, group, stopped)
            listening.cancel()
    finally:
        await errands.stop()
        await doorbell.close()
        await connection.close()


async def _answering(front: Front, who: str, doorbell: Doorbell, group: asyncio.TaskGroup, stopped: asyncio.Event) -> None:
    """Take what waits, at most so much at a time, and look again when somebody rings or something was answered."""
    busy: set[asyncio.Task[None]] = set()
    while not stopped.is_set():
        busy = {task for task in busy if not task.done()}
        taken = await front.take(who, LIMIT - len(busy)) if len(busy) < LIMIT else []
        busy |= {group.create_task(front.answer(one)) for one in taken}
        if not taken:
            await doorbell.wait(POLL_S)
    for task in busy:
        task.cancel()  # it is taken again when its lease has run out
