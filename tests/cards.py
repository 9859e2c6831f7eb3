"""Builders for models inside agents: cards, choices, steps that had one, and judged outcomes."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agents.choosing import KnownModel, blank
from events.card import CardChanged, CardRegistered, CardRetired, ModelCard
from events.event import Event, Fact
from events.task import Features, ModelCandidate, ModelChoice, ModelLeftOut, Step
from learning.models import Page, Told, fold, maker
from learning.policy import Context
from tests.builders import TENANT, features, halves, stamped

WIDTH = 5


def card(name: str = "small", **fields: Any) -> ModelCard:
    """Return a card of a model that reads sentiment off a list of words."""
    defaults = {
        "version": "1",
        "kind": "rule",
        "description": f"{name} reads texts.",
        "subtasks": ("mood",),
        "pipeline": "sentiment",
    }
    return ModelCard(name=name, **{**defaults, **fields})


def known(name: str = "small", retired: bool = False, **fields: Any) -> KnownModel:
    """Return a model that may be used."""
    return KnownModel(card(name, **fields), features(), retired)


def choice(model: str = "small/1", **fields: Any) -> ModelChoice:
    """Return a choice between two models."""
    mine = ModelCandidate(model, 0.5, {"pooled": 0.5}, 0.75, 0.25, 3)
    defaults: dict[str, Any] = {
        "subtask": "mood",
        "domain": "shop",
        "probability": 0.75,
        "draw": 0.5,
        "explored": False,
        "candidates": (mine, ModelCandidate("another/1", 0.25, {"pooled": 0.25}, 0.25)),
        "left_out": (ModelLeftOut("gone/1", "retired"),),
        "policy": "joint_thompson/1",
        "digest": "d" * 64,
        "learned": 3,
    }
    return ModelChoice(model=model, **{**defaults, **fields})


def step(name: str = "choose", error: str | None = None, **fields: Any) -> Step:
    """Return the step of a choice."""
    return Step(name, 300, "small/1", error=error, choice=choice(**fields))


def card_registered(name: str = "small", at: float = 0, **fields: Any) -> Event[Fact]:
    """A model may be used."""
    return stamped(CardRegistered(**_told(name, fields)), at)


def card_changed(name: str = "small", at: float = 1, **fields: Any) -> Event[Fact]:
    """Its card changed."""
    return stamped(CardChanged(**_told(name, {"card": card(name, version="2"), **fields})), at)


def card_retired(name: str = "small", at: float = 2, **fields: Any) -> Event[Fact]:
    """Nobody uses it any more."""
    told = {"tenant": TENANT, "name": name, "request_id": f"{name}-{at}", "reason": "too slow", **fields}
    return stamped(CardRetired(**told), at)


def cards_life(rng: random.Random, name: str) -> list[Event[Fact]]:
    """Return a card's life, which need not make sense."""
    makers = (card_registered, card_changed, card_retired)
    return [rng.choice(makers)(name, at=turn * 100, request_id=f"{name}-{turn}") for turn in range(rng.randint(1, 6))]


def _told(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    described = features(embedding=halves([0.5, 0.25]))
    told = {"tenant": TENANT, "name": name, "request_id": f"{name}-1", "card": card(name), "digest": "d", "described": described}
    return {**told, **fields}


def outcome(number: int, model: str, reward: float, domain: str | None = None, context: Context | None = None) -> Told:
    """Return a judged outcome."""
    return Told((f"task-{number:04}", 1, "choose"), model, domain, blank(WIDTH) if context is None else context, 0.5, reward)


def page(outcomes: Sequence[Told] = (), policy: str = "joint_thompson") -> Page:
    """Return a policy that has learned them."""
    return fold(outcomes, maker(policy, {}), WIDTH)


class HeldModels:
    """Knows these models and outcomes, whoever asks."""

    def __init__(self, models: Sequence[KnownModel], outcomes: Sequence[Told] = ()) -> None:
        self.models, self.outcomes = tuple(models), tuple(outcomes)
        self.asked: list[tuple[str, str, str]] = []

    async def known(self, tenant: str) -> tuple[KnownModel, ...]:
        """Return them."""
        return self.models

    async def page(self, tenant: str, subtask: str, policy: str, settings: Mapping[str, float | str]) -> Page:
        """Return what was learned."""
        self.asked.append((tenant, subtask, policy))
        return fold(self.outcomes, maker(policy, settings), WIDTH)

    def context(self, features: Features | None) -> Context:
        """Return a context that says nothing."""
        return blank(WIDTH)


def random_context(rng: np.random.Generator) -> Context:
    """Return a context of about unit length, its last number a bias."""
    return np.append(rng.normal(size=WIDTH - 1) / 2, 1.0)
