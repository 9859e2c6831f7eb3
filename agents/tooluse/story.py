"""What a worker with tools knows so far, and what it may do next."""

from typing import Any, Protocol

from msgspec import Struct

from agents.pipeline import Work
from agents.tool import Tool
from agents.tools.call import Observed
from events.task import Step


class Call(Struct, frozen=True):
    """The wish to call a tool; nothing in it has been checked."""

    tool: Any
    arguments: Any


class Answer(Struct, frozen=True):
    """The answer to the task, and what it rests on."""

    text: str
    citations: tuple[str, ...] = ()


Move = Call | Answer


class Story(Struct, frozen=True):
    """One attempt so far: the task, the tools that may be called, and each call with what came of it."""

    work: Work
    tools: tuple[Tool, ...]
    seen: tuple[tuple[Call, Observed], ...] = ()

    def has(self, *names: str) -> bool:
        """Say whether all these tools may be called."""
        return {*names} <= {tool.name for tool in self.tools}


class Planned(Struct, frozen=True):
    """The next move, and the step that it took to find it (None: it cost nothing)."""

    move: Move
    step: Step | None = None


class Planner(Protocol):
    """Says what to do next."""

    name: str

    async def next(self, story: Story) -> Planned:
        """Return the next move.

        Raises:
            AgentFailed: it knows none.
        """
        ...
