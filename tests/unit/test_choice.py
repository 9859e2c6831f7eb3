"""Choosing: who may be chosen, by which policy, with which probability, and what is said when nobody fits."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from events.control import Control, evolve
from events.event import Event, Fact
from events.experiment import Variant
from events.task import AgentChosen, ChoiceContext, Features, TaskEnded
from learning.book import Page, PolicyKey
from learning.draw import draw as uniform_draw
from learning.policy import Context, Example
from learning.statistics import uniformity
from streams.choice import Due, Served, Wanted, choose_agents, served, wanted_next
from tests.builders import (
    TENANT,
    agent_revised,
    assigned,
    attempt_ended,
    context,
    experiment_started,
    features,
    halves,
    model_id,
    model_judged,
    model_promoted,
    model_registered,
    model_rolled_back,
    paused,
    policy_set,
    registered,
    resumed,
    retired,
    spec,
)

DEFAULT = PolicyKey.of("ridge_igw", {})
WIDTH = 2


def in_force(*events: Event[Fact]) -> Control:
    """Return what is in force after these facts."""
    control = Control()
    for event in events:
        control = evolve(control, event.fact)
    return control


def to_context(_features: Features) -> Context:
    """Return the same context for every text."""
    return np.array([0.6, 1.0])


def choose(
    control: Control, wanted: Wanted, is_live: Callable[[str], bool] = lambda _: True, draw: float = 0.5
) -> AgentChosen | TaskEnded:
    """Choose with the policy in force, which has learned nothing yet."""
    serving = served(wanted, control, DEFAULT)
    due = Due(wanted, serving, Page(serving.key.make(WIDTH)), draw)
    return choose_agents([due], control, to_context=to_context, context_map="map-1", is_live=is_live)[0]


def wanted(**fields: object) -> Wanted:
    """Return a first attempt at an arithmetic task."""
    return Wanted(TENANT, "task-1", 1, context(**fields))


def test_propensities_sum_to_one_and_the_draw_decides() -> None:
    """The chosen agent's propensity is its probability in the very distribution that was drawn from."""
    control = in_force(registered("a"), registered("b"), registered("c"))

    fact = choose(control, wanted(), draw=0.999)

    assert isinstance(fact, AgentChosen)
    assert sum(one.probability for one in fact.candidates) == pytest.approx(1.0, abs=1e-9)
    assert fact.propensity == next(one.probability for one in fact.candidates if one.agent == fact.agent)


def test_recorded_propensities_are_the_frequencies_of_ten_thousand_choices() -> None:
    """Over 10,000 tasks, each agent is chosen as often as its recorded propensities say (chi-squared p > 0.001)."""
    control = in_force(registered("a"), registered("b"), registered("c"))
    serving = Served(DEFAULT, "default")
    page = Page(DEFAULT.make(WIDTH))
    for agent, reward in (("a", 1.0), ("b", 0.0), ("c", 0.5)) * 10:
        page.policy.learn(Example(to_context(features()), agent, 1.0, reward))
    counts, expected = dict.fromkeys("abc", 0), dict.fromkeys("abc", 0.0)
    tasks = [f"task-{number}" for number in range(10_000)]
    due = [Due(Wanted(TENANT, one, 1, context()), serving, page, uniform_draw(b"secret", "choice", one, 1)) for one in tasks]
    for fact in choose_agents(due, control, to_context=to_context, context_map="map-1", is_live=lambda _: True):
        assert isinstance(fact, AgentChosen)
        counts[fact.agent] += 1
        for one in fact.candidates:
            expected[one.agent] += one.probability

    assert min(expected.values()) < 0.9 * max(expected.values())
    assert uniformity(list(counts.values()), list(expected.values())) > 0.001


