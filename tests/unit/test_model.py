"""Versions made of a log: the same log gives the same version, what is not the log's fold is found out, and pairs compare."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from events.event import Event, Fact
from events.registry import Model, Registry, evolve
from events.wire import Incoming
from learning.book import PolicyKey
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from learning.policies import load
from projections.model import LastChoice, ModelChange
from smolit.audit.choices import Log, sort_log
from smolit.model.build import CODE, Made, code_sha256, made, measure
from smolit.model.compare import compare
from smolit.model.fold import Scope, fold
from smolit.model.judge import contexts_of, judge
from smolit.model.prune import best_of, prunable
from smolit.model.served import told
from tests import builders
from tests.builders import SCOPE, START, TENANT, model_id, model_promoted, model_registered, origin
from tests.unit.test_replay import history

PLACE, RIDGE, UNIFORM = Scope(TENANT, SCOPE), PolicyKey.of("ridge_igw", {}), PolicyKey.of("uniform", {})
EVERY = 80


@pytest.fixture(scope="module")
def context_map() -> ContextMap:
    """The map that ships with the hashed encoder."""
    return ContextMap.load(HashedEncoder().name)


@pytest.fixture(scope="module")
def records(context_map: ContextMap) -> list[Incoming]:
    """The log of a uniform policy: what it chose, and what that earned; examples lie at offsets 10, 20, ..."""
    log = history(UNIFORM, context_map, EVERY)
    chosen = builders.Log().add(*(builders.stamped(one) for one in log.choices)).records
    learned = builders.Log().add(*(builders.stamped(fact) for _, fact in log.examples[PLACE])).records
    return [*chosen, *(builders.moved(one, offset=10 * (number + 1)) for number, one in enumerate(learned))]


def version(records: Sequence[Incoming], used: ContextMap, key: PolicyKey = RIDGE, upto: int | None = None) -> Made:
    """Make a version the way `model register` does."""
    folded = fold(records, PLACE, key, used, upto)
    return made(folded, used, measure(sort_log(records), {used.digest: used}, PLACE, folded), {"cpu_s": 0.5})


def as_model(made: Made, number: int = 1) -> Model:
    """Return a version as the registry knows it."""
    return Model(TENANT, SCOPE, made.origin.id_in(TENANT, SCOPE), number, made.origin, None)


def test_one_log_gives_one_version(records: list[Incoming], context_map: ContextMap) -> None:
    """The same bytes, digests, figures and id on every run; the artefact is the state that the fold has."""
    one, other = version(records, context_map), version(records, context_map)

    assert one == other
    assert (one.origin.first, one.origin.upto, one.origin.examples) == (10, 10 * EVERY, EVERY)
    assert load("ridge_igw", one.state, context_map.width).dump() == one.state


def test_only_what_was_folded_makes_a_version(records: list[Incoming], context_map: ContextMap) -> None:
    """A record that came twice, another scope's and later ones change nothing; another reward changes everything."""
    half = version(records, context_map, upto=10 * EVERY // 2)
    repeated = [*records[: EVERY + 3], builders.moved(records[EVERY], offset=31), *records[EVERY + 3 :]]
    foreign = builders.Log().add(builders.example(1.0, scope="games")).records
    first = records[EVERY]
    other = builders.moved(
        first, value=(first.value or b"").replace(b'"reward":0.0', b'"reward":0.5').replace(b'"reward":1.0', b'"reward":0.5')
    )

    assert version([*repeated, *foreign], context_map).origin.id_in(*PLACE) == version(records, context_map).origin.id_in(*PLACE)
    assert version(records[: EVERY + EVERY // 2], context_map).origin.data_sha256 == half.origin.data_sha256
    changed = version([*records[:EVERY], other, *records[EVERY + 1 :]], context_map).origin
    assert changed.data_sha256 != version(records, context_map).origin.data_sha256
    assert changed.digest != version(records, context_map).origin.digest


def test_a_version_of_nothing_is_one_too(context_map: ContextMap) -> None:
    """A scope without examples gives the prior, and says that nothing can be estimated."""
    found = version([], context_map).origin

    assert (found.first, found.upto, found.examples, found.metrics) == (-1, -1, 0, {"decisions": 0.0})
    assert found.not_estimated


def test_figures_are_of_choices_that_the_version_could_have_made(records: list[Incoming], context_map: ContextMap) -> None:
    """With half of the examples, half of the choices count; the state's own policy earns what was logged."""
    whole, half = version(records, context_map, UNIFORM).origin, version(records, context_map, UNIFORM, 10 * EVERY // 2).origin

    assert whole.metrics["decisions"] == EVERY
    assert half.metrics["decisions"] == EVERY // 2 + 4, "choices learn three late"
    assert half.metrics["with_reward"] == EVERY // 2, "later rewards are not known to it"
    assert whole.metrics["ips"] == pytest.approx(whole.metrics["logged_reward"])
    assert whole.metrics["dr_low"] < whole.metrics["dr"] < whole.metrics["dr_high"]


def judged(records: list[Incoming], used: ContextMap, of: Made, state: bytes | None = None) -> Any:
    """Judge a version against a log."""
    policy = load(of.origin.policy, state or of.state, used.width)
    again = fold(records, PLACE, PolicyKey.of(of.origin.policy, of.origin.parameters), used, of.origin.upto)
    return judge(policy, of.origin, again, contexts_of(sort_log(records).choices, PLACE, used))


@pytest.mark.parametrize("key", [RIDGE, UNIFORM, PolicyKey.of("joint_thompson", {})], ids=lambda key: key.name)
def test_what_it_says_it_is_is_validated(records: list[Incoming], context_map: ContextMap, key: PolicyKey) -> None:
    """Folded again it has the same bytes, and chooses alike in recorded contexts."""
    found = judged(records, context_map, version(records, context_map, key))

    assert found.fine, found.reason
    assert f"{EVERY} examples fold to the same bytes; 5 recorded choices" in found.reason


def test_what_it_does_not_say_it_is_is_rejected(records: list[Incoming], context_map: ContextMap) -> None:
    """Another state, a wrong figure, and a log that is another one are named."""
    fine = version(records, context_map)
    other = version(records, context_map, upto=100)
    lying = [
        fine._replace(origin=replace(fine.origin, **wrong))
        for wrong in ({"first": 20}, {"data_sha256": "00" * 32}, {"digest": "00" * 32})
    ]

    reasons = [judged(records, context_map, one).reason for one in lying]

    assert "not the state that the log folds to" in judged(records, context_map, fine, other.state).reason
    for reason, what in zip(reasons, ("range of examples", "digest of the data", "digest of the state"), strict=True):
        assert what in reason
    assert "range of examples" in judged(records[:-1], context_map, fine).reason


def test_two_versions_are_compared_on_the_choices_of_both(records: list[Incoming], context_map: ContextMap) -> None:
    """Settings that differ, figures of the same choices, and the share in which they would choose otherwise."""
    log, maps = sort_log(records), {context_map.digest: context_map}
    ridge, half = version(records, context_map), version(records, context_map, PolicyKey.of("ridge_igw", {"gain": 3}), 400)
    uniform = version(records, context_map, UNIFORM)

    apart = compare(log, maps, as_model(ridge), as_model(uniform, 2))
    settings = compare(log, maps, as_model(ridge), as_model(half, 2))
    same = compare(log, maps, as_model(ridge), as_model(ridge))

    assert (apart.choices, settings.choices) == (EVERY, EVERY // 2 + 4)
    assert 0.2 < float(apart.differing_share or 0) < 1.0
    assert apart.figures["dr"] == (ridge.origin.metrics.get("dr"), uniform.origin.metrics["dr"])
    assert settings.settings == {"gain": (20.0, 3.0)}
    assert (same.differing_share, same.settings) == (0.0, {})


def test_nothing_to_compare_on_is_said(records: list[Incoming], context_map: ContextMap) -> None:
    """Without a choice there is no share."""
    one = as_model(version([], context_map))

    assert compare(Log({}, [], 0), {}, one, one).differing_share is None


def registry(*events: Event[Fact]) -> Registry:
    """Fold facts."""
    found = Registry()
    for event in events:
        found = evolve(found, event.fact)
    return found


def test_the_best_is_never_pruned() -> None:
    """Nor is the newest, one with an alias, or a champion that may come back; those alone that nobody needs go."""
    models = [
        model_registered(number, origin=origin(number, metrics={"dr": dr}))
        for number, dr in enumerate((0.1, 0.9, 0.2, 0.3, 0.4, 0.5), start=1)
    ]
    story = [model_promoted(1), model_promoted(3), model_promoted(4, alias="shadow")]
    found = registry(*models, *story)

    assert [one.number for one in prunable(found, PLACE, keep=1)] == [5]
    assert [one.number for one in prunable(found, PLACE, keep=0)] == [5, 6]
    assert best_of(found.of(*PLACE)).id == model_id(2)  # type: ignore[union-attr]
    assert prunable(found, Scope(TENANT, "games"), keep=0) == []


def test_the_best_is_none_that_was_rejected_or_never_estimated() -> None:
    """What cannot serve is not the best, and no figure is no figure."""
    found = registry(
        model_registered(1),
        model_registered(2),
        builders.model_judged(2, fine=False),
        model_registered(3, origin=origin(3, metrics={})),
    )

    assert best_of(found.of(*PLACE)).id == model_id(1)  # type: ignore[union-attr]
    assert best_of([]) is None


CHANGE = ModelChange(
    event_id="e", happened_at=START, log_offset=4, tenant=TENANT, scope=SCOPE, change="promoted", model_id="m", alias="champion",
    policy="ridge_igw", parameters={"gain": 3.0}, changed_by="ann", reason="better",
)  # fmt: skip
CHOICE = LastChoice(
    task_id="t", attempt=1, agent="bert", chosen_at=START, decided_by="policy_set", policy="ridge_igw", policy_version=1,
    policy_parameters={"gain": 3.0, "ridge": 1.0}, policy_digest="d", policy_upto=7, policy_model="m",
)  # fmt: skip


def test_what_served_is_told_by_change_and_choice() -> None:
    """A version with its state; before its first choice without; a person's policy; and what served where nobody said."""
    at = START + timedelta(seconds=1)
    by_hand = replace(CHANGE, change="set", model_id=None, policy="uniform", parameters={})
    given_back = replace(by_hand, change="given_back", policy=None, parameters={})
    found = [
        told(PLACE, at, *pair)
        for pair in (
            (CHANGE, CHOICE),
            (CHANGE, None),
            (by_hand, None),
            (given_back, None),
            (None, replace(CHOICE, decided_by="experiment")),
        )
    ]

    assert [(one.decided_by, one.policy, one.model, one.digest, one.upto) for one in found] == [
        ("version", "ridge_igw", "m", "d", 7),
        ("version", "ridge_igw", "m", None, None),
        ("person", "uniform", None, None, None),
        ("default", None, None, None, None),
        ("experiment", "ridge_igw", None, "d", 7),
    ]
    assert found[0].parameters == CHOICE.policy_parameters


def test_the_code_has_a_digest_of_its_own() -> None:
    """It is the same for the same files."""
    assert code_sha256(CODE) == code_sha256(CODE)
    assert code_sha256(CODE) != code_sha256(CODE / "policies")
