"""`policy verify`: true choices pass, and whatever is changed in one of them shows."""

from typing import Any

import pytest
from msgspec.structs import replace

from events.learning import ExampleSuperseded
from events.task import Features
from events.wire import Incoming, encode
from learning.book import Page, PolicyKey
from learning.errors import ExampleMissing
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from learning.policies import POLICIES
from learning.policy import Policy
from smolit.audit.choices import Log, Report, sort_log, verify
from tests import builders
from tests.choosing import AGENTS, SECRET, choice, example, features
from tests.networks import MODEL, network, only

KEY = PolicyKey.of("ridge_igw", {})


@pytest.fixture(scope="module")
def context_map() -> ContextMap:
    """The map that ships with the hashed encoder."""
    return ContextMap.load(HashedEncoder().name)


def superseded(number: int, old: float, reward: float) -> ExampleSuperseded:
    """Return a correction of the first example."""
    fact: Any = builders.superseded(
        sequence=number, old_reward=old, reward=reward, agent="bert", features=features("question 1")
    ).fact
    return fact  # type: ignore[no-any-return]


def history(context_map: ContextMap) -> Log:
    """Return choices made while examples came: before the first, between them, after a correction."""

    def to_context(seen: Features) -> Any:
        return context_map.apply(seen.embedding, seen.surface)

    page, choices, examples = Page(KEY.make(context_map.width)), [], []
    steps = [example(1, 0.9), example(2, 0.1), superseded(3, 0.9, 0.2)]
    for number, fact in enumerate(steps):
        choices.append(choice(page, context_map, 10 + number))
        page.take_in(fact, 7 * number, to_context)  # offsets have gaps
        examples.append((7 * number, fact))
    choices.append(choice(page, context_map, 20))
    return Log({("default", "default"): examples}, choices, 0)


def checked(log: Log, context_map: ContextMap) -> Report:
    """Verify a log."""
    return verify(log, {context_map.digest: context_map}, SECRET)


def test_true_choices_pass(context_map: ContextMap) -> None:
    """Choices made with states before, between and after examples all come out the same."""
    report = checked(history(context_map), context_map)

    assert (report.equal, report.choices, report.examples, report.mismatches) == (True, 4, 3, ())


@pytest.mark.parametrize("kind", [kind for kind in POLICIES if kind.name != "fixed"], ids=lambda kind: kind.name)
def test_choices_of_every_policy_pass(kind: type[Policy], context_map: ContextMap) -> None:
    """Over some eighty examples each policy's choices are made again to the bit."""
    settings: dict[str, float | str] = {"model": MODEL, "trained": 30.0} if kind.name == "neural" else {}
    networks = only(network(5, AGENTS[:2], context_map.width))
    page, choices, examples = Page(PolicyKey.of(kind.name, settings).make(context_map.width, networks)), [], []
    for number in range(1, 82):
        fact = replace(example(number, (number % 5) / 4), agent=AGENTS[number % 3], fit=0.1 * (number % 4))
        page.take_in(fact, number, lambda seen: context_map.apply(seen.embedding, seen.surface))
        examples.append((number, fact))
        if number % 20 == 1:
            choices.append(choice(page, context_map, 100 + number))

    report = checked(Log({("default", "default"): examples}, choices, 0, networks=networks), context_map)
    assert (report.equal, report.choices, report.mismatches) == (True, 5, ())


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("propensity", {"propensity": 0.123}),
        ("agent", {"agent": "nobody"}),
        ("explored", {"explored": None}),
        ("draw", {"draw": 0.5}),
        ("context map", {"context_map": "another"}),
    ],
)
def test_a_changed_figure_shows(what: str, change: dict[str, Any], context_map: ContextMap) -> None:
    """Each figure of a choice is compared to the bit."""
    log = history(context_map)
    wrong = replace(log.choices[2], **change)

    report = checked(log._replace(choices=[*log.choices[:2], wrong, log.choices[3]]), context_map)

    assert not report.equal
    assert {one.task_id for one in report.mismatches} == {wrong.task_id}
    assert what in {one.what for one in report.mismatches}


@pytest.mark.parametrize("what", ["parts of bert", "weights", "probability of bert"])
def test_what_a_choice_says_of_its_signals_is_compared(what: str, context_map: ContextMap) -> None:
    """Parts and weights are made again as well; a changed fit shows in what follows from it."""
    page = Page(PolicyKey.of("three_signals", {}).make(context_map.width))
    fact = replace(example(1, 1.0), fit=0.2)
    page.take_in(fact, 0, lambda seen: context_map.apply(seen.embedding, seen.surface))
    made = choice(page, context_map, 7)
    first = made.candidates[0]
    changed = {
        "parts of bert": {"candidates": (replace(first, parts={**first.parts, "match": 0.25}), *made.candidates[1:])},
        "weights": {"weights": {**(made.weights or {}), "match": 0.25}},
        "probability of bert": {"candidates": (replace(first, fit=0.9), *made.candidates[1:])},
    }[what]
    logs = [Log({("default", "default"): [(0, fact)]}, [one], 0) for one in (made, replace(made, **changed))]
    true, wrong = (checked(log, context_map) for log in logs)

    assert (true.equal, true.mismatches) == (True, ())
    assert what in {one.what for one in wrong.mismatches}


def test_a_changed_reward_shows_in_the_states_after_it(context_map: ContextMap) -> None:
    """A state that is not the fold of the log has another digest."""
    log = history(context_map)
    (first, other), *rest = log.examples["default", "default"]
    changed = {("default", "default"): [(first, replace(other, reward=0.91)), *rest]}

    report = checked(log._replace(examples=changed), context_map)

    wrong = {one.task_id for one in report.mismatches if one.what == "state digest"}
    assert wrong == {one.task_id for one in log.choices[1:]}


def test_a_state_that_no_example_made_shows(context_map: ContextMap) -> None:
    """A choice that names an offset without an example is said to be wrong, not guessed at."""
    log = history(context_map)
    wrong = replace(log.choices[1], policy=replace(log.choices[1].policy, upto=3))

    report = checked(log._replace(choices=[wrong]), context_map)

    assert [(one.what, one.recorded, one.recomputed) for one in report.mismatches] == [("upto", "3", "0")]


def test_a_gap_in_the_examples_is_an_error(context_map: ContextMap) -> None:
    """Where an example is missing, nothing can be said of later choices."""
    log = history(context_map)
    gap = {("default", "default"): log.examples["default", "default"][1:]}

    with pytest.raises(ExampleMissing):
        checked(log._replace(examples=gap), context_map)


def test_without_the_secret_draws_are_not_checked(context_map: ContextMap) -> None:
    """Who does not have the secret can still recompute everything else."""
    report = verify(history(context_map), {context_map.digest: context_map}, None)

    assert (report.equal, report.draws_checked) == (True, False)


def test_the_first_of_each_choice_counts(context_map: ContextMap) -> None:
    """A step that ran again wrote a choice of the same id, perhaps another one; only the first is looked at."""
    log = history(context_map)
    events = [builders.stamped(fact) for fact in (log.choices[0], replace(log.choices[0], agent="other"))]
    events += [builders.stamped(fact) for _, fact in log.examples["default", "default"][:1]]
    made = [encode("t", event) for event in events]
    records = [Incoming("t", 0, number, one.key, one.headers, one.value) for number, one in enumerate(made)]

    found = sort_log(records)

    assert (found.choices, found.repeated) == ([log.choices[0]], 1)
    assert [offset for offset, _ in found.examples["default", "default"]] == [2]
