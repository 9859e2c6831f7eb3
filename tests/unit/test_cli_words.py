"""What the command line says of events and choices."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from events.catalog import FACTS, NOTICES
from events.event import Message
from events.task import RewardTerms, TaskAdmitted
from projections.decision import DecisionRow
from projections.event_log import EventRow
from projections.similar import Like
from smolit.cli.explain import explained, how_like_tasks_went, how_rewarded
from smolit.cli.trace import show_tree, tree
from smolit.cli.weighed import how_weighed, who_is_proven
from smolit.cli.words import words
from tests.golden.sample import sample

SPOKEN = (*FACTS, *(cls for cls in NOTICES if cls.event_type.name in ("answer.given", "request.refused")))
START = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize("cls", SPOKEN, ids=lambda cls: cls.event_type.name)
def test_every_fact_has_words_of_its_own(cls: type[Message]) -> None:
    """Each type of fact is told in a line of words, from its payload as JSON has it, with every field or with few."""
    name, payload = cls.event_type.name, msgspec.to_builtins(sample(cls).fact)

    told = words(name, payload)

    assert told != name
    assert "\n" not in told


def test_a_type_without_words_is_named() -> None:
    """What has no words of its own is told by its name."""
    assert words("something.new", {}) == "something.new"


def test_words_carry_no_control_characters() -> None:
    """A task's text cannot do anything to the terminal."""
    told = words("task.submitted", {"text": "a\x1b[2J\nb", "kind": None})

    assert told == "submitted: a\\x1b[2J\\nb"


def event(number: int, cause: str, name: str = "task.submitted", source: str = "smolit/intake") -> EventRow:
    """Return one event of a story."""
    return EventRow(
        event_id=f"e{number}",
        type=name,
        version=1,
        topic="smolit.tasks.v1",
        partition=0,
        log_offset=number,
        tenant="default",
        source=source,
        correlation_id="t",
        causation_id=cause,
        occurred_at=START,
        traceparent=None,
        payload={"text": f"text {number}", "kind": None},
    )


def test_the_tree_hangs_each_event_under_its_cause() -> None:
    """What a request caused are roots; a repeated record is the same event; order is kept."""
    found = tree([event(1, "r1"), event(2, "r1"), event(3, "e2"), event(3, "e2"), event(4, "e3"), event(5, "e2")])

    assert [one.event.event_id for one in found] == ["e1", "e2"]
    assert [one.event.event_id for one in found[1].caused] == ["e3", "e5"]
    assert [one.event.event_id for one in found[1].caused[0].caused] == ["e4"]


def test_an_event_that_names_itself_as_its_cause_is_a_root() -> None:
    """No circle can hide an event."""
    assert [one.event.event_id for one in tree([event(1, "e1")])] == ["e1"]


def test_the_tree_is_printed_under_the_request_that_caused_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The request stands above, once; causes are shown by indentation."""
    show_tree(tree([event(1, "r1"), event(2, "r1"), event(3, "e2"), event(4, "x", source="smolit/learning")]))

    lines = capsys.readouterr().out.splitlines()
    assert [line.split("20")[0] for line in lines] == ["request r1", "└─ ", "└─ ", "   └─ ", "because of x", "└─ "]


def decision(**fields: object) -> DecisionRow:
    """Return a choice between two agents."""
    known: dict[str, object] = {
        "task_id": "t",
        "attempt": 1,
        "tenant": "default",
        "scope": "default",
        "kind": None,
        "chosen_at": START,
        "agent": "bert",
        "propensity": 0.9,
        "explored": False,
        "draw": 0.25,
        "decided_by": "default",
        "policy": "ridge_igw",
        "policy_version": 1,
        "policy_parameters": {"gain": 20.0},
        "policy_digest": "abcdef0123456789",
        "policy_upto": 41,
        "policy_model": None,
        "context_map": "m",
        "features_version": "f",
        "experiment": None,
        "variant": None,
        "unit": None,
        "candidates": [
            {"agent": "anna", "score": 0.3, "parts": {"pooled": 0.3}, "probability": 0.1},
            {"agent": "bert", "score": 0.7, "parts": {"pooled": 0.5, "text": 0.2}, "probability": 0.9},
        ],
        "left_out": [{"agent": "carl", "reason": "no_fit", "fit": 0.05}],
        "log_partition": 0,
        "log_offset": 1,
    }
    return msgspec.convert(known | fields, DecisionRow)


def test_a_choice_is_explained_in_words() -> None:
    """Who, how likely, why, who came second, which policy in which state, and who was left out."""
    told = " ".join(explained(decision()))

    for part in (
        "bert was chosen out of 2, with probability 0.9",
        "its score was 0.7 (0.5 from pooled + 0.2 from text)",
        "The runner-up was anna: score 0.3, probability 0.1",
        "ridge_igw version 1 (gain 20.0); it knew every example up to offset 41",
        "state abcdef012345",
        "Not a candidate: carl does not fit the text well enough (its description or an example is 0.05 like it at best)",
    ):
        assert part in told


def test_who_does_not_have_the_skill_is_told_in_one_sentence() -> None:
    """Of thirty agents most have another skill; a sentence for each hid what mattered."""
    left_out = [{"agent": name, "reason": "no_skill", "fit": 0.1} for name in ("dora", "emil")]
    told = list(explained(decision(left_out=[*left_out, {"agent": "carl", "reason": "tried"}])))
    alone = list(explained(decision(left_out=left_out[:1])))

    assert told[-2:] == [
        "No candidates, since they do not have the skill: dora, emil.",
        "Not a candidate: carl was tried for this task and failed.",
    ]
    assert alone[-1].startswith("Not a candidate: dora does not have the skill (")


def test_exploration_and_its_draw_are_told() -> None:
    """A choice against the favourite says so, and which draw decided; the runner-up is then the favourite."""
    told = " ".join(explained(decision(agent="anna", propensity=0.1, explored=True)))

    assert "This was exploration: the draw 0.2500" in told
    assert "The runner-up was bert" in told


def test_who_put_the_policy_in_force_is_told() -> None:
    """By default, by an experiment, by a person; and a policy that knew nothing yet says so."""
    by_experiment = decision(decided_by="experiment", experiment="exp", variant="b", policy_upto=-1)

    told = " ".join(explained(by_experiment))

    assert "Experiment exp gave this task its variant b." in told
    assert "it knew no example yet" in told
    assert "A person put it in force" in " ".join(explained(decision(decided_by="policy_set")))


def test_a_lone_candidate_has_no_runner_up() -> None:
    """With one candidate there is nobody to compare with."""
    alone = decision(candidates=[{"agent": "bert", "score": 0.7, "parts": {}, "probability": 1.0}], propensity=1.0)

    assert "runner-up" not in " ".join(explained(alone))


def signalled(memory: float = 0.2, **fields: object) -> list[dict[str, object]]:
    """Return two candidates of a choice by signals; the first one's memory as given."""
    parts = {"pooled": 0.5, "match": 0.01, "learned": 0.1, "history": 0.02, "memory": memory}
    return [
        {"agent": "bert", "score": 0.63 + memory, "parts": parts, "probability": 0.9, "fit": 0.31, **fields},
        {"agent": "anna", "score": 0.4, "parts": {**parts, "memory": 0.0}, "probability": 0.1},
    ]


