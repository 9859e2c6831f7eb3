"""What the demo's producer saw, task by task, on one monotonic clock; the report is computed from it alone."""

from bisect import bisect_left
from dataclasses import dataclass, field


@dataclass(slots=True)
class Run:
    """One task: when its request was acknowledged, chosen for, answered and judged (seconds, None: never)."""

    prompt_id: str
    acknowledged: float
    chosen: float | None = None
    answered: float | None = None
    outcome: str | None = None
    agent: str | None = None
    reward: float | None = None
    feedback_acknowledged: float | None = None
    example_offset: int | None = None


@dataclass(slots=True)
class Course:
    """All runs in order of submission, and every choice seen: when, and up to which example its policy had learned."""

    runs: dict[str, Run] = field(default_factory=dict)
    choices: list[tuple[float, int]] = field(default_factory=list)
    seconds: float = 0.0

    def effect_times(self) -> list[float]:
        """Return, per feedback, the seconds from its acknowledgement to the first choice whose `upto` covers it."""
        times, covered = _running_maximum(self.choices)
        found = []
        for run in self.runs.values():
            if run.feedback_acknowledged is None or run.example_offset is None:
                continue
            index = bisect_left(covered, run.example_offset)
            if index < len(times):
                found.append(times[index] - run.feedback_acknowledged)
        return found


def _running_maximum(choices: list[tuple[float, int]]) -> tuple[list[float], list[int]]:
    """Return times and the highest `upto` seen until each of them."""
    times: list[float] = []
    covered: list[int] = []
    for at, upto in sorted(choices):
        times.append(at)
        covered.append(max(upto, covered[-1] if covered else -1))
    return times, covered
