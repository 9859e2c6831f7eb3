"""The step that several models could do: what it answers, what it records, and what it does when a model brings nothing."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from agents.card_file import CARDS
from agents.card_file import load as load_cards
from agents.catalog import build
from agents.choosing import KnownModel
from agents.errors import AgentFailed
from agents.pipeline import Effect, Result, Toolbox, Work
from agents.spec import read as read_spec
from events.agent import AgentSpec
from events.card import ModelPrice
from learning.outcomes import Outcomes
from tests.builders import features, moment
from tests.cards import HeldModels, known, outcome

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, Any] = {"any": {"subtask": "mood"}}


class PlainEffects:
    """Hands every call on."""

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Call."""
        return await call(effect.step)


def nothing(_path: Path) -> Outcomes:
    """Return no recordings."""
    raise NotImplementedError


async def do(
    models: Sequence[KnownModel],
    settings: dict[str, Any] | None = None,
    task: str = "task-1",
    held: HeldModels | None = None,
    **given: Any,
) -> Result:
    """Do one attempt with these models."""
    toolbox = Toolbox(Path(), frozenset(), httpx.AsyncClient(), nothing, models=held or HeldModels(models))
    agent = build(AgentSpec("a", "d", ("mood",), "model", settings or SETTINGS), toolbox)
    work = Work("t", task, 1, "a", "mood", "I love it", given, moment(9), features=features())
    return await agent.run(work, PlainEffects(), lambda: 0.0)


async def test_a_choice_is_a_step_and_the_model_answers() -> None:
    """The first step names model, probability and candidates; the model's own steps follow."""
    result = await do([known("small"), known("large")], domain="shop")

    assert result.output["label"] == "positive"
    assert [step.name for step in result.steps] == ["choose", "score"]
    choice = result.steps[0].choice
    assert choice is not None
    assert (choice.subtask, choice.domain, choice.model == result.steps[0].model) == ("mood", "shop", True)
    assert {one.model for one in choice.candidates} == {"small/1", "large/1"}


async def test_the_same_attempt_chooses_the_same_model_and_others_choose_others() -> None:
    """A worker that takes an attempt over draws what the one before drew; over many tasks all models are tried."""
    models = [known(name) for name in ("a", "b", "c")]

    first, again = [(await do(models, task="task-7")).steps[0].choice for _ in range(2)]
    seen = {(await do(models, task=f"task-{number}")).steps[0].model for number in range(30)}

    assert first == again
    assert seen == {"a/1", "b/1", "c/1"}


async def test_a_model_that_brings_nothing_is_followed_by_another() -> None:
    """The failed choice stays on record with its reason, the second is made among the rest."""
    bad = known("bad", pipeline="recorded", settings={"data": "nowhere", "model": "x"})
    held = HeldModels([known("small"), known("slow", pipeline="table")], [outcome(n, "slow/1", 1.0) for n in range(60)])

    result = await do([], task="task-1", held=held)

    first, second = (step for step in result.steps if step.choice is not None)
    assert (first.model, first.error is not None, second.name, second.model) == ("slow/1", True, "choose.2", "small/1")
    assert [(one.model, one.reason) for one in (second.choice.left_out if second.choice else ())] == [("slow/1", "tried")]
    assert result.output["label"] == "positive"
    with pytest.raises(AgentFailed, match="unavailable") as failure:
        await do([replace(bad, card=replace(bad.card, settings={}))])
    assert failure.value.reason == "no_model"


async def test_a_failed_attempt_keeps_its_choices() -> None:
    """Where every model that was tried fails, the attempt fails with the last one's reason and both choices."""
    with pytest.raises(AgentFailed) as failure:
        await do([known("one", pipeline="table"), known("two", pipeline="table"), known("three", pipeline="table")])

    assert [step.choice is not None and step.error for step in failure.value.steps if step.choice] == [failure.value.reason] * 2

    with pytest.raises(AgentFailed, match="one/1: ") as failure:
        await do([known("one", pipeline="table")])
    assert failure.value.reason != "no_model"


