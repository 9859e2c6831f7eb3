"""Cosines for a policy that asks for them, on a log whose policies did not."""

from typing import Any

from msgspec.structs import replace

from events.wire import Incoming, encode
from learning.book import Page, PolicyKey
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from learning.match import fit
from smolit.audit.choices import Log
from smolit.counterfactual.compared import compared, descriptions
from smolit.counterfactual.replay import made_again
from tests import builders
from tests.choosing import choice, example, features

MAP = ContextMap.load(HashedEncoder().name)
THREE = PolicyKey.of("three_signals", {})


def told(*events: Any) -> list[Incoming]:
    """Return facts as they lie in the log."""
    found = []
    for offset, event in enumerate(events):
        record = encode("agents", event)
        found.append(Incoming("agents", 0, offset, record.key, record.headers, record.value))
    return found


def test_the_newest_description_counts() -> None:
    """A revised agent is what it says of itself last; other facts say nothing of that."""
    old, new = features("sings songs"), features("answers questions")
    known = descriptions(
        told(builders.registered("bert", described=old), builders.paused("bert"), builders.agent_revised("bert", described=new))
    )

    assert known == {(builders.TENANT, "bert"): (new,)}


def test_a_log_without_cosines_gets_them_and_recorded_ones_stay() -> None:
    """Every candidate and example that has a description is compared; who has none, or another encoder's, is not."""
    page = Page(PolicyKey.of("ridge_igw", {}).make(MAP.width))
    made = choice(page, MAP, 3)
    first, second, third = made.candidates
    made = replace(made, candidates=(replace(first, fit=0.5), second, third))
    known = {("default", name): (features("answers questions"),) for name in ("bert", "clara")}
    known["default", "dora"] = (replace(features("answers questions"), version="another"),)
    whole = compared(Log({("default", "default"): [(0, example(1, 1.0))]}, [made], 0), known)

    cosine = fit(made.context.features, known["default", "clara"])
    assert [one.fit for one in whole.choices[0].candidates] == [0.5, cosine, None]
    assert cosine > 0.1
    assert whole.examples["default", "default"][0][1].fit == fit(features("question 1"), known["default", "bert"])


def test_a_candidate_that_looks_at_descriptions_sees_them_in_a_replay() -> None:
    """On a log of another policy its match moves scores once it is told the cosines, and not before."""
    page = Page(PolicyKey.of("ridge_igw", {}).make(MAP.width))
    log = Log({("default", "default"): [(0, example(1, 1.0))]}, [choice(page, MAP, 3)], 0)
    known = {("default", name): (features(f"question {at}"),) for at, name in enumerate(("bert", "clara", "dora"))}
    bare, told = (next(made_again(one, {MAP.digest: MAP}, THREE)).decision for one in (log, compared(log, known)))

    assert set(bare.parts["match"]) == {0.0}
    assert len(set(told.parts["match"])) > 1
