"""The coding agent lets a language model write what it runs: who wrote it is said, and what prints nothing is no answer."""

import time
from pathlib import Path

import httpx
import pytest

from agents.errors import AgentFailed
from agents.pipeline import Result, Toolbox, Work
from agents.pipelines.code import Code, CodeSettings
from agents.port import Ask, Said
from tests.builders import moment
from tests.whole import Whole


class Writer(Whole):
    """A model that writes this, as the last one of its chain."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def complete(self, ask: Ask) -> Said:
        """Write it."""
        return Said(self._text, "small", "local", True, 10, 5, 7, 1000)


async def ran(text: str, task: str = "Add two numbers.") -> Result:
    """Return what comes of a task for which the model writes this."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)), trust_env=False)
    toolbox = Toolbox(Path(), frozenset(), http, lambda _: None, language=Writer(text))  # type: ignore[arg-type, return-value]
    work = Work("t", "task", 1, "coder", None, task, {}, moment(9))
    return await Code(CodeSettings(), toolbox).run(work, None, time.monotonic)  # type: ignore[arg-type]


async def test_who_wrote_a_program_is_said() -> None:
    """The output names the model that really wrote it, that it was the fallback, and the program."""
    result = await ran("Here it is:\n```python\nprint(2 + 3)\n```")

    assert result.output["answer"] == "5"
    assert (result.output["model"], result.output["fallback"], result.output["code"]) == ("small", True, "print(2 + 3)\n")
    assert ([step.name for step in result.steps], result.cost_microusd) == (["write", "run"], 7)


async def test_a_written_program_that_prints_nothing_is_no_answer() -> None:
    """The task goes to another agent; both steps are kept."""
    with pytest.raises(AgentFailed) as failed:
        await ran("```python\ndef primes():\n    return [2, 3]\n```")

    assert failed.value.reason == "no_answer"
    assert [step.name for step in failed.value.steps] == ["write", "run"]


async def test_a_program_that_a_person_brings_may_be_silent() -> None:
    """Whoever brings a program knows what it is for."""
    result = await ran("no program", "```python\nx = 1\n```")

    assert result.output["answer"] == ""
    assert "model" not in result.output
