"""Pools: which workers do an agent's attempts. The house's own have no name.

A pool that lives elsewhere belongs to one tenant, and never shares a label with a pool of ours: what one of them may claim,
no other does.
"""

import re

from events.agent import AgentSpec

HOUSE = ""
REMOTE = "remote"  # the pipeline of agents that live elsewhere; stands in specs, so it stays
_ELSEWHERE = "@"
_TOPIC_PART = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")  # goes into topic names, where "." separates


def is_remote(spec: AgentSpec) -> bool:
    """Return whether an agent lives elsewhere."""
    return spec.pipeline == REMOTE


def pool_of(tenant: str, spec: AgentSpec) -> str:
    """Return the pool of a tenant's agent, as attempts and workers are labelled with it."""
    if spec.pool is None:
        return HOUSE
    return elsewhere(tenant, spec.pool) if is_remote(spec) else spec.pool


def elsewhere(tenant: str, pool: str) -> str:
    """Return the label of a tenant's pool that lives elsewhere."""
    return f"{_ELSEWHERE}{tenant}/{pool}"


def is_elsewhere(label: str) -> bool:
    """Return whether a label is that of a pool that lives elsewhere."""
    return label.startswith(_ELSEWHERE)


def fits_a_topic(pool: str) -> bool:
    """Return whether a topic can be named after a pool: lower-case letters, digits and hyphens, at most 63."""
    return _TOPIC_PART.fullmatch(pool) is not None
