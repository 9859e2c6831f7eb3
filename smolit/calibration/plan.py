"""Which past tasks are done again, and by whom: by those that could and have not done them yet. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence

from events.calibration import Planned
from learning.picking import kinds_in_turn
from smolit.calibration.past import Past, Reference


def planned(
    past: Sequence[Past],
    fitting: Callable[[Past], Sequence[str]],
    wanted: Collection[str] | None,
    references: Mapping[str, Reference] | None,
    count: int,
) -> tuple[Planned, ...]:
    """Return up to `count` past tasks, each with the agents that fit it and have no reward for this text yet.

    `past` comes newest first; `wanted` None: every agent that fits; `references` None: tasks that nobody can judge, too.
    """
    judged = [one for one in past if references is None or one.task_id in references]
    todo = [(one, agents) for one in judged if (agents := _agents(one, fitting(one), wanted))]
    picked = kinds_in_turn([one.kind or "" for one, _ in todo], count)
    return tuple(Planned(one.task_id, agents, _why(one)) for one, agents in (todo[place] for place in picked))


def _agents(one: Past, fitting: Sequence[str], wanted: Collection[str] | None) -> tuple[str, ...]:
    return tuple(agent for agent in fitting if agent not in one.done_by and (wanted is None or agent in wanted))


def _why(one: Past) -> str:
    return f"the newest of kind {one.kind}, kinds in turn" if one.kind else "the newest"
