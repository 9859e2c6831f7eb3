"""The labelled texts without a kind, and what the bench makes of them."""

from collections import Counter

import msgspec

from agents.spec import load
from bench.agents.matching import DATA, Others, Texts, cases, features, former, known, met
from learning.static import StaticEncoder
from smolit.process.prepare import SPECS

TEXTS = msgspec.json.decode((DATA / "kindless_tasks.json").read_bytes(), type=Texts)
OTHERS = msgspec.json.decode((DATA / "kindless_other.json").read_bytes(), type=Others)
# Whom a text, or a file beside it, may reach: who needs something in its input is asked by kind.
WORKING = {
    spec.id: spec
    for spec in load(SPECS)
    if spec.pipeline != "recorded" and (not spec.needs or any(need.startswith("file:") for need in spec.needs))
}


def test_what_is_reported_was_not_seen_before() -> None:
    """No text is an example, or one that thresholds were chosen on; each agent has twelve, and thirty are for nobody."""
    told = [one.text for one in (*TEXTS.tuning, *TEXTS.tasks, *OTHERS.own, *OTHERS.other.tasks)]
    examples = {text for spec in WORKING.values() for text in spec.examples}
    counts = Counter(agent for one in TEXTS.tasks for agent in one.agents)

    assert len(set(told)) == len(told)
    assert not examples & set(told)
    assert set(counts) == set(WORKING)
    assert min(counts.values()) >= 12
    assert sum(not one.agents for one in TEXTS.tasks) == 30


def test_every_working_agent_says_what_it_does_by_examples() -> None:
    """Eight at least; one agent takes what fits nobody, and it says so in its spec."""
    assert min(len(spec.examples) for spec in WORKING.values()) >= 8
    assert [name for name, spec in WORKING.items() if spec.general] == ["assistant"]


def test_half_of_the_other_texts_are_for_choosing_and_half_for_reporting() -> None:
    """No text is on both sides."""
    seen, unseen = ({text.text for case in cases(side) for text in case.texts} for side in (False, True))

    assert not seen & unseen
    assert len(unseen) >= 250


def test_more_texts_reach_who_should_do_them_than_by_the_nearest_example() -> None:
    """With the shipped encoder, on unseen texts of each sort; an even draw is right more often as well."""
    encoder = StaticEncoder.load()
    for case in cases():
        agents, read = known(case.specs, encoder), [features(one.text, encoder) for one in case.texts]
        after, before = ([one for one in met(agents, case.texts, read, *rule) if one.labelled] for rule in ((), (former,)))

        assert sum(one.found for one in after) >= sum(one.found for one in before) + 2, case.name
        assert sum(one.drawn for one in after) > sum(one.drawn for one in before), case.name
