"""What is in force: given these facts, the fold of the control topics says that."""

import itertools
from functools import reduce

import pytest
from msgspec.structs import replace

from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised, AgentSpec
from events.control import Control, KnownAgent, evolve
from events.event import Message
from events.experiment import ExperimentConcluded, ExperimentStarted, Variant
from events.model import PolicySet
from events.task import Features, TaskEnded
from tests.builders import calibration_ended, calibration_started
from tests.golden.sample import sample

FEATURES = Features("hash-1", b"", b"")


def spec(description: str = "adds") -> AgentSpec:
    """Return an agent's spec."""
    return AgentSpec(id="calc", description=description, skills=("sum",), pipeline="arithmetic")


def registered(description: str = "adds", request: str = "r", tenant: str = "t", agent: str = "calc") -> AgentRegistered:
    """An agent joined."""
    return AgentRegistered(
        tenant=tenant, agent_id=agent, request_id=request, spec=spec(description), digest=description, described=FEATURES
    )


def revised(description: str) -> AgentRevised:
    """Its spec changed."""
    return AgentRevised(
        tenant="t", agent_id="calc", request_id="r", spec=spec(description), digest=description, described=FEATURES
    )


def paused(agent: str = "calc") -> AgentPaused:
    """It drains."""
    return AgentPaused(tenant="t", agent_id=agent, request_id="r", reason="")


def resumed() -> AgentResumed:
    """It goes on."""
    return AgentResumed(tenant="t", agent_id="calc", request_id="r")


def retired() -> AgentRetired:
    """It left."""
    return AgentRetired(tenant="t", agent_id="calc", request_id="r", reason="")


def started(name: str, scope: str = "default", tenant: str = "t") -> ExperimentStarted:
    """An experiment began."""
    variants = (Variant("a", "linear"), Variant("b", "uniform"))
    return ExperimentStarted(tenant=tenant, experiment_id=name, request_id="r", scope=scope, salt="s", variants=variants)


def concluded(name: str) -> ExperimentConcluded:
    """An experiment ended."""
    return ExperimentConcluded(tenant="t", experiment_id=name, request_id="r", reason="")


def policy(name: str | None, scope: str = "default", tenant: str = "t") -> PolicySet:
    """A person put a policy in force, or gave the choice back."""
    return PolicySet(tenant=tenant, scope=scope, request_id="r", policy=name, parameters={"x": 1}, reason="why", set_by="me")


def given(*facts: Message) -> Control:
    """Fold facts."""
    return reduce(evolve, facts, Control())


def calc(control: Control) -> KnownAgent:
    """Return the one agent."""
    return control.agents["t", "calc"]


@pytest.mark.parametrize(
    ("facts", "state", "description"),
    [
        ([registered()], "active", "adds"),
        ([registered(), revised("multiplies")], "active", "multiplies"),
        ([registered(), paused()], "paused", "adds"),
        ([registered(), paused(), revised("multiplies")], "paused", "multiplies"),
        ([registered(), paused(), resumed()], "active", "adds"),
        ([registered(), retired()], "retired", "adds"),
        ([registered(), retired(), resumed()], "retired", "adds"),
        ([registered(), retired(), paused()], "retired", "adds"),
        ([registered(), retired(), revised("multiplies")], "retired", "multiplies"),
        ([registered(), retired(), registered("is back")], "active", "is back"),
        ([registered(), paused(), registered("again")], "active", "again"),
        ([revised("came first")], "active", "came first"),
    ],
)
def test_an_agent_is_what_its_facts_say(facts: list[Message], state: str, description: str) -> None:
    """Registered, revised, paused, resumed, retired: the last word counts, and retired is final until it registers."""
    agent = calc(given(*facts))

    assert (agent.state, agent.spec.description, agent.digest) == (state, description, description)


def test_facts_about_an_agent_that_is_unknown_change_nothing() -> None:
    """Nothing is in force for somebody who never came."""
    assert given(paused("ghost"), resumed(), retired()) == Control()