def test_a_batch_is_chosen_for_as_one_by_one() -> None:
    """Attempts with other candidates, another policy, or nobody to do them keep their place, and every bit of their own."""
    control = in_force(
        registered("a"),
        registered("b"),
        registered("c", spec=spec("c", skills=("law",))),
        registered("d", spec=spec("d", skills=("law", "arithmetic"))),
    )
    pages = [Page(DEFAULT.make(WIDTH)), Page(PolicyKey.of("uniform", {}).make(WIDTH))]
    for agent, reward in (("a", 1.0), ("b", 0.0), ("d", 0.5)) * 10:
        pages[0].policy.learn(Example(to_context(features()), agent, 1.0, reward))
    kinds = ("arithmetic", "law", "nobody", "arithmetic", "law", "arithmetic", "nobody")
    due = [
        Due(Wanted(TENANT, f"task-{at}", 1, context(kind=kind)), Served(DEFAULT, "default"), pages[at % 3 // 2], at / 10)
        for at, kind in enumerate(kinds)
    ]

    def choices(some: list[Due]) -> list[AgentChosen | TaskEnded]:
        return choose_agents(some, control, to_context=to_context, context_map="map-1", is_live=lambda _: True)

    assert choices(due) == [choices([one])[0] for one in due]
    assert [type(one) is TaskEnded for one in choices(due)] == [kind == "nobody" for kind in kinds]
    assert {one.policy.name for one in choices(due) if isinstance(one, AgentChosen)} == {"ridge_igw", "uniform"}


def test_only_a_policy_that_asks_is_told_how_near_descriptions_lie() -> None:
    """Three signals record each candidate's cosine and their weights; for others nobody is compared, and facts are as before."""
    near, far = features(embedding=halves([1.0, 0.0])), features(embedding=halves([0.0, 1.0]))
    agents = [registered("a", described=near), registered("b", described=far), registered("c", described=features("other"))]
    asked = wanted(features=features(embedding=halves([3.0, 4.0])))
    chosen_by = {name: choose(in_force(*agents, policy_set(name)), asked) for name in ("three_signals", "ridge_igw")}
    made, plain = chosen_by["three_signals"], chosen_by["ridge_igw"]

    assert isinstance(made, AgentChosen)
    assert isinstance(plain, AgentChosen)
    assert {one.agent: one.fit for one in made.candidates} == {"a": pytest.approx(0.6), "b": pytest.approx(0.8), "c": None}
    by_agent = {one.agent: one.parts["match"] for one in made.candidates}
    assert by_agent["b"] > by_agent["a"] > by_agent["c"] == 0.0
    assert made.weights == pytest.approx({"match": 0.3, "learned": 0.4, "history": 0.3, "memory": 0.5})
    assert {one.fit for one in plain.candidates} == {None}
    assert plain.weights is None
    assert b'"fit"' not in msgspec.json.encode(plain.candidates)


def test_parts_add_up_to_the_score() -> None:
    """What made up a score is shown, and adds up to it."""
    fact = choose(in_force(registered("a"), registered("b")), wanted())

    assert isinstance(fact, AgentChosen)
    for one in fact.candidates:
        assert sum(one.parts.values()) == pytest.approx(one.score, abs=1e-9)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ((paused("b"),), "paused"),
        ((agent_revised("b", spec=spec("b", skills=("law",))),), "no_skill"),
    ],
    ids=["paused", "without the skill"],
)
def test_who_may_not_be_chosen_is_named(facts: tuple[Event[Fact], ...], reason: str) -> None:
    """An agent that is left out is named with its reason."""
    fact = choose(in_force(registered("a"), registered("b"), *facts), wanted())

    assert isinstance(fact, AgentChosen)
    assert fact.agent == "a"
    assert [(one.agent, one.reason) for one in fact.left_out] == [("b", reason)]


@pytest.mark.parametrize(
    ("brings", "lacks"),
    [
        ((), ("unit", "csv or file:image/*")),
        (("csv",), ("unit",)),
        (("file:text/csv", "unit"), ("csv or file:image/*",)),
        (("file:image/png", "unit"), None),
        (None, None),
    ],
    ids=["nothing", "one of two", "another file", "all", "not recorded"],
)
def test_one_that_needs_what_did_not_come_is_no_candidate(brings: tuple[str, ...] | None, lacks: tuple[str, ...] | None) -> None:
    """What its schema requires, and one of what it needs; what a task of an older release came with is not known."""
    needy = spec("b", needs=("csv", "file:image/*"), inputs={"type": "object", "required": ["unit"]})
    fact = choose(in_force(registered("a"), registered("b", spec=needy)), wanted(brings=brings))

    assert isinstance(fact, AgentChosen)
    assert [(one.agent, one.reason, one.lacks) for one in fact.left_out] == ([("b", "lacks_input", lacks)] if lacks else [])


