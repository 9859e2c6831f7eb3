"""Requests about conversations: messages, and what is remembered of users."""

from typing import Annotated

from msgspec import Meta

from events.conversation import Letter, Spoken, Whose
from events.conversation import MemoryId as MemoryName
from events.event import event
from events.field import Ident, Name, says
from events.request.request import Reason, Request
from events.topics import REQUESTS


@event("message.send", version=1, topic=REQUESTS, key="conversation_id")
class SendMessage(Request, frozen=True, kw_only=True):
    """Put this message into a conversation; the recipient's side checks whose it is."""

    letter: Annotated[Letter, says("The message as its sender signed it.")]

    @property
    def conversation_id(self) -> str:
        """Return the key of the request."""
        return self.letter.conversation_id


@event("memory.remember", version=1, topic=REQUESTS, key="user")
class Remember(Request, frozen=True, kw_only=True):
    """Remember this of a user."""

    user: Whose
    agent: Annotated[Name | None, says("The agent that alone may use it; null: whoever works for the user.")] = None
    subject: Annotated[Ident | None, says("What it is about: a newer one of it holds instead; null: a note.")] = None
    text: Annotated[str, Meta(min_length=1, max_length=2_000), says("What is to be remembered, as a sentence.")]
    replaces: Annotated[MemoryName | None, says("The memory that it corrects.")] = None


@event("memory.forget", version=1, topic=REQUESTS, key="user")
class ForgetMemory(Request, frozen=True, kw_only=True):
    """Forget this memory of a user everywhere."""

    user: Whose
    memory_id: MemoryName
    messages: Annotated[tuple[Spoken, ...], Meta(max_length=1000), says("Messages whose words go with it.")] = ()
    reason: Reason = ""
