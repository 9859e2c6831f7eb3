"""`smolit task`: ask for work, and see what became of it."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from events.answer import AnswerGiven
from events.request import SubmitTask
from events.topics import ANSWERS, DEFAULT_TENANT
from smolit.cli import answer, attach, out
from smolit.cli.batch import batch
from smolit.cli.desk import Desk, now, open_desk
from smolit.cli.option import Json, Scope, Tenant, json_object, moment
from smolit.client import Ask, Sent, from_here
from smolit.errors import UsageInvalid
from smolit.settings import load_settings

_CHUNK = 500  # requests sent together

Text = Annotated[str | None, typer.Argument(metavar="[TEXT]", help="What is to be done; `-` reads standard input.")]
Kind = Annotated[str | None, typer.Option(help="Skill that the agent must have; without it examples are matched.")]
Given = Annotated[str, typer.Option("--input", metavar="JSON", help="Object for the agent; no policy sees it.")]
Unit = Annotated[str | None, typer.Option(help="What an experiment assigns by, such as a user.")]
Priority = Annotated[int, typer.Option(min=0, max=9, help="0 can wait, 9 goes first.")]
Deadline = Annotated[str | None, typer.Option(help="Until when: a time (RFC 3339) or a span such as 30s, 5m, 2h.")]
Attempts = Annotated[int | None, typer.Option(min=1, max=10, help="Agents that may try before it has failed.")]
Costs = Annotated[float | None, typer.Option(min=0, max=1, help="Weight of cost in the reward; else as the operator set it.")]
Latency = Annotated[
    float | None, typer.Option(min=0, max=1, help="Weight of latency in the reward; else as the operator set it.")
]
ReplyTo = Annotated[str | None, typer.Option(help="Topic that the answer also goes to; it must be allowed.")]
Who = Annotated[str | None, typer.Option("--agent", help="Who is to do it, and nobody else; else a policy chooses.")]
RequestId = Annotated[str | None, typer.Option(help="Id of the request: sent twice under one id, it counts once.")]
Files = Annotated[list[Path] | None, typer.Option("--file", metavar="PATH", help="File for the agent; may be repeated.")]
Stored = Annotated[
    list[str] | None, typer.Option("--stored", metavar="NAME=SHA256", help="File from `blob put`; may be repeated.")
]
Lines = Annotated[Path | None, typer.Option("--batch", metavar="BATCH.jsonl", help="Submit every line of a file instead.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the answer and print it.")]


def submit(
    text: Text = None,
    kind: Kind = None,
    scope: Scope = "default",
    given: Given = "{}",
    unit: Unit = None,
    priority: Priority = 5,
    deadline: Deadline = None,
    max_attempts: Attempts = None,
    costs: Costs = None,
    latency: Latency = None,
    reply_to: ReplyTo = None,
    agent: Who = None,
    request_id: RequestId = None,
    files: Files = None,
    stored: Stored = None,
    lines: Lines = None,
    wait: Wait = False,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
) -> None:
    """Submit a task, or a file of tasks, and print its id, or its answer with --wait."""
    attached = attach.given(files or (), stored or ())
    if (text is None and not attached) == (lines is None):
        raise UsageInvalid("say what is to be done: TEXT, a --file or both, or else a --batch")
    if (costs or 0.0) + (latency or 0.0) > 1.0:
        raise UsageInvalid("--costs and --latency weigh more than 1 together; quality has what they leave")
    if lines is not None:
        asks = batch(lines)
    else:
        request = SubmitTask(
            text=typer.get_text_stream("stdin").read() if text == "-" else text or attach.named(attached),
            kind=kind, scope=scope, input=json_object(given, "--input"), unit=unit, priority=priority,
            deadline=moment(deadline, now(), 1) if deadline else None, max_attempts=max_attempts,
            reply_to=reply_to, costs=costs, latency=latency, agent=agent, files=attached,
        )  # fmt: skip
        attach.check_size(request, load_settings().inline_limit_bytes)
        asks = [Ask(request, request_id)]
    desk, ask = open_desk(), _submit_and_wait if wait else _submit
    raise typer.Exit(0 if asyncio.run(ask(desk, tenant, asks, as_json)) else 1)


async def _submit(desk: Desk, tenant: str, asks: list[Ask], as_json: bool) -> bool:
    """Send everything and print the ids; the broker has each that is printed."""
    async with desk.client(tenant) as client:
        for start in range(0, len(asks), _CHUNK):
            for sent in await client.send(asks[start : start + _CHUNK]):
                _print_sent(sent, as_json)
    return True


async def _submit_and_wait(desk: Desk, tenant: str, asks: list[Ask], as_json: bool) -> bool:
    """Send everything and print the answers as they come; return whether every task was completed."""
    good = True
    async with from_here(desk.endpoints.kafka, desk.names, (ANSWERS,)) as reader, desk.client(tenant) as client:
        sent = [one for start in range(0, len(asks), _CHUNK) for one in await client.send(asks[start : start + _CHUNK])]
        with out.progress(len(sent)) as shown:
            told = shown.add_task("waiting for answers", total=len(sent))
            async for event in client.answers(reader, [one.request_id for one in sent]):
                shown.advance(told)
                fact = event.fact
                good = good and isinstance(fact, AnswerGiven) and fact.outcome == "completed"
                await _print_answer(desk, fact, as_json or len(sent) > 1)
    return good


def _print_sent(sent: Sent, as_json: bool) -> None:
    if as_json:
        out.json_line(sent)
    else:
        out.line(sent.task_id or "")


async def _print_answer(desk: Desk, fact: Any, as_json: bool) -> None:
    """Print what came of a request: what was asked for, for people; all of it as JSON."""
    if as_json:
        out.json_line(fact)
    elif not isinstance(fact, AnswerGiven):
        out.say(f"refused: {fact.detail} ({fact.reason})")
    elif fact.outcome != "completed":
        out.say(f"{fact.outcome}: {fact.detail or fact.reason or 'no reason was given'} (task {fact.task_id})")
    else:
        out.say(f"{fact.agent} answered, task {fact.task_id}")
        async with desk.reading() as connection:
            answer.show(await answer.whole(connection, fact.output, fact.output_sha256))
