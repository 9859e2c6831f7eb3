"""Ports: what agents ask of the house, so that a pipeline knows neither Postgres nor Kafka."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from msgspec import Struct

from agents.errors import AgentFailed

Role = Literal["system", "user", "assistant", "tool"]
LOCAL = "local"  # the back end that is the model on this machine


class Blobs(Protocol):
    """Bytes by their sha256: files that came with a task, and what an agent leaves for others."""

    async def get(self, sha256: str) -> bytes:
        """Return what is stored under this digest.

        Raises:
            AgentFailed: nothing is.
        """
        ...

    async def put(self, content: bytes) -> str:
        """Store content, once; return its sha256."""
        ...


class NoBlobs:
    """Holds nothing: for pipelines that work without a house around them."""

    async def get(self, sha256: str) -> bytes:
        """Refuse."""
        raise AgentFailed("file_missing", f"nothing is stored under sha256 {sha256}")

    async def put(self, content: bytes) -> str:
        """Refuse."""
        raise AgentFailed("nowhere_to_store", f"{len(content)} bytes have no place here")


NO_BLOBS = NoBlobs()


class Message(Struct, frozen=True):
    """One message to a language model."""

    role: Role
    content: str


class Ask(Struct, frozen=True):
    """What a language model is asked.

    `model` None: the first that the settings name; `alone`: no other one is asked in its place. `schema`: a JSON Schema that
    the answer has to fit. `purpose` is what the call is accounted under, such as `answer` or `plan`; with task and attempt
    it makes the key under which a back end knows the call.
    """

    messages: tuple[Message, ...]
    deadline: datetime
    tenant: str
    agent: str
    task_id: str
    purpose: str = "answer"
    model: str | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    schema: dict[str, Any] | None = None
    attempt: int = 1
    alone: bool = False


class Said(Struct, frozen=True):
    """What a language model answered.

    `model` is the one that really answered and `backend` where it runs; `fallback`: an earlier one of the chain was
    wanted and did not answer, or there is none but the one on this machine. `data` is the answer as JSON where a schema was
    asked for. Prompt and answer are in the blob store under their hashes. `cut`: it ended before the model had.
    """

    text: str
    model: str
    backend: str
    fallback: bool
    tokens_in: int
    tokens_out: int
    cost_microusd: int | None
    duration_us: int
    cached: bool = False
    data: Any = None
    prompt_sha256: str | None = None
    answer_sha256: str | None = None
    cut: bool = False


class Language(Protocol):
    """Access to language models: a chain of back ends of which the last runs here."""

    async def complete(self, ask: Ask) -> Said:
        """Return an answer.

        Raises:
            AgentFailed: nobody answered by the deadline, or a budget does not allow the call.
        """
        ...

    def stream(self, ask: Ask) -> AsyncGenerator[str | Said, None]:
        """Yield the answer's pieces as they come, and at last the whole.

        Raises:
            AgentFailed: as for `complete`, or the answer broke off (`answer_broke_off`).
        """
        ...


class Passage(Struct, frozen=True):
    """One chunk of a document that was found: where it stands, what it says, and how well it fits (higher is better).

    `as_of` is the offset of the knowledge topic that the search knew: the same search as of it finds the same.
    """

    domain: str
    document_id: str
    version: int
    chunk: int
    title: str
    text: str
    score: float
    as_of: int | None = None


class Shelf(Protocol):
    """Knowledge: what was taken in, to be searched."""

    async def search(self, tenant: str, query: str, domains: Sequence[str], most: int) -> tuple[Passage, ...]:
        """Return the passages of these domains that fit best, best first."""
        ...
