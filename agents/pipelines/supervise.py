"""Supervise: splits a task no single agent can do, lets others do the parts, and makes one answer of what they give."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work
from agents.team.splitting import Delegated, Splitting, Team
from agents.team.standing import Standing
from events.agent import AgentSpec
from learning.features import reader

if TYPE_CHECKING:
    from agents.team.goal import Suit


class SuperviseSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which shapes it knows by name (empty: all in agents/plans), and whether a language model may plan what none fits.

    `local`: the one on this machine, too, which planned none of 42 goals rightly (docs/teamwork.md).
    """

    shapes: tuple[str, ...] = ()
    language: bool = True
    local: bool = False


class Supervise:
    """Runs twice for a task: first it makes the plan and rests, then, when the parts are over, it merges."""

    name: ClassVar[str] = "supervise"
    Settings: ClassVar[type[Struct]] = SuperviseSettings

    def __init__(self, settings: SuperviseSettings, toolbox: Toolbox) -> None:
        from agents.team.shape import load  # YAML, which workers do not need before

        self._toolbox = toolbox
        self._language, self._local = settings.language, settings.local
        self._shapes = tuple(shape for shape in load() if not settings.shapes or shape.name in settings.shapes)

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Plan, or merge.

        Raises:
            Delegated: others do the parts now.
            AgentFailed: no plan fits, or the plan failed.
        """
        team = self._toolbox.team
        if team is None:
            raise AgentFailed("no_team", "nobody is here to do parts of a task")
        watch = Stopwatch(timer)
        standing = await team.standing(work.task_id, work.attempt)
        if standing is None:
            raise Delegated(await self._planned(work, team))
        if standing.outcome is None:
            raise Delegated(None)
        with watch.step("merge"):
            output = await self._merged(standing)
        return Result(output, watch.steps, standing.cost_microusd, standing.took // timedelta(microseconds=1))

    async def _planned(self, work: Work, team: Team) -> Splitting:
        """Return the plan: the one that was asked for, by shapes, or by a language model."""
        from agents.team import planner

        language = self._toolbox.language if self._language else None
        specs = await team.specs(work.tenant)
        kinds = frozenset(skill for spec in specs for skill in spec.skills)
        house = planner.House(kinds, partial(self._suiting, work, specs))
        planned = await planner.plan(work, self._shapes, house, language, self._local)
        return Splitting(planned.plan, planned.made_by, planned.why, work.text)

    def _suiting(self, work: Work, specs: Sequence[AgentSpec]) -> "Suit":
        """Return what tells whom a text suits but for supervisors, by the vectors of words that are shipped."""
        from agents.team.suiting import Suiting, others

        return Suiting(work.tenant, others(specs, work.agent), reader(self._toolbox.encoders.open("static").encoder)).suited

    async def _merged(self, standing: Standing) -> dict[str, Any]:
        """Return one answer; raises AgentFailed where the plan failed."""
        from agents.team.report import merged

        if standing.outcome not in ("completed", "partial"):
            bad = [f"{name}: {end.reason}" for name, end in standing.ended.items() if end.outcome == "failed"]
            raise AgentFailed("plan_failed", f"what is needed could not be done ({'; '.join(bad)})")
        outputs: dict[str, Any] = {}
        for parts in standing.parts.values():
            for part in parts:
                if part.outcome == "completed":
                    outputs[part.task_id] = await self._output(part.output, part.output_sha256)
        return merged(standing, outputs)

    async def _output(self, inline: Any, sha256: str | None) -> Any:
        return inline if sha256 is None else msgspec.json.decode(await self._toolbox.blobs.get(sha256))
