"""`smolit demo`: the main job on real questions, measured and explained."""

import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Struct
from rich.console import Console

from events.task import AgentChosen
from events.topics import Names
from learning.outcomes import Outcomes, Prompt
from smolit.cli import out
from smolit.cli.desk import Desk
from smolit.client import Client, Origin
from smolit.demo import show
from smolit.demo.calibrate import calibrated
from smolit.demo.course import Course
from smolit.demo.drive import Asking, drive
from smolit.demo.local_work import Done, work_here
from smolit.demo.report import Report, report
from smolit.demo.second import Second, perform, recall, summed_up
from smolit.demo.second_show import print_given, print_recalled
from smolit.demo.stage import restarted, staged, wait_live
from smolit.demo.watch import Watch
from smolit.demo.window import Window
from smolit.errors import CheckFailed, UsageInvalid
from smolit.process.ports import utc_now
from smolit.process.runner import live_runner
from smolit.settings import PROJECT, Settings, load_settings
from smolit.stack.local import Endpoints
from store.postgres import connect

DATA, SET = PROJECT / "bench" / "data", "mmlupro_mid9"
LOCAL_AGENTS = ("arithmetic", "sentiment")
TEAM = ("supervisor", "ocr", "entities", "sentiment", "summary", "table", "answer")
PATIENCE_S = 120.0
CHOICE_TARGET_S = 0.036


class Asked(Struct, frozen=True):
    """How much was asked for: questions, how many at a time, and how many of the first are given to all agents."""

    tasks: int
    in_flight: int
    calibrate: int


class Seen(Struct, frozen=True):
    """Everything that a demo brought to light."""

    scope: str
    report: Report
    choices: tuple[AgentChosen, ...]
    questions: dict[str, str]
    local: tuple[Done, ...]


def demo(
    tasks: Annotated[int, typer.Option("--tasks", min=10, max=2000, help="How many questions to ask.")] = 2000,
    in_flight: Annotated[int, typer.Option("--in-flight", min=1, max=1000, help="Most questions under way at a time.")] = 32,
    calibrate: Annotated[
        int, typer.Option("--calibrate", min=0, max=2000, help="How many of the first questions all agents are given, too.")
    ] = 30,
    team: Annotated[
        bool, typer.Option("--team/--no-team", help="Let a team of agents do a second act, restart all, and recall it.")
    ] = True,
    json: Annotated[Path | None, typer.Option("--json", help="File to write the figures to, as JSON.")] = None,
) -> None:
    """Run the main job on real questions with recorded answers, print what it measured, and stop."""
    settings = load_settings()
    outcomes = Outcomes.load(DATA, SET)
    if json is not None and not json.parent.is_dir():
        raise UsageInvalid(f"there is no folder {json.parent} to write {json.name} to")
    ours = live_runner(settings.data_dir) is None
    with staged(settings, out.say) as endpoints:
        seen = asyncio.run(_watch(settings, endpoints, outcomes, Asked(tasks, in_flight, calibrate)))
        asyncio.run(_tell(seen, endpoints))
        second = _second_act(settings, endpoints, ours) if team else None
    if json is not None:
        told = {**msgspec.to_builtins(seen.report), "team": msgspec.to_builtins(second)}
        json.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
    if seen.report.lost:
        raise CheckFailed(f"{seen.report.lost} of {seen.report.submitted} tasks were lost")
    if second is not None and not (second.outcome == "completed" and second.recalled):
        raise CheckFailed(f"the team's answer is {second.outcome}" if second.recalled else "what was done was not recalled")


def _second_act(settings: Settings, endpoints: Endpoints, ours: bool) -> Second:
    """Let a team work, restart all that was started here, and recall; print it."""
    console, tenant = Console(), settings.tenants[0]
    asyncio.run(wait_live(settings, endpoints, TEAM))
    given = asyncio.run(perform(Desk(settings, endpoints), tenant, secrets.token_hex(4)))
    print_given(console, given)
    began = time.monotonic()
    again = restarted(settings, out.say) if ours else endpoints
    took = time.monotonic() - began if ours else None
    recalled = asyncio.run(recall(Desk(settings, again), tenant, given))
    second = summed_up(given, recalled, took)
    print_recalled(console, recalled, second)
    return second


async def _watch(settings: Settings, endpoints: Endpoints, outcomes: Outcomes, asked: Asked) -> Seen:
    """Drive the course and return what was seen."""
    names, run_id, course = Names(settings.topic_prefix), secrets.token_hex(4), Course()
    scope, origin = f"demo-{run_id}", Origin(names, settings.tenants[0], "smolit/demo")
    await wait_live(settings, endpoints, [*outcomes.models, *LOCAL_AGENTS])
    watch = Watch(endpoints.kafka, names, course, time.monotonic)
    await watch.start()
    try:
        async with Client(endpoints.kafka, origin, utc_now, os.urandom) as client:
            asking = Asking(client, origin, watch, outcomes, course, run_id, scope, time.monotonic, PATIENCE_S)
            window = Window(asked.in_flight, CHOICE_TARGET_S)
            prompts, first = outcomes.prompts[: asked.tasks], min(asked.calibrate, asked.tasks)
            extra = 0
            if first:
                await _ask(asking, prompts[:first], window)
                extra = await calibrated(asking, settings, endpoints, first)
            await _ask(asking, prompts[first:], window)
            done = await work_here(client, watch, run_id, f"{scope}-local")
    finally:
        await watch.stop()
    texts = {prompt.prompt_id: prompt.text for prompt in outcomes.prompts}
    questions = {choice.task_id: texts[course.runs[choice.task_id].prompt_id] for choice in watch.kept}
    return Seen(scope, report(course, outcomes, window.widest, extra), tuple(watch.kept), questions, tuple(done))


async def _ask(asking: Asking, prompts: Sequence[Prompt], window: Window) -> None:
    """Ask all questions, with a progress bar."""
    with out.progress(len(prompts)) as shown:
        bar = shown.add_task("asking questions", total=len(prompts))
        await drive(asking, prompts, window, lambda: shown.advance(bar))


async def _tell(seen: Seen, endpoints: Endpoints) -> None:
    """Print the table, the choices, what was done here, and three queries with what they give now."""
    console = Console()
    console.print(show.table(seen.report))
    console.print("\n[bold]Three choices, explained[/bold]")
    for choice in seen.choices:
        console.print(show.explained(choice, seen.questions[choice.task_id]), highlight=False)
    console.print(show.done_here(seen.local))
    connection = await connect(endpoints.postgres, "smolit-demo")
    try:
        for title, sql in show.QUERIES:
            filled = sql.format(scope=seen.scope)
            cursor = await connection.execute(filled.encode())
            columns = [column.name for column in cursor.description or ()]
            show.print_query(console, title, filled, columns, await cursor.fetchall())
    finally:
        await connection.close()
