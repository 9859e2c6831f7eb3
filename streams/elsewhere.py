"""What workers that live elsewhere say on request topics: the bridge takes it in, and intake passes it over."""

from events.control import Control
from events.pool import is_remote
from events.request import OF_WORKERS
from streams.inspection import Healthy, Sick


def for_intake(one: Healthy | Sick, control: Control) -> Healthy | Sick | None:
    """Return what intake has to answer: of what a worker says only that nobody listens to such; None: the bridge answers."""
    if isinstance(one, Sick) or not isinstance(one.asked.request, OF_WORKERS):
        return one
    tenant = one.asked.tenant
    if any(owner == tenant and is_remote(agent.spec) for (owner, _), agent in control.agents.items()):
        return None
    return one.refused("no_agent_elsewhere", "pool: no agent of yours lives elsewhere; register one with `pipeline: remote`")
