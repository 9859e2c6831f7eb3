"""How estimates of a mean reward are shown: each with its interval, and how much of the log they rest on."""

from collections.abc import Mapping

from learning.statistics import Interval
from smolit.cli import out


def tell_estimates(kinds: Mapping[str, Interval | None], ess: float, largest_weight: float) -> None:
    """Write those estimates that there are, by kind; `ess` is the effective sample size."""
    rows = [(kind, one.value, one.low, one.high) for kind, one in kinds.items() if one]
    out.table(("mean reward", "estimate", "low", "high"), rows, title="95 % intervals")
    out.facts({"effective sample size": ess, "largest weight": largest_weight})
