"""Pipelines: what each does with a task, and how it says no."""

import hashlib
import itertools
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from agents.catalog import build
from agents.errors import AgentFailed, EffectRefused, EffectUnanswered, EffectUnknown, EffectUnreached
from agents.pipeline import Effect, Result, Toolbox, Work
from agents.pipelines.hashing import iterate
from learning.outcomes import Outcome, Outcomes, Prompt
from tests.builders import moment, spec

OUTCOMES = Outcomes((Prompt("p-1", "law", "?"),), ("m",), {("p-1", "m"): Outcome(0.25, 0.001)})


class PlainEffects:
    """A ledger that forgets: it hands every call on under one key."""

    def __init__(self) -> None:
        self.asked: list[Effect] = []

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Call."""
        self.asked.append(effect)
        return await call("key-1")


def toolbox(handler: Callable[[httpx.Request], httpx.Response] | None = None) -> Toolbox:
    """Return tools whose services are answered for by a function."""
    transport = httpx.MockTransport(handler or (lambda _: httpx.Response(500)))
    http = httpx.AsyncClient(transport=transport, trust_env=False)
    return Toolbox(Path("/project"), frozenset({"hooks.test", "other.test:8080"}), http, lambda _path: OUTCOMES)


async def run(
    pipeline: str,
    text: str = "",
    given: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    tools: Toolbox | None = None,
    effects: PlainEffects | None = None,
) -> Result:
    """Run one attempt, with a clock that ticks a millisecond at each look."""
    agent = build(spec("a", pipeline=pipeline, settings=dict(settings or {})), tools or toolbox())
    work = Work("default", "task-1", 1, "a", "kind", text, dict(given or {}), moment(10))
    ticks = itertools.count()
    return await agent.run(work, effects or PlainEffects(), lambda: next(ticks) / 1000)


RECORDED = {"data": "bench/data/set", "model": "m"}


async def test_a_recorded_agent_gives_the_real_outcome_and_says_so() -> None:
    """The output is the recorded score of the model on the prompt; tokens and cost are absent, never invented."""
    result = await run("recorded", given={"prompt_id": "p-1"}, settings=RECORDED)

    assert result.output == {"model": "m", "score": 0.25, "recorded": True, "prompt_id": "p-1"}
    assert result.cost_microusd is None
    assert [(step.name, step.model, step.duration_us, step.tokens_in) for step in result.steps] == [("look_up", "m", 1000, None)]


@pytest.mark.parametrize(
    ("given", "reason"), [({}, "prompt_missing"), ({"prompt_id": 1}, "prompt_missing"), ({"prompt_id": "p-2"}, "not_recorded")]
)
async def test_a_recorded_agent_invents_nothing(given: dict[str, Any], reason: str) -> None:
    """A prompt that was not recorded is a failure."""
    with pytest.raises(AgentFailed) as failure:
        await run("recorded", given=given, settings=RECORDED)

    assert failure.value.reason == reason


async def test_arithmetic_answers_with_the_expression_it_found() -> None:
    """The answer shows what was understood, and the exact value."""
    result = await run("arithmetic", "What is 12 * (3 + 4)?")

    assert result.output == {"expression": "12 * (3 + 4)", "value": "84", "exact": True}
    assert [step.name for step in result.steps] == ["find", "evaluate"]


async def test_arithmetic_refuses_by_name() -> None:
    """What is no arithmetic fails with a reason."""
    with pytest.raises(AgentFailed, match="not_arithmetic"):
        await run("arithmetic", "__import__('os')")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love this phone, the camera is wonderful!", "positive"),
        ("Terrible service. I hate this restaurant.", "negative"),
        ("The table stands in the room.", "neutral"),
        ("super!", "positive"),
        ("terrible service", "negative"),
    ],
)
async def test_sentiment_labels_english(text: str, label: str) -> None:
    """Label and score agree, in whole sentences and in two words."""
    output = (await run("sentiment", text)).output

    assert (output["label"], output["flag"], output["language"]) == (label, None, "en")
    assert (output["compound"] >= 0.05) == (label == "positive")
    assert (output["compound"] <= -0.05) == (label == "negative")


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("", "empty"),
        ("123 :-)", "empty"),
        ("Der Service in diesem Restaurant war leider furchtbar.", "unsupported_language"),
        ("このレストランは最高でした", "unsupported_language"),
        ("Danke!", "unsupported_language"),
    ],
)
async def test_sentiment_flags_what_it_cannot_read(text: str, flag: str) -> None:
    """An empty text and another language get a flag and no label: nothing is guessed."""
    output = (await run("sentiment", text)).output

    assert (output["flag"], output["label"], output["compound"]) == (flag, None, None)


async def test_sentiment_reads_the_input_before_the_text() -> None:
    """A task may put the text to judge beside the question."""
    output = (await run("sentiment", "How is this?", {"text": "I love it so much"})).output

    assert output["label"] == "positive"


async def test_a_text_too_long_for_sentiment_fails() -> None:
    """VADER's time grows with the square of the length, so there is a limit."""
    with pytest.raises(AgentFailed, match="text_too_long"):
        await run("sentiment", "good " * 2_000)


async def test_hashing_does_the_rounds_it_says() -> None:
    """The digest is that of so many rounds, and depends on text and rounds."""
    result = await run("hashing", "seed", settings={"rounds": 3})

    expected = hashlib.sha256(b"seed").digest()
    for _ in range(3):
        expected = hashlib.sha256(expected * 128).digest()
    assert result.output == {"sha256": expected.hex(), "rounds": 3}
    assert iterate(b"seed", 4) != expected.hex()


