"""The agent of language models: what its spec makes of a task, and what comes out."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.catalog import build
from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Toolbox, Work
from agents.port import Ask, Said
from events.agent import AgentSpec
from tests.whole import Whole

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Listener(Whole):
    """A language model that remembers what it was asked."""

    def __init__(self, data: Any = None) -> None:
        self.asked: list[Ask] = []
        self._data = data

    async def complete(self, ask: Ask) -> Said:
        """Answer."""
        self.asked.append(ask)
        return Said("fine", "big-1", "there", True, 7, 2, 11, 5, data=self._data, prompt_sha256="p", answer_sha256="a")


async def run(language: Listener | None, text: str = "Why?", given: dict[str, Any] | None = None, **spec: Any) -> Result:
    """Do one attempt."""
    described = AgentSpec("a", "d", ("s",), "llm", **spec)
    async with httpx.AsyncClient() as http:
        toolbox = Toolbox(Path(), frozenset(), http, lambda _: None, language=language, clock=lambda: NOW)  # type: ignore[arg-type,return-value]
        work = Work("t", "task-1", 2, "a", None, text, given or {}, NOW + timedelta(hours=1), spec=described)
        effects: Effects = None  # type: ignore[assignment]
        return await build(described, toolbox).run(work, effects, iter(range(9)).__next__)


async def test_the_spec_says_what_the_model_is_told() -> None:
    """System prompt, frame around the text, quoted passages, model, length, attempt; the rest of the time is for writing down."""
    language = Listener()
    prompts = {"system": "Be brief.", "task": "Q: {text} A:"}
    settings = {"model": "big", "max_tokens": 9}
    await run(language, given={"passages": ["One.", "Two.", 3]}, prompts=prompts, settings=settings, timeout_s=10)

    ask = language.asked[0]
    assert [(one.role, one.content) for one in ask.messages] == [
        ("system", "Be brief."),
        ("user", "[1] One.\n[2] Two.\n\nQ: Why? A:"),
    ]
    assert (ask.model, ask.max_tokens, ask.tenant, ask.task_id, ask.attempt) == ("big", 9, "t", "task-1", 2)
    assert ask.deadline == NOW + timedelta(seconds=9)


async def test_the_output_names_who_answered_and_the_step_what_it_took() -> None:
    """Model, back end, fallback; tokens, cost and hashes; data where a schema was asked for."""
    schema = {"type": "object"}
    result = await run(Listener({"n": 1}), settings={"schema": schema})

    assert result.output == {
        "text": "fine", "model": "big-1", "backend": "there", "fallback": True, "cut": False, "data": {"n": 1},
    }  # fmt: skip
    step = result.steps[0]
    assert (step.model, step.tokens_in, step.tokens_out, step.cost_microusd) == ("big-1", 7, 2, 11)
    assert (step.prompt_sha256, step.answer_sha256, result.cost_microusd) == ("p", "a", 11)


async def test_without_a_language_model_it_says_so() -> None:
    """There is no answer to be made up."""
    with pytest.raises(AgentFailed, match="this worker has no language model"):
        await run(None)


@pytest.mark.parametrize("settings", [{"max_tokens": 0}, {"temperature": -1}, {"temperature": 3}, {"model_": "x"}])
async def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    """Before anybody is asked."""
    language = Listener()
    with pytest.raises(AgentFailed, match="a: "):
        await run(language, settings=settings)

    assert not language.asked
