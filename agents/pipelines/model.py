"""Model: one step that several models could do; which one does it is chosen, recorded, and learned from what the task came to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, ClassVar, NamedTuple

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from agents.choosing import Fitting, KnownModel, Models, Offer, Rule, Situation, Wanted, chosen, offer
from agents.errors import AgentFailed, EffectUnknown
from agents.pipeline import Effect, Effects, Pipeline, Result, Timer, Toolbox, Work
from events.agent import AgentSpec
from events.card import ModelCard
from events.field import Ident, Name
from events.task import ModelChoice, Step
from learning.draw import draw
from learning.errors import LearningError
from learning.policies import DEFAULT

_DRAWS = b"smolit/models"  # draws are told apart by task, attempt, subtask and try; nobody gains by foreseeing one
_NOBODY = "no_model"
_KEPT = 256  # pipelines; a changed card makes a new one


class ModelSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which models: by name, or `any` that fit. `subtask` is what they are measured at; left out: that of `any`, or the kind.

    `domain` names the place in the task's input that says what it is about. `rules` are tried in order: the first that holds
    narrows the models down. `policy` weighs the rest; each that may still be the best keeps at least `share`. A model that brings
    nothing is followed by another one, up to `tries`.
    """

    models: Annotated[tuple[Name, ...], Meta(max_length=50)] = ()
    any: Fitting | None = None
    subtask: Ident | None = None
    domain: Ident = "domain"
    rules: Annotated[tuple[Rule, ...], Meta(max_length=50)] = ()
    policy: Name = DEFAULT
    parameters: dict[str, float] = {}
    share: Annotated[float, Meta(ge=0, le=0.25)] = 0.01
    tries: Annotated[int, Meta(ge=1, le=5)] = 2


class _Tried(NamedTuple):
    """What a model brought: its result, or how it failed."""

    choice: ModelChoice
    card: ModelCard
    took_us: int
    came: Result | AgentFailed


