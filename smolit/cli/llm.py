"""`smolit llm`: which language models answer, and what they say."""

import asyncio
import sys
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Annotated

import msgspec
import typer

from agents.errors import AgentFailed
from agents.llm.backend import Backend, BackendFailed
from agents.llm.chain import Chain
from agents.llm.client import Caller
from agents.port import Ask, Message, Said
from events.text import plain
from events.topics import DEFAULT_TENANT
from smolit.cli import out
from smolit.cli.desk import Desk, now, open_desk
from smolit.cli.option import Json, Tenant
from smolit.errors import CheckFailed, UsageInvalid
from smolit.process.language import backends_of, language
from smolit.process.llm import local_backend
from store.postgres import connect

_LOOK_S = 5.0
AGENT = "cli"  # whom a question from the command line is accounted to

Text = Annotated[str, typer.Argument(metavar="TEXT", help="The question; `-` reads it from standard input.")]
Stream = Annotated[bool, typer.Option("--stream", help="Show the answer as it comes.")]
Model = Annotated[str | None, typer.Option("--model", help="Name of a back end or of its model; the first by default.")]
System = Annotated[str | None, typer.Option("--system", help="What the model is told before.")]
MostTokens = Annotated[int, typer.Option("--max-tokens", min=1, max=8192, help="Longest answer, in tokens.")]
Wait = Annotated[float, typer.Option("--timeout", min=0.1, max=600, help="Seconds until there must be an answer.")]
Schema = Annotated[str | None, typer.Option("--schema", metavar="JSON", help="JSON Schema that the answer has to fit.")]


class Looked(msgspec.Struct, frozen=True):
    """One back end: whether it answers now, and what it says or why not."""

    backend: str
    model: str
    local: bool
    answers: bool
    told: str


def status(as_json: Json = False) -> None:
    """Show which back ends there are, in the order in which they are asked, and which one answers now."""
    desk = open_desk()
    found = asyncio.run(_look(desk))
    serves = next((one.backend for one in found if one.answers), None)
    if as_json:
        out.json({"backends": found, "serves": serves})
    else:
        out.table(("back end", "model", "answers", "what it says"), [_row(one) for one in found])
        out.line(f"{serves} serves" if serves else "no back end answers")
    if serves is None:
        raise CheckFailed("no language model answers")


def ask(
    text: Text,
    stream: Stream = False,
    model: Model = None,
    system: System = None,
    max_tokens: MostTokens = 192,
    timeout_s: Wait = 60.0,
    schema: Schema = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
) -> None:
    """Ask a language model, through the chain that agents use; say which one answered."""
    if stream and schema:
        raise UsageInvalid("--stream and --schema exclude each other: an answer is checked as a whole")
    told = sys.stdin.read() if text == "-" else text
    messages = (*((Message("system", system),) if system else ()), Message("user", told))
    asked = Ask(
        messages,
        now() + timedelta(seconds=timeout_s),
        tenant,
        AGENT,
        str(uuid.uuid4()),
        model=model,
        max_tokens=max_tokens,
        schema=_schema(schema),
    )
    said = asyncio.run(_ask(open_desk(), asked, stream, as_json))
    if as_json:
        out.json(said)
        return
    print("" if stream else _shown(said.text))
    out.say(spoken(said))


def spoken(said: Said) -> str:
    """Say who answered, and what it took."""
    what = f"{said.model} ({said.backend}{', fallback' if said.fallback else ''})"
    took = f"{said.tokens_in} + {said.tokens_out} tokens, {said.duration_us / 1e6:.1f} s"
    cost = "cost unknown" if said.cost_microusd is None else f"{said.cost_microusd} microdollars"
    ended = "; cut off" if said.cut else ""
    return f"{what}: out of the cache{ended}" if said.cached else f"{what}: {took}, {cost}{ended}"


async def _ask(desk: Desk, asked: Ask, stream: bool, as_json: bool) -> Said:
    """Ask, and show pieces as they come."""
    async with language(desk.settings, lambda: connect(desk.endpoints.postgres, "smolit-llm"), out.say) as chain:
        if not stream or as_json:
            return await chain.complete(asked)
        return await _streamed(chain, asked)


async def _streamed(chain: Chain, asked: Ask) -> Said:
    """Write pieces as they come; return the whole."""
    async for part in chain.stream(asked):
        if isinstance(part, Said):
            return part
        print(_shown(part), end="", flush=True)
    raise AgentFailed("no_answer", "the stream ended without an answer")


def _shown(text: str) -> str:
    """Return a text as it can be printed: its lines, free of control characters."""
    return "\n".join(plain(line, 1_000_000) for line in text.split("\n"))


async def _look(desk: Desk) -> list[Looked]:
    """Ask every back end for its models."""
    backends, caller = backends_of(desk.settings), Caller(now)
    found = []
    try:
        for one in backends.remote:
            found.append(await _try(caller, one.name, one.model, one.local, partial(_itself, one)))
        if backends.local is not None:
            found.append(await _try(caller, "local", "", True, lambda: local_backend(desk.settings)))
    finally:
        await caller.close()
    return found


def _itself(backend: Backend) -> Backend:
    return backend


async def _try(caller: Caller, name: str, model: str, local: bool, where: Callable[[], Backend]) -> Looked:
    """Ask one back end."""
    try:
        backend = where()
        has = await caller.models(backend, _LOOK_S)
    except BackendFailed as error:
        return Looked(name, model, local, False, error.detail)
    if not has or backend.model in has:
        return Looked(name, backend.model, local, True, f"{len(has)} model(s)")
    return Looked(name, backend.model, local, False, f"it has no model {backend.model}")


def _row(one: Looked) -> tuple[str, str, str, str]:
    return (one.backend, one.model, "yes" if one.answers else "no", one.told)


def _schema(text: str | None) -> dict[str, object] | None:
    """Return a schema as it was typed; raises UsageInvalid."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise UsageInvalid(f"--schema must be a JSON object: {error}") from error