@pytest.mark.parametrize("required", [5, "unit", [5], None], ids=str)
def test_a_schema_from_elsewhere_may_be_anything(required: object) -> None:
    """What requires nothing that can be read asks for nothing."""
    odd = spec("a", inputs={"required": required})

    assert isinstance(choose(in_force(registered("a", spec=odd)), wanted(brings=())), AgentChosen)


def test_a_task_that_lacks_what_everybody_needs_is_told_so() -> None:
    """The end says what would have to come with it, also of the one that is asked for by name."""
    control = in_force(registered("a", spec=spec("a", needs=("csv", "file:*"))))

    told = [choose(control, wanted(brings=(), **named)) for named in ({}, {"agent": "a"})]

    assert [one.detail for one in told if isinstance(one, TaskEnded)] == [
        "no agent fits a task of kind 'arithmetic': a needs csv or file:*, which did not come with the task",
        "agent 'a' was asked for, but needs csv or file:*, which did not come with the task",
    ]


def test_a_resumed_agent_is_back() -> None:
    """A pause ends."""
    fact = choose(in_force(registered("a"), paused("a"), resumed("a")), wanted())

    assert isinstance(fact, AgentChosen)


def test_a_retired_agent_is_gone_without_a_word() -> None:
    """Retired agents would fill every choice for ever, so they are not listed."""
    fact = choose(in_force(registered("a"), registered("b"), retired("b")), wanted())

    assert isinstance(fact, AgentChosen)
    assert fact.left_out == ()


def test_one_without_a_live_worker_is_chosen_only_if_nobody_else_can() -> None:
    """The task waits, visibly, rather than fail, when only the dead could do it."""
    control = in_force(registered("a"), registered("b"))

    some = choose(control, wanted(), is_live=lambda agent: agent == "b")
    none = choose(control, wanted(), is_live=lambda _: False)

    assert isinstance(some, AgentChosen)
    assert [(one.agent, one.reason) for one in some.left_out] == [("a", "no_live_worker")]
    assert isinstance(none, AgentChosen)
    assert len(none.candidates) == 2


def test_a_task_that_fits_nobody_is_told_so_with_the_scores() -> None:
    """No silent guess: the task ends, and says how near each agent came."""
    fact = choose(in_force(registered("a")), wanted(kind="law"))

    assert isinstance(fact, TaskEnded)
    assert (fact.outcome, fact.reason) == ("failed", "no_fitting_agent")
    assert [(one.agent, one.fit) for one in fact.left_out] == [("a", pytest.approx(1.0))]


def test_after_all_have_failed_the_task_ends() -> None:
    """Those that were tried are not tried again."""
    again = Wanted(TENANT, "task-1", 2, context(tried=("a",)))

    fact = choose(in_force(registered("a")), again)

    assert isinstance(fact, TaskEnded)
    assert (fact.reason, fact.attempts) == ("no_other_agent", 1)


def test_the_end_says_what_the_last_agent_failed_with() -> None:
    """Who reads the answer need not look for the attempt's end in the log; a long reason is cut."""
    ended = attempt_ended("failed", "a", error="unreachable: 503 " + "x" * 500, context=context(tried=("a",)))
    again = wanted_next(ended.fact)
    assert again is not None

    fact = choose(in_force(registered("a")), again)

    assert isinstance(fact, TaskEnded)
    assert fact.detail is not None
    assert fact.detail.startswith("nobody is left after a failed; the last with unreachable: 503 xxx")
    assert len(fact.detail) < 400


def test_a_completed_attempt_calls_for_no_other() -> None:
    """Only an end that carries a context may be followed by a choice."""
    assert wanted_next(attempt_ended().fact) is None


def test_one_that_is_asked_for_by_name_is_chosen_with_certainty() -> None:
    """Whatever the policy thinks, it has one candidate: so has any other policy, which keeps estimates of these true."""
    fact = choose(in_force(registered("a"), registered("b"), registered("c")), wanted(agent="b"), draw=0.999)

    assert isinstance(fact, AgentChosen)
    assert (fact.agent, fact.propensity, [one.agent for one in fact.candidates]) == ("b", 1.0, ["b"])
    assert [(one.agent, one.reason) for one in fact.left_out] == [("a", "not_asked_for"), ("c", "not_asked_for")]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ((paused("b"),), "is paused"),
        ((agent_revised("b", spec=spec("b", skills=("law",))),), "does not have the skill"),
        ((retired("b"),), "is not there any more"),
    ],
    ids=["paused", "without the skill", "retired since"],
)
def test_one_that_is_asked_for_and_cannot_ends_the_task(facts: tuple[Event[Fact], ...], why: str) -> None:
    """Nobody else steps in, and the end says why the one that was named does not do it."""
    fact = choose(in_force(registered("a"), registered("b"), *facts), wanted(agent="b"))

    assert isinstance(fact, TaskEnded)
    assert (fact.reason, fact.detail) == ("no_fitting_agent", f"agent 'b' was asked for, but {why}")