def test_agents_are_listed_in_one_order_and_by_tenant() -> None:
    """Every reader sees the same order, and only its own."""
    facts = [registered(agent="b"), registered(agent="a"), registered(agent="c", tenant="other")]

    assert [agent for agent, _ in given(*facts).agents_of("t")] == ["a", "b"]
    assert [agent for agent, _ in given(*facts).agents_of("other")] == ["c"]
    assert given(*facts).agents_of("nobody") == []


def test_one_experiment_runs_per_scope() -> None:
    """Of two that overlap the first in the log runs, and the second never assigns, not even afterwards."""
    control = given(started("one"), started("two"))

    assert control.assigning_in("t", "default") == started("one")
    assert evolve(control, concluded("one")).assigning_in("t", "default") is None


def test_a_scope_is_free_after_the_conclusion() -> None:
    """The next experiment runs; the variants of the last stay known."""
    control = given(started("one"), concluded("one"), started("two"))

    assert control.assigning_in("t", "default") == started("two")
    assert control.experiments["t", "one"].started == started("one")


def test_scopes_and_tenants_run_their_own_experiments() -> None:
    """Nobody waits for somebody else's experiment."""
    control = given(started("one"), started("two", scope="law"), started("three", tenant="other"))

    assert control.assigning_in("t", "default") == started("one")
    assert control.assigning_in("t", "law") == started("two", scope="law")
    assert control.assigning_in("other", "default") == started("three", tenant="other")


def test_an_experiment_that_is_there_twice_starts_once() -> None:
    """A repeat after the conclusion does not start it again."""
    assert given(started("one"), concluded("one"), started("one")).assigning_in("t", "default") is None


def test_the_end_of_an_unknown_experiment_changes_nothing() -> None:
    """There is nothing to end."""
    assert given(concluded("ghost")) == Control()


def test_a_calibration_runs_until_it_is_ended_and_only_once() -> None:
    """Several may run beside each other; one that is over stays known, so that its id is not used again."""
    first, ended = calibration_started("one").fact, calibration_ended("one").fact
    control = given(first, calibration_started("two").fact, ended, first)

    running = {key[1]: one.running for key, one in control.calibrations.items()}
    assert running == {"one": False, "two": True}
    assert given(ended) == Control()


def test_a_policy_is_in_force_until_it_is_given_back() -> None:
    """The last word of a person counts, for one scope of one tenant."""
    control = given(policy("uniform"), policy("fixed", scope="law"), policy("linear", tenant="other"))
    back = evolve(control, policy(None))

    assert (control.policies["t", "default"].policy, control.policies["t", "default"].parameters) == ("uniform", {"x": 1})
    assert set(back.policies) == {("t", "law"), ("other", "default")}
    assert evolve(back, policy(None)) == back
    assert evolve(control, policy("fixed")).policies["t", "default"].policy == "fixed"


def test_other_facts_are_passed_over() -> None:
    """Tasks put nothing in force."""
    assert evolve(Control(), sample(TaskEnded).fact) == Control()


def test_the_order_among_topics_does_not_matter() -> None:
    """Three topics may be read in any interleaving: each alone is ordered, and the sum is the same."""
    agents = [registered(), paused(), revised("multiplies")]
    experiments = [started("one"), started("two"), concluded("one")]
    models = [policy("uniform"), policy(None), policy("fixed")]
    expected = given(*agents, *experiments, *models)

    for order in set(itertools.permutations("aaaeeemmm")):
        topics = {"a": iter(agents), "e": iter(experiments), "m": iter(models)}
        assert given(*(next(topics[name]) for name in order)) == expected


def test_a_repeated_fact_changes_nothing() -> None:
    """Records come at least once; folding one twice in a row gives the same."""
    facts = [registered(), paused(), started("one"), policy("uniform"), concluded("one"), retired()]
    doubled = itertools.chain.from_iterable((fact, fact) for fact in facts)

    assert given(*doubled) == given(*facts)


def test_the_start_is_never_changed() -> None:
    """Folding gives a new state and leaves the old one as it was."""
    before = given(registered())
    evolve(before, paused())

    assert calc(before).state == "active"
    assert calc(replace(before)).state == "active"
