"""What the front agent remembers of people: reads it out of turns, answers from it, and has it forgotten."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from agents.context import Chosen
from agents.errors import AgentFailed
from agents.front import decide, extract, forgetting, words
from agents.front.recollect import Memory, recollect
from agents.port import Ask, Language
from events.conversation import MemoryCorrected, MemoryLearned, Spoken
from events.event import Fact
from events.ids import derived_id
from events.request import ForgetMemory
from handlers.errand import Errands
from handlers.front_port import FRONT, READ_S, Heard, Mind, Reads, Reply, used, user_of
from store.mailbox import Taken

READING = timedelta(seconds=8)  # for a model to read facts out; after that the rules' word holds


class Rememberer:
    """Answers what is about memories; it keeps nothing itself.

    `reader` is the back end that reads facts out of turns; empty: the rules alone.
    """

    def __init__(
        self, reads: Reads, language: Language | None, errands: Errands, clock: Callable[[], datetime], reader: str
    ) -> None:
        self._reads, self._language, self._errands, self._clock, self._reader = reads, language, errands, clock, reader

    async def recall(self, taken: Taken, text: str, mind: Mind) -> Reply:
        """Answer from memory alone: the subject that is named, else what is nearest, else that it is not known."""
        tenant, user = taken.event.fact.tenant, user_of(taken.letter)
        known = await self._reads.memories(tenant, user)
        nearest = await self._reads.recall(tenant, user, mind.features(text), 1) if known else []
        found, said = recollect(text, known, nearest)
        context = used(taken, Chosen((), words.NO_REPORT), [one.memory_id for one in found])
        return Reply("response", said, {"sort": "recall", "memories": [one.memory_id for one in found]}, (context,))

    async def read_out(self, taken: Taken, turn: decide.Turn, thread: Sequence[Heard]) -> decide.Decision:
        """Return the decision, after the model that the settings name read facts out of what may be talk or a note.

        Where it cannot, the rules' word holds.
        What somebody asks to be remembered in so many words is remembered, whatever a model makes of it.
        """
        user, language, decision = user_of(taken.letter), self._language, decide.decide(turn)
        if not (self._reader and user and language is not None and decide.may_tell(turn, decision)):
            return decision
        text, tenant = taken.letter.text, taken.event.fact.tenant
        known = [one.text for one in await self._reads.memories(tenant, user)]
        before = thread[-1].text if thread and thread[-1].sender == FRONT else None
        ask = Ask(
            extract.messages(text, before, known),
            self._clock() + READING,
            tenant,
            FRONT,
            taken.letter.message_id,
            "remember",
            self._reader,
            extract.MAX_TOKENS,
            schema=extract.SCHEMA,
            alone=True,
        )
        try:
            answer = await language.complete(ask)
        except AgentFailed:
            return decision
        said, _ = extract.kept(text, answer.data)
        if said:
            return decide.Note(tuple(said), f"{extract.METHOD} {answer.model}"[:128])
        asked_for = isinstance(decision, decide.Note) and decision.said[0].subject.startswith("note:")
        return decide.Talk(text) if isinstance(decision, decide.Note) and not asked_for else decision

    async def forget(self, taken: Taken, what: str) -> Reply:
        """Have what is meant forgotten, with the wish itself, which names it; answer once it is gone from the read models."""
        tenant, user, ours = taken.event.fact.tenant, user_of(taken.letter), taken.event.fact.request_id
        gone = forgetting.meant(what, await self._reads.memories(tenant, user))
        if not gone:
            return Reply("response", words.NOTHING_TO_FORGET, {"sort": "forget", "memories": []})
        wish = Spoken(message_id=taken.letter.message_id, request_id=ours)
        for one in gone:
            spoken = await self._reads.spoken(tenant, one.source, one.memory_id)
            request = ForgetMemory(user=user, memory_id=one.memory_id, messages=(*spoken, wish), reason="asked for in a chat")
            await self._errands.ask(tenant, request, derived_id("forget", tenant, taken.letter.message_id, one.memory_id))
        ids = [one.memory_id for one in gone]
        await self._gone(tenant, user, frozenset(ids))
        return Reply("response", words.forgotten(len(gone)), {"sort": "forget", "memories": ids})

    async def _gone(self, tenant: str, user: str, memory_ids: frozenset[str]) -> None:
        """Wait until the read models know these memories no more, for a while at most."""
        waited = 0.0
        while waited < READ_S and any(one.memory_id in memory_ids for one in await self._reads.memories(tenant, user)):
            await asyncio.sleep(0.05)
            waited += 0.05

    async def note(self, taken: Taken, said: Sequence[tuple[str, str]], method: str, mind: Mind) -> Reply:
        """Remember what was said; what contradicts an older memory corrects it."""
        user = user_of(taken.letter)
        held = {one.subject: one for one in await self._reads.memories(taken.event.fact.tenant, user)}
        facts = tuple(self._learned(taken, user, subject, text, held.get(subject), method, mind) for subject, text in said)
        return Reply("response", words.noted([text for _, text in said]), {"sort": "note"}, facts)

    def _learned(self, taken: Taken, user: str, subject: str, text: str, before: Memory | None, method: str, mind: Mind) -> Fact:
        tenant, letter = taken.event.fact.tenant, taken.letter
        common: dict[str, Any] = {
            "tenant": tenant,
            "user": user,
            "memory_id": derived_id("memory", tenant, user, letter.message_id, subject),
            "subject": subject,
            "text": text,
            "features": mind.features(text),
            "source": letter.message_id,
            "method": method,
        }
        if before is None or before.memory_id == common["memory_id"]:
            return MemoryLearned(**common)
        return MemoryCorrected(**common, replaces=before.memory_id)
