"""What every listed policy promises, whatever it learns."""

import math
import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.errors import (
    ContextMismatch,
    InvalidCandidates,
    InvalidPolicySetting,
    UnknownPolicy,
    UnlearnableExample,
    UnreadableState,
)
from learning.policies import DEFAULT, POLICIES, create, load
from learning.policy import Context, Decision, Example, Policy, choose, digest
from tests.networks import MODEL, Flat, only

WIDTH = 65
AGENTS = [f"agent-{number:03}" for number in range(12)]
SETTINGS: dict[str, dict[str, float | str]] = {"fixed": {"agent": AGENTS[3]}, "neural": {"model": MODEL}}
NETWORKS = only(Flat(AGENTS))  # of any width; tests/unit/test_neural.py has one that tells texts apart

every_policy = pytest.mark.parametrize("kind", POLICIES, ids=lambda kind: kind.name)
exploring_policy = pytest.mark.parametrize("kind", [kind for kind in POLICIES if kind.explores], ids=lambda kind: kind.name)
learning_policy = pytest.mark.parametrize("name", ["joint_thompson", "ridge_igw", "three_signals"])


def fresh(kind: type[Policy], width: int = WIDTH) -> Policy:
    """Return a policy of this kind that has learned nothing."""
    return create(kind.name, width, SETTINGS.get(kind.name), NETWORKS)


