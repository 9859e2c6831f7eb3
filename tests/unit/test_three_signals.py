"""The policy of three signals: each found where it tells something, memory puts the proven first, a failing agent falls."""

import math

import numpy as np
import pytest

from learning.errors import ContextMismatch, InvalidPolicySetting, UnreadableState
from learning.heads import RidgeHeads
from learning.policies import create
from learning.policies.three_signals import ThreeSignals
from learning.policy import Decision, Example, Fits, Policy
from learning.signals import JUDGED

WIDTH = 17
AGENTS = ("ann", "bob", "cid")


def text(bits: np.random.Generator, width: int = WIDTH) -> np.ndarray:
    """Return a context of length one with a bias behind it."""
    values = bits.standard_normal(width - 1)
    return np.append(values / np.linalg.norm(values), 1.0)


def parts_of(decision: Decision, agent: str) -> dict[str, float]:
    """Return the parts of one agent's score."""
    return dict(next(one.parts for one in decision.candidates if one.agent == agent))


def taught(policy: Policy, what: str, count: int = 900, seed: int = 5) -> Policy:
    """Teach a policy tasks at which only one thing tells who does well: the match, the text, or who it is."""
    bits = np.random.default_rng(seed)
    for number in range(count):
        agent, context, fit = AGENTS[number % 3], text(bits), float(bits.uniform(-0.1, 0.5))
        chance = {
            "match": 0.5 + 1.5 * (fit - 0.2),
            "learned": 0.5 + 0.45 * (-1.0) ** (number % 3) * math.copysign(1.0, context[0]),
            "history": (0.2, 0.5, 0.8)[number % 3],
        }[what]
        policy.learn(Example(context, agent, 1 / 3, float(bits.random() < chance), fit))
    return policy


@pytest.mark.parametrize("what", ["match", "learned", "history"])
def test_the_signal_that_tells_something_gets_the_weight(what: str) -> None:
    """Where one signal alone foretells rewards it moves scores most; the learned score holds the agent's mean, too."""
    policy = taught(create("three_signals", WIDTH), what)
    bits = np.random.default_rng(6)
    spread = dict.fromkeys(("match", "learned", "history"), 0.0)
    for _ in range(60):
        fits = {agent: float(bits.uniform(-0.1, 0.5)) for agent in AGENTS}
        decision = policy.decide(text(bits), AGENTS, fits)
        for name in spread:
            spread[name] += float(np.std(decision.parts[name]))
    weights = policy.decide(text(bits), AGENTS).weights

    if what == "history":  # the learned score is the agent's mean, too, so the two share it
        assert spread["history"] + spread["learned"] > 3.0 * spread["match"]
        assert weights["history"] + weights["learned"] == pytest.approx(1.0, abs=0.25)
    else:
        assert max(spread, key=spread.__getitem__) == what
        assert weights[what] > 0.6


def test_a_signal_that_is_off_moves_nothing() -> None:
    """Its part is zero for every candidate and the others rank; with all of them off there is nothing to rank by."""
    for name in ("match", "learned", "history", "memory"):
        policy = taught(create("three_signals", WIDTH, {name: 0.0}), "learned", 150)
        decision = policy.decide(text(np.random.default_rng(1)), AGENTS, dict.fromkeys(AGENTS, 0.3))

        assert set(decision.parts[name]) == {0.0}
        assert decision.weights[name] == 0.0
        assert len(set(decision.scores)) > 1
    with pytest.raises(InvalidPolicySetting, match="must have a weight"):
        create("three_signals", WIDTH, dict.fromkeys(("match", "learned", "history", "memory"), 0.0))


def test_without_descriptions_the_other_signals_rank() -> None:
    """An agent that was not compared has no match; the rest of its score is as it would be with one."""
    policy, context = taught(create("three_signals", WIDTH), "learned"), text(np.random.default_rng(2))
    bare, half = policy.decide(context, AGENTS), policy.decide(context, AGENTS, {"ann": 0.5})

    assert set(bare.parts["match"]) == {0.0}
    assert half.parts["match"][0] > 0.0 == half.parts["match"][1]
    assert [bare.parts[name] for name in ("learned", "history", "memory")] == [
        half.parts[name] for name in ("learned", "history", "memory")
    ]


