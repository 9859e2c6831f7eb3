"""What the front agent works with: read models, what reads texts, and what an answer is."""

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from agents.context import Chosen
from agents.front.recollect import Memory
from agents.front.sort import Sorter
from agents.team.goal import Suit
from events.agent import AgentSpec
from events.conversation import USER, ContextUsed, Letter, Spoken
from events.event import Fact
from events.task import Features
from handlers.errand import Ended
from store.mailbox import Taken

FRONT = "front"
READ_S = 5.0  # for the read models to show what was said before


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
    spec: AgentSpec | None = None

    @property
    def asks(self) -> dict[str, str]:
        """Return what a person can be asked for, with what it is: fields of `input` that the spec describes."""
        fields = ((self.spec.inputs if self.spec else None) or {}).get("properties") or {}
        told = {name: one.get("description") for name, one in fields.items() if isinstance(one, dict)}
        return {name: text for name, text in told.items() if isinstance(text, str) and text}


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

    async def spoken(self, tenant: str, source: str, memory_id: str) -> list[Spoken]:
        """Return the messages that hold a memory's words: where it was said, what that was answered with, where it was used."""
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

    def suit_of(self, tenant: str, specs: tuple[AgentSpec, ...]) -> Suit:
        """Return what tells which of these agents a text suits, as supervisors do."""
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


def user_of(letter: Letter) -> str:
    """Return the name of the person who writes; empty for an agent, of whom nothing is remembered."""
    return letter.sender.removeprefix(USER) if letter.sender.startswith(USER) else ""


def used(taken: Taken, chosen: Chosen, memories: Sequence[str]) -> ContextUsed:
    """Return what an answer was made with, as a fact."""
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