def contexts(count: int, seed: int = 7, width: int = WIDTH) -> np.ndarray:
    """Return unit-length contexts, one a row."""
    rows = np.random.default_rng(seed).standard_normal((count, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def examples(count: int, seed: int = 7, agents: Sequence[str] = AGENTS) -> list[Example]:
    """Return examples in which agent and context both matter for the reward."""
    draws = np.random.default_rng(seed)
    return [_example(context, draws, agents) for context in contexts(count, seed)]


def _example(context: Context, draws: np.random.Generator, agents: Sequence[str]) -> Example:
    number = int(draws.integers(len(agents)))
    chance = 0.3 + 0.4 * number / len(agents) + 0.2 * (context[number % WIDTH] > 0)
    return Example(context, agents[number], 1.0 / len(agents), float(draws.random() < chance))


def trained(kind: type[Policy], count: int = 200) -> Policy:
    """Return a policy that has learned `count` examples."""
    policy = fresh(kind)
    for example in examples(count):
        policy.learn(example)
    return policy


def chance_of(decision: Decision, agent: str) -> float:
    """Return one candidate's probability."""
    return next(p for one, p in zip(decision.candidates, decision.probabilities, strict=True) if one.agent == agent)


@exploring_policy
@pytest.mark.parametrize("count", [1, 2, 10, 28, 512])
def test_every_candidate_keeps_a_chance(kind: type[Policy], count: int) -> None:
    """No exploring policy starves a candidate: propensities keep their floor and sum to one, from 1 agent to 512."""
    agents = [f"a{number}" for number in range(count)]
    policy = fresh(kind)
    for example in examples(300, agents=agents):
        policy.learn(example)

    for context in contexts(20, seed=3):
        decision = policy.decide(context, agents)
        assert min(decision.probabilities) >= decision.exploration["floor"] > 0.0
        assert math.fsum(decision.probabilities) == pytest.approx(1.0, abs=1e-9)
        assert len(decision.probabilities) == len(decision.candidates) == count


@every_policy
def test_the_parts_of_a_score_add_up(kind: type[Policy]) -> None:
    """Whoever reads the parts of a score can add them up to the score, and candidates come sorted by id."""
    decision = trained(kind).decide(contexts(1)[0], list(reversed(AGENTS)))

    assert [scored.agent for scored in decision.candidates] == AGENTS
    for scored in decision.candidates:
        assert math.fsum(scored.parts.values()) == pytest.approx(scored.score, abs=1e-9)


@every_policy
def test_the_order_of_candidates_plays_no_part(kind: type[Policy]) -> None:
    """The same candidates in another order give the same decision, bit for bit."""
    policy = trained(kind)

    for context in contexts(20, seed=5):
        assert policy.decide(context, AGENTS) == policy.decide(context, AGENTS[::-1])


@every_policy
def test_a_score_does_not_depend_on_who_else_is_a_candidate(kind: type[Policy]) -> None:
    """An agent's score is the same to the bit, alone or among any others."""
    policy = trained(kind)
    context = contexts(1)[0]
    together = {scored.agent: scored for scored in policy.decide(context, AGENTS).candidates}

    for size in range(1, len(AGENTS)):
        assert all(together[one.agent] == one for one in policy.decide(context, AGENTS[:size]).candidates)


@every_policy
@settings(deadline=None, max_examples=40)
@given(
    width=st.integers(1, 70),
    known=st.integers(1, 40),
    asked=st.integers(1, 45),
    texts=st.integers(0, 70),
    learned=st.integers(0, 90),
    seed=st.integers(0, 9),
)
def test_a_batch_decides_as_one_by_one(
    kind: type[Policy], width: int, known: int, asked: int, texts: int, learned: int, seed: int
) -> None:
    """Whatever was learned, and however many texts and candidates are decided about together: every bit is that of one alone."""
    rows, names = contexts(max(texts, learned, 1), seed, width), [f"agent-{number:03}" for number in range(max(known, asked))]
    policy = fresh(kind, width)
    for number, row in enumerate(rows[:learned]):
        policy.learn(Example(row, names[number * 7 % known], 0.5, float(number % 3 > 0)))

    candidates = names[::-1][:asked]
    assert policy.decide_many(rows[:texts], candidates) == [policy.decide(row, candidates) for row in rows[:texts]]


@exploring_policy
def test_a_batch_among_many_agents_decides_as_one_by_one(kind: type[Policy]) -> None:
    """The same with 512 candidates, where what a text cannot change is worked out for fewer of them."""
    agents = [f"agent-{number:03}" for number in range(512)]
    policy = fresh(kind)
    for example in examples(700, agents=agents[:400]):
        policy.learn(example)

    rows = contexts(64, seed=4)
    assert policy.decide_many(rows, agents) == [policy.decide(row, agents) for row in rows]


@every_policy
def test_one_bad_context_spoils_a_batch(kind: type[Policy]) -> None:
    """A batch with a context that is no context is refused whole, as one alone is."""
    rows = contexts(3)
    rows[1, 5] = math.nan

    with pytest.raises(ContextMismatch):
        trained(kind, 10).decide_many(rows, AGENTS)
    with pytest.raises(ContextMismatch):
        trained(kind, 10).decide_many(contexts(3, width=WIDTH - 1), AGENTS)
    with pytest.raises(InvalidCandidates):
        trained(kind, 10).decide_many(contexts(3), [])


@every_policy
def test_the_same_state_chooses_alike(kind: type[Policy]) -> None:
    """Two policies that folded the same log have one digest and make the same choices; deciding changes nothing."""
    first, second = trained(kind), trained(kind)
    before = digest(first)
    chosen = [choose(first.decide(context, AGENTS), 0.37) for context in contexts(30, seed=9)]

    assert chosen == [choose(second.decide(context, AGENTS), 0.37) for context in contexts(30, seed=9)]
    assert digest(first) == before == digest(second)


@every_policy
def test_a_reloaded_copy_behaves_the_same_bit_for_bit(kind: type[Policy]) -> None:
    """A policy loaded from its bytes decides and goes on learning exactly like the one that was never stored."""
    original = trained(kind)
    copy = load(kind.name, original.dump(), WIDTH, NETWORKS)
    for example in examples(100, seed=11):
        original.learn(example)
        copy.learn(example)

    assert copy.dump() == original.dump()
    for context in contexts(20, seed=13):
        assert copy.decide(context, AGENTS) == original.decide(context, AGENTS)


@learning_policy
def test_a_rewarded_agent_gains(name: str) -> None:
    """An agent that is rewarded is chosen more often afterwards, one that is not less often."""
    policy = create(name, WIDTH)
    context = contexts(1)[0]
    before = policy.decide(context, AGENTS)
    for _ in range(10):
        policy.learn(Example(context, AGENTS[5], 0.1, 1.0))
        policy.learn(Example(context, AGENTS[6], 0.1, 0.0))
    after = policy.decide(context, AGENTS)

    assert chance_of(after, AGENTS[5]) > chance_of(before, AGENTS[5])
    assert chance_of(after, AGENTS[6]) < chance_of(before, AGENTS[6])
    assert after.favourite == AGENTS[5]


@learning_policy
def test_a_text_tells_agents_apart(name: str) -> None:
    """Two agents, each good at half of the texts: each is preferred where it is good."""
    policy = create(name, 3)
    left, right = np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0])
    for _ in range(60):
        for context, good, bad in ((left, "a", "b"), (right, "b", "a")):
            policy.learn(Example(context, good, 0.5, 1.0))
            policy.learn(Example(context, bad, 0.5, 0.0))

    assert policy.decide(left, ["a", "b"]).favourite == "a"
    assert policy.decide(right, ["a", "b"]).favourite == "b"


