"""The HTTP API agent: declared operations, one key for an effect, typed errors, no secret in anything kept."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import msgspec
import pytest

from agents.catalog import build
from agents.errors import AgentFailed
from agents.pipeline import Effect, Result, Toolbox, Work
from agents.pipelines.http import Bucket
from agents.spec import read
from agents.web.api import Operation, built
from events.agent import AgentSpec
from tests.builders import moment
from tests.counting import Asked, Counting, Served, counting

KEY = "CANARY-key-3141592653"
PRICE: dict[str, Any] = {
    "path": "/prices/{item}",
    "parameters": {
        "type": "object",
        "properties": {"item": {"type": "string"}, "currency": {"enum": ["EUR", "USD"]}},
        "required": ["item"],
        "additionalProperties": False,
    },
    "returns": {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]},
}
ORDER: dict[str, Any] = {
    "path": "/orders",
    "method": "POST",
    "parameters": {
        "type": "object",
        "properties": {"item": {"type": "string"}},
        "required": ["item"],
        "additionalProperties": False,
    },
    "idempotent": True,
}


class Ledger:
    """Hands calls on under one key."""

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Call."""
        return await call(f"key-of-{effect.step}")


async def ask(
    server: Counting, operation: str, arguments: Any, hosts: tuple[str, ...] | None = None, root: Path = Path(), **settings: Any
) -> Result:
    """Do one attempt against a server."""
    base = f"http://127.0.0.1:{server.port}"
    given = {"base": base, "operations": {"price": PRICE, "order": ORDER}, "backoff_s": 0.01, "timeout_s": 10.0, **settings}
    async with httpx.AsyncClient() as http:
        allowed = frozenset((f"127.0.0.1:{server.port}",) if hosts is None else hosts)
        toolbox = Toolbox(root, allowed, http, lambda _path: None, keys={"AGENT_KEY_SHOP": KEY})  # type: ignore[arg-type, return-value]
        agent = build(AgentSpec("a", "d", ("s",), "http", given), toolbox)
        work = Work("t", "task", 1, "a", None, "", {"operation": operation, "arguments": arguments}, moment(9))
        return await agent.run(work, Ledger(), perf_counter)


SHOP = {"env": "AGENT_KEY_SHOP"}


async def test_an_operation_is_called_as_it_was_declared() -> None:
    """Arguments go into path and query, the key into its header, the reply comes back checked."""
    async with counting(lambda _asked: Served(body=b'{"price": 2.5}')) as server:
        result = await ask(server, "price", {"item": "a/b c?", "currency": "EUR"}, key=SHOP)

    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/prices/a%2Fb%20c%3F?currency=EUR")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert result.output["reply"] == {"price": 2.5}
    assert [step.name for step in result.steps] == ["price"]


@pytest.mark.parametrize(
    ("operation", "arguments", "reason"),
    [
        ("price", {}, "bad_arguments"),
        ("price", {"item": "x", "currency": "GBP"}, "bad_arguments"),
        ("price", {"item": "x", "url": "http://evil.example"}, "bad_arguments"),
        ("price", {"item": ".."}, "bad_arguments"),
        ("price", {"item": ""}, "bad_arguments"),
        ("price", "x", "bad_arguments"),
        ("delete", {}, "operation_unknown"),
        (None, {}, "operation_unknown"),
        (["price"], {}, "operation_unknown"),
    ],
)
async def test_what_was_not_declared_is_refused(operation: Any, arguments: Any, reason: str) -> None:
    """Operations and arguments are those of the spec; nothing is sent otherwise."""
    async with counting() as server:
        with pytest.raises(AgentFailed) as failure:
            await ask(server, operation, arguments)

    assert failure.value.reason == reason
    assert server.connections == 0


async def test_a_host_that_is_not_listed_is_refused() -> None:
    """A spec alone does not open a host; the operator does."""
    async with counting() as server:
        with pytest.raises(AgentFailed, match="host_not_allowed"):
            await ask(server, "price", {"item": "x"}, hosts=("api.example.com",))

    assert server.connections == 0


