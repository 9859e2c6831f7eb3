"""What an agent is made of: a pipeline does one attempt and says how long each step took."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

import httpx
from msgspec import Struct

from agents.lesson import Lessons
from agents.port import NO_BLOBS, Blobs, Language
from agents.team.splitting import Team
from events.agent import AgentSpec
from events.task import Features, FileRef, Step
from learning.outcomes import Outcomes

Timer = Callable[[], float]  # seconds, monotonic


class Work(Struct, frozen=True):
    """One attempt as an agent sees it; `text` is the task's whole text, wherever it was stored.

    `files` are named here; `Toolbox.blobs` has their bytes. `spec` is the agent's own, as it was registered;
    `features` are what was read out of the text when it was admitted.
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


class Result(Struct, frozen=True):
    """What an attempt brought: an output that JSON can hold, its steps, and the cost where it was measured.

    `duration_us` None: as long as the run took; a split task says how long it took with its parts.
    """

    output: Any
    steps: tuple[Step, ...]
    cost_microusd: int | None = None
    duration_us: int | None = None


class Effect(Struct, frozen=True):
    """One side effect: the step it is, whom it is asked of, the request's sha256, and whether a repeat is harmless."""

    step: str
    target: str
    request_sha256: str
    idempotent: bool


class Effects(Protocol):
    """Where side effects go: each is remembered before it is asked for, so that no crash makes it happen twice."""

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Return the effect's result; `call` gets the key under which the provider knows it.

        Raises:
            EffectUnknown: it may have happened, and asking again could make it happen twice.
            AgentFailed: it did not happen, or the provider that takes our key did not answer.
        """
        ...


class Toolbox(Struct, frozen=True):
    """What pipelines may use: the project's folder, hosts that may be called, a client, recorded outcomes, stored bytes,
    language models, a team, and what people said was right.
    """

    root: Path
    hosts: frozenset[str]
    http: httpx.AsyncClient
    recordings: Callable[[Path], Outcomes]
    blobs: Blobs = NO_BLOBS
    language: Language | None = None
    team: Team | None = None
    lessons: Lessons | None = None


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


class Stopwatch:
    """Times the steps of one attempt."""

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._steps: list[Step] = []

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps that have ended."""
        return tuple(self._steps)

    @contextmanager
    def step(self, name: str, model: str | None = None) -> Iterator[None]:
        """Time what happens inside."""
        began = self._timer()
        yield
        self._steps.append(Step(name, round((self._timer() - began) * 1_000_000), model))
