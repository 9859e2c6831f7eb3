"""Agents: what can be asked to do a task. Key: the agent id."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from events.event import Fact, event
from events.field import Ident, Name, Sentence, says
from events.task import Features
from events.topics import AGENTS

MOST_EXAMPLES = 16  # of an agent: each is a vector beside its spec in the log
Example = Annotated[str, Meta(min_length=1, max_length=300)]


class Budget(Struct, frozen=True, forbid_unknown_fields=True):
    """What one task may cost an agent, checked before each call that costs; null: no limit."""

    tokens: Annotated[Annotated[int, Meta(ge=0)] | None, says("Tokens read and written, over all calls.")] = None
    microusd: Annotated[Annotated[int, Meta(ge=0)] | None, says("Money, in millionths of a dollar.")] = None
    steps: Annotated[Annotated[int, Meta(ge=1)] | None, says("Calls of models and tools.")] = None


class AgentSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """An agent as data: what it is good for (`skills`, `description`) and the pipeline that does the work.

    `timeout_s` bounds one attempt; `settings` belong to the pipeline, which checks them.
    """

    id: Annotated[Name, says("Name of the agent.")]
    description: Annotated[Sentence, says("What it does, in words; tasks without a kind are matched by it.")]
    skills: Annotated[tuple[Ident, ...], says("Kinds of tasks that it can do.")]
    pipeline: Annotated[Name, says("What does the work.")]
    settings: Annotated[dict[str, Any], says("What the pipeline is told; it checks them.")] = {}
    timeout_s: Annotated[float, Meta(gt=0, le=86_400), says("Seconds that one attempt may take.")] = 30.0
    version: Annotated[Ident | None, says("Version of the spec, for people; its digest is what facts refer to.")] = None
    pool: Annotated[Name | None, says("Which workers do its attempts; null: those of the house.")] = None
    inputs: Annotated[dict[str, Any] | None, says("JSON Schema of `input`; null: anything.")] = None
    needs: Annotated[
        tuple[str, ...], says("One of these must come with a task: a name in its input, or `file:` and a media type; `*` is any.")
    ] = ()
    outputs: Annotated[dict[str, Any] | None, says("JSON Schema of the output; null: anything.")] = None
    tools: Annotated[tuple[Name, ...], says("Tools that it may use, and no others.")] = ()
    knowledge: Annotated[tuple[Name, ...], says("Domains of knowledge that it may read, and no others.")] = ()
    prompts: Annotated[dict[Ident, str], says("What its model is told, by name.")] = {}
    budget: Annotated[Budget | None, says("What one task may cost; null: no limit.")] = None
    tenants: Annotated[tuple[Name, ...], says("Tenants that may ask it; empty: all.")] = ()
    examples: Annotated[
        Annotated[tuple[Example, ...], Meta(max_length=MOST_EXAMPLES)],
        says("Short texts of tasks that it does; tasks without a kind are matched by them, besides the description."),
    ] = ()
    general: Annotated[bool, says("Whether it does what no other agent's description or examples clearly fit.")] = False


@event("agent.registered", version=1, topic=AGENTS, key="agent_id")
class AgentRegistered(Fact, frozen=True, kw_only=True):
    """An agent joined; `described` and `examples` are the features of its description and of its examples, for matching."""

    agent_id: str
    request_id: str
    spec: AgentSpec
    digest: str
    described: Features
    examples: tuple[Features, ...] = ()

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "agent", self.agent_id, self.request_id)


@event("agent.revised", version=1, topic=AGENTS, key="agent_id")
class AgentRevised(Fact, frozen=True, kw_only=True):
    """An agent's spec changed; choices made before keep the spec's digest they were made with."""

    agent_id: str
    request_id: str
    spec: AgentSpec
    digest: str
    described: Features
    examples: tuple[Features, ...] = ()

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "agent", self.agent_id, self.request_id)


@event("agent.paused", version=1, topic=AGENTS, key="agent_id")
class AgentPaused(Fact, frozen=True, kw_only=True):
    """An agent drains: it ends what it has and is chosen for nothing new."""

    agent_id: str
    request_id: str
    reason: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "agent", self.agent_id, self.request_id)


@event("agent.resumed", version=1, topic=AGENTS, key="agent_id")
class AgentResumed(Fact, frozen=True, kw_only=True):
    """A paused agent may be chosen again."""

    agent_id: str
    request_id: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "agent", self.agent_id, self.request_id)


@event("agent.retired", version=1, topic=AGENTS, key="agent_id")
class AgentRetired(Fact, frozen=True, kw_only=True):
    """An agent left for good; its history stays."""

    agent_id: str
    request_id: str
    reason: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "agent", self.agent_id, self.request_id)
