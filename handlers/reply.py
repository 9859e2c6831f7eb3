"""How the front agent answers one message: by an agent, from memory, with a question, or by a language model.

It writes nothing: what it returns is written by `handlers/front.py`, once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from agents import telling, told
from agents.context import counter
from agents.errors import AgentFailed
from agents.front import brought, decide, words
from agents.front.follow import Before
from agents.front.remember import METHOD
from agents.front.several import splitter, team_of
from agents.port import Ask, Language
from events.conversation import Letter
from events.ids import task_id
from handlers.errand import PATIENCE, SOURCE, Ended, Errands, errand_id, given_in, submission
from handlers.front_port import FRONT, READ_S, Agent, Heard, Mind, Reads, Reply, used, user_of
from handlers.remembering import Rememberer
from handlers.telling import WATCHED
from learning.match import CLEAR_FIT
from store.mailbox import Taken

TRIES = 3
_MOST_ASKED = 2_000  # characters of a task, and of its answer, that a follow-up goes on with
NEAREST = 5
_ASIDE = ("recall", "note", "forget")  # sorts of answers that end no talk about a task
TellingOf = Callable[[Taken], AbstractAsyncContextManager[telling.Tell | None]]


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
        telling_of: TellingOf | None = None,
        reader: str = "",
    ) -> None:
        self._reads, self._open_mind, self._language = reads, mind, language
        self._errands, self._stored, self._clock, self._telling = errands, stored, clock, telling_of
        self._mind: Mind | None = None
        self._memory = Rememberer(reads, language, errands, clock, reader)

    async def reply(self, taken: Taken) -> Reply:
        """Return what is answered to a message; after several tries that ended in a crash, that it cannot be."""
        if taken.epoch > TRIES:
            return Reply("error", "This message could not be answered; three tries failed.", {"reason": "too_many_tries"})
        if self._mind is None:
            self._mind = await asyncio.to_thread(self._open_mind)
        mind = self._mind
        thread = await self._thread(taken)
        turn = await self._turn(taken, thread, mind)
        match await self._memory.read_out(taken, turn, thread):
            case decide.Do() as errand:
                return await self._also_noted(taken, errand, await self._do(taken, errand, turn), mind)
            case decide.AskBack() as question:
                return _asked_back(question)
            case decide.Leave():
                return Reply("response", words.LEFT, {"sort": "left"})
            case decide.Recall(text=text):
                return await self._memory.recall(taken, text, mind)
            case decide.Note(said=said, method=method) if user_of(taken.letter):
                return await self._memory.note(taken, [(one.subject, one.text) for one in said], method, mind)
            case decide.Forget(what=what) if user_of(taken.letter):
                return await self._memory.forget(taken, what)
            case decide.Note() | decide.Forget() | decide.Talk():
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
        helpers = tuple(helper(one, whole, mind.alike) for one in agents)
        files = body.get("files", ())
        given = given_in(body)
        if (read := brought.text_of(files)) is not None:
            given = {"text": read, **given}
        before = task_before(ours)
        team = await asyncio.to_thread(_team, text, taken.event.fact.tenant, agents, mind)
        media = tuple(str(one.get("media_type")) for one in files)
        splits = splitter([one.spec for one in agents if one.spec is not None])
        return decide.Turn(
            text,
            len(files),
            mind.sorter.sort(text),
            helpers,
            pending,
            missing,
            given,
            before,
            team,
            media,
            splits.skills[0] if splits is not None else None,
        )

    async def _do(self, taken: Taken, errand: decide.Do, turn: decide.Turn) -> Reply:
        """Give a task away and return its answer; where nobody fits, ask back."""
        letter, tenant, until = taken.letter, taken.event.fact.tenant, self._clock() + PATIENCE
        ends = taken.event.envelope.time + 2 * PATIENCE  # the same for whoever takes the turn over: a request is made once
        given, files = dict(errand.input), letter.body.get("files", ())
        try:
            request = submission(errand.text, errand.kind, given, files, letter.sender, ends)
        except msgspec.ValidationError as error:
            return Reply("error", f"That cannot be given to an agent: {error}", {"reason": "bad_task"})
        ended = await self._errands.do(tenant, request, errand_id(letter.message_id), until)
        return await self._ended(tenant, letter, errand, ended, turn)

    async def _also_noted(self, taken: Taken, errand: decide.Do, reply: Reply, mind: Mind) -> Reply:
        """Return the answer with what its turn told besides, remembered."""
        if not errand.said or not user_of(taken.letter):
            return reply
        noted = await self._memory.note(taken, [(one.subject, one.text) for one in errand.said], METHOD, mind)
        return msgspec.structs.replace(reply, text=f"{reply.text}\n{noted.text}", facts=(*reply.facts, *noted.facts))

    async def _ended(self, tenant: str, letter: Letter, errand: decide.Do, ended: Ended, turn: decide.Turn) -> Reply:
        task = task_id(tenant, SOURCE, errand_id(letter.message_id))
        about: dict[str, Any] = {"sort": "task", "task_id": task, "agent": ended.agent, "kind": errand.kind}
        about["asked"] = errand.text[:_MOST_ASKED]
        about |= {"task_probability": round(turn.sorted.task_probability, 4), "outcome": ended.outcome}
        if ended.outcome == "completed":
            output = await ended.whole(self._stored)
            return Reply("response", told.said(output), {**about, "output": output})
        if ended.reason == "no_fitting_agent":
            return _asked_back(decide.nobody(errand.text, turn.helpers), about)
        return Reply("error", f"The task {ended.outcome.replace('_', ' ')}: {ended.why}", {**about, "reason": ended.reason})

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
        memories_used = [part.id for part in chosen.of("memory") if part.id is not None]
        facts = (used(taken, chosen, memories_used),)
        try:
            said = await telling.said(self._language, ask, self._telling_of(taken))
        except AgentFailed as error:
            return Reply("error", f"No language model answered: {error}", {"sort": "talk", "reason": error.reason}, facts)
        figures = {name: getattr(said, name) for name in ("model", "backend", "fallback", "tokens_in", "tokens_out")}
        return Reply("response", said.text.strip() or "(The model said nothing.)", {"sort": "talk", **figures}, facts)

    def _telling_of(self, taken: Taken) -> telling.Telling | None:
        """Return what tells pieces of the answer; None: nobody watches."""
        if self._telling is None or taken.letter.body.get(WATCHED) is not True:
            return None
        return partial(self._telling, taken)


def task_before(ours: Sequence[Heard]) -> Before | None:
    """Return the task that our last answer was one to, if it was; what was said from memory in between is passed over."""
    last = next((one for one in reversed(ours) if one.body.get("sort") not in _ASIDE), None)
    if last is None:
        return None
    asked, output = last.body.get("asked"), last.body.get("output")
    if last.kind != "response" or last.body.get("sort") != "task" or not isinstance(asked, str):
        return None
    value = output.get("value") if isinstance(output, dict) else None
    return Before(asked, last.body.get("kind"), last.text[:_MOST_ASKED], value if isinstance(value, str) else None)


def _team(text: str, tenant: str, agents: Sequence[Agent], mind: Mind) -> str | None:
    """Return the kind of task of whoever splits tasks, if the text is for several agents."""
    return team_of(text, [one.spec for one in agents if one.spec is not None], partial(mind.suit_of, tenant))


def helper(agent: Agent, text: str, alike: Callable[[str, str], float]) -> decide.Helper:
    """Return an agent with how near its description, or the nearest of its examples, is to a text."""
    near = max(alike(text, told) for told in (agent.description, *agent.examples))
    least = decide.Least(CLEAR_FIT, CLEAR_FIT) if agent.examples else decide.Least()
    return decide.Helper(agent.id, agent.description, agent.skills, near, agent.required, least, agent.asks)


def _asked_back(question: decide.AskBack, about: dict[str, Any] | None = None) -> Reply:
    body = {"sort": "clarification", **(about or {}), "pending": question.pending, "missing": list(question.missing)}
    return Reply("clarification", question.question, body)
