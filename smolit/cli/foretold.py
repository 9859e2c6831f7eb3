"""What a network foretold of the time that the chosen agent would take, beside what it took."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from events.task import Features
from learning.errors import LearningError
from projections.decision import DecisionRow
from projections.event_log import EventRow

if TYPE_CHECKING:  # they load numpy, which few who look at a choice need
    from learning.features import ContextMap
    from learning.network import Graph

NEURAL = "neural"  # the policy that chooses by a network, as facts name it


class Time(Struct, frozen=True):
    """Seconds: as foretold, the two ends of the span that should hold `share` of such attempts, and as they came.

    `unknown`: why nothing can be told; None where something can.
    """

    foretold: float | None = None
    low: float | None = None
    high: float | None = None
    share: float | None = None
    took: float | None = None
    unknown: str | None = None


def times_of(
    choices: Sequence[DecisionRow],
    told: Sequence[EventRow],
    networks: "Callable[[str], Graph]",
    maps: "Callable[[], Mapping[str, ContextMap]]",
) -> dict[int, Time]:
    """Return by attempt what was foretold of its time; nothing of attempts that no network chose for."""
    found = {}
    for one in choices:
        if one.policy == NEURAL:
            chosen = next(each.payload for each in told if _is(each, "agent.chosen", one.attempt))
            seen = msgspec.convert(chosen["context"]["features"], Features)
            ended = next((each.payload for each in told if _is(each, "attempt.ended", one.attempt)), None)
            took = ended["duration_us"] / 1e6 if ended is not None and ended["outcome"] == "completed" else None
            found[one.attempt] = _time(one, seen, took, networks, maps())
    return found


def how_long(agent: str, time: Time | None) -> str | None:
    """Say it in one sentence; nothing where no network chose."""
    if time is None:
        return None
    if time.foretold is None:
        return f"What its network foretold of the time is not known here: {time.unknown}."
    came = f"; it took {time.took:.3g} s" if time.took is not None else ""
    if time.low is None or time.high is None:
        return f"Its network foretold that {agent} takes {time.foretold:.3g} s{came}."
    return (
        f"Its network foretold that {agent} takes {time.foretold:.3g} s, and in {time.share:.0%} of such attempts between "
        f"{time.low:.3g} and {time.high:.3g} s{came}."
    )


def _is(event: EventRow, kind: str, attempt: int) -> bool:
    return event.type == kind and event.payload["attempt"] == attempt


def _time(
    one: DecisionRow,
    seen: Features,
    took: float | None,
    networks: "Callable[[str], Graph]",
    maps: "Mapping[str, ContextMap]",
) -> Time:
    """Ask the network again: it says what it said then, to the bit."""
    if one.context_map not in maps:
        return Time(took=took, unknown="its context map does not come with this release")
    try:
        graph = networks(str(one.policy_parameters["model"]))
        if one.agent not in graph.card.agents:
            return Time(took=took, unknown="the network does not know the agent")
        told = graph.told(maps[one.context_map].apply(seen.embedding, seen.surface))
    except LearningError as error:
        return Time(took=took, unknown=str(error))
    at = graph.card.agents.index(one.agent)
    low, high = (None, None) if told.between is None else (float(end[at]) for end in told.between)
    return Time(float(told.seconds[at]), low, high, graph.card.spanned if low is not None else None, took)
