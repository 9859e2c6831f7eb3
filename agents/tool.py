"""A tool: a typed function that an agent may be granted; its arguments are checked before it is called."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from agents.consent import CHANGES, Reach
from agents.pipeline import Work


class Tool(Struct, frozen=True):
    """One tool.

    `parameters` and `returns` are JSON Schemas. `effect` says how far a call reaches: it computes (none), looks
    something up (read), changes something in this house (write) or elsewhere (outside); what changes something goes
    through the ledger, once. `run` gets arguments that fit, and raises `AgentFailed` where there is no result.

    `targets` are the arguments that say where a call goes (an address, a path, a command): an agent's spec has to allow
    each value of theirs, since whoever reads texts of strangers may have been told to name another. `foreign`: name,
    description and schemas were written by somebody else, such as a tool server, and are data like the results. `digest`
    is of what it said then; `changed`: why it is not what somebody looked at.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    returns: dict[str, Any]
    run: Callable[[dict[str, Any], Work], Awaitable[Any]]
    effect: Reach = "none"
    targets: tuple[str, ...] = ()
    foreign: bool = False
    digest: str = ""
    changed: str = ""

    @property
    def changes(self) -> bool:
        """Say whether a call changes anything."""
        return self.effect in CHANGES
