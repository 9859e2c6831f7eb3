"""Who is best at what: each agent's results at each kind of task, from facts alone, so that the same log says the same.

A cell with too few results has its figures, and no rank. Pure.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from events.event import Message
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AttemptEnded, TaskSubmitted
from learning.statistics import Interval, Sums, mean_interval, wilson_interval

WITHOUT = "(no kind)"  # tasks that were matched by their text
_COUNTED = ("completed", "failed", "timed_out")  # an abandoned attempt says nothing of its agent


class Tried(Struct, frozen=True):
    """One attempt that is over; the reward in millionths, where it was judged."""

    subtask: str
    agent: str
    completed: bool
    duration_us: int
    cost_microusd: int | None
    reward_micro: int | None


class Cell(Struct, frozen=True):
    """What an agent did at one kind of task. Reward and success: higher is better; time and cost: lower.

    Intervals are of 95 %. `rank` is by mean reward among agents with enough judged attempts; null: too few to be ranked.
    `clear`: its interval lies above that of the next in rank.
    """

    subtask: str
    agent: str
    attempts: int
    success: Interval
    judged: int
    reward: Interval | None
    mean_duration_us: float
    mean_cost_microusd: float | None
    rank: int | None = None
    clear: bool = False


def tried(facts: Iterable[Message], tenant: str) -> list[Tried]:
    """Return the attempts that are over, each once, with the last reward that each was given."""
    kinds: dict[str, str] = {}
    ends: dict[tuple[str, int], AttemptEnded] = {}
    rewards: dict[tuple[str, int], tuple[int, float]] = {}
    for fact in facts:
        match fact:
            case TaskSubmitted(tenant=whose) if whose == tenant:
                kinds[fact.task_id] = fact.kind or WITHOUT
            case AttemptEnded(tenant=whose) if whose == tenant and fact.outcome in _COUNTED:
                ends.setdefault((fact.task_id, fact.attempt), fact)  # the first end of an attempt is the one that counts
            case ExampleRecorded(tenant=whose) if whose == tenant:
                rewards.setdefault((fact.task_id, fact.attempt), (0, fact.reward))
            case ExampleSuperseded(tenant=whose) if whose == tenant:
                known = rewards.get((fact.task_id, fact.attempt), (-1, 0.0))
                rewards[fact.task_id, fact.attempt] = max(known, (fact.revision, fact.reward), key=lambda one: one[0])
            case _:
                continue
    return [_tried(end, kinds.get(end.task_id, WITHOUT), rewards.get(key)) for key, end in sorted(ends.items())]


def _tried(end: AttemptEnded, subtask: str, reward: tuple[int, float] | None) -> Tried:
    """Return one attempt."""
    micro = None if reward is None else round(reward[1] * 1_000_000)
    return Tried(subtask, end.agent, end.outcome == "completed", end.duration_us, end.cost_microusd, micro)


def cells(attempts: Sequence[Tried], least: int) -> list[Cell]:
    """Return a cell for each kind of task and agent, by kind and rank; below `least` judged attempts there is no rank."""
    found: dict[tuple[str, str], list[Tried]] = {}
    for one in attempts:
        found.setdefault((one.subtask, one.agent), []).append(one)
    by_kind: dict[str, list[Cell]] = {}
    for (subtask, agent), done in sorted(found.items()):
        by_kind.setdefault(subtask, []).append(_cell(subtask, agent, done))
    return [cell for subtask in sorted(by_kind) for cell in _ranked(by_kind[subtask], least)]


def _cell(subtask: str, agent: str, done: Sequence[Tried]) -> Cell:
    """Return the figures of one cell, without a rank."""
    judged = [one.reward_micro for one in done if one.reward_micro is not None]
    costs = [one.cost_microusd for one in done if one.cost_microusd is not None]
    return Cell(
        subtask,
        agent,
        len(done),
        wilson_interval(sum(one.completed for one in done), len(done)),
        len(judged),
        mean_interval(Sums.of(judged)) if len(judged) > 1 else None,
        sum(one.duration_us for one in done) / len(done),
        sum(costs) / len(costs) if costs else None,
    )


def _ranked(row: Sequence[Cell], least: int) -> list[Cell]:
    """Return the cells of one kind: those with a rank first, the best of them on top; then the others by name."""
    known = [(cell.reward, cell) for cell in row if cell.reward is not None and cell.judged >= least]
    order = [cell for _, cell in sorted(known, key=lambda pair: (-pair[0].value, pair[1].agent))]
    ranked = [_placed(cell, place, order) for place, cell in enumerate(order, start=1)]
    return ranked + [cell for cell in row if cell not in order]


def _placed(cell: Cell, rank: int, order: Sequence[Cell]) -> Cell:
    """Return a cell with its rank."""
    below = order[rank].reward if rank < len(order) else None
    clear = below is not None and cell.reward is not None and cell.reward.low > below.high
    names = {name: getattr(cell, name) for name in Cell.__struct_fields__}
    return Cell(**{**names, "rank": rank, "clear": clear})
