"""Checks of outputs, and pipelines of steps that use them."""

import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from agents.catalog import build
from agents.check import About, Checks, refuse_implausible
from agents.errors import AgentFailed, EffectUnknown
from agents.pipeline import Effect, Result, Toolbox, Work
from agents.pipelines.clean import cleaned
from agents.pipelines.steps import after
from learning.outcomes import Outcomes
from tests.builders import moment, spec

DUE = moment(3600)  # on 1 January 2025


def verdict(output: Any, check: dict[str, Any]) -> str | None:
    """Return what a check, as it stands in YAML, says of an output."""
    try:
        refuse_implausible(output, (msgspec.convert(check, Checks),), About(DUE))
    except AgentFailed as failure:
        return failure.detail if failure.reason == "implausible_output" else failure.reason
    return None


DATE = {"plausible_date": {"field": "date", "first": "2000-01-01"}}
TEXT = {"not_empty": {"field": "text", "least": 5, "letters": 0.5}}
TOTAL = {"range": {"field": "total", "least": 0.01, "most": 1_000_000}}
LABEL = {"one_of": {"field": "label", "values": ["good", "bad", 1]}}
SURE = {"min_confidence": {"least": 0.6}}
NUMBER = {"matches": {"field": "number", "pattern": "INV-[0-9]{4}"}}
FITS = {"schema": {"schema": {"type": "object", "required": ["lines"]}}}


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (DATE, ["2024-02-29", "1.1.2025", "12/31/2024", "2024-12-24T10:00:00", "31/12/2024", "14 March 2024"],
         ["2023-02-29", "2025-01-02", "1999-12-31", "31/13/2024", "32.1.2024", "", "soon", None, 20240101, "2024-13-01"]),
        (TEXT, ["Invoice 7", "Ünïcode"], ["", "   \n ", "ab c", ".-_~'' .,;:", None]),
        (TOTAL, [0.01, 99, "12.50", 1_000_000], [0, -3, 1e9, float("nan"), float("inf"), "12,50", "much", None, True, 10**400]),
        (LABEL, ["good", 1], ["fine", "", None, True, 1.0, ["good"]]),
        (NUMBER, ["INV-0001"], ["INV-1", "INV-0001\n", "xINV-0001", 7, "INV-0001" * 1000]),
    ],
)  # fmt: skip
def test_good_outputs_pass_and_bad_ones_do_not(check: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    """Each check tells apart what can be true from what cannot."""
    (settings,) = check.values()

    assert [verdict({settings["field"]: one}, check) for one in good] == [None] * len(good)
    assert [one for one in bad if verdict({settings["field"]: one}, check) is None] == []
    assert verdict({}, check) == f"{next(iter(check))}: {settings['field']} is not there"


def test_confidence_schema_and_places_deep_inside() -> None:
    """A confidence that is not said is too low; a schema looks at the whole; a place may lie in a list."""
    assert verdict({"confidence": 0.6}, SURE) is None
    assert [verdict({"confidence": one}, SURE) is None for one in (0.59, 1.1, "0.9", None, True)] == [False] * 5
    assert verdict({"lines": []}, FITS) is None
    assert "lines" in (verdict({}, FITS) or "")
    deep = {"range": {"field": "lines.1.amount", "least": 0}}
    assert verdict({"lines": [{"amount": -1}, {"amount": 1}]}, deep) is None
    assert verdict({"lines": [{"amount": 1}]}, deep) is not None


@pytest.mark.parametrize(
    "wrong",
    [{}, {"range": {}, "not_empty": {}}, {"rnge": {}}, {"range": {"lest": 1}}, {"matches": {"pattern": "("}},
     {"schema": {"schema": {"type": "nothing"}}}, {"min_confidence": {"least": 2}}],
)  # fmt: skip
def test_a_check_that_cannot_be_meant_is_refused_when_it_is_read(wrong: dict[str, Any]) -> None:
    """Neither none nor two, no unknown name or parameter, no form that is none."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Checks)


class Ledger:
    """Hands side effects on, and keeps what was asked."""

    def __init__(self, fail: bool = False) -> None:
        self.asked: list[Effect] = []
        self._fail = fail

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Call, or not know."""
        self.asked.append(effect)
        if self._fail:
            raise EffectUnknown("it may have happened")
        return await call("key")


async def run(steps: list[dict[str, Any]], text: str = "", ledger: Ledger | None = None, **given: Any) -> Result:
    """Run a pipeline of steps, with a service that answers with what it is sent."""

    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"echo": msgspec.json.decode(request.content)["text"]})

    tools = Toolbox(
        Path(), frozenset({"hooks.test"}), httpx.AsyncClient(transport=httpx.MockTransport(echo)), lambda _: Outcomes((), (), {})
    )
    agent = build(spec("a", pipeline="steps", settings={"steps": steps}), tools)
    ticks = itertools.count()
    work = Work("default", "task-1", 1, "a", "kind", text, given, DUE)
    return await agent.run(work, ledger or Ledger(), lambda: next(ticks) / 1000)


