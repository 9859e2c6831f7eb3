"""Choosing a model for a step: rules narrow the candidates down, a policy weighs the rest, a fixed draw decides. Pure.

The order is stated and is part of what is recorded: what a card forbids, then the first rule that holds, then the policy.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Protocol

import numpy as np
from msgspec import Meta, Struct

from events.card import CardKind, ModelCard
from events.field import Ident, Name
from events.task import Features, ModelCandidate, ModelChoice, ModelLeftOut
from learning.match import fit
from learning.models import Page, decide, explained
from learning.policy import Context, choose

Pattern = Annotated[str, Meta(min_length=1, max_length=500)]
_MOST_MATCHED = 2_000  # characters that a pattern is looked for in: it can take a time that grows fast with the text


class Fitting(Struct, frozen=True, forbid_unknown_fields=True):
    """Every model whose card says this of it; what is left out may be anything."""

    subtask: Ident | None = None
    domain: Ident | None = None
    kind: CardKind | None = None


class When(Struct, frozen=True, forbid_unknown_fields=True):
    """When a rule holds: all of what is named is so. Characters are those of the text; files are told by their kinds."""

    domain: tuple[Ident, ...] = ()
    matches: Pattern | None = None
    least_chars: Annotated[int, Meta(ge=0)] = 0
    most_chars: Annotated[int, Meta(ge=0)] | None = None
    file: tuple[Ident, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a pattern that is none."""
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except re.error as error:
                raise ValueError(f"matches is no pattern: {error}") from error


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """Where `when` holds, only these models may be used, by name."""

    when: When
    use: Annotated[tuple[Name, ...], Meta(min_length=1)]


class KnownModel(Struct, frozen=True):
    """A model that may be used, or no longer: its card, and the features of its description."""

    card: ModelCard
    described: Features
    retired: bool = False


class Situation(Struct, frozen=True):
    """What a step knows of its task: text, its features where they were read out, domain, and the kinds of its files."""

    text: str
    features: Features | None
    domain: str | None
    files: tuple[str, ...] = ()


class Wanted(Struct, frozen=True):
    """What a step asks for: models by name, or any that fit; what for; rules; the least share of those that may be the best."""

    subtask: str
    models: tuple[str, ...] = ()
    fitting: Fitting | None = None
    rules: tuple[Rule, ...] = ()
    share: float = 0.0


class Offer(Struct, frozen=True):
    """Who may be chosen, who may not, and the rule that said so (from 1)."""

    candidates: tuple[KnownModel, ...]
    left_out: tuple[ModelLeftOut, ...]
    rule: int | None = None


class Models(Protocol):
    """Where models and what they earned are known."""

    async def known(self, tenant: str) -> tuple[KnownModel, ...]:
        """Return the models of a tenant by name, retired ones, too."""
        ...

    async def page(self, tenant: str, subtask: str, policy: str, settings: Mapping[str, float | str]) -> Page:
        """Return a policy that has learned the judged outcomes of a subtask."""
        ...

    def context(self, features: Features | None) -> Context:
        """Return the context of a text's features; of none, or of others than ours, one that says nothing."""
        ...


def offer(known: Sequence[KnownModel], wanted: Wanted, seen: Situation, missing: Mapping[str, str]) -> Offer:
    """Return the candidates; `missing` are models that cannot be used here or were tried, by name, with the reason."""
    by_name = {one.card.name: one for one in known}
    named = wanted.models or tuple(sorted(name for name, one in by_name.items() if _fits(one.card, wanted.fitting)))
    left_out = [ModelLeftOut(name, "unknown") for name in named if name not in by_name]
    able: list[KnownModel] = []
    for one in (by_name[name] for name in named if name in by_name):
        reason = _reason(one, seen, missing)
        if reason is None:
            able.append(one)
        else:
            left_out.append(ModelLeftOut(one.card.label, reason))
    for number, rule in enumerate(wanted.rules, 1):
        kept = tuple(one for one in able if one.card.name in rule.use)
        if kept and _holds(rule.when, seen):
            gone = [ModelLeftOut(one.card.label, "rule") for one in able if one not in kept]
            return Offer(kept, (*left_out, *gone), number)
    return Offer(tuple(able), tuple(left_out))


def chosen(offered: Offer, wanted: Wanted, seen: Situation, page: Page, context: Context, draw: float) -> ModelChoice:
    """Return the choice; there is at least one candidate."""
    near = _fits_of(offered.candidates, seen)
    labels = [one.card.label for one in offered.candidates]
    weighed = decide(page, context, seen.domain, labels, near, wanted.share)
    decision = explained(weighed, page, context, seen.domain, near)
    choice = choose(decision, draw)
    rows = zip(decision.agents, decision.scores, decision.parts_by_name(), decision.probabilities, strict=True)
    return ModelChoice(
        model=choice.agent,
        subtask=wanted.subtask,
        domain=seen.domain,
        probability=choice.propensity,
        draw=draw,
        explored=choice.explored,
        candidates=tuple(
            ModelCandidate(label, score, parts, chance, near.get(label), page.sums(label, None).n)
            for label, score, parts, chance in rows
        ),
        left_out=offered.left_out,
        policy=f"{page.policy.name}/{page.policy.version}",
        digest=page.digest,
        learned=len(page.outcomes),
        rule=offered.rule,
    )


def blank(width: int) -> Context:
    """Return a context that says nothing but its bias."""
    context = np.zeros(width)
    context[-1] = 1.0
    return context


def _fits(card: ModelCard, wanted: Fitting | None) -> bool:
    """Say whether a card is among any that fit."""
    if wanted is None:
        return False
    return (
        wanted.subtask in (None, *card.subtasks)
        and wanted.kind in (None, card.kind)
        and (wanted.domain is None or not card.domains or wanted.domain in card.domains)
    )


def _reason(one: KnownModel, seen: Situation, missing: Mapping[str, str]) -> str | None:
    """Return why a model may not be used, or None if it may."""
    card = one.card
    tests: Sequence[tuple[str, Callable[[], bool]]] = (
        ("retired", lambda: one.retired),
        (missing.get(card.name, ""), lambda: card.name in missing),
        ("other_domain", lambda: bool(card.domains) and seen.domain is not None and seen.domain not in card.domains),
        ("too_long", lambda: card.limits is not None and len(seen.text) > (card.limits.chars or len(seen.text))),
    )
    return next((reason for reason, holds in tests if holds()), None)


def _holds(when: When, seen: Situation) -> bool:
    """Say whether a rule holds."""
    return (
        (not when.domain or seen.domain in when.domain)
        and when.least_chars <= len(seen.text)
        and (when.most_chars is None or len(seen.text) <= when.most_chars)
        and (when.matches is None or re.search(when.matches, seen.text[:_MOST_MATCHED]) is not None)
        and (not when.file or any(kind in when.file for kind in seen.files))
    )


def _fits_of(models: Sequence[KnownModel], seen: Situation) -> dict[str, float]:
    """Return how near the text is to each card, where the two can be compared."""
    if seen.features is None:
        return {}
    version, task = seen.features.version, seen.features
    return {one.card.label: fit(task, [one.described]) for one in models if one.described.version == version}
