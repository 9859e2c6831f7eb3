"""`smolit llm`: which language models answer, and what they say."""

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Annotated

import typer

from agents.errors import AgentFailed
from agents.llm.chain import Chain
from agents.llm.keeping import Shelf
from agents.port import Ask, Message, Said
from events.text import plain
from events.topics import DEFAULT_TENANT
from smolit.cli import out
from smolit.cli.desk import Desk, now, open_desk, read
from smolit.cli.option import DryRun, Json, Tenant, json_object
from smolit.errors import CheckFailed, UsageInvalid
from smolit.process.language import language, shelf
from smolit.process.llm import Looked, Noted, look, notes
from store import llm_cache
from store.lent import Lent
from store.postgres import Connection, connect

AGENT = "cli"  # whom a question from the command line is accounted to

Clear = Annotated[bool, typer.Option("--clear", help="Forget the tenant's answers.")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="The question; `-` reads it from standard input.")]
Stream = Annotated[bool, typer.Option("--stream", help="Show the answer as it comes.")]
Model = Annotated[str | None, typer.Option("--model", help="Name of a back end or of its model; the first by default.")]
System = Annotated[str | None, typer.Option("--system", help="What the model is told before.")]
MostTokens = Annotated[int, typer.Option("--max-tokens", min=1, max=8192, help="Longest answer, in tokens.")]
Wait = Annotated[float, typer.Option("--timeout", min=0.1, max=600, help="Seconds until there must be an answer.")]
Schema = Annotated[str | None, typer.Option("--schema", metavar="JSON", help="JSON Schema that the answer has to fit.")]


def status(as_json: Json = False) -> None:
    """Show which back ends there are, in the order in which they are asked, and which one answers now."""
    desk = open_desk()
    found, noted = asyncio.run(look(desk.settings)), notes(desk.settings.data_dir)
    serves = next((one.backend for one in found if one.answers), None)
    if as_json:
        out.json({"backends": found, "serves": serves, "breakers": noted})
    else:
        columns = ("back end", "model", "answers", "what it says", "breaker")
        out.table(columns, [_row(one, noted) for one in found])
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


def cache(tenant: Tenant = DEFAULT_TENANT, clear: Clear = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Show how often answers were given again and what that saved, or forget them."""
    desk = open_desk()
    if clear and not dry_run:
        out.say(f"{_on_shelf(desk, lambda shelf: shelf.clear(tenant))} answers are forgotten")
        return
    kept = _on_shelf(desk, lambda shelf: shelf.kept(tenant))
    if clear:
        out.say(f"would forget {kept} answers")
        return
    tally = read(desk, lambda connection: llm_cache.tally(connection, tenant))
    asked = tally.hits + tally.misses
    told = {
        "kept": kept,
        "hits": tally.hits,
        "misses": tally.misses,
        "hit_rate": tally.hits / asked if asked else None,
        "saved_tokens": tally.saved_tokens,
        "saved_microusd": tally.saved_microusd,
        "saved_s": tally.saved_us / 1e6,
    }
    if as_json:
        out.json(told)
    else:
        out.facts(told)


def spoken(said: Said) -> str:
    """Say who answered, and what it took."""
    what = f"{said.model} ({said.backend}{', fallback' if said.fallback else ''})"
    took = f"{said.tokens_in} + {said.tokens_out} tokens, {said.duration_us / 1e6:.1f} s"
    cost = "cost unknown" if said.cost_microusd is None else f"{said.cost_microusd} microdollars"
    ended = "; cut off" if said.cut else ""
    return f"{what}: out of the cache{ended}" if said.cached else f"{what}: {took}, {cost}{ended}"


def _on_shelf(desk: Desk, ask: Callable[[Shelf], Awaitable[int]]) -> int:
    """Return what is asked of whatever keeps the answers; raises SchemaMissing, CacheUnreachable."""

    async def go(connection: Connection) -> int:
        async def opened() -> Connection:
            return connection

        async with shelf(desk.settings, Lent(opened)) as kept_on:
            return await ask(kept_on)

    return read(desk, go)


async def _ask(desk: Desk, asked: Ask, stream: bool, as_json: bool) -> Said:
    """Ask, and show pieces as they come."""
    async with language(desk.settings, AGENT, lambda: connect(desk.endpoints.postgres, "smolit-llm"), out.say) as chain:
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


def _row(one: Looked, noted: Mapping[str, tuple[Noted, ...]]) -> tuple[str, ...]:
    """Return a back end's row, with how it stands in each worker that has asked it."""
    stands = [(who, known) for who, all_ in sorted(noted.items()) for known in all_ if known.backend == one.backend]
    told = [f"{who}: {_state(known)}, {known.failures} of {known.calls} failed" for who, known in stands]
    return (one.backend, one.model, "yes" if one.answers else "no", one.told, "; ".join(told) or "closed")


def _state(known: Noted) -> str:
    """Return a breaker's state now: what was open and had its rest is half open."""
    return "half open" if known.state == "open" and known.until <= now() else known.state.replace("_", " ")


def _schema(text: str | None) -> dict[str, object] | None:
    """Return a schema as it was typed; raises UsageInvalid."""
    return None if text is None else json_object(text, "--schema")