@learning_policy
def test_a_newcomer_starts_from_the_prior(name: str) -> None:
    """An agent never met has no merits of its own, is scored near what agents are worth in general, and keeps a chance."""
    policy = trained(next(kind for kind in POLICIES if kind.name == name))
    decision = policy.decide(contexts(1)[0], [*AGENTS, "newcomer"])
    newcomer = next(scored for scored in decision.candidates if scored.agent == "newcomer")

    merits = [part for name, part in newcomer.parts.items() if name in ("agent", "learned", "history", "memory")]
    assert merits
    assert not any(merits)
    assert 0.3 < newcomer.score < 0.7
    assert chance_of(decision, "newcomer") > 0.0


@every_policy
@pytest.mark.parametrize("reward", [math.nan, math.inf, -math.inf, -0.01, 1.01])
def test_an_impossible_reward_is_refused(kind: type[Policy], reward: float) -> None:
    """A reward that is not finite or not in 0 to 1 is refused by name, and the state is what it was."""
    policy = trained(kind, 20)
    before = policy.dump()
    good, bad = Example(contexts(1)[0], AGENTS[0], 0.5, 0.5), Example(contexts(1)[0], AGENTS[0], 0.5, reward)

    with pytest.raises(UnlearnableExample):
        policy.learn(bad)
    with pytest.raises(UnlearnableExample):
        policy.revise(bad, 0.5)
    with pytest.raises(UnlearnableExample):
        policy.revise(good, reward)
    assert policy.dump() == before


@every_policy
@pytest.mark.parametrize("propensity", [0.0, -0.1, 1.1, math.nan])
def test_an_impossible_propensity_is_refused(kind: type[Policy], propensity: float) -> None:
    """An example that could not have been chosen is refused by name, and the state is what it was."""
    policy = trained(kind, 20)
    before = policy.dump()

    with pytest.raises(UnlearnableExample):
        policy.learn(Example(contexts(1)[0], AGENTS[0], propensity, 0.5))
    assert policy.dump() == before


@every_policy
@pytest.mark.parametrize("worth", [math.nan, math.inf, 1e200])
def test_an_impossible_context_is_refused(kind: type[Policy], worth: float) -> None:
    """A context with a number no feature can have is refused by name, for choosing and for learning."""
    policy = trained(kind, 20)
    before = policy.dump()
    context = contexts(1)[0]
    context[4] = worth

    with pytest.raises(ContextMismatch):
        policy.learn(Example(context, AGENTS[0], 0.5, 0.5))
    with pytest.raises(ContextMismatch):
        policy.decide(context, AGENTS)
    assert policy.dump() == before


@every_policy
def test_a_context_of_another_width_is_refused(kind: type[Policy]) -> None:
    """A context made by another feature map does not fit, and says so."""
    policy = fresh(kind)

    with pytest.raises(ContextMismatch, match="width 65"):
        policy.decide(np.ones(WIDTH + 1), AGENTS)


@every_policy
def test_revising_equals_learning_the_corrected_reward(kind: type[Policy]) -> None:
    """A reward corrected later leaves the policy where it would be had it been right at once (within 1e-9).

    What is fitted anew now and then, such as weights of signals, follows with the next examples.
    """
    revised, right = fresh(kind), fresh(kind)
    for number, example in enumerate(examples(200)):
        wrong = number % 3 == 0
        revised.learn(Example(example.context, example.agent, 0.1, 0.25) if wrong else example)
        right.learn(example)
    for example in examples(200)[::3]:
        revised.revise(example, 0.25)
    for example in examples(60, seed=31):
        revised.learn(example)
        right.learn(example)

    for context in contexts(20, seed=21):
        left, other = revised.decide(context, AGENTS), right.decide(context, AGENTS)
        assert left.probabilities == pytest.approx(other.probabilities, abs=1e-9)
        assert [s.score for s in left.candidates] == pytest.approx([s.score for s in other.candidates], abs=1e-9)


