"""What a network foretold of the time of an attempt: told again from its graph, with the ends of its span, beside what came."""

import math
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from learning.errors import ArtefactMissing
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from learning.network import Graph, open_graph
from smolit.cli.foretold import Time, how_long, times_of
from smolit.retrain.judge import foretold
from smolit.retrain.split import Range, split
from tests.choosing import features
from tests.networks import MODEL, card, graph
from tests.unit.test_cli_words import decision
from tests.unit.test_retrain import known


@pytest.fixture(scope="module")
def used() -> ContextMap:
    """The map that ships with the hashed encoder."""
    return ContextMap.load(HashedEncoder().name)


def network(
    used: ContextMap, span: tuple[float, float] | None = (-1.0, 0.5), duration: tuple[float, float] = (5.0, 1.0)
) -> Graph:
    """Return a network that tells the mean time of everybody, with this span around it."""
    return open_graph(graph(np.zeros((2, used.width)), card(width=used.width, span=span, duration=duration)))


def events(outcome: str | None = "completed") -> list[Any]:
    """Return a choice with its features, and its end, as the log's read model has them."""
    seen = msgspec.to_builtins(features("question"))
    told = [SimpleNamespace(type="agent.chosen", payload={"attempt": 1, "context": {"features": seen}})]
    ended = {"attempt": 1, "outcome": outcome, "duration_us": 250_000}
    return [*told, SimpleNamespace(type="attempt.ended", payload=ended)] if outcome else told


def told(used: ContextMap, graph: Graph | None, outcome: str | None = "completed", **fields: object) -> Time:
    """Return what is told of one choice by a network."""
    choice = decision(policy="neural", policy_parameters={"model": MODEL}, context_map=used.digest, **fields)

    def found(digest: str) -> Graph:
        if graph is None:
            raise ArtefactMissing(f"there is no network {digest[:12]} here")
        return graph

    return times_of([choice], events(outcome), found, lambda: {used.digest: used})[1]


def test_time_is_told_with_the_ends_of_its_span(used: ContextMap) -> None:
    """In seconds, from logarithms of milliseconds; beside it what the attempt took."""
    found = told(used, network(used))
    sentence = str(how_long("bert", found))

    assert found.foretold == pytest.approx(np.expm1(5.0) / 1000)
    assert (found.low, found.high) == pytest.approx((np.expm1(4.0) / 1000, np.expm1(5.5) / 1000))
    assert (found.share, found.took) == (0.9, 0.25)
    assert "bert takes 0.147 s, and in 90% of such attempts between 0.0536 and 0.244 s; it took 0.25 s." in sentence


def test_what_cannot_be_told_is_said(used: ContextMap) -> None:
    """No span, no end, an agent or a map that is not known, a network that is gone; no network: nothing."""
    bare = told(used, network(used, None), None)

    assert how_long("bert", bare) == "Its network foretold that bert takes 0.147 s."
    assert told(used, network(used), "failed").took is None
    assert "does not know the agent" in str(how_long("carl", told(used, network(used), agent="carl")))
    assert "there is no network" in str(how_long("bert", told(used, None)))
    assert times_of([decision()], events(), lambda _: pytest.fail("nothing to open"), dict) == {}
    assert how_long("bert", None) is None


def test_later_attempts_say_whether_the_span_holds(used: ContextMap) -> None:
    """The share of them that lay in it stands in the figures of a version; without a span there is none."""
    found = split(known(used), Range())  # attempts take 1 to 50 ms, each as often: the logarithm is .7 to 3.9
    wide, low, none = (
        foretold(found, network(used, span, (2.0, 1.0)), used) for span in ((-2.0, 2.0), (-2.0, math.log(26.0) - 2.0), None)
    )

    assert (wide.covered, wide.spanned) == (1.0, 0.9)
    assert low.covered == pytest.approx(0.5, abs=0.02)
    assert wide.widest is not None
    assert wide.widest > np.exp(3.9)
    assert none.covered is None
