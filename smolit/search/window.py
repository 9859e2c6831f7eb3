"""Which choices of a scope's log a search may look at, and which are kept for the end. Pure."""

from typing import NamedTuple

from events.search import Window
from events.task import AgentChosen
from learning.evaluation import LEAST_EFFECTIVE
from smolit.audit.choices import Log
from smolit.counterfactual.replay import groups, key_of, rewards_of
from smolit.errors import NothingFound
from smolit.model.fold import Scope

LEARN, VALIDATE = 0.2, 0.4  # shares of the choices with a reward; the rest is for the end
_LEAST = int(LEAST_EFFECTIVE)


class Parts(NamedTuple):
    """Two logs with the same examples: choices to score on, and choices that no trial may see."""

    scored: Log
    tested: Log


def window_of(log: Log, place: Scope, context_map: str, shares: tuple[float, float] = (LEARN, VALIDATE)) -> Window:
    """Part a scope's choices by the examples that they knew; `shares` are only learned from, and scored.

    Raises:
        NothingFound: too few have a reward for two parts that can tell anything.
    """
    rewards, choices = rewards_of(log), _choices(log, place, context_map)
    judged = [one for one in choices if key_of(one) in rewards]
    if not judged:
        raise NothingFound(f"scope {place.name!r} has no choice with a reward that a search could look at")
    validate_from = judged[int(len(judged) * shares[0])].policy.upto
    test_from = judged[int(len(judged) * sum(shares))].policy.upto
    scored = sum(validate_from <= one.policy.upto < test_from for one in judged)
    tested = sum(one.policy.upto >= test_from for one in judged)
    if min(scored, tested) < _LEAST:
        raise NothingFound(
            f"scope {place.name!r} has {len(judged)} choices with a reward: {scored} to search on and {tested} for the end, "
            f"and it takes {_LEAST} of each"
        )
    upto = max(offset for offset, _ in log.examples[place.tenant, place.name])
    return Window(
        context_map=context_map, validate_from=validate_from, test_from=test_from, upto=upto, scored=scored, tested=tested
    )


def parts_of(log: Log, place: Scope, window: Window) -> Parts:
    """Return what a window means in a log, which may have grown since."""
    examples = {(place.tenant, place.name): [one for one in log.examples.get(place, []) if one[0] <= window.upto]}
    choices = _choices(log, place, window.context_map)
    scored = [one for one in choices if window.validate_from <= one.policy.upto < window.test_from]
    tested = [one for one in choices if window.test_from <= one.policy.upto <= window.upto]
    return Parts(Log(examples, scored, 0), Log(examples, tested, 0))


def _choices(log: Log, place: Scope, context_map: str) -> list[AgentChosen]:
    """Return a scope's choices in the order of what they knew; of a task that named its agent no policy chooses."""
    found = groups(log.choices).get((place.tenant, place.name, context_map), [])
    return [one for one in found if one.context.agent is None]
