"""`smolit mcp serve`: our agents as tools for whoever speaks the Model Context Protocol."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from events.answer import AnswerGiven, RequestRefused
from events.request import SubmitTask
from events.topics import ANSWERS, DEFAULT_TENANT
from smolit.cli.desk import Desk, open_desk
from smolit.cli.option import Tenant
from smolit.client import Ask, from_here
from smolit.mcp_server import ACTIVE, Offered, server

Patience = Annotated[float, typer.Option("--timeout", min=1, max=3_600, help="Seconds that a call may take.")]


def serve(tenant: Tenant = DEFAULT_TENANT, timeout_s: Patience = 120.0) -> None:
    """Offer the agents as tools on standard input and output, until the other side hangs up."""
    asyncio.run(_serve(open_desk(), tenant, timeout_s))


async def _serve(desk: Desk, tenant: str, timeout_s: float) -> None:
    from mcp.server.stdio import stdio_server

    async def listed() -> Sequence[Offered]:
        return await _agents(desk, tenant)

    async def do(offered: Offered, text: str, given: dict[str, Any]) -> AnswerGiven | RequestRefused | None:
        # Its own skill as the kind: who asks for an agent by name does not want it matched by its description.
        request = SubmitTask(text=text, kind=offered.kind, input=given, agent=offered.agent)
        return await _answer(desk, tenant, request, timeout_s)

    made = server(listed, do)
    async with stdio_server() as (reading, writing):
        await made.run(reading, writing, made.create_initialization_options())


async def _agents(desk: Desk, tenant: str) -> list[Offered]:
    """Return the tenant's agents that take tasks now."""
    from projections.agent import agents

    async with desk.reading() as connection:
        found = await agents(connection, tenant)
    specs = [one.spec for one in found if one.state == ACTIVE and one.spec]
    return [Offered(spec["id"], spec["skills"][0], spec["description"], spec.get("inputs")) for spec in specs]


async def _answer(desk: Desk, tenant: str, request: SubmitTask, timeout_s: float) -> AnswerGiven | RequestRefused | None:
    """Submit a task and wait for its answer; None: it did not come in time."""
    try:
        async with (
            asyncio.timeout(timeout_s),
            from_here(desk.endpoints.kafka, desk.names, (ANSWERS,)) as reader,
            desk.client(tenant) as client,
        ):
            (sent,) = await client.send([Ask(request)])
            async for event in client.answers(reader, [sent.request_id]):
                return event.fact
    except TimeoutError:
        return None
    return None