async def test_each_step_sees_what_the_one_before_brought_and_is_timed_with_its_model() -> None:
    """Pre-process, model, post-check: the steps say so, and the model is named."""
    label = {"do": "sentiment", "name": "read", "check": [{"one_of": {"field": "label", "values": ["positive", "negative"]}}]}

    result = await run([{"do": "clean", "settings": {"one_line": True}}, label], "I   love\u200b\nit!")

    assert result.output["label"] == "positive"
    assert [(step.name, step.model is not None) for step in result.steps] == [
        ("1-clean.clean", False), ("read.score", True), ("read.checked", False),
    ]  # fmt: skip
    assert all(step.duration_us > 0 for step in result.steps)


async def test_a_rejected_output_goes_to_the_other_way_or_nowhere() -> None:
    """What a check rejects is never passed on: another way is asked, and where there is none the attempt has no result."""
    sum_up: dict[str, Any] = {"do": "sentiment", "name": "sum", "check": [{"not_empty": {"field": "value"}}]}

    result = await run([{**sum_up, "otherwise": [{"do": "arithmetic"}]}], "2 + 3")
    with pytest.raises(AgentFailed) as failure:
        await run([{**sum_up, "tries": 2}], "2 + 3")

    assert result.output["value"] == "5"
    assert [step.name for step in result.steps] == ["sum.score", "sum.rejected", "sum.find", "sum.evaluate", "sum.checked"]
    assert failure.value.reason == "implausible_output"
    assert "step sum: not_empty: value is not there" in failure.value.detail
    assert [step.name for step in failure.value.steps] == ["sum.score", "sum.rejected"] * 2


async def test_side_effects_of_two_steps_are_two_and_one_in_doubt_ends_all() -> None:
    """Each step has keys of its own; what may have happened is not tried in another way."""
    call = {"do": "webhook", "settings": {"url": "http://hooks.test/", "idempotent": False}}
    ledger, doubt = Ledger(), Ledger(fail=True)

    await run([{**call, "name": "one"}, {**call, "name": "two"}], "go", ledger)
    with pytest.raises(EffectUnknown):
        await run([{**call, "tries": 3, "otherwise": [{"do": "clean"}]}], "go", doubt)

    assert [effect.step for effect in ledger.asked] == ["one.webhook", "two.webhook"]
    assert len(doubt.asked) == 1


@pytest.mark.parametrize("step", [{"do": "steps", "settings": {"steps": [{"do": "clean"}]}}, {"do": "nobody"}, {"do": "hashing"}])
async def test_a_step_that_cannot_be_is_a_broken_agent(step: dict[str, Any]) -> None:
    """Steps in steps, an unknown pipeline and settings that do not fit are said before anything runs."""
    with pytest.raises(AgentFailed, match="agent_broken"):
        await run([step])


def test_what_the_next_step_sees() -> None:
    """A text becomes the text; an object joins the input; what was said before stays."""
    work = Work("t", "1", 1, "a", None, "old", {"kept": 1}, DUE)

    assert (after(work, "new").text, after(work, "new").input) == ("new", {"kept": 1, "text": "new"})
    assert (after(work, {"text": "x", "n": 2}).text, after(work, {"n": 2}).text) == ("x", "old")
    assert after(work, [1]).input == {"kept": 1, "output": [1]}


def test_cleaning() -> None:
    """Composed form, single blanks, no control characters; paragraphs stay unless one line is wanted."""
    assert cleaned(" e\u0301a \t b\x00\r\n\n c ", False) == "éa b\nc"
    assert cleaned("a\n b", True) == "a b"