HOOK = {"url": "https://hooks.test/do", "idempotent": True}


async def test_a_webhook_posts_the_task_under_its_key() -> None:
    """The service gets the task without attempt and agent, and the ledger's key as `Idempotency-Key`."""
    seen: list[httpx.Request] = []

    def service(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"done": 1})

    effects = PlainEffects()
    result = await run("webhook", "book it", {"n": 1}, HOOK, toolbox(service), effects)

    assert result.output == {"done": 1}
    assert (seen[0].method, str(seen[0].url), seen[0].headers["idempotency-key"]) == ("POST", HOOK["url"], "key-1")
    assert msgspec.json.decode(seen[0].content) == {
        "task_id": "task-1",
        "kind": "kind",
        "text": "book it",
        "input": {"n": 1},
    }
    body = hashlib.sha256(seen[0].content).hexdigest()
    (asked,) = effects.asked
    assert asked == Effect("webhook", "https://hooks.test/do", body, True, arguments=asked.arguments)
    assert hashlib.sha256(asked.arguments.encode()).hexdigest() == body  # a person who is asked sees what is sent


@pytest.mark.parametrize(
    ("answer", "cost"),
    [({"cost_microusd": 1_200}, 1_200), ({"cost_microusd": 0}, 0)]
    + [({"cost_microusd": wrong}, None) for wrong in (-1, 1.5, "1", True, None, 10**16)]
    + [({"text": "free"}, None), (["cost_microusd"], None)],
)
async def test_a_webhook_may_say_what_it_cost(answer: Any, cost: int | None) -> None:
    """A whole number of microdollars is the attempt's cost; anything else is an unknown one, not zero."""
    result = await run("webhook", settings=HOOK, tools=toolbox(lambda _: httpx.Response(200, json=answer)))

    assert (result.output, result.cost_microusd) == (answer, cost)


async def test_a_webhook_may_answer_with_plain_text() -> None:
    """An answer that is no JSON is given as text."""
    result = await run("webhook", settings=HOOK, tools=toolbox(lambda _: httpx.Response(200, text="done")))

    assert result.output == {"text": "done"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, EffectRefused),
        (400, EffectRefused),
        (404, EffectRefused),
        (408, EffectUnanswered),
        (409, EffectUnanswered),
        (429, EffectUnanswered),
        (500, EffectUnanswered),
        (503, EffectUnanswered),
    ],
)
async def test_a_status_says_whether_the_service_decided(status: int, error: type[Exception]) -> None:
    """A plain no is a refusal; an error of the service leaves open what it did. Redirections are not followed."""
    headers = {"location": "https://elsewhere.test"}

    with pytest.raises(error):
        await run("webhook", settings=HOOK, tools=toolbox(lambda _: httpx.Response(status, headers=headers)))


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (httpx.ConnectError("no"), EffectUnreached),
        (httpx.ConnectTimeout("no"), EffectUnreached),
        (httpx.ReadTimeout("no"), EffectUnanswered),
        (httpx.WriteError("no"), EffectUnanswered),
        (httpx.RemoteProtocolError("no"), EffectUnanswered),
    ],
)
async def test_a_lost_connection_says_whether_the_service_was_reached(raised: Exception, error: type[Exception]) -> None:
    """Before the connection nothing can have happened; after it anything can."""

    def service(_: httpx.Request) -> httpx.Response:
        raise raised

    with pytest.raises(error):
        await run("webhook", settings=HOOK, tools=toolbox(service))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/",
        "https://hooks.test.evil.test/",
        "https://hooks.test@evil.test/",
        "https://user:secret@hooks.test/",
        "http://127.0.0.1/",
        "http://other.test:9090/",
        "file:///etc/passwd",
        "gopher://hooks.test/",
        "//hooks.test/",
        "",
    ],
)
async def test_a_webhook_calls_nobody_off_the_list(url: str) -> None:
    """Only hosts on the worker's list are called, and only over http(s) without a user."""
    called: list[httpx.Request] = []
    tools = toolbox(lambda request: called.append(request) or httpx.Response(200))

    with pytest.raises(AgentFailed):
        await run("webhook", settings={"url": url, "idempotent": True}, tools=tools)

    assert called == []


async def test_a_host_may_be_listed_with_its_port() -> None:
    """`host:port` on the list allows that port alone."""
    tools = toolbox(lambda _: httpx.Response(200, json=1))

    result = await run("webhook", settings={"url": "http://other.test:8080/", "idempotent": False}, tools=tools)

    assert result.output == 1


@pytest.mark.parametrize("fields", [{"pipeline": "nope"}, {"pipeline": "hashing", "settings": {"rounds": 0}}])
def test_a_spec_that_cannot_be_run_fails_its_attempts(fields: dict[str, Any]) -> None:
    """An agent registered with an unknown pipeline or bad settings breaks no worker: its attempts fail by name."""
    with pytest.raises(AgentFailed, match="agent_broken"):
        build(spec("a", **fields), toolbox())


def test_an_unknown_effect_is_a_failure_with_its_own_reason() -> None:
    """Whoever handles failures sees that this one must not be tried again."""
    assert EffectUnknown("who knows").reason == "effect_unknown"