class Model:
    """Chooses a model by rules, likeness of its card and measured score, and lets it do the step."""

    name: ClassVar[str] = "model"
    Settings: ClassVar[type[Struct]] = ModelSettings

    def __init__(self, settings: ModelSettings, toolbox: Toolbox) -> None:
        if not settings.models and settings.any is None:
            raise AgentFailed("agent_broken", "model: name `models`, or say with `any` which of them fit")
        self._settings, self._toolbox = settings, toolbox
        self._pipelines: dict[bytes, Pipeline] = {}

    async def run(self, work: Work, effects: Effects, timer: Timer) -> Result:
        """Choose and work; a model that brings nothing is followed by another one.

        Raises:
            AgentFailed: no model can be used, or none that was tried brought anything; it bears the choices that were made.
        """
        models = self._toolbox.models
        if models is None:
            raise AgentFailed("no_models", "there is nowhere to look for models")
        known, missing, steps = await models.known(work.tenant), dict[str, str](), list[Step]()
        last: AgentFailed | None = None
        for number in range(1, self._settings.tries + 1):
            try:
                tried = await self._try(models, known, missing, work, effects, timer, number)
            except AgentFailed as failure:
                said = last if last is not None and failure.reason == _NOBODY else failure
                raise _bearing(said, (*steps, *failure.steps)) from failure
            steps += _steps(tried, number)
            if isinstance(tried.came, Result):
                return Result(tried.came.output, tuple(steps), _cost(tried.came, tried.card))
            missing[tried.card.name] = "tried"
            last = AgentFailed(tried.came.reason, f"{tried.choice.model}: {tried.came.detail}")
        raise _bearing(last or AgentFailed(_NOBODY, "no model was tried"), tuple(steps))

    async def _try(
        self,
        models: Models,
        known: tuple[KnownModel, ...],
        missing: dict[str, str],
        work: Work,
        effects: Effects,
        timer: Timer,
        number: int,
    ) -> _Tried:
        """Choose a model, and let it work."""
        began = timer()
        choice, card, pipeline = await self._chosen(models, known, missing, work, number)
        took_us = round((timer() - began) * 1_000_000)
        try:
            async with asyncio.timeout(card.limits.seconds if card.limits else None):
                came: Result | AgentFailed = await pipeline.run(work, _Named(effects, card.name), timer)
        except EffectUnknown as failure:
            tried = _Tried(choice, card, took_us, failure)
            failure.steps = tuple(_steps(tried, number))
            raise
        except AgentFailed as failure:
            came = failure
        except TimeoutError:
            came = AgentFailed(
                "model_slow", f"{card.label} took longer than the {card.limits and card.limits.seconds} s of its card"
            )
        return _Tried(choice, card, took_us, came)

    async def _chosen(
        self, models: Models, known: tuple[KnownModel, ...], missing: dict[str, str], work: Work, number: int
    ) -> tuple[ModelChoice, ModelCard, Pipeline]:
        """Return the choice among the models that can be had here; who cannot is left out of it."""
        wanted, seen = self._wanted(work), self._situation(work)
        offered = self._usable(known, wanted, seen, missing)
        if not offered.candidates:
            told = ", ".join(f"{one.model} ({one.reason})" for one in offered.left_out) or "none is registered that fits"
            raise AgentFailed(_NOBODY, f"no model can do {wanted.subtask}: {told}"[:500])
        settings = self._settings
        try:
            page = await models.page(work.tenant, wanted.subtask, settings.policy, settings.parameters)
            drawn = draw(_DRAWS, work.task_id, work.attempt, wanted.subtask, number)
            choice = await asyncio.to_thread(chosen, offered, wanted, seen, page, models.context(work.features), drawn)
        except LearningError as error:
            raise AgentFailed("agent_broken", f"model: {error}") from error
        card = next(one.card for one in offered.candidates if one.card.label == choice.model)
        return choice, card, self._pipeline(card)

    def _usable(self, known: tuple[KnownModel, ...], wanted: Wanted, seen: Situation, missing: dict[str, str]) -> Offer:
        """Return an offer of models whose pipelines can be built here."""
        while True:
            offered = offer(known, wanted, seen, missing)
            broken = [one.card.name for one in offered.candidates if not self._works(one.card)]
            if not broken:
                return offered
            missing |= dict.fromkeys(broken, "unavailable")

    def _works(self, card: ModelCard) -> bool:
        try:
            self._pipeline(card)
        except AgentFailed:
            return False
        return not (card.kind == "llm" and self._toolbox.language is None)

    def _pipeline(self, card: ModelCard) -> Pipeline:
        """Return the pipeline of a card; heavy parts are opened when it first works."""
        key = msgspec.json.encode((card.pipeline, card.settings), order="deterministic")
        if key not in self._pipelines:
            while len(self._pipelines) >= _KEPT:
                del self._pipelines[next(iter(self._pipelines))]
            self._pipelines[key] = built(card, self._toolbox)
        return self._pipelines[key]

    def _wanted(self, work: Work) -> Wanted:
        """Return what is asked for."""
        settings = self._settings
        subtask = settings.subtask or (settings.any and settings.any.subtask) or work.kind or "task"
        return Wanted(subtask, settings.models, settings.any, settings.rules, settings.share)

    def _situation(self, work: Work) -> Situation:
        """Return what is known of the task."""
        domain = work.input.get(self._settings.domain)
        said = domain if isinstance(domain, str) and 0 < len(domain) <= 256 else None
        return Situation(work.text, work.features, said, tuple(file.media_type for file in work.files))


class _Named:
    """Side effects of one model: two models that ask alike are two side effects."""

    def __init__(self, effects: Effects, model: str) -> None:
        self._effects, self._model = effects, model

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Hand on."""
        return await self._effects.once(replace(effect, step=f"{self._model}.{effect.step}"), call)


def built(card: ModelCard, toolbox: Toolbox) -> Pipeline:
    """Return what does a model's work.

    Raises:
        AgentFailed: there is no such pipeline, its settings do not fit, or it would choose a model itself.
    """
    from agents.catalog import ELSEWHERE, build  # the catalog lists this pipeline, too

    if card.pipeline in {Model.name, *(one.name for one in ELSEWHERE)}:
        raise AgentFailed("agent_broken", f"{card.name}: {card.pipeline!r} cannot do a model's work")
    return build(AgentSpec(card.name, card.description, card.subtasks, card.pipeline, card.settings), toolbox)


def _bearing(failure: AgentFailed, steps: tuple[Step, ...]) -> AgentFailed:
    """Return a failure with the steps that were done before it."""
    failure.steps = steps
    return failure


def _steps(tried: _Tried, number: int) -> tuple[Step, ...]:
    """Return the choice as a step, and the model's own steps."""
    name = "choose" if number == 1 else f"choose.{number}"
    error = tried.came.reason if isinstance(tried.came, AgentFailed) else None
    return (Step(name, tried.took_us, tried.choice.model, error=error, choice=tried.choice), *tried.came.steps)


def _cost(result: Result, card: ModelCard) -> int | None:
    """Return what a call cost: as measured, or as the card says."""
    if result.cost_microusd is not None or card.price is None or card.price.call is None:
        return result.cost_microusd
    return round(card.price.call)