@learning_policy
def test_nothing_learned_cannot_be_revised(name: str) -> None:
    """Revising an example of an agent that was never met is refused by name."""
    with pytest.raises(UnlearnableExample, match="ghost"):
        create(name, WIDTH).revise(Example(contexts(1)[0], "ghost", 0.5, 1.0), 0.0)


@every_policy
def test_candidates_must_be_some_and_distinct(kind: type[Policy]) -> None:
    """Choosing among nobody, or among one agent listed twice, is refused by name."""
    policy = fresh(kind)

    with pytest.raises(InvalidCandidates):
        policy.decide(contexts(1)[0], [])
    with pytest.raises(InvalidCandidates):
        policy.decide(contexts(1)[0], ["a", "a"])


@every_policy
def test_a_foreign_or_broken_state_is_refused(kind: type[Policy]) -> None:
    """Bytes of another policy, width or length, or none at all, are refused by name, never half loaded."""
    state = trained(kind, 30).dump()
    other = next(one for one in POLICIES if one is not kind)

    future = state.replace(f'"version":{kind.version}'.encode(), b'"version":9')
    for broken in (b"", b"\x80\x04.", state[:40], state + b"\0" * 8, future):
        with pytest.raises(UnreadableState):
            kind.load(broken, WIDTH)
    with pytest.raises(UnreadableState):
        kind.load(state, WIDTH - 1)
    with pytest.raises(UnreadableState, match=kind.name):
        kind.load(fresh(other).dump(), WIDTH)


@learning_policy
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_state_that_is_not_finite_is_refused(name: str, poison: float) -> None:
    """One number that is not finite spoils a whole state."""
    kind = next(kind for kind in POLICIES if kind.name == name)
    state = trained(kind, 30).dump()

    with pytest.raises(UnreadableState, match="not finite"):
        kind.load(state[:-8] + np.array([poison], dtype="<f8").tobytes(), WIDTH)


@every_policy
def test_settings_are_part_of_the_digest(kind: type[Policy]) -> None:
    """Every setting is listed, survives a reload, and an unknown one is refused by name."""
    policy = fresh(kind)

    assert load(kind.name, policy.dump(), WIDTH, NETWORKS).settings == policy.settings
    with pytest.raises(InvalidPolicySetting, match="bogus"):
        create(kind.name, WIDTH, {**SETTINGS.get(kind.name, {}), "bogus": 1.0})


def test_another_setting_is_another_digest() -> None:
    """Two policies with different settings never share a digest, even before they learn."""
    assert digest(create("ridge_igw", WIDTH, {"gain": 10.0})) != digest(create("ridge_igw", WIDTH))


def test_an_unknown_policy_is_refused_with_the_known_ones() -> None:
    """Whoever mistypes a policy's name is told the names there are."""
    with pytest.raises(UnknownPolicy, match=", ".join(kind.name for kind in POLICIES)):
        create("ridge_igv", WIDTH)


def test_names_are_unique_and_the_default_is_listed() -> None:
    """Names are kept for ever in facts: no two policies share one, and the default is one of them."""
    names = [kind.name for kind in POLICIES]

    assert len(set(names)) == len(names)
    assert DEFAULT in names


FOLD = """
import sys
sys.path.insert(0, {root!r})
from tests.contract.test_policies import AGENTS, POLICIES, contexts, digest, trained
for kind in POLICIES:
    policy = trained(kind, 400)
    chances = [policy.decide(context, AGENTS).probabilities for context in contexts(50, seed=2)]
    print(kind.name, digest(policy), [chance.hex() for row in chances for chance in row])
"""


def test_the_digest_does_not_depend_on_threads() -> None:
    """Two fresh processes with different numbers of BLAS threads and hash seeds fold to the same bytes."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    outputs = [_run(FOLD.format(root=root), root, threads) for threads in ("1", "7")]

    assert outputs[0] == outputs[1]
    assert all(kind.name in outputs[0] for kind in POLICIES)


def _run(code: str, root: str, threads: str) -> str:
    setting = {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=root, env=os.environ | setting, check=True, capture_output=True, text=True).stdout