def test_signals_and_their_weights_are_told() -> None:
    """How much each moved the score, with which weight, how near the description lay, and whom memory puts first."""
    weights = {"memory": 1.25, "match": 0.3, "learned": 0.9, "history": 0.0}
    told = list(how_weighed("bert", signalled(), weights))

    for part in (
        "From what all agents earn in the mean, 0.5, its score was moved by the match of text and description +0.0100",
        ", the learned score +0.1000 (weight 0.9), the agent's history +0.0200 (weight 0) and memory of like tasks +0.2000",
    ):
        assert part in told[0]
    assert told[1:] == [
        "What it says of itself and the text are 0.31 alike.",
        "By what like tasks earned, bert comes first (+0.2000).",
    ]


def test_signals_that_are_missing_are_told_to_be() -> None:
    """No description compared, no like task known, and nothing at all of a policy without weights."""
    weights = {"match": 0.3, "memory": 0.5}
    told = list(how_weighed("bert", signalled(memory=0.0, fit=None), weights))

    assert "What it says of itself was not compared with the text, so the other signals ranked." in told
    assert "Memory held no like task at which anybody did better than the learned score expects." in told
    assert list(how_weighed("bert", signalled(), None)) == []


def test_who_is_proven_at_like_tasks_is_told() -> None:
    """Those who earned half or more in the mean, best first; nobody where nobody did."""
    known = [
        alike("bert", 1.0, 0.9),
        alike("bert", 0.5, 0.8),
        alike("anna", 1.0, 0.8),
        alike("carl", 0.25, 0.7),
        alike(None, 1.0, 0.6),
    ]

    assert who_is_proven(known) == "Proven on like tasks, by pgvector: anna (1), bert (0.75)."
    assert who_is_proven(known[3:]) is None


def alike(agent: str | None, reward: float | None, cosine: float) -> Like:
    """Return a past task that is like another one."""
    fields: dict[str, Any] = {"scope": "default", "kind": None, "admitted_at": START, "outcome": "completed", "text": "t"}
    return Like(task_id="t", agent=agent, reward=reward, cosine=cosine, **fields)


def test_what_the_reward_weighs_is_told() -> None:
    """Weights and scales as they were fixed; quality alone where nothing else weighs, or where there is no dial yet."""
    dialled = RewardTerms("balance/1", 0.25, 0.125, 2_000, 1_500_000)

    assert how_rewarded(dialled) == (
        "Its reward weighs quality 0.625, cost 0.25 (0.002 dollars are worth one half) and latency 0.125 "
        "(1.5 s are worth one half), by rule balance/1; that was fixed when it was admitted."
    )
    assert "quality alone, by rule balance/1" in how_rewarded(
        msgspec.structs.replace(dialled, cost_weight=0.0, latency_weight=0.0)
    )
    assert "quality alone, by rule quality/1" in how_rewarded(None)


def test_an_admission_tells_its_dial() -> None:
    """What weighs besides quality is told with the admission, and nothing where nothing does."""
    said = msgspec.to_builtins(sample(TaskAdmitted).fact)
    quiet = msgspec.to_builtins(sample(TaskAdmitted).fact)
    quiet["context"]["reward"] = None

    assert words("task.admitted", said).endswith(", reward weighs cost 0.25 and latency 0.25")
    assert "reward" not in words("task.admitted", quiet)


def test_how_like_tasks_went_is_told_by_agent() -> None:
    """The agent that did best on them comes first; what nobody judged and what nobody did is said as it is."""
    found = [
        alike("anna", 0.5, 0.9),
        alike("bert", 1.0, 0.8),
        alike("anna", None, 0.7),
        alike("carl", None, 0.6),
        alike(None, None, 0.5),
    ]

    assert list(how_like_tasks_went(found)) == [
        "Of the 5 tasks most like it (cosine 0.50 to 0.90), as known now:",
        "- bert did 1: mean reward 1 on 1 of them.",
        "- anna did 2: mean reward 0.5 on 1 of them.",
        "- carl did 1: no reward known.",
    ]
    assert list(how_like_tasks_went([])) == list(how_like_tasks_went([alike(None, None, 0.5)])) == []
