"""How the front agent answers one message: by an agent, from memory, with a question, or by a language model.

It writes nothing: what it returns is written by `handlers/front.py`, once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
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
from events.conversation import USER, ContextUsed, Letter, MemoryCorrected, MemoryLearned
from events.event import Fact
from events.ids import derived_id, task_id
from events.task import Features
from handlers.errand import SOURCE, Ended, Errands, submission
from learning.match import CLEAR_FIT
from store.mailbox import Taken

FRONT = "front"
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
    examples: tuple[str, ...] = ()


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


class Replier:
    """Makes answers; nothing of a conversation is kept here, what went before is read from the thread."""

    def __init__(
        self,
        reads: Reads,
        mind: Callable[[], Mind],
        language: Language | None,
        errands: Errands,
        stored: Callable[[str], Awaitable[bytes]],
        clock: Callable[[], datetime],
    ) -> None:
        self._reads, self._open_mind, self._language = reads, mind, language
        self._errands, self._stored, self._clock = errands, stored, clock
        self._mind: Mind | None = None

    async def reply(self, taken: Taken) -> Reply:
        """Return what is answered to a message; after several tries that ended in a crash, that it cannot be."""
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
            case decide.Note(said=said) if user_of(taken.letter):
                return await self._note(taken, [(one.subject, one.text) for one in said], mind)
            case decide.Note() | decide.Talk():
                return await self._talk(taken, thread, mind)

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
        helpers = tuple(_helper(one, whole, mind) for one in agents)
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
            sha256 = ended.output_sha256
            output = ended.output if sha256 is None else msgspec.json.decode(await self._stored(sha256))
            return Reply("response", words.output_text(output), {**about, "output": output})
        if ended.reason == "no_fitting_agent":
            return _asked_back(decide.nobody(errand.text, turn.helpers), about)
        why = ended.detail or ended.reason or "no reason was given"
        return Reply("error", f"The task {ended.outcome.replace('_', ' ')}: {why}", {**about, "reason": ended.reason})

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

    async def _talk(self, taken: Taken, thread: Sequence[Heard], mind: Mind) -> Reply:
        """Let a language model talk, with what is known of the user and of the talk so far."""
        if self._language is None:
            return Reply("response", words.NO_MODEL, {"sort": "talk", "model": None})
        tenant, user, text = taken.event.fact.tenant, user_of(taken.letter), taken.letter.text
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


def errand_id(message_id: str) -> str:
    """Return the id of the request for the task that a message asks for; the task's id follows from it."""
    return f"front-{message_id}"


def user_of(letter: Letter) -> str:
    """Return the name of the person who writes; empty for an agent, of whom nothing is remembered."""
    return letter.sender.removeprefix(USER) if letter.sender.startswith(USER) else ""


def _helper(agent: Agent, text: str, mind: Mind) -> decide.Helper:
    """Return an agent with how near its description, or the nearest of its examples, is to a text."""
    near = max(mind.alike(text, told) for told in (agent.description, *agent.examples))
    least = decide.Least(CLEAR_FIT, CLEAR_FIT) if agent.examples else decide.Least()
    return decide.Helper(agent.id, agent.description, agent.skills, near, agent.required, least)


def _asked_back(question: decide.AskBack, about: dict[str, Any] | None = None) -> Reply:
    body = {"sort": "clarification", **(about or {}), "pending": question.pending, "missing": list(question.missing)}
    return Reply("clarification", question.question, body)