def test_one_that_is_asked_for_and_fails_has_no_successor() -> None:
    """A second attempt of somebody else would not be what was asked for; the task ends and says what it failed with."""
    ended = attempt_ended("failed", "b", error="503", context=context(tried=("b",), agent="b"))
    again = wanted_next(ended.fact)
    assert again is not None

    fact = choose(in_force(registered("a"), registered("b")), again)

    assert isinstance(fact, TaskEnded)
    assert (fact.reason, fact.attempts) == ("no_other_agent", 1)
    assert fact.detail == "b failed, and nobody else was asked for; the last with 503"


def test_without_a_kind_the_description_decides() -> None:
    """A task that says no kind goes to agents whose description lies near its text."""
    near = np.array([1.0, 0.0]).astype("<f2").tobytes()
    far = np.array([0.0, 1.0]).astype("<f2").tobytes()
    control = in_force(
        registered("near", described=features(embedding=near)), registered("far", described=features(embedding=far))
    )

    fact = choose(control, wanted(kind=None, features=features(embedding=near)))

    assert isinstance(fact, AgentChosen)
    assert [one.agent for one in fact.candidates] == ["near"]
    assert [(one.agent, one.reason) for one in fact.left_out] == [("far", "no_fit")]


def _context_in(experiment: str, variant: str) -> ChoiceContext:
    return context(assignment=assigned(variant=variant, experiment=experiment))


def test_a_variant_brings_its_policy() -> None:
    """A task in an experiment is chosen for by its variant's policy."""
    variants = (Variant("a", "uniform"), Variant("b", "fixed", {"agent": "x"}))
    control = in_force(experiment_started("exp", variants=variants))

    serving = served(Wanted(TENANT, "t", 1, _context_in("exp", "b")), control, DEFAULT)

    assert serving == Served(PolicyKey.of("fixed", {"agent": "x"}), "experiment")


def named(made: AgentChosen | TaskEnded) -> str | None:
    """Return the version that a choice says it was made by."""
    assert isinstance(made, AgentChosen)
    return made.policy.model


def test_a_champion_serves_and_is_named_until_a_person_says_otherwise() -> None:
    """Its policy and settings choose, the choice names the version, and the last word counts, of whichever kind."""
    story = [make(number) for number in (1, 2) for make in (model_registered, model_judged, model_promoted)]
    champion = served(wanted(), in_force(*story), DEFAULT)
    back = served(wanted(), in_force(*story, model_rolled_back(1, at=9)), DEFAULT)
    by_hand = served(wanted(), in_force(*story, policy_set("uniform")), DEFAULT)
    shadow = served(wanted(), in_force(model_registered(1), model_judged(1), model_promoted(1, alias="shadow")), DEFAULT)

    assert (champion.key, champion.model) == (PolicyKey.of("ridge_igw", {"ridge": 2.0}), model_id(2))
    assert (back.key, back.model) == (PolicyKey.of("ridge_igw", {"ridge": 1.0}), model_id(1))
    assert (by_hand.key.name, by_hand.model, by_hand.decided_by) == ("uniform", None, "policy_set")
    assert named(choose(in_force(registered("a"), *story), wanted())) == model_id(2)
    assert named(choose(in_force(registered("a")), wanted())) is None
    assert shadow == Served(DEFAULT, "default")


def test_a_policy_set_by_hand_beats_the_variant() -> None:
    """In an emergency a person's word counts, and gives the choice back when it is taken back."""
    control = in_force(experiment_started("exp", variants=(Variant("a", "fixed", {"agent": "x"}),)), policy_set("uniform"))
    task = Wanted(TENANT, "t", 1, _context_in("exp", "a"))

    by_hand = served(task, control, DEFAULT)
    given_back = served(task, evolve(control, policy_set(None, request_id="back").fact), DEFAULT)

    assert by_hand.decided_by == "policy_set"
    assert given_back.decided_by == "experiment"
