"""Which policy serves. Key: the scope."""

from typing import Any

from events.event import Fact, event
from events.topics import MODELS


@event("policy.set", version=1, topic=MODELS, key="scope")
class PolicySet(Fact, frozen=True, kw_only=True):
    """A person put a policy in force for a scope. It beats a running experiment; None gives the choice back."""

    scope: str
    request_id: str
    policy: str | None
    parameters: dict[str, Any]
    reason: str
    set_by: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "policy", self.scope, self.request_id)
