"""Plays scripts against the house that runs: several conversations at a time, each turn after the answer to the one before."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from bench.chat.score import Heard, Turned
from bench.chat.script import Script
from events.conversation import Letter, MessageRefused, MessageSent, MessageSettled
from events.event import Message
from events.piece import PieceSpoken
from handlers.front_port import FRONT
from handlers.telling import WATCHED
from projections.conversation import thread
from smolit.chat.post import Post, fresh_id

PATIENCE_S = 150.0
_SHOWN_S = 30.0  # for the read models to show the last answer


class Player:
    """Says turns and hears what becomes of them."""

    def __init__(self, post: Post, told: Callable[[int], None]) -> None:
        self._post, self._told = post, told
        self._waiting: dict[str, asyncio.Future[Letter]] = {}
        self._first: dict[str, float] = {}

    async def play(self, scripts: Sequence[Script], window: int) -> list[Turned]:
        """Return every turn with what was heard of it, in the order of the scripts."""
        room = asyncio.Semaphore(window)
        async with asyncio.TaskGroup() as group:
            hearing = group.create_task(self._hear())
            playing = [group.create_task(self._talk(number, one, room)) for number, one in enumerate(scripts)]
            talks = [await one for one in playing]
            hearing.cancel()
        counted = [await self._counted(one) for one in talks]
        return [turn for one in counted for turn in one]

    async def _talk(self, number: int, script: Script, room: asyncio.Semaphore) -> "_Talk":
        """Play one conversation; after a turn without an answer it goes on all the same."""
        async with room:
            talk = _Talk(fresh_id(), f"user:bench-{fresh_id()[-12:]}", [], [])
            await self._post.sign_in(talk.sender)
            before: str | None = None
            for line in script.lines:
                letter = Letter(
                    conversation_id=talk.conversation_id,
                    message_id=fresh_id(),
                    sender=talk.sender,
                    recipient=FRONT,
                    kind="query",
                    text=line.text,
                    body={WATCHED: True},
                    in_reply_to=before,
                )
                heard, before = await self._turn(letter)
                talk.said.append(letter.message_id)
                talk.turns.append(Turned(number, script.domain, line, heard, whole=script.whole))
                self._told(1)
            return talk

    async def _turn(self, letter: Letter) -> tuple[Heard | None, str | None]:
        """Say one turn, and return its answer and the id of that; None where none came in time."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting[letter.message_id] = loop.create_future()
        began = loop.time()
        await self._post.send(letter)
        try:
            answer = await asyncio.wait_for(waiting, PATIENCE_S)
        except TimeoutError:
            return None, None
        finally:
            del self._waiting[letter.message_id]
        first = self._first.pop(letter.message_id, None)
        body: dict[str, Any] = answer.body
        whole_ms, first_ms = (loop.time() - began) * 1000, (first - began) * 1000 if first is not None else None
        return Heard(
            answer.kind, str(body.get("sort", "")), answer.text, _model(body), whole_ms, first_ms
        ), answer.message_id  # fmt: skip

    async def _hear(self) -> None:
        """Hand every answer to whoever waits for it."""
        while True:
            async for event in self._post.heard(3600.0):
                self._one(event.fact)

    def _one(self, fact: Message) -> None:
        match fact:
            case PieceSpoken(message_id=one) if one in self._waiting:
                self._first.setdefault(one, asyncio.get_running_loop().time())
            case MessageSent(letter=letter) if letter.sender == FRONT and letter.in_reply_to in self._waiting:
                _answer(self._waiting[letter.in_reply_to], letter)
            case MessageRefused(message_id=one, detail=why) if one in self._waiting:
                _answer(self._waiting[one], _no_answer(one, why))
            case MessageSettled(message_id=one, outcome="parked", reason=why) if one in self._waiting:
                _answer(self._waiting[one], _no_answer(one, why or "parked"))
            case _:
                pass

    async def _counted(self, talk: "_Talk") -> list[Turned]:
        """Return the turns with how many answers the thread holds for each: in the read model, where a repeat would show."""
        waited = 0.0
        while True:
            rows = await thread(self._post.connection, self._post.tenant, talk.conversation_id)
            answers = Counter(row.in_reply_to for row in rows if row.sender == FRONT and row.delivered_at is not None)
            if all(answers[one] for one in talk.said) or waited >= _SHOWN_S:
                break
            await asyncio.sleep(0.2)
            waited += 0.2
        pairs = zip(talk.said, talk.turns, strict=True)
        return [replace(turn, answers=answers[one]) for one, turn in pairs]


class _Talk(Struct):
    """One conversation as it was played."""

    conversation_id: str
    sender: str
    said: list[str]
    turns: list[Turned]


def _model(body: dict[str, Any]) -> str | None:
    """Return the language model that spoke: in talk, or in the agent that did the task."""
    output = body.get("output")
    return body.get("model") or (output.get("model") if isinstance(output, dict) and "backend" in output else None)


def _answer(waiting: "asyncio.Future[Letter]", letter: Letter) -> None:
    if not waiting.done():
        waiting.set_result(letter)


def _no_answer(message_id: str, why: str) -> Letter:
    """Return what stands for an answer where the message itself was turned away."""
    return Letter(
        conversation_id="-", message_id=message_id, sender=FRONT, recipient="*", kind="error", text=why, body={"sort": "refused"}
    )