@pytest.mark.parametrize(
    ("served", "reason", "calls"),
    [
        (Served(429, {"retry-after": "0"}), "provider_rate_limit", 3),
        (Served(503), "provider_error", 3),
        (Served(500), "provider_error", 3),
        (Served(after_s=3), "provider_timeout", 3),
        (Served(after_s=-1), "provider_timeout", 3),
        (Served(404), "provider_refused", 1),
        (Served(401), "provider_refused", 1),
        (Served(302, {"location": "http://169.254.169.254/"}), "host_not_allowed", 1),
        (Served(body=b"<html>"), "bad_reply", 1),
        (Served(body=b'{"price": "free"}'), "bad_reply", 1),
    ],
)
async def test_each_kind_of_trouble_has_a_name(served: Served, reason: str, calls: int) -> None:
    """What may pass is tried again, a few times; what is decided is not."""
    async with counting(lambda _asked: served) as server:
        with pytest.raises(AgentFailed) as failure:
            await ask(server, "price", {"item": "x"}, timeout_s=0.3 if served.after_s > 0 else 10.0)

    assert (failure.value.reason, server.connections) == (reason, calls)


async def test_trouble_that_passes_is_overcome() -> None:
    """A service that recovers has answered."""
    turns = iter([Served(503), Served(429, {"retry-after": "0"}), Served(body=b'{"price": 1}')])
    async with counting(lambda _asked: next(turns)) as server:
        result = await ask(server, "price", {"item": "x"})

    assert result.output["reply"] == {"price": 1}


async def test_an_effect_is_asked_again_under_one_key() -> None:
    """A service that takes keys is asked again after silence, and knows that it is the same thing."""
    turns = iter([Served(after_s=-1), Served(body=b'{"id": 7}')])
    async with counting(lambda _asked: next(turns)) as server:
        result = await ask(server, "order", {"item": "x"})

    assert [asked.headers["idempotency-key"] for asked in server.asked] == ["key-of-order"] * 2
    assert [json.loads(asked.body) for asked in server.asked] == [{"item": "x"}] * 2
    assert result.output["reply"] == {"id": 7}


async def test_an_effect_without_a_key_is_asked_once() -> None:
    """A service that takes no keys is never asked again."""
    async with counting(lambda _asked: Served(503)) as server:
        with pytest.raises(AgentFailed, match="provider_error"):
            await ask(server, "order", {"item": "x"}, operations={"order": {**ORDER, "idempotent": False}})

    assert server.connections == 1


def _repeating(asked: Asked) -> Served:
    secret = asked.headers["authorization"]
    return Served(body=json.dumps({"price": 1, "you": secret, secret: [secret]}).encode())


async def test_a_key_that_the_service_repeats_is_not_kept() -> None:
    """Nothing of what comes back holds the key."""
    async with counting(_repeating) as server:
        result = await ask(server, "price", {"item": "x"}, key=SHOP)

    assert KEY not in json.dumps(msgspec.to_builtins(result))
    assert result.output["reply"]["you"] == "Bearer [hidden]"


@pytest.mark.parametrize("served", [Served(401), Served(500), Served(after_s=-1), Served(body=b"x")])
async def test_no_error_holds_the_key(served: Served) -> None:
    """Errors, with all that they were caused by, are free of it."""
    async with counting(lambda _asked: served) as server:
        with pytest.raises(AgentFailed) as failure:
            await ask(server, "price", {"item": "x"}, key=SHOP, retries=0)

    error: BaseException | None = failure.value
    while error is not None:
        assert KEY not in repr(error) + str(error)
        error = error.__cause__ or error.__context__


async def test_a_missing_key_is_named_and_nothing_is_sent() -> None:
    """The variable is told; its value cannot be."""
    async with counting() as server:
        with pytest.raises(AgentFailed, match="AGENT_KEY_OTHER is not set"):
            await ask(server, "price", {"item": "x"}, key={"env": "AGENT_KEY_OTHER"})

    assert server.connections == 0


