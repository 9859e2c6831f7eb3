"""`smolit bench choice`: what a choice costs, one by one and in a batch, by policy and by how many agents could be chosen.

Every round times the same texts both ways, one after the other, so whatever else the machine does meets both alike.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
import typer
from msgspec import Struct

from bench.calibration import Calibration, calibration
from bench.make_sample import SAMPLE_SET
from bench.pieces import known
from bench.spread import Range, middle
from bench.story import Stories
from events.control import Control
from events.task import Features, TaskAdmitted
from events.topics import DEFAULT_TENANT
from learning.book import Page, PolicyKey
from learning.encoding import STATIC
from learning.features import ContextMap
from learning.outcomes import Outcomes
from learning.policies import load
from learning.policy import Context, Contexts, Example, Policy
from learning.policy import choose as pick
from smolit.cli import out
from smolit.errors import UsageInvalid
from smolit.settings import PROJECT
from streams.choice import Due, Served, choose_agents, wanted_first

POLICIES = ("joint_thompson", "ridge_igw", "three_signals")
_SEED = 1

Agents = Annotated[str, typer.Option("--agents", metavar="N,N,...", help="Numbers of agents that could be chosen.")]
Batch = Annotated[int, typer.Option("--batch", min=2, max=10_000, help="Tasks of a batch.")]
Learned = Annotated[int, typer.Option("--learned", min=0, max=100_000, help="Examples that a policy has learned before.")]
Rounds = Annotated[int, typer.Option("--rounds", min=2, max=10_000, help="Measurements of each figure.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="File to write the figures to, as JSON.")]


class Cost(Struct, frozen=True):
    """Processor time per task in microseconds, alone and in a batch, and the second over the first, of the same rounds.

    `decision` is the policy alone; `choice` has with it who could be chosen, and the fact with all candidates. `step` is a
    decision and the example that follows, one by one: its median and its 99th percentile over all texts of all rounds.
    """

    policy: str
    agents: int
    decision_alone_us: Range
    decision_us: Range
    decision_ratio: Range
    choice_alone_us: Range
    choice_us: Range
    choice_ratio: Range
    step_us: float
    step_p99_us: float


class Figures(Struct, frozen=True):
    """What `--json` writes."""

    batch: int
    learned: int
    rounds: int
    costs: tuple[Cost, ...]
    before: Calibration
    after: Calibration


class Scene(NamedTuple):
    """A policy that has learned, the agents in force, and the tasks of a batch."""

    page: Page
    control: Control
    due: Sequence[Due]
    to_context: Callable[[Features], Context]


def choice(
    agents: Agents = "10,28,512", batch: Batch = 64, learned: Learned = 1000, rounds: Rounds = 30, json: Json = None
) -> None:
    """Measure what a choice costs for one task, for each task of a batch, and with the example that follows."""
    before = calibration()
    sizes = _sizes(agents)
    outcomes = Outcomes.load(PROJECT / "bench" / "data", SAMPLE_SET)
    costs = []
    for policy in POLICIES:
        for size in sizes:
            costs.append(cost_of(scene(policy, size, batch, learned, outcomes), rounds))
            out.say(f"{policy} with {size} agents is measured")
    figures = Figures(batch, learned, rounds, tuple(costs), before, calibration())
    _show(figures)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")


def scene(policy: str, agents: int, batch: int, learned: int, outcomes: Outcomes) -> Scene:
    """Make a policy that has learned from so many examples, each of an agent drawn at random, and tasks to choose for."""
    used, names = ContextMap.load(STATIC), [f"agent-{number:03}" for number in range(agents)]
    stories, bits = Stories(outcomes), np.random.default_rng(_SEED)

    def to_context(features: Features) -> Context:
        return used.apply(features.embedding, features.surface)

    key = PolicyKey.of(policy, {})
    page = Page(key.make(used.width))
    for number in range(learned):
        agent, reward = names[int(bits.integers(agents))], float(bits.random() < 0.5)
        page.policy.learn(Example(to_context(stories.features(number)), agent, 1.0 / agents, reward))
    facts = (fact for number in range(batch) for fact in (one.fact for one in stories.life(learned + number)))
    wanted = [wanted_first(fact) for fact in facts if isinstance(fact, TaskAdmitted)]
    due = [Due(one, Served(key, "default"), page, float(bits.random())) for one in wanted]
    return Scene(page, Control(agents={(DEFAULT_TENANT, name): known(name) for name in names}), due, to_context)


def cost_of(made: Scene, rounds: int) -> Cost:
    """Time both ways, again and again."""
    policy, names = made.page.policy, [agent for _, agent in made.control.agents]
    contexts = np.array([made.to_context(one.wanted.context.features) for one in made.due])

    def choose(due: Sequence[Due]) -> object:
        return choose_agents(due, made.control, to_context=made.to_context, context_map="", is_live=lambda _agent: True)

    digest = made.page.digest  # is made once for a state, whoever asks first
    alone, together = [], []
    whole_alone, whole_together = [], []
    for _ in range(rounds):
        alone.append(_us_each(lambda: [policy.decide(one, names) for one in contexts], len(contexts)))
        together.append(_us_each(lambda: policy.decide_many(contexts, names), len(contexts)))
        whole_alone.append(_us_each(lambda: [choose([one]) for one in made.due], len(contexts)))
        whole_together.append(_us_each(lambda: choose(made.due), len(contexts)))
    assert made.page.digest == digest
    steps = _steps(load(policy.name, policy.dump(), policy.width), contexts, names, rounds)
    return Cost(
        policy.name, len(names), middle(alone), middle(together), _ratio(together, alone),
        middle(whole_alone), middle(whole_together), _ratio(whole_together, whole_alone),
        *(float(np.percentile(steps, share)) for share in (50, 99)),
    )  # fmt: skip


def _steps(policy: Policy, contexts: Contexts, names: Sequence[str], rounds: int) -> list[float]:
    """Decide about each text and learn how that went, again and again; return the time of each, in microseconds.

    A first round is left out: what a process makes once (the draws of `learning.optimism`) would be 2 % of some hundred steps.
    """
    bits, found = np.random.default_rng(_SEED), []
    for _ in range(rounds + 1):
        for context in contexts:
            drawn, reward = float(bits.random()), float(bits.random() < 0.5)

            def step(context: Context = context, drawn: float = drawn, reward: float = reward) -> None:
                chosen = pick(policy.decide(context, names), drawn)
                policy.learn(Example(context, chosen.agent, chosen.propensity, reward))

            found.append(_us_each(step, 1))
    return found[len(contexts) :]


def _us_each(work: Callable[[], object], tasks: int) -> float:
    """Return this thread's processor time for each task, in microseconds."""
    began = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - began) / 1000 / tasks


def _ratio(over: Sequence[float], under: Sequence[float]) -> Range:
    return middle([one / other for one, other in zip(over, under, strict=True)])


def _sizes(agents: str) -> list[int]:
    parts = agents.split(",")
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 1000 for part in parts):
        raise UsageInvalid(f"--agents takes numbers from 1 to 1000, such as 10,28,512, not {agents!r}")
    return [int(part) for part in parts]


def _show(figures: Figures) -> None:
    columns = ("policy", "agents", "decision alone, us", "in a batch", "ratio", "choice alone, us", "in a batch", "ratio",
               "choice and example, us", "p99")  # fmt: skip
    rows = [
        (
            one.policy, one.agents, one.decision_alone_us.value, one.decision_us.value, one.decision_ratio.told,
            one.choice_alone_us.value, one.choice_us.value, one.choice_ratio.told,
            one.step_us, one.step_p99_us,
        )
        for one in figures.costs
    ]  # fmt: skip
    out.table(columns, rows, title=f"processor time per task, {figures.batch} in a batch; medians, 95 %")
    out.facts({"a fixed loop of Python before, ms": figures.before.cpu_ms, "after, ms": figures.after.cpu_ms})
