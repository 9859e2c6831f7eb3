"""Choices of `three_signals` are those that an earlier, slower release made: recorded once, and compared ever since."""

import json
from pathlib import Path

import numpy as np
import pytest

from learning.policies import create
from learning.policy import Example, choose

RECORDED = Path(__file__).parent.parent / "data" / "three_signals_choices.json"
WIDTH, TEXTS, STEPS = 25, 60, 700
AGENTS = tuple("abcde")


def chosen(settings: dict[str, float | str]) -> tuple[str, list[float]]:
    """Return who was chosen at each step, and with which probability at every tenth, on a stream with everything in it.

    Texts come again or are new, some fits are missing, the best agent fails from half-way, rewards are corrected, a memory of 150
    outcomes is full early, and half-way the state is written and read. The numbers are raw bits: no library may change them.
    """
    bits = np.random.PCG64(11)

    def uniform(count: int) -> np.ndarray:
        return bits.random_raw(count).astype(np.float64) / 2.0**64

    texts, slopes = uniform(TEXTS * (WIDTH - 1)).reshape(TEXTS, -1) - 0.5, uniform(5 * (WIDTH - 1)).reshape(5, -1) - 0.5
    policy, done, who, chances = create("three_signals", WIDTH, {"keep": 150.0, **settings}), list[Example](), "", list[float]()
    for step in range(STEPS):
        own, draw, luck, *fits = uniform(8).tolist()
        values = texts[int(own * TEXTS)] if step % 3 else uniform(WIDTH - 1) - 0.5
        context = np.append(values / np.sqrt(np.square(values).sum()), 1.0)
        near = {agent: fit for agent, fit in zip(AGENTS, fits, strict=True) if step % 7}
        choice = choose(policy.decide(context, AGENTS, near), draw)
        at = AGENTS.index(choice.agent)
        good = 0.75 - 0.1 * at + float(slopes[at] @ values) - (0.7 if at == 0 and step > STEPS // 2 else 0.0)
        example = Example(context, choice.agent, choice.propensity, float(luck < good), near.get(choice.agent))
        policy.learn(example)
        done.append(example)
        if step % 19 == 18:
            old = done[step - 15]
            done[step - 15] = Example(old.context, old.agent, old.propensity, 1.0 - old.reward, old.fit)
            policy.revise(done[step - 15], old.reward)
        if step == STEPS // 2:
            policy = type(policy).load(policy.dump(), WIDTH)
        who += choice.agent
        chances += [choice.propensity] if step % 10 == 0 else []
    return who, chances


@pytest.mark.parametrize("name", ["default", "nervous", "without the learned score"])
def test_choices_are_those_that_were_recorded(name: str) -> None:
    """Every agent, and probabilities as far as any machine tells them."""
    recorded = json.loads(RECORDED.read_text())[name]
    who, chances = chosen(recorded["settings"])

    assert who == recorded["chosen"]
    assert chances == pytest.approx(recorded["chances"], abs=1e-11)
    assert len(set(who)) == len(AGENTS), "else nothing is shown"
