"""The registry as a fold of facts: numbers, verdicts, aliases, and who may come back."""

from events.control import Control, evolve
from events.event import Event, Fact
from events.registry import Registry
from tests.builders import (
    SCOPE,
    TENANT,
    model_id,
    model_judged,
    model_promoted,
    model_registered,
    model_rolled_back,
    origin,
    policy_set,
)

ONE, TWO, THREE = (model_id(number) for number in (1, 2, 3))


def registry(*events: Event[Fact]) -> Registry:
    """Fold facts as every process does."""
    control = Control()
    for event in events:
        control = evolve(control, event.fact)
    return control.registry


def known(*numbers: int) -> list[Event[Fact]]:
    """Return versions that were registered and validated."""
    return [make(number) for number in numbers for make in (model_registered, model_judged)]


def test_numbers_count_in_the_order_of_the_log() -> None:
    """Whoever comes first in the log is first, by scope; a repeat counts nothing, whatever else it says."""
    again = model_registered(2, registered_by="bob", parent=ONE)

    found = registry(model_registered(2), model_registered(1), again, model_registered(1, scope="games"))

    assert [(one.id, one.number) for one in found.of(TENANT, SCOPE)] == [(TWO, 1), (ONE, 2)]
    assert [one.number for one in found.of(TENANT, "games")] == [1]
    assert found.models[TWO].parent is None


def test_an_id_says_what_a_version_is_and_not_what_was_measured() -> None:
    """Data, artefact, range and place make the id; code, machine, figures and cost do not."""
    measured = origin(1, metrics={"dr": 0.9}, cost={"cpu_s": 9.0}, code_sha256="00" * 32, environment={})
    others = [
        origin(1, data_sha256="00" * 32),
        origin(1, artefact_sha256="00" * 32),
        origin(1, upto=9),
        origin(1, context_map="00" * 32),
    ]

    assert measured.id_in(TENANT, SCOPE) == ONE
    assert len({ONE, model_id(1, "games"), *(one.id_in(TENANT, SCOPE) for one in others)}) == 6


def test_a_version_is_found_by_id_number_or_alias_by_its_own_tenant() -> None:
    """What another tenant has is not there, nor is what nobody has."""
    found = registry(*known(1, 2), model_promoted(2), model_promoted(1, alias="shadow"))

    names = {
        named: one and one.id
        for named in (TWO, "1", "champion", "shadow", "challenger", "3")
        for one in [found.find(TENANT, SCOPE, named)]
    }
    assert names == {TWO: TWO, "1": ONE, "champion": TWO, "shadow": ONE, "challenger": None, "3": None}
    assert found.find("guest", SCOPE, TWO) is None
    assert found.find(TENANT, "games", "champion") is None


def test_the_last_verdict_counts() -> None:
    """A version that was rejected may be found sound again, and the other way round; one that nobody knows has none."""
    found = registry(*known(1, 2), model_judged(1, at=5, fine=False), model_judged(3))

    assert [(one.verdict, one.why) for one in found.of(TENANT)] == [("rejected", "it is torn"), ("validated", "it is what it is")]
    assert THREE not in found.models


def test_champions_follow_each_other_and_come_back_one_by_one() -> None:
    """Back from the third to the second to the first; there is nobody before the first."""
    story = [*known(1, 2, 3), *(model_promoted(number) for number in (1, 2, 3))]
    third = registry(*story)
    second = registry(*story, model_rolled_back(2))
    first = registry(*story, model_rolled_back(2), model_rolled_back(1))

    assert [one.before(TENANT, SCOPE).id for one in (third, second)] == [TWO, ONE]  # type: ignore[union-attr]
    assert first.before(TENANT, SCOPE) is None
    assert first.aliases_of(first.models[ONE]) == ["champion"]


def test_a_champion_promoted_twice_is_gone_back_from_to_the_one_between() -> None:
    """One, two, one again: before is two, and before two is one."""
    story = [*known(1, 2), model_promoted(1), model_promoted(2), model_promoted(1, at=5)]

    assert registry(*story).before(TENANT, SCOPE).id == TWO  # type: ignore[union-attr]
    assert registry(*story, model_rolled_back(2)).before(TENANT, SCOPE).id == ONE  # type: ignore[union-attr]


def test_a_policy_set_by_hand_leaves_no_champion_but_one_to_go_back_to() -> None:
    """What decides then is no version; other aliases stay; one that was rejected meanwhile is passed over."""
    story = [*known(1, 2), model_promoted(1), model_promoted(2), model_promoted(1, at=5, alias="shadow"), policy_set("uniform")]
    found = registry(*story)

    assert (found.find(TENANT, SCOPE, "champion"), found.aliases_of(found.models[ONE])) == (None, ["shadow"])
    assert found.before(TENANT, SCOPE).id == TWO  # type: ignore[union-attr]
    assert registry(*story, model_judged(2, at=9, fine=False)).before(TENANT, SCOPE).id == ONE  # type: ignore[union-attr]


def test_a_line_goes_back_to_the_first() -> None:
    """Parent by parent, also where one is not known."""
    found = registry(
        model_registered(1), model_registered(2, parent=ONE), model_registered(3, parent=TWO), model_registered(4, parent="x")
    )

    assert [one.id for one in found.line_of(found.models[THREE])] == [THREE, TWO, ONE]
    assert [one.number for one in found.line_of(found.models[model_id(4)])] == [4]
