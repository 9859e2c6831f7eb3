"""Asking a person before something is changed: when, what they are shown, and what an attempt does meanwhile."""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from agents.errors import AgentError
from events.ids import derived_id

Reach = Literal["none", "read", "write", "outside"]
CHANGES: tuple[Reach, ...] = ("write", "outside")
EVERYBODY = "*"
_MOST_SHOWN = 20_000  # characters of arguments; longer ones are told by their digest and how they begin


class Consent(Struct, frozen=True):
    """Whose outside effects need a person each time (`*`: everybody's), and how long a question stands, in seconds."""

    outside: frozenset[str] = frozenset()
    patience_s: float = 600.0

    def rules(self, tenant: str, reach: Reach) -> bool:
        """Return whether a tenant's rule asks about an effect."""
        return reach == "outside" and bool(self.outside & {tenant, EVERYBODY})


class Question(Struct, frozen=True):
    """One call that a person is asked about: exactly this one, by the digest of its arguments, and of this attempt."""

    approval_id: str
    tool: str
    reach: Reach
    why: str
    arguments: Any
    arguments_sha256: str
    patience_s: float


class AwaitsApproval(AgentError):
    """No failure: the attempt goes on when a person has answered, or nobody has in time."""

    def __init__(self, question: Question) -> None:
        super().__init__(f"a person is asked about {question.tool}")
        self.question = question


def approval_id(task_id: str, attempt: int, tool: str, sha256: str) -> str:
    """Return the id of the question about one exact call: the same after a crash, another for other arguments."""
    return derived_id("approval", task_id, attempt, tool, sha256)


def shown(arguments: Any, sha256: str) -> Any:
    """Return arguments as a person is shown them."""
    try:
        written = msgspec.json.encode(arguments, order="sorted").decode()
    except (TypeError, ValueError, RecursionError):
        return {"sha256": sha256}
    if len(written) <= _MOST_SHOWN:
        return msgspec.json.decode(written)
    return {"sha256": sha256, "begins": written[:2_000], "characters": len(written)}
