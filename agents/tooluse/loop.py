"""The loop: ask for a move, make it, look at what came of it, until there is an answer or a limit is reached."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from agents.errors import AgentFailed
from agents.pipeline import Timer
from agents.tools.call import Caller
from agents.tooluse.story import Answer, Planner, Story
from events.agent import Budget
from events.task import Step


class Limits(Struct, frozen=True):
    """When a loop ends without an answer: moves, seconds, and what the agent's budget says of tokens and money."""

    moves: int
    seconds: float
    tokens: int | None = None
    microusd: int | None = None


class Solved(Struct, frozen=True):
    """An answer, every step on the way, and what models cost (None: it was not measured)."""

    answer: Answer
    story: Story
    steps: tuple[Step, ...]
    cost_microusd: int | None


def limits_of(moves: int, seconds: float, budget: Budget | None) -> Limits:
    """Return the tighter of the pipeline's limits and the agent's budget."""
    if budget is None:
        return Limits(moves, seconds)
    return Limits(min(moves, budget.steps or moves), seconds, budget.tokens, budget.microusd)


async def solve(story: Story, planner: Planner, caller: Caller, limits: Limits, timer: Timer) -> Solved:
    """Work until there is an answer.

    Raises:
        AgentFailed: a limit is reached, or the planner knows no further; it carries the steps.
    """
    began = timer()
    steps: list[Step] = []
    try:
        for _ in range(limits.moves):
            _within(limits, steps, timer() - began)
            planned = await planner.next(story)
            steps += [planned.step] if planned.step else []
            if isinstance(planned.move, Answer):
                return Solved(planned.move, story, tuple(steps), cost_of(steps))
            made = len(caller.steps)
            observed = await caller.call(planned.move.tool, planned.move.arguments)
            steps += caller.steps[made:]
            story = replace(story, seen=(*story.seen, (planned.move, observed)))
    except AgentFailed as failure:
        failure.steps = (*steps, *failure.steps)
        raise
    raise AgentFailed("steps_spent", f"no answer after {limits.moves} moves", tuple(steps))


def cost_of(steps: Sequence[Step]) -> int | None:
    """Return what steps cost together; None where nothing was measured."""
    known = [step.cost_microusd for step in steps if step.cost_microusd is not None]
    return sum(known) if known else None


def _within(limits: Limits, steps: Sequence[Step], seconds: float) -> None:
    """Refuse a further move when something is spent, before it costs more."""
    tokens = sum((step.tokens_in or 0) + (step.tokens_out or 0) for step in steps)
    if seconds > limits.seconds:
        raise AgentFailed("time_spent", f"no answer after {limits.seconds:g} s")
    if limits.tokens is not None and tokens >= limits.tokens:
        raise AgentFailed("tokens_spent", f"{tokens} of {limits.tokens} tokens are used")
    if limits.microusd is not None and (cost_of(steps) or 0) >= limits.microusd:
        raise AgentFailed("money_spent", f"{cost_of(steps) or 0} of {limits.microusd} millionths of a dollar are used")
