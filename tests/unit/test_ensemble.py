"""Ensembles: who is asked when, how votes are settled, and what a failing member does."""

import time
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from agents import catalog
from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work
from agents.vote import Case, Vote, settle, threshold_of, weight_of
from bench.agents import ensemble
from tests.builders import moment, spec


class SaysSettings(Struct, frozen=True):
    """What a member says."""

    label: str | None = None
    sure: float = 0.0
    cost: int | None = None


class Says:
    """A member that says what its settings do, or fails without a label."""

    name: ClassVar[str] = "says"
    Settings: ClassVar[type[Struct]] = SaysSettings

    def __init__(self, settings: SaysSettings, _toolbox: Toolbox) -> None:
        self._settings = settings

    async def run(self, _work: Work, _effects: Effects, timer: Timer) -> Result:
        """Say it."""
        watch = Stopwatch(timer)
        if self._settings.label is None:
            raise AgentFailed("silent", "nothing to say")
        with watch.step("say"):
            return Result({"label": self._settings.label, "sure": self._settings.sure}, (*watch.steps,), self._settings.cost)


async def settled(monkeypatch: pytest.MonkeyPatch, *members: tuple[str | None, float, float], rule: str = "majority") -> Result:
    """Return what an ensemble of members (label, confidence, weight) answers, each for 10 millionths, at a threshold of 0.6."""
    monkeypatch.setattr(catalog, "PIPELINES", (*catalog.PIPELINES, Says))
    asked = [{"pipeline": "says", "settings": {"label": one, "sure": sure, "cost": 10}, "weight": w} for one, sure, w in members]
    settings = {"members": asked, "answer": "label", "confidence": "sure", "threshold": 0.6, "rule": rule}
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)), trust_env=False)
    agent = catalog.build(spec("e", pipeline="ensemble", settings=settings), Toolbox(Path(), frozenset(), http, lambda _: None))  # type: ignore[arg-type, return-value]
    work = Work("t", "task", 1, "e", None, "", {}, moment(9))
    return await agent.run(work, None, time.monotonic)  # type: ignore[arg-type]


async def test_the_first_alone_answers_what_it_is_sure_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is asked or paid, also where its number is negative."""
    for sure in (0.6, -0.9):
        result = await settled(monkeypatch, ("a", sure, 1), ("b", 0, 1), ("b", 0, 1))

        assert (result.output["label"], result.output["asked"], result.output["settled_by"]) == ("a", 1, "first")
        assert result.cost_microusd == 10


async def test_all_are_asked_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The majority wins; what each said, and what all cost, is told."""
    result = await settled(monkeypatch, ("a", 0.5, 1), ("b", 0, 1), ("b", 0, 1))

    assert (result.output["label"], result.output["asked"]) == ("b", 3)
    assert [vote["label"] for vote in result.output["votes"]] == ["a", "b", "b"]
    assert result.cost_microusd == 30
    assert result.steps[-1].name == "vote"


async def test_weights_can_outvote_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `weighted`, one who is mostly right outvotes two who are not."""
    members = (("a", 0.5, 3), ("b", 0, 1), ("b", 0, 1))

    assert (await settled(monkeypatch, *members, rule="weighted")).output["label"] == "a"
    assert (await settled(monkeypatch, *members)).output["label"] == "b"


async def test_a_tie_is_the_first_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of answers with as many votes, the one that the earliest member gave."""
    assert (await settled(monkeypatch, ("a", 0.1, 1), ("b", 0, 1))).output["label"] == "a"


async def test_a_failing_member_has_no_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is the first; only if all fail there is no answer."""
    result = await settled(monkeypatch, (None, 0, 1), ("b", 0, 1), (None, 0, 1))

    assert (result.output["label"], len(result.output["votes"])) == ("b", 1)
    with pytest.raises(AgentFailed) as failure:
        await settled(monkeypatch, (None, 0, 1), (None, 0, 1))
    assert failure.value.reason == "all_failed"


def test_an_ensemble_has_no_ensemble_in_it() -> None:
    """Else one task could cost any number of calls."""
    inner = {"members": [{"pipeline": "sentiment"}] * 2, "answer": "label", "confidence": "compound", "threshold": 1}
    settings = {**inner, "members": [{"pipeline": "sentiment"}, {"pipeline": "ensemble", "settings": inner}]}
    http: Any = None

    with pytest.raises(AgentFailed) as failure:
        catalog.build(spec("e", pipeline="ensemble", settings=settings), Toolbox(Path(), frozenset(), http, lambda _: http))

    assert failure.value.reason == "agent_broken"


votes_of = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5)), min_size=1, max_size=9)


@given(votes_of)
def test_the_settled_answer_has_the_most(said: list[tuple[str, float]]) -> None:
    """Whatever was said: the answer is somebody's, nobody has more, and nobody with as much spoke before."""
    answers = [answer for answer, _ in said]

    won = settle([Vote(answer, weight) for answer, weight in said], "majority")

    assert answers.count(won) == max(map(answers.count, answers))
    assert all(answers.count(other) < answers.count(won) for other in answers[: answers.index(won)])


def test_a_threshold_pays() -> None:
    """All are asked below the confidence up to which that brings more right answers than it costs, and nowhere else."""
    cases = [Case(0.2, False, True), Case(0.3, False, True), Case(0.5, True, True), Case(0.9, True, False)]

    found = threshold_of(cases, 0.1)

    assert 0.3 < found < 0.5
    assert threshold_of(cases, 1.0) == 0
    assert threshold_of([Case(0.4, True, False)], 0.0) == 0
    assert threshold_of([], 0.1) == 0


def test_weights_are_log_odds() -> None:
    """Nine of ten weigh more than six of ten; one who is right by chance, nothing."""
    assert weight_of(90, 100) > weight_of(60, 100) > weight_of(50, 100) == 0
    assert weight_of(10, 100) == 0


def test_the_bench_sets_up_on_other_questions_than_it_judges() -> None:
    """Of 2,000 questions, 400 set up and 600 are judged; figures have intervals and the best single head beside them."""
    figures = {figure.metric: figure for figure in ensemble.measure(1)}

    assert figures["right_hard_only"].n == 600
    assert 0.4 < figures["right_hard_only"].value.value < 1
    assert 0 <= figures["asked_of_all"].value.value <= 1
    assert figures["calls"].value.value == pytest.approx(1 + 2 * figures["asked_of_all"].value.value)
