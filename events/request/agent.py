"""Requests about agents: add or revise one, pause, resume or retire it."""

from typing import Annotated, Literal

from events.agent import AgentSpec
from events.event import event
from events.field import Name, says
from events.request.request import Reason, Request
from events.topics import REQUESTS


@event("agent.register", version=1, topic=REQUESTS, key="agent_id")
class RegisterAgent(Request, frozen=True, kw_only=True):
    """Add this agent, or revise it if its id is known."""

    spec: Annotated[AgentSpec, says("The agent as data.")]

    @property
    def agent_id(self) -> str:
        """Return the key of the request."""
        return self.spec.id


@event("agent.change", version=1, topic=REQUESTS, key="agent_id")
class ChangeAgent(Request, frozen=True, kw_only=True):
    """Pause (drain), resume or retire an agent."""

    agent_id: Annotated[Name, says("Which agent.")]
    change: Annotated[Literal["pause", "resume", "retire"], says("What becomes of it.")]
    reason: Reason = ""
