"""A policy that chooses by a network: what it knows of the future, of newcomers, and of where the network errs."""

import numpy as np
import pytest

from learning.errors import ArtefactMissing, InvalidPolicySetting
from learning.network import none_here
from learning.policies import check_network, create, load
from learning.policies.neural import TOO_EARLY, Neural
from learning.policy import Example, Policy, digest
from tests.networks import MODEL, network, only

WIDTH, AGENTS = 5, ("anna", "bert", "carl")
NET = network(3, AGENTS, WIDTH)
CONTEXT = np.array([0.5, -0.5, 0.3, 0.1, 1.0])


def neural(trained: float = 0.0) -> Policy:
    """Return a policy that may use the network after so many examples."""
    return create("neural", WIDTH, {"model": MODEL, "trained": trained}, only(NET))


def learned(policy: Policy, times: int, agent: str = "anna", reward: float = 1.0) -> Policy:
    """Let a policy learn the same outcome again and again."""
    for _ in range(times):
        policy.learn(Example(CONTEXT, agent, 0.5, reward))
    return policy


def test_the_best_is_whom_the_network_tells_to_be() -> None:
    """With nothing learned since, the scores are the network's, to the last bit of float32."""
    decision = neural().decide(CONTEXT, AGENTS)

    assert decision.scores == tuple(NET.rewards(CONTEXT).tolist())
    assert decision.favourite == AGENTS[int(NET.rewards(CONTEXT).argmax())]


def test_nothing_is_known_of_the_future() -> None:
    """Until the last example that the network may have seen, everybody has the same chance; from then on it chooses."""
    policy = learned(neural(trained=3.0), 2)
    before = policy.decide(CONTEXT, AGENTS)
    learned(policy, 1)
    after = policy.decide(CONTEXT, AGENTS)

    assert (before.probabilities, before.note) == ((1 / 3,) * 3, TOO_EARLY)
    assert after.scores == tuple(NET.rewards(CONTEXT).tolist()), "the examples it saw are not learned a second time"
    assert after.exploration["gamma"] == pytest.approx(20.0 * 2.0), "but they count as known"


def test_it_needs_no_network_to_count_what_the_network_saw() -> None:
    """A version is folded, judged and stored where its network does not lie; only what comes later asks for it."""
    policy = create("neural", WIDTH, {"model": MODEL, "trained": 2.0})
    learned(policy, 2)

    with pytest.raises(ArtefactMissing):
        policy.decide(CONTEXT, AGENTS)
    with pytest.raises(ArtefactMissing):
        learned(policy, 1)
    with pytest.raises(ArtefactMissing):
        check_network(policy, none_here)


def test_where_the_network_errs_is_learned_online() -> None:
    """An agent that does better than foretold gains; those that nothing was learned of gain by half of that at most."""
    policy = neural()
    before = dict(zip(AGENTS, policy.decide(CONTEXT, AGENTS).scores, strict=True))
    worst = min(AGENTS, key=before.__getitem__)
    learned(policy, 40, worst)
    decision = policy.decide(CONTEXT, AGENTS)

    after = dict(zip(AGENTS, decision.scores, strict=True))
    assert after[worst] > before[worst] + 0.3
    gains = {agent: after[agent] - before[agent] for agent in AGENTS}
    assert all(0.0 < gains[agent] < gains[worst] / 2 for agent in AGENTS if agent != worst)


def test_an_agent_that_the_network_does_not_know_starts_at_the_mean() -> None:
    """It is a candidate like any other, is worth what one is worth in the mean, and is learned of online."""
    policy = neural()
    first = policy.decide(CONTEXT, [*AGENTS, "newcomer"])
    learned(policy, 60, "newcomer")
    then = policy.decide(CONTEXT, [*AGENTS, "newcomer"])

    assert dict(zip(first.agents, first.scores, strict=True))["newcomer"] == NET.card.mean
    assert min(first.probabilities) > 0.0
    assert dict(zip(then.agents, then.scores, strict=True))["newcomer"] > 0.8


def test_a_correction_moves_what_was_learned_since() -> None:
    """One of an agent that only the network saw changes nothing: it waits for the next network."""
    policy = learned(neural(), 5, "anna", 0.0)
    known = policy.dump()
    policy.revise(Example(CONTEXT, "bert", 0.5, 1.0), 0.0)
    assert policy.dump() == known

    policy.revise(Example(CONTEXT, "anna", 0.5, 1.0), 0.0)
    other = learned(neural(), 4, "anna", 0.0)
    learned(other, 1, "anna", 1.0)

    assert policy.decide(CONTEXT, AGENTS).scores == pytest.approx(other.decide(CONTEXT, AGENTS).scores, abs=1e-12)


def test_corrections_among_what_the_network_saw_are_counted() -> None:
    """They have numbers as examples have, so the policy is as far as the log is."""
    policy = learned(neural(trained=3.0), 1)
    policy.revise(Example(CONTEXT, "anna", 0.5, 0.5), 1.0)
    learned(policy, 1)

    assert policy.decide(CONTEXT, AGENTS).note == ""


def test_a_stored_state_goes_on_where_it_was() -> None:
    """The network is named in it, not held."""
    policy = learned(neural(trained=2.0), 7)
    again = load("neural", policy.dump(), WIDTH, only(NET))

    assert digest(again) == digest(policy)
    assert learned(again, 3, "bert").decide(CONTEXT, AGENTS) == learned(policy, 3, "bert").decide(CONTEXT, AGENTS)
    assert len(policy.dump()) < 2_000


@pytest.mark.parametrize(
    "settings",
    [{}, {"model": "x"}, {"model": MODEL, "trained": -1.0}, {"model": MODEL, "trained": 1.5}, {"model": MODEL, "gain": 0.0}],
)
def test_settings_that_name_no_network_are_refused(settings: dict[str, float | str]) -> None:
    """By name, before anything is learned."""
    with pytest.raises(InvalidPolicySetting, match="neural"):
        Neural(WIDTH, **settings)  # type: ignore[arg-type]
