"""What a training came to, told: the network, what it earns beside others, and how well it foretells."""

from typing import Any

from events.registry import Model
from smolit.cli import out
from smolit.retrain.judge import Judged
from smolit.retrain.retrain import Retrained


def as_json(found: Retrained, model: Model | None) -> dict[str, Any]:
    """Return all of it for machines; no model: it was not registered."""
    return {
        "model": model and model.id,
        "number": model and model.number,
        "origin": found.version.origin,
        "judged": found.judged,
        "training": found.result,
    }


def calibration(error: float, by_chance: float) -> str:
    """Return how far chances are off, beside what luck makes of true ones."""
    return f"Calibration error {error:.3f}; true chances would show about {by_chance:.3f} on so many attempts."


def tell(found: Retrained) -> None:
    """Write what was trained, and what it is worth, for people."""
    origin, result, judged = found.version.origin, found.result, found.judged
    assert origin.trained is not None
    out.facts(
        {
            "network": f"{origin.trained.kind}, {result.numbers:,} numbers, {origin.parameters['model'][:12]}",
            "trained on": f"{origin.trained.rows:,} attempts, up to offset {origin.trained.cut}",
            "graph": f"tells what the network tells, within {result.parity:.2g}",
            "epochs": f"{result.epochs}, the best was {result.best_epoch}",
            "judged by": f"{judged.choices:,} later choices, {judged.rewarded:,} of them with a reward",
        }
    )
    _rivals(judged)
    _foretold(judged)


def _rivals(judged: Judged) -> None:
    """Write what the network earns beside every other policy."""
    own = judged.earned
    rows: list[tuple[object, ...]] = [
        ("this network", "as it would serve, learning on", *((own.value, own.low, own.high) if own else ("", "", "")), "", "", "")
    ]
    for one in judged.rivals:
        earned = (one.earned.value, one.earned.low, one.earned.high) if one.earned else ("", "", "")
        more = one.network_more
        rows.append((one.name, one.policy, *earned, *((more.value, more.low, more.high) if more else ("", "", ""))))
    columns = ("", "policy", "reward", "low", "high", "network more by", "low", "high")
    out.table(columns, rows, title="mean reward on later choices, doubly robust, 95 % intervals")
    for one in judged.rivals:
        if one.refused:
            out.line(f"There is no estimate of {one.name}: {one.refused}.")
    if judged.refused:
        out.line(f"There is no estimate of the network: {judged.refused}.")


def _foretold(judged: Judged) -> None:
    """Write how well chances of success and times are foretold."""
    told = judged.foretold
    if told.cases:
        rows = [(f"{one.told:.2f}", f"{one.came:.2f}", one.count) for one in told.groups]
        out.table(("told", "came", "attempts"), rows, title="chance of success, on later attempts")
        out.line(calibration(told.calibration_error, told.error_by_chance))
        out.line(f"Brier score {told.brier:.4f}, of each agent's mean {told.brier_of_means:.4f}.")
    if told.timed:
        out.line(f"Time is off by {told.time_error:.3f} (log), each agent's mean by {told.time_error_of_means:.3f}.")
    if told.covered is not None and told.spanned is not None:
        out.line(
            f"The span told for times should hold {told.spanned:.0%} and held {told.covered:.1%} of {told.timed} later attempts; "
            f"its upper end is {told.widest:.3g} times the lower one."
        )
