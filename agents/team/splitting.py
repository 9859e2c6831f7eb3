"""What an agent hands over when it splits its task, and what it is told when it goes on."""

from typing import Protocol

from msgspec import Struct

from agents.errors import AgentError
from agents.team.standing import Standing
from events.agent import AgentSpec
from events.plan import Plan


class Splitting(Struct, frozen=True):
    """A plan for an attempt's task; `text` is the task's whole text, wherever it was stored."""

    plan: Plan
    made_by: str
    why: str
    text: str


class Delegated(AgentError):
    """No failure: others do parts of the attempt, and it goes on when they are over. None: they were asked before."""

    def __init__(self, splitting: Splitting | None) -> None:
        super().__init__("others do parts of it")
        self.splitting = splitting


class Team(Protocol):
    """What a supervisor asks of the house."""

    async def standing(self, task_id: str, attempt: int) -> Standing | None:
        """Return how the plan of an attempt stands; None: it has none."""
        ...

    async def specs(self, tenant: str) -> tuple[AgentSpec, ...]:
        """Return the tenant's agents that have not left."""
        ...