@pytest.mark.parametrize("fits", [{"ann": 1.5}, {"bob": -math.inf}])
def test_what_is_no_cosine_is_refused(fits: Fits) -> None:
    """Fits beyond 1 are refused by name, at choices and as examples, and so are more of them than texts."""
    policy, context = create("three_signals", WIDTH), text(np.random.default_rng(2))
    before = policy.dump()

    with pytest.raises(ContextMismatch, match="no cosine"):
        policy.decide(context, AGENTS, fits)
    with pytest.raises(ContextMismatch, match="no cosine"):
        policy.learn(Example(context, "ann", 0.5, 1.0, next(iter(fits.values()))))
    with pytest.raises(ContextMismatch, match="come with the fits of 2"):
        policy.decide_many(context[None], AGENTS, [{}, {}])
    assert policy.dump() == before


def test_for_a_task_that_was_done_before_its_proven_agent_comes_first() -> None:
    """With memory, one success at a text is enough for its agent to be the favourite at it, and not elsewhere."""
    bits = np.random.default_rng(9)
    known = [text(bits, 65) for _ in range(60)]
    with_it, without = create("three_signals", 65), create("three_signals", 65, {"memory": 0.0})
    good = bits.integers(3, size=len(known)).tolist()
    for place in bits.permutation(np.tile(np.arange(len(known)), 6)).tolist():
        agent = int(bits.integers(3))
        for policy in (with_it, without):
            policy.learn(Example(known[place], AGENTS[agent], 1 / 3, float(agent == good[place])))

    def right(policy: Policy) -> float:
        return float(np.mean([policy.decide(one, AGENTS).favourite == AGENTS[who] for one, who in zip(known, good, strict=True)]))

    strange = with_it.decide(text(bits, 65), AGENTS)
    assert right(with_it) > 0.9
    assert right(without) < 0.8
    assert max(map(abs, strange.parts["memory"])) < 0.02
    assert with_it.decide(known[0], AGENTS).weights["memory"] > 0.8


def test_memory_that_foretells_nothing_loses_its_weight() -> None:
    """Where rewards at one text are mere chance, what they were says nothing, and soon counts for little."""
    bits = np.random.default_rng(4)
    known = [text(bits, 65) for _ in range(40)]
    policy = create("three_signals", 65)
    for _ in range(600):
        context, agent = known[int(bits.integers(40))], AGENTS[int(bits.integers(3))]
        policy.learn(Example(context, agent, 1 / 3, float(bits.integers(2))))

    assert policy.decide(known[0], AGENTS).weights["memory"] < 0.25


def test_an_agent_that_fails_loses_its_rank_and_has_it_back_after_repair() -> None:
    """The best agent is the favourite until it fails, no longer within 60 outcomes of its own, and again after repair."""
    bits, policy = np.random.default_rng(3), create("three_signals", WIDTH)

    def favourite_after(chances: tuple[float, ...], outcomes: int) -> str | None:
        for _ in range(outcomes):
            for agent, chance in zip(AGENTS, chances, strict=True):
                policy.learn(Example(text(bits), agent, 1 / 3, float(bits.random() < chance)))
        seen = [policy.decide(text(bits), AGENTS).favourite for _ in range(21)]
        return max(set(seen), key=seen.count)

    assert favourite_after((0.9, 0.6, 0.3), 300) == "ann"
    assert favourite_after((0.1, 0.6, 0.3), 60) == "bob"
    assert favourite_after((0.9, 0.6, 0.3), 200) == "ann"


def failing(**settings: float) -> Policy:
    """Return a policy to which the best of three agents did well 300 times, and then badly 60 times."""
    bits, policy = np.random.default_rng(3), create("three_signals", WIDTH, settings)
    for chances, outcomes in (((0.9, 0.6, 0.3), 300), ((0.1, 0.6, 0.3), 60)):
        for _ in range(outcomes):
            for agent, chance in zip(AGENTS, chances, strict=True):
                policy.learn(Example(text(bits), agent, 1 / 3, float(bits.random() < chance)))
    return policy


def test_history_and_alarm_each_let_a_failing_agent_fall() -> None:
    """The mean of 300 good outcomes outlives 60 bad ones; what the agent did lately does not, nor does it once an alarm rang."""
    context = text(np.random.default_rng(1))
    neither, lately, alarm = failing(alarm=0.0, history=0.0), failing(alarm=0.0), failing(history=0.0)

    assert neither.decide(context, AGENTS).favourite == "ann"
    assert [one.decide(context, AGENTS).favourite for one in (lately, alarm)] == ["bob", "bob"]
    assert lately.decide(context, AGENTS).weights["history"] > 0.5