async def test_a_key_is_not_sent_in_the_open() -> None:
    """Without encryption a key goes to this machine only."""
    async with counting() as server:
        with pytest.raises(AgentFailed, match="must be https"):
            await ask(server, "price", {"item": "x"}, hosts=("api.example.com",), base="http://api.example.com", key=SHOP)

    assert server.connections == 0


@pytest.mark.parametrize("name", ["SMOLIT_POSTGRES", "PATH", "AGENT_KEY_", "agent_key_x", "AGENT_KEY_X\nY"])
def test_a_spec_can_name_no_other_variable(name: str) -> None:
    """Who may register an agent cannot read the worker's other secrets."""
    spec = json.dumps(
        {"id": "a", "description": "d", "skills": ["s"], "pipeline": "http",
         "settings": {"base": "https://a.example", "operations": {"price": {"path": "/"}}, "key": {"env": name}}}
    )  # fmt: skip

    assert read("a.yaml", spec.encode()).faults


async def test_recorded_replies_serve_without_a_network(tmp_path: Path) -> None:
    """An output is a line of the recording; offline the same call has the same reply, says so, and nothing is called."""
    async with counting(lambda _asked: Served(body=b'{"price": 2}')) as server:
        live = await ask(server, "price", {"item": "x"})
        (tmp_path / "shop.jsonl").write_bytes(msgspec.json.encode(live.output))
        again = await ask(server, "price", {"item": "x"}, hosts=(), root=tmp_path, replies="shop.jsonl")
        with pytest.raises(AgentFailed, match="not_recorded"):
            await ask(server, "price", {"item": "y"}, hosts=(), root=tmp_path, replies="shop.jsonl")

    assert server.connections == 1
    assert (again.output["reply"], again.output["recorded"], live.output["recorded"]) == ({"price": 2}, True, False)


def test_a_bucket_lets_so_many_through_a_minute() -> None:
    """As many at once as a minute has; then one after the other."""
    bucket = Bucket(60)
    waits = [bucket.take(0.0) for _ in range(62)]

    assert waits[:60] == [0.0] * 60
    assert waits[60:] == [1.0, 2.0]
    assert bucket.take(100.0) == 0.0


async def test_too_many_calls_are_refused_here() -> None:
    """Whoever would have to wait for long hears so, and the service is not asked."""
    async with counting(lambda _asked: Served(body=b'{"price": 1}')) as server:
        given = {"base": f"http://127.0.0.1:{server.port}", "operations": {"price": PRICE}, "per_minute": 1}
        async with httpx.AsyncClient() as http:
            toolbox = Toolbox(Path(), frozenset({"127.0.0.1"}), http, lambda _path: None)  # type: ignore[arg-type, return-value]
            agent = build(AgentSpec("a", "d", ("s",), "http", given), toolbox)
            work = Work("t", "task", 1, "a", None, "", {"arguments": {"item": "x"}}, moment(9))
            await agent.run(work, Ledger(), perf_counter)
            with pytest.raises(AgentFailed, match="rate_limited_here"):
                await agent.run(work, Ledger(), perf_counter)

    assert server.connections == 1


@pytest.mark.parametrize("value", ["../admin", "%2e%2e", "a?b=c", "a#b", "http://evil.example/", "\r\nX-A: b", "a/../../b"])
def test_an_argument_stays_in_its_place_of_the_path(value: str) -> None:
    """Whatever an argument holds, the path has as many parts as the operation declares."""
    call = built("https://a.example", Operation("/prices/{item}", parameters={}), {"item": value})

    assert call.url.startswith("https://a.example/prices/")
    assert call.url.count("/") == 4
    assert not {"?", "#", "\r", "\n"} & {*call.url}
    assert httpx.URL(call.url).raw_path.count(b"/") == 2
