"""What an agent is made of: a pipeline does one attempt and says how long each step took."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

import httpx
import msgspec
from msgspec import Struct

from agents.choosing import Models
from agents.consent import Consent, Reach
from agents.errors import AgentFailed
from agents.lesson import Lessons
from agents.port import NO_BLOBS, Blobs, Language, Said, Shelf
from agents.team.splitting import Team
from agents.telling import Telling
from agents.tool_server import ToolServer
from agents.vectors import Encoders
from events.agent import AgentSpec
from events.task import Features, FileRef, Step
from learning.outcomes import Outcomes

Timer = Callable[[], float]  # seconds, monotonic
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time of this machine's clock."""
    return datetime.now(UTC)


class Work(Struct, frozen=True):
    """One attempt as an agent sees it; `text` is the task's whole text, wherever it was stored.

    `files` are named here; `Toolbox.blobs` has their bytes. `spec` is the agent's own, as it was registered;
    `features` are what was read out of the text when it was admitted. `telling` opens what tells whoever watches the pieces
    of the answer; None: it is no turn of a conversation.
    """

    tenant: str
    task_id: str
    attempt: int
    agent: str
    kind: str | None
    text: str
    input: dict[str, Any]
    deadline: datetime
    files: tuple[FileRef, ...] = ()
    spec: AgentSpec | None = None
    features: Features | None = None
    telling: Telling | None = None


class Result(Struct, frozen=True):
    """What an attempt brought: an output that JSON can hold, its steps, and the cost where it was measured.

    `duration_us` None: as long as the run took; a split task says how long it took with its parts.
    """

    output: Any
    steps: tuple[Step, ...]
    cost_microusd: int | None = None
    duration_us: int | None = None


class Effect(Struct, frozen=True):
    """One side effect: the step it is, whom it is asked of, the request's sha256, and whether a repeat is harmless.

    `reach`: how far it reaches. `ask`: why a person has to allow it; None: nobody need, unless the tenant's rule says so.
    They are shown `arguments`.
    """

    step: str
    target: str
    request_sha256: str
    idempotent: bool
    reach: Reach = "outside"
    ask: str | None = None
    arguments: Any = None


class Effects(Protocol):
    """Where side effects go: each is remembered before it is asked for, so that no crash makes it happen twice."""

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Return the effect's result; `call` gets the key under which the provider knows it.

        Raises:
            AwaitsApproval: a person is asked first, and has not answered.
            EffectUnknown: it may have happened, and asking again could make it happen twice.
            AgentFailed: it did not happen, or the provider that takes our key did not answer.
        """
        ...


class Toolbox(Struct, frozen=True):
    """What pipelines may use: the project's folder, hosts that may be called, a client, recorded outcomes, and stored bytes.

    `language` and `shelf` None: there is no language model, no knowledge here. `keys` returns the key of a service by the
    name of its environment variable. `servers` are the servers of foreign tools that the operator named.
    `encoders`: what texts are compared with and judged by. `team` None: nobody can be asked from here.
    `lessons`: what people said was right; None: nobody is asked. `models`: those that a step may choose from.
    `consent`: whose effects a person has to allow.
    """

    root: Path
    hosts: frozenset[str]
    http: httpx.AsyncClient
    recordings: Callable[[Path], Outcomes]
    blobs: Blobs = NO_BLOBS
    encoders: Encoders = Encoders()
    language: Language | None = None
    shelf: Shelf | None = None
    clock: Clock = utc_now
    keys: Mapping[str, str] = {}
    servers: Mapping[str, ToolServer] = {}
    team: Team | None = None
    lessons: Lessons | None = None
    models: Models | None = None
    consent: Consent = Consent()


def beneath(root: Path, path: str) -> Path:
    """Return a path that a spec names, from the project's folder; whoever registers agents may name nothing outside of it.

    Raises:
        AgentFailed: it leads out of the folder, also by links.
    """
    found = root / path
    if not found.resolve().is_relative_to(root.resolve()):
        raise AgentFailed("agent_broken", "the spec names a file outside of the project's folder")
    return found


class Pipeline(Protocol):
    """Does attempts; made once per spec, used for many attempts at a time."""

    name: ClassVar[str]
    Settings: ClassVar[type[Struct]]

    def __init__(self, settings: Any, toolbox: Toolbox, /) -> None:
        """Take the spec's settings, which fit `Settings`."""
        ...

    async def run(self, work: Work, effects: Effects, timer: Timer, /) -> Result:
        """Do one attempt.

        Raises:
            AgentFailed: there is no result.
        """
        ...


@dataclass
class Spent:
    """What a step used, as far as it is known by the time that the step ends."""

    model: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_microusd: int | None = None
    prompt_sha256: str | None = None
    answer_sha256: str | None = None

    def on(self, said: Said) -> None:
        """Add what an answer of a language model took; the model is the one that answered last."""
        if self.tokens_in is None:
            self.cost_microusd = said.cost_microusd
        elif self.cost_microusd is not None:
            self.cost_microusd = None if said.cost_microusd is None else self.cost_microusd + said.cost_microusd
        self.model = said.model
        self.tokens_in = (self.tokens_in or 0) + said.tokens_in
        self.tokens_out = (self.tokens_out or 0) + said.tokens_out
        self.prompt_sha256, self.answer_sha256 = said.prompt_sha256, said.answer_sha256


def step_of(name: str, said: Said) -> Step:
    """Return a step that was one question to a language model, as its answer says."""
    figures = (said.model, said.tokens_in, said.tokens_out, said.cost_microusd)
    hashes = {"prompt_sha256": said.prompt_sha256, "answer_sha256": said.answer_sha256}
    return msgspec.structs.replace(Step(name, said.duration_us, *figures), **hashes)


class Stopwatch:
    """Times the steps of one attempt."""

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._steps: list[Step] = []

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps that have ended."""
        return tuple(self._steps)

    @property
    def cost_microusd(self) -> int | None:
        """Return what the steps cost together; None if none of them says."""
        known = [step.cost_microusd for step in self._steps if step.cost_microusd is not None]
        return sum(known) if known else None

    @contextmanager
    def step(self, name: str, model: str | None = None) -> Iterator[Spent]:
        """Time what happens inside, and note what it says that it used; a step that fails says so in a failed attempt, too."""
        began, spent = self._timer(), Spent(model)
        try:
            yield spent
        except AgentFailed as error:
            self._end(name, began, spent)
            error.steps = self.steps
            raise
        self._end(name, began, spent)

    def _end(self, name: str, began: float, spent: Spent) -> None:
        """Write a step down."""
        took_us = round((self._timer() - began) * 1_000_000)
        figures = (spent.model, spent.tokens_in, spent.tokens_out, spent.cost_microusd)
        prompt, answer = spent.prompt_sha256, spent.answer_sha256
        self._steps.append(Step(name, took_us, *figures, prompt_sha256=prompt, answer_sha256=answer))
