"""Our agents as tools: a real client session of the SDK lists and calls them."""

from collections.abc import Sequence
from typing import Any

import pytest
from mcp import Client

from events.answer import AnswerGiven, RequestRefused
from smolit.mcp_server import Offered, server

ADDS = Offered("adder", "sums", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})


def answer(outcome: str, **fields: Any) -> AnswerGiven:
    """Return the answer to a task."""
    given = {"tenant": "default", "task_id": "t-1", "request_id": "r", "requested_by": "x", "scope": "default", "kind": None}
    known = {name: value for name, value in given.items() if name in AnswerGiven.__struct_fields__}
    return AnswerGiven(**{**known, "outcome": outcome, "agent": "adder", "attempt": 1, **fields})  # type: ignore[arg-type]


async def call(told: AnswerGiven | RequestRefused | None, name: str = "adder", arguments: dict[str, Any] | None = None) -> Any:
    """Call an agent of a house in which tasks are answered so; return tools, what was done, and the result."""
    done: list[tuple[str, str, dict[str, Any]]] = []

    async def listed() -> Sequence[Offered]:
        return [ADDS, Offered("teller", "tales", "Tells.", None)]

    async def do(offered: Offered, text: str, given: dict[str, Any]) -> AnswerGiven | RequestRefused | None:
        done.append((offered.agent, text, given))
        return told

    async with Client(server(listed, do)) as client:
        tools = (await client.list_tools()).tools
        return tools, done, await client.call_tool(name, {"text": "2 + 2"} if arguments is None else arguments)


async def test_agents_are_listed_and_a_call_is_a_task() -> None:
    """Each agent is a tool with its description and inputs; its output comes back as text and as data, with the task's id."""
    tools, done, result = await call(answer("completed", output={"value": 4}), arguments={"text": "2 + 2", "input": {"a": 1}})

    assert [(tool.name, tool.description) for tool in tools] == [("adder", "Adds."), ("teller", "Tells.")]
    assert tools[0].input_schema["properties"]["input"] == ADDS.inputs
    assert done == [("adder", "2 + 2", {"a": 1})]
    assert not result.is_error
    assert result.content[0].text == '{"value":4}'
    assert result.structured_content == {"task_id": "t-1", "agent": "adder", "output": {"value": 4}}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (answer("failed", reason="attempts_exhausted", detail="it broke"), "failed: it broke (task t-1)"),
        (None, "there was no answer in time"),
    ],
)
async def test_what_went_wrong_is_said_as_an_error(told: AnswerGiven | None, said: str) -> None:
    """A caller hears that there is no result, and why."""
    _, _, result = await call(told)

    assert result.is_error
    assert said in result.content[0].text


@pytest.mark.parametrize("name", ["nobody", "ADDER", ""])
async def test_an_agent_that_is_not_offered_is_not_asked(name: str) -> None:
    """Names are those of the list."""
    _, done, result = await call(None, name)

    assert result.is_error
    assert done == []


@pytest.mark.parametrize("arguments", [{"text": 5}, {"text": "x", "input": [1]}])
async def test_arguments_of_another_kind_are_refused(arguments: dict[str, Any]) -> None:
    """What cannot be a task becomes none."""
    _, done, result = await call(None, arguments=arguments)

    assert result.is_error
    assert done == []
