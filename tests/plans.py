"""Facts of split tasks, for tests: of a plan with a step that is done, one that was settled, one that failed and an open one."""

from typing import Any

from events.event import Event, Fact
from events.plan import Answered, Plan, PlanEnded, PlanMade, PlanSettled, PlanStep, PlanStepEnded, PlanStepStarted
from tests.builders import TASK, TENANT, stamped

STEPS = ("read", "far", "bad", "later")


def plan_facts(task_id: str = TASK, at: float = 3) -> list[Event[Fact]]:
    """Return a plan's facts in order; what is told of one step overlaps with what is told of another."""
    own: dict[str, Any] = {"tenant": TENANT, "task_id": task_id, "attempt": 1}
    steps = tuple(PlanStep(name, "work", "do it", ask=2 if name == "far" else 1) for name in STEPS)
    answers = (Answered("part 2", "ann", {"answer": "40 km"}, 0.5), Answered("part 3", "bob", {"answer": "50 km"}, 0.7, 1))
    facts = [
        PlanMade(**own, agent="supervisor", plan=Plan("p", steps), made_by="given", why="it said so", depth=1, root_id=task_id),
        PlanStepStarted(**own, step="read", ask=1, kind="work"),
        PlanStepStarted(**own, step="far", ask=1, kind="work"),
        PlanStepStarted(**own, step="far", ask=2, kind="work", avoid=("ann",)),
        PlanStepStarted(**own, step="bad", ask=1, kind="work"),
        _ended(own, "read", ("part 1",), ("ann",), output_sha256="5e" * 32, cost_microusd=3, duration_us=10),
        PlanSettled(**own, step="far", answers=answers, conflicts=("40 against 50",), rule="evidence/1", chosen=1),
        _ended(own, "far", ("part 2", "part 3"), ("ann", "bob"), output_sha256="6f" * 32, duration_us=20),
        PlanStepStarted(**own, step="later", ask=1, kind="work"),
        _ended(own, "bad", ("part 4",), ("ann",), "failed", reason="attempts_exhausted", detail="no"),
        PlanEnded(**own, outcome="partial", completed=2, failed=1, skipped=0, cost_microusd=3, detail="bad: no"),
    ]
    return [stamped(fact, at + number) for number, fact in enumerate(facts)]


def _ended(
    own: dict[str, Any], step: str, parts: tuple[str, ...], agents: tuple[str, ...], outcome: Any = "completed", **more: Any
) -> PlanStepEnded:
    return PlanStepEnded(**own, step=step, outcome=outcome, parts=parts, agents=agents, **more)
