"""What a chart shows, whatever it is drawn with: estimates with their intervals, beside a reference if there is one."""

from collections.abc import Iterator, Sequence
from datetime import UTC

from msgspec import Struct

from events.model import Bin
from learning.statistics import wilson_interval
from projections.course import Cost, Share, Stretch

_PER = 1_000  # attempts: a single one costs a fraction of a cent
_MICRO = 1_000_000


class Mark(Struct, frozen=True):
    """One estimate: what it is of, how many it rests on, its 95 % interval where there is one, and a word beside it."""

    label: str
    count: int
    value: float | None
    low: float | None
    high: float | None
    note: str = ""


class Chart(Struct, frozen=True, kw_only=True):
    """A chart: `measure` names what is measured and its unit, `counted` what the counts are of.

    `noted` names what stands beside the marks, if anything does. A stream's marks follow each other, each over `count` of
    what it is a stream of; other marks stand side by side.
    """

    title: str
    subject: str
    measure: str
    counted: str
    marks: tuple[Mark, ...]
    reference: Mark | None = None
    noted: str = ""
    stream: bool = False

    def bounds(self) -> tuple[float, float]:
        """Return the smallest and largest figure that is drawn, with some room; where nothing is known, 0 and 1."""
        marks = [*self.marks, *([self.reference] if self.reference else [])]
        drawn = [figure for mark in marks for figure in (mark.value, mark.low, mark.high) if figure is not None]
        if not drawn:
            return 0.0, 1.0
        room = (max(drawn) - min(drawn)) * 0.05 or max(abs(drawn[0]) * 0.05, 0.01)
        return min(drawn) - room, max(drawn) + room


def learning_chart(curve: Sequence[Stretch], scope: str | None) -> Chart:
    """Return the learning curve: the parts of the stream, and a uniform choice over the whole of it as reference."""
    *parts, whole = curve
    uniform = Mark("a uniform choice", whole.supported, whole.uniform, whole.uniform_low, whole.uniform_high)
    return Chart(
        title=f"Learning over the stream, {_named(scope)}",
        subject="from (UTC)",
        measure="mean reward (0 to 1)",
        counted="tasks",
        marks=tuple(
            Mark(f"{one.since.astimezone(UTC):%Y-%m-%d %H:%M}", one.tasks, one.mean_reward, one.reward_low, one.reward_high)
            for one in parts
        ),
        reference=None if whole.uniform is None else uniform,
        stream=True,
    )


def agents_chart(found: Sequence[Share], scope: str | None) -> Chart:
    """Return the agents by reward, each with its share of the choices."""
    return Chart(
        title=f"Agents, {_named(scope)}",
        subject="agent",
        measure="mean reward (0 to 1)",
        counted="rewarded",
        noted="share of choices",
        marks=tuple(
            Mark(one.agent, one.rewarded, one.mean_reward, one.reward_low, one.reward_high, f"{one.share:.0%}") for one in found
        ),
    )


def cost_chart(found: Sequence[Cost], scope: str | None) -> Chart:
    """Return the cost of attempts by kind of task, and by scope where there is more than one."""
    return Chart(
        title=f"Cost of attempts, {_named(scope)}",
        subject="kind",
        measure=f"US$ per {_PER:,} attempts",
        counted="attempts",
        noted="US$ in all",
        marks=tuple(_cost_marks(found, many=len({one.scope for one in found}) > 1)),
    )


def _cost_marks(found: Sequence[Cost], many: bool) -> Iterator[Mark]:
    """Yield a mark per kind of task."""
    for one in found:
        kind = one.kind or "(no kind)"
        spent = "unknown" if one.cost_microusd is None else f"{one.cost_microusd / _MICRO:.4g}"
        label = f"{one.scope}/{kind}" if many else kind
        low, high = _dollars(one.low_microusd), _dollars(one.high_microusd)
        yield Mark(label, one.attempts, _dollars(one.mean_microusd), low, high, spent)


def _dollars(microusd: float | None) -> float | None:
    """Return dollars per `_PER` attempts."""
    return None if microusd is None else microusd * _PER / _MICRO


def reliability_chart(bins: Sequence[Bin], model: str | None) -> Chart:
    """Return how often it came of what was told to come: a version that means what it says has both figures alike."""
    marks = []
    for one in bins:
        came = wilson_interval(round(one.came * one.count), one.count)
        marks.append(
            Mark(f"told {one.told:.2f}", one.count, came.value, came.low, came.high, f"off by {one.came - one.told:+.2f}")
        )
    return Chart(
        title=f"Chance of success, version {model}",
        subject="in the mean",
        measure="share that succeeded",
        counted="later attempts",
        marks=tuple(marks),
        noted="and is",
    )


def _named(scope: str | None) -> str:
    return "every scope" if scope is None else f"scope {scope}"
