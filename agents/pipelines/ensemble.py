"""Ensemble: one agent answers what it is sure of; only hard tasks are given to several, and their answers are put to the vote."""

import asyncio
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Pipeline, Result, Stopwatch, Timer, Toolbox, Work
from agents.vote import Rule, Vote, settle
from events.agent import AgentSpec
from events.task import Step


class Member(Struct, frozen=True, forbid_unknown_fields=True):
    """One who may be asked: a pipeline with its settings, and what its word weighs under the rule `weighted`."""

    pipeline: str
    settings: dict[str, Any] = {}
    weight: Annotated[float, Meta(ge=0)] = 1.0


class EnsembleSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`answer` names the part of an output that is voted on, `confidence` the number whose size says how sure the first one is.

    Below `threshold` (find it with `agents.vote.threshold_of` on judged tasks) all others are asked, too.
    """

    members: Annotated[tuple[Member, ...], Meta(min_length=2, max_length=9)]
    answer: str
    confidence: str
    threshold: Annotated[float, Meta(ge=0)]
    rule: Rule = "majority"


class Ensemble:
    """Answers as the first member does if that is sure; else as the vote of all says. A member that fails has no vote."""

    name: ClassVar[str] = "ensemble"
    Settings: ClassVar[type[Struct]] = EnsembleSettings

    def __init__(self, settings: EnsembleSettings, toolbox: Toolbox) -> None:
        self._settings = settings
        self._members = [_built(member, toolbox) for member in settings.members]

    async def run(self, work: Work, effects: Effects, timer: Timer) -> Result:
        """Ask the first, and the others if it is not sure.

        Raises:
            AgentFailed: `all_failed`.
        """
        first = await self._ask(0, work, effects, timer)
        if isinstance(first, Result) and self._sure(first.output):
            return Result({**first.output, "asked": 1, "settled_by": "first"}, first.steps, first.cost_microusd)
        others = [self._ask(place, work, effects, timer) for place in range(1, len(self._members))]
        return self._settled([first, *await asyncio.gather(*others)], timer)

    async def _ask(self, place: int, work: Work, effects: Effects, timer: Timer) -> Result | AgentFailed:
        """Return what a member answers, its steps under its number; or how it failed."""
        try:
            result = await self._members[place].run(msgspec.structs.replace(work, telling=None), effects, timer)  # no answer yet
        except AgentFailed as failure:
            return failure
        if not isinstance(result.output, dict) or not isinstance(result.output.get(self._settings.answer), str):
            return AgentFailed("no_vote", f"member {place} has no text under {self._settings.answer}")
        steps = tuple(msgspec.structs.replace(step, name=f"{place}.{step.name}") for step in result.steps)
        return Result(result.output, steps, result.cost_microusd)

    def _sure(self, output: dict[str, Any]) -> bool:
        """Say whether an output's confidence reaches the threshold; its sign says nothing about how sure it is."""
        said = output.get(self._settings.confidence)
        return isinstance(said, int | float) and abs(said) >= self._settings.threshold

    def _settled(self, told: list[Result | AgentFailed], timer: Timer) -> Result:
        """Return the answer of the vote, what each said, and what all of them cost."""
        heard = [(place, one) for place, one in enumerate(told) if isinstance(one, Result)]
        if not heard:
            said = "; ".join(str(one) for one in told)
            raise AgentFailed("all_failed", f"no member has an answer: {said}"[:500])
        key, watch = self._settings.answer, Stopwatch(timer)
        with watch.step("vote"):
            answer = settle(
                [Vote(one.output[key], self._settings.members[place].weight) for place, one in heard], self._settings.rule
            )
        votes = [
            {"member": place, "pipeline": self._settings.members[place].pipeline, key: one.output[key]} for place, one in heard
        ]
        costs = [one.cost_microusd for _, one in heard if one.cost_microusd is not None]
        output = {key: answer, "asked": len(told), "settled_by": self._settings.rule, "votes": votes}
        return Result(output, _steps(heard) + watch.steps, sum(costs) if costs else None)


def _steps(heard: list[tuple[int, Result]]) -> tuple[Step, ...]:
    """Return the steps of all, in the order of members."""
    return tuple(step for _, one in heard for step in one.steps)


def _built(member: Member, toolbox: Toolbox) -> Pipeline:
    """Return the pipeline of a member.

    Raises:
        AgentFailed: `agent_broken`; also for an ensemble of ensembles, whose cost nobody could foresee.
    """
    from agents.catalog import build  # the catalog lists this pipeline, too

    if member.pipeline == Ensemble.name:
        raise AgentFailed("agent_broken", "an ensemble cannot be a member of an ensemble")
    return build(AgentSpec("member", "A member.", ("member",), member.pipeline, member.settings), toolbox)
