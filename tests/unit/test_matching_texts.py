"""The labelled texts without a kind, and what the bench makes of them."""

from collections import Counter

import msgspec

from agents.spec import load
from bench.agents.matching import DATA, Texts, bare, features, known, met
from learning.static import StaticEncoder
from smolit.process.prepare import SPECS

TEXTS = msgspec.json.decode(DATA.read_bytes(), type=Texts)
# Whom a text, or a file beside it, may reach: who needs something in its input is asked by kind.
WORKING = {
    spec.id: spec
    for spec in load(SPECS)
    if spec.pipeline != "recorded" and (not spec.needs or any(need.startswith("file:") for need in spec.needs))
}


def test_what_is_reported_was_not_seen_before() -> None:
    """No text is an example, or one that thresholds were chosen on; each agent has twelve, and thirty are for nobody."""
    told = [one.text for one in (*TEXTS.tuning, *TEXTS.tasks)]
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


def test_with_examples_more_texts_go_to_who_should_do_them() -> None:
    """With the shipped encoder an even draw is right three times as often as by descriptions, from half as many candidates."""
    encoder = StaticEncoder.load()
    agents = known(list(WORKING.values()), encoder)
    read = [features(one.text, encoder) for one in TEXTS.tasks]

    after, before = met(agents, TEXTS.tasks, read), met(bare(agents), TEXTS.tasks, read)

    def total(name: str) -> tuple[float, float]:
        return sum(getattr(one, name) for one in after), sum(getattr(one, name) for one in before)

    assert total("drawn")[0] > 3 * total("drawn")[1]
    assert 2 * total("candidates")[0] < total("candidates")[1]
    assert total("found")[0] > 0.95 * total("found")[1]
