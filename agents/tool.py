"""A tool: a typed function that an agent may be granted; its arguments are checked before it is called."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from agents.pipeline import Work


class Tool(Struct, frozen=True):
    """One tool.

    `parameters` and `returns` are JSON Schemas. `effect` says whether a call changes anything outside; such a call goes
    through the ledger, once. `run` gets arguments that fit, and raises `AgentFailed` where there is no result.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    returns: dict[str, Any]
    run: Callable[[dict[str, Any], Work], Awaitable[Any]]
    effect: bool = False
