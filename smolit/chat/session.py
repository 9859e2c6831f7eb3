"""One chat: a user's turns in one conversation, and what is heard of each until it is answered."""

import base64
import hashlib
import mimetypes
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from events.answer import RequestRefused
from events.conversation import USER, Letter, MessageRefused, MessageSent, MessageSettled
from events.event import Fact
from events.ids import task_id
from events.piece import PieceSpoken
from events.task import AgentChosen
from handlers.errand import SOURCE, errand_id
from handlers.front_port import FRONT
from handlers.telling import WATCHED
from smolit.chat.post import Post, fresh_id, known_thread
from smolit.chat.watched import Watched
from smolit.errors import NothingFound, UsageInvalid

PATIENCE_S = 150.0
MOST_CHARS = 100_000  # of a turn, as of any message
MOST_FILE_BYTES = 500_000  # a message has to stay below the inline limit, and base64 adds a third


class Chose(Struct, frozen=True, tag="chosen", tag_field="type"):
    """An agent was chosen for the task that the turn is."""

    task_id: str
    agent: str
    probability: float
    candidates: int


class Reply(Struct, frozen=True, tag="reply", tag_field="type"):
    """The front agent's answer; `model` and `fallback` where a language model spoke, `agent` and `task_id` where one worked."""

    conversation_id: str
    message_id: str
    kind: str
    sort: str
    text: str
    agent: str | None = None
    task_id: str | None = None
    model: str | None = None
    fallback: bool | None = None


class Failed(Struct, frozen=True, tag="failed", tag_field="type"):
    """The turn was refused, parked, or not answered in time."""

    reason: str
    detail: str


class Piece(Struct, frozen=True, tag="piece", tag_field="type"):
    """So much more of the answer is there."""

    text: str


Heard = Chose | Piece | Reply | Failed


class Chat:
    """Turns of one user; where the thread stands is read from the thread, so it goes on after a restart."""

    def __init__(self, post: Post, user: str, conversation_id: str | None, watch: bool = False) -> None:
        self.post, self.user = post, user
        self._watch = watch  # pieces are wanted
        self.watched = Watched()  # of the last turn
        self.sender = f"{USER}{user}"
        self.conversation_id = conversation_id or fresh_id()
        self._known = conversation_id is not None
        self.last: Reply | None = None
        self.said: str | None = None  # the turn that was said last, whether it was answered or not
        self._files: list[dict[str, Any]] = []

    async def begin(self) -> None:
        """Sign in, and find where a known conversation stands; raises NothingFound for one that is not the user's."""
        await self.post.sign_in(self.sender)
        if not self._known:
            return
        rows = await known_thread(self.post.connection, self.post.tenant, self.conversation_id, self.sender)
        ours = [row for row in rows if row.sender == FRONT and row.delivered_at is not None]
        if ours:
            last = ours[-1]
            self.last = _reply(self.conversation_id, last.message_id, last.kind or "", last.text or "", last.body or {})

    @property
    def known(self) -> bool:
        """Return whether the conversation is there to go on with."""
        return self._known or self.said is not None

    def begin_anew(self) -> None:
        """Leave this conversation for a new one."""
        self.conversation_id, self.last, self.said, self._known = fresh_id(), None, None, False

    def attach(self, path: Path) -> dict[str, Any]:
        """Let a file go with the next turn; raises UsageInvalid."""
        try:
            content = path.expanduser().read_bytes()
        except OSError as error:
            raise UsageInvalid(f"{path} cannot be read: {error.strerror}") from error
        if len(content) > MOST_FILE_BYTES:
            raise UsageInvalid(f"{path} has {len(content)} bytes; {MOST_FILE_BYTES} can go with a message")
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        sha256 = hashlib.sha256(content).hexdigest()
        file = {"name": path.name, "media_type": kind, "content": base64.b64encode(content).decode(), "sha256": sha256}
        self._files.append(file)
        return file

    async def say(self, text: str) -> AsyncIterator[Heard]:
        """Say something, and yield what is heard of it; the last is a reply or a failure.

        Raises:
            UsageInvalid: it is too long; nothing was said.
        """
        if len(text) > MOST_CHARS:
            raise UsageInvalid(f"a turn may have {MOST_CHARS} characters, not {len(text)}; `/file PATH` lets a file go with it")
        letter = Letter(
            conversation_id=self.conversation_id,
            message_id=fresh_id(),
            sender=self.sender,
            recipient=FRONT,
            kind="query",
            text=text,
            body={**({"files": self._files} if self._files else {}), **({WATCHED: True} if self._watch else {})},
            in_reply_to=self.last.message_id if self.last else None,
        )
        self._files, self.watched = [], Watched()
        await self.post.leave_pieces()
        request_id = await self.post.send(letter)
        self.said = letter.message_id
        task = task_id(self.post.tenant, SOURCE, errand_id(letter.message_id))
        async for event in self.post.heard(PATIENCE_S):
            fact = event.fact
            heard = self._piece(fact, letter) if isinstance(fact, PieceSpoken) else _heard(fact, letter, request_id, task)
            if isinstance(heard, Reply):
                self.last, self._known = heard, True
            if heard is not None:
                yield heard
            if isinstance(heard, Reply | Failed):
                return
        yield Failed("no_answer", "no answer came in time; `smolit status` shows whether everything runs")

    def _piece(self, piece: PieceSpoken, letter: Letter) -> Piece | None:
        """Return what a piece adds to what is shown of the answer to our turn."""
        text = self.watched.take(piece) if piece.message_id == letter.message_id else None
        return Piece(text) if text is not None else None

    @property
    def task(self) -> str:
        """Return the task that the last answer is about; raises NothingFound."""
        if self.last is None or self.last.task_id is None:
            raise NothingFound("the last turn was no task")
        return self.last.task_id


def _heard(fact: Fact, letter: Letter, request_id: str, task: str) -> Heard | None:
    """Return what a fact says of our turn, if anything."""
    match fact:
        case AgentChosen() if fact.task_id == task:
            return Chose(task, fact.agent, fact.propensity, len(fact.candidates))
        case MessageSent(letter=answer) if answer.sender == FRONT and answer.in_reply_to == letter.message_id:
            return _reply(letter.conversation_id, answer.message_id, answer.kind, answer.text, answer.body)
        case MessageRefused() if fact.message_id == letter.message_id:
            return Failed(fact.reason, fact.detail)
        case MessageSettled(outcome="parked") if fact.message_id == letter.message_id:
            return Failed(fact.reason or "parked", "the message was parked")
        case RequestRefused() if fact.request_id == request_id:
            return Failed(fact.reason, fact.detail)
        case _:
            return None


def _reply(conversation_id: str, message_id: str, kind: str, text: str, body: dict[str, Any]) -> Reply:
    told = {name: body.get(name) for name in ("agent", "task_id", "model", "fallback")}
    return Reply(conversation_id, message_id, kind, str(body.get("sort", "")), text, **told)