async def test_nobody_to_choose_is_said_with_reasons() -> None:
    """Each model that cannot be used is named with why."""
    with pytest.raises(AgentFailed, match=r"small/1 \(retired\)") as failure:
        await do([known("small", retired=True)])

    assert failure.value.reason == "no_model"


async def test_a_language_model_is_no_candidate_where_there_is_none() -> None:
    """Its card stays, the choice goes to who can work here."""
    result = await do([known("small"), known("chat", kind="llm", pipeline="llm")])

    choice = result.steps[0].choice
    assert choice is not None
    assert [(one.model, one.reason) for one in choice.left_out] == [("chat/1", "unavailable")]


async def test_a_card_that_names_a_price_is_what_a_call_costs() -> None:
    """A model that does not say what it cost costs what its card says."""
    assert (await do([known("small", price=ModelPrice(call=250))])).cost_microusd == 250
    assert (await do([known("small")])).cost_microusd is None


@pytest.mark.parametrize(
    ("changed", "line", "what"),
    [
        ("kind: magic", 3, "kind"),
        ("pipeline: nothing", 6, "no pipeline is called 'nothing'"),
        ("pipeline: model", 6, "cannot do a model's work"),
        ("subtasks: []", 5, "name at least one"),
        ("settings: {speed: 3}", 7, "settings.speed is not a field"),
        ("limits: {chars: 0}", 8, "limits"),
        ("description: '  '", 4, "say in a line"),
        ("colour: red", 9, "colour is not a field"),
    ],
)
def test_a_fault_of_a_card_is_told_with_its_line(changed: str, line: int, what: str) -> None:
    """Whatever is wrong is told with file and line."""
    rows = ["name: small", "version: '1'", "kind: rule", "description: Reads.", "subtasks: [mood]", "pipeline: sentiment",
            "settings: {}", "limits: {chars: 9}"]  # fmt: skip
    field = changed.partition(":")[0]
    rows = [changed if row.startswith(f"{field}:") else row for row in rows]
    rows += [] if changed in rows else [changed]

    found = CARDS.read("small.yaml", "\n".join(rows).encode())

    assert found.spec is None
    assert [(fault.file, fault.line) for fault in found.faults] == [("small.yaml", line)]
    assert what in found.faults[0].what


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ("{subtask: mood}", "name `models`"),
        ("{models: [a], policy: magic}", "settings.policy"),
        ("{models: [a], rules: [{when: {}, use: [b]}]}", "'b' is not among the models"),
        ("{models: [a], rules: [{when: {matches: '('}, use: [a]}]}", "no pattern"),
    ],
)
def test_a_step_that_cannot_choose_is_told_by_lint(settings: str, what: str) -> None:
    """In an agent of one step, and in a step of several."""
    head = "id: a\ndescription: Reads.\nskills: [mood]\n"
    alone = read_spec("a.yaml", f"{head}pipeline: model\nsettings: {settings}\n".encode())
    step = read_spec(
        "a.yaml",
        f"{head}pipeline: steps\nsettings:\n  steps:\n    - do: clean\n    - do: model\n      settings: {settings}\n".encode(),
    )

    assert [what in fault.what for fault in alone.faults] == [True]
    assert [what in fault.what for fault in step.faults] == [True]


def test_the_example_and_the_shipped_cards_are_sound() -> None:
    """The agent of the documentation passes lint, and every shipped card can do what it chooses for."""
    example = ROOT / "examples" / "models" / "polarity.yaml"
    spec = read_spec(example.name, example.read_bytes()).spec
    cards = load_cards(ROOT / "agents" / "cards")

    assert spec is not None
    assert len(cards) >= 2
    assert {subtask for card in cards for subtask in card.subtasks} >= {spec.settings["any"]["subtask"]}
