"""Whether a turn asks for several things that no agent does alone, so that somebody has to split it. Pure.

It is found out by what supervisors plan by (`agents/team/goal.py`), so whoever gets the turn will split it.
"""

from collections.abc import Callable, Sequence

from agents.team.clauses import clauses
from agents.team.comparing import pair
from agents.team.goal import Suit, planned
from agents.team.suiting import others
from events.agent import AgentSpec

SPLITS = "supervise"  # pipeline of those who split tasks
SuitOf = Callable[[tuple[AgentSpec, ...]], Suit]  # among these agents


def team_of(text: str, specs: Sequence[AgentSpec], suit_of: SuitOf) -> str | None:
    """Return the kind of task of whoever splits tasks, if a text is for several agents; None: one does it, or nobody splits."""
    supervisor = splitter(specs)
    if supervisor is None or (len(clauses(text).found) < 2 and pair(text) is None):
        return None
    kinds = frozenset(skill for one in specs for skill in one.skills)
    made = planned(text, suit_of(others(specs, supervisor.id)), kinds)
    return supervisor.skills[0] if made is not None and len(made.steps) > 1 else None


def splitter(specs: Sequence[AgentSpec]) -> AgentSpec | None:
    """Return the first agent that splits tasks; None: there is none."""
    return next((one for one in specs if one.pipeline == SPLITS and one.skills), None)