def test_what_an_alarm_made_forgotten_stays_forgotten() -> None:
    """A correction of an outcome from before the fall changes no score; one of an outcome that still counts does."""
    bits, policy = np.random.default_rng(3), create("three_signals", WIDTH)
    outcomes = [Example(text(bits), "ann", 0.5, 1.0) for _ in range(60)] + [
        Example(text(bits), "ann", 0.5, 0.0) for _ in range(40)
    ]
    for outcome in outcomes:
        policy.learn(outcome)
    context = text(bits)
    before = policy.decide(context, AGENTS)
    policy.revise(Example(outcomes[0].context, "ann", 0.5, 0.25), 1.0)
    same = policy.decide(context, AGENTS)
    policy.revise(Example(outcomes[-1].context, "ann", 0.5, 0.25), 0.0)

    assert before.parts["learned"][0] < -0.1  # an alarm rang: the mean of all hundred would be .6
    assert same.scores == before.scores
    assert policy.decide(context, AGENTS).scores != before.scores


def test_an_outcome_is_foretold_without_itself() -> None:
    """What the regression says of each outcome had it not been taken in is what one that never took it in says."""
    bits = np.random.default_rng(8)
    contexts, rewards = np.array([text(bits) for _ in range(25)]), bits.random(25)
    whole = RidgeHeads(WIDTH, 12.0, 10.0)
    for context, reward in zip(contexts, rewards.tolist(), strict=True):
        whole.add(context, "ann", reward)
    inverse = np.linalg.inv(12.0 * np.eye(WIDTH) + contexts.T @ contexts)
    levers = np.einsum("nd,de,ne->n", contexts, inverse, contexts)

    means, text_part = whole.left_out("ann", contexts, rewards, levers)
    for at in range(25):
        kept = np.arange(25) != at
        mean = (rewards[kept].sum() + 10.0 * whole.pooled) / (24 + 10.0)
        slope = np.linalg.solve(
            12.0 * np.eye(WIDTH) + contexts[kept].T @ contexts[kept], contexts[kept].T @ (rewards[kept] - mean)
        )
        assert means[at] == pytest.approx(mean - whole.pooled, abs=1e-12)
        assert text_part[at] == pytest.approx(float(contexts[at] @ slope), abs=1e-9)


def test_levers_stay_true_as_outcomes_come() -> None:
    """The lever kept of each of an agent's newest outcomes is x'A^-1 x of everything that its regression has seen."""
    bits, policy = np.random.default_rng(8), ThreeSignals(WIDTH, alarm=0.0)
    seen = [text(bits) for _ in range(2 * JUDGED)]
    for context in seen:
        policy.learn(Example(context, "ann", 1.0, float(bits.integers(2))))
    inverse = np.linalg.inv(12.0 * np.eye(WIDTH) + np.array(seen).T @ np.array(seen))
    arrays = policy._signals.arrays()
    newest = np.argsort(arrays["figures"][1])[-JUDGED:]

    for at in newest.tolist():
        context = arrays["contexts"][at]
        assert arrays["figures"][3, at] == pytest.approx(float(context @ inverse @ context), abs=1e-9)


def test_a_state_stays_bounded() -> None:
    """However many examples: the regressions of the agents, and as many outcomes as may be kept."""
    policy = ThreeSignals(WIDTH, keep=50.0)
    taught(policy, "learned", 200)
    size = len(policy.dump())
    taught(policy, "learned", 400, seed=6)

    assert abs(len(policy.dump()) - size) < 100


def test_a_state_with_an_outcome_of_nobody_is_refused() -> None:
    """Rows beyond the agents, and more outcomes than may be kept, are damage."""
    policy = taught(ThreeSignals(WIDTH), "learned", 30)
    state = policy.dump()

    with pytest.raises(UnreadableState, match="at most 4 outcomes"):
        ThreeSignals.load(state.replace(b'"keep":1024.0', b'"keep":4.0000'), WIDTH)
    with pytest.raises(UnreadableState, match="cannot be taken"):
        ThreeSignals.load(state.replace(b'"least":0.6', b'"least":1.6'), WIDTH)
