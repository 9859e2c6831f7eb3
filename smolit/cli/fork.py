"""What `smolit policy replay --fork` prints for people."""

from learning.statistics import Interval
from smolit.cli import out
from smolit.cli.estimates import tell_estimates
from smolit.counterfactual.fork_report import Fork


def tell(found: Fork) -> None:
    """Write what was found for people."""
    out.facts(
        {
            "candidate": f"{found.policy} {found.parameters}",
            "tasks": found.tasks,
            "with a reward": found.with_reward,
            "lives": found.seeds,
            "known per life": f"{found.matched:.1f} tasks, {found.matched_share:.1%}",
            "of these by a later attempt": f"{found.matched_otherwise:.1f}",
            "what it learned from": _sample(found),
        }
    )
    rows = [
        (one.name, f"{one.share:.1%}", f"{one.logged_share:.1%}", f"{one.matched_share:.1%}", one.reward) for one in found.agents
    ]
    out.table(("agent", "candidate", "logged", "known", "reward, known"), rows, title="whom it chose")
    out.table(("life", "known", "reward, known"), [(one.seed, one.matched, one.reward) for one in found.lives])
    _tell_rewards(found)


def _sample(found: Fork) -> str:
    """Say whether what is known is a fair sample of the candidate's own life."""
    if found.fair:
        return "a fair sample of its own life: all candidates had one and the same chance in the logged choices"
    return (
        f"more of the agents that the log favoured (least chance {found.least_chance:.2g}): weights correct what was earned, "
        "not what was learned"
    )


def _tell_rewards(found: Fork) -> None:
    """Write the mean reward as it was logged, and the candidate's as far as it is known."""
    kinds: dict[str, Interval | None] = {
        "logged, the same tasks": found.logged_reward,
        "candidate, known alone": found.matched_reward,
        "candidate, IPS": found.ips,
        "candidate, SNIPS": found.snips,
        "candidate, doubly robust": found.dr,
        "candidate minus logged": found.gain,
    }
    tell_estimates(kinds, found.ess, found.largest_weight)
