"""`smolit task`: ask for work, and see what became of it."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from events.answer import AnswerGiven
from events.request import SubmitTask
from events.topics import ANSWERS, DEFAULT_TENANT
from smolit.cli import answer, attach, out
from smolit.cli.desk import Desk, now, open_desk
from smolit.cli.option import Json, Scope, Tenant, moment
from smolit.client import Ask, Sent, from_here
from smolit.errors import UsageInvalid
from smolit.settings import load_settings

_CHUNK = 500  # requests sent together


class Line(SubmitTask, frozen=True, kw_only=True):
    """One line of a batch: the fields of a submission, and a request id if it must have one."""

    request_id: str | None = None


def submit(
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="What is to be done; `-` reads standard input.")] = None,
    kind: Annotated[str | None, typer.Option(help="Skill that the agent must have; without it examples are matched.")] = None,
    scope: Scope = "default",
    given: Annotated[str, typer.Option("--input", metavar="JSON", help="Object for the agent; no policy sees it.")] = "{}",
    unit: Annotated[str | None, typer.Option(help="What an experiment assigns by, such as a user.")] = None,
    priority: Annotated[int, typer.Option(min=0, max=9, help="0 can wait, 9 goes first.")] = 5,
    deadline: Annotated[str | None, typer.Option(help="Until when: a time (RFC 3339) or a span such as 30s, 5m, 2h.")] = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, max=10, help="Agents that may try before it has failed.")] = None,
    costs: Annotated[
        float | None, typer.Option(min=0, max=1, help="Weight of cost in the reward; else as the operator set it.")
    ] = None,
    latency: Annotated[
        float | None, typer.Option(min=0, max=1, help="Weight of latency in the reward; else as the operator set it.")
    ] = None,
    reply_to: Annotated[str | None, typer.Option(help="Topic that the answer also goes to; it must be allowed.")] = None,
    agent: Annotated[str | None, typer.Option(help="Who is to do it, and nobody else; else a policy chooses.")] = None,
    request_id: Annotated[str | None, typer.Option(help="Id of the request: sent twice under one id, it counts once.")] = None,
    files: Annotated[
        list[Path] | None, typer.Option("--file", metavar="PATH", help="File for the agent; may be repeated.")
    ] = None,
    stored: Annotated[
        list[str] | None, typer.Option("--stored", metavar="NAME=SHA256", help="File from `blob put`; may be repeated.")
    ] = None,
    lines: Annotated[
        Path | None, typer.Option("--batch", metavar="BATCH.jsonl", help="Submit every line of a file instead.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the answer and print it.")] = False,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
) -> None:
    """Submit a task, or a file of tasks, and print its id, or its answer with --wait."""
    given_files = attach.given(files or (), stored or ())
    if (text is None and not given_files) == (lines is None):
        raise UsageInvalid("say what is to be done: TEXT, a --file or both, or else a --batch")
    if (costs or 0.0) + (latency or 0.0) > 1.0:
        raise UsageInvalid("--costs and --latency weigh more than 1 together; quality has what they leave")
    if lines is not None:
        asks = batch(lines)
    else:
        request = SubmitTask(
            text=typer.get_text_stream("stdin").read() if text == "-" else text or attach.named(given_files),
            kind=kind,
            scope=scope,
            input=_object(given),
            unit=unit,
            priority=priority,
            deadline=moment(deadline, now(), 1) if deadline else None,
            max_attempts=max_attempts,
            reply_to=reply_to,
            costs=costs,
            latency=latency,
            agent=agent,
            files=given_files,
        )
        attach.check_size(request, load_settings().inline_limit_bytes)
        asks = [Ask(request, request_id)]
    desk = open_desk()
    done = asyncio.run(_submit_and_wait(desk, tenant, asks, as_json) if wait else _submit(desk, tenant, asks, as_json))
    raise typer.Exit(0 if done else 1)


def batch(path: Path) -> list[Ask]:
    """Return the requests in a file of JSON lines; raises UsageInvalid, which names the line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageInvalid(f"{path} cannot be read: {error.strerror}") from error
    return [_line(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _line(path: Path, number: int, line: bytes) -> Ask:
    try:
        read = msgspec.json.decode(line, type=Line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageInvalid(f"{path}, line {number}: {error}") from error
    fields = {name: getattr(read, name) for name in SubmitTask.__struct_fields__}
    return Ask(SubmitTask(**fields), read.request_id)


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise UsageInvalid(f"--input must be a JSON object: {error}") from error


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
