"""`smolit bench chat`: scripted conversations with the house that runs, and what came of each turn."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bench.chat.drive import Player
from bench.chat.score import Course, scored
from bench.chat.script import Half, Script, lines_of, rounds
from events.topics import DEFAULT_TENANT
from smolit.chat.post import open_post
from smolit.cli import out
from smolit.cli.desk import Desk, open_desk
from smolit.cli.option import Tenant


def chat(
    turns: Annotated[int, typer.Option("--turns", min=1, help="Turns that are said, at least.")] = 1000,
    window: Annotated[int, typer.Option("--window", min=1, max=64, help="Conversations at a time.")] = 4,
    half: Annotated[
        Half, typer.Option("--half", help="Which scripts: those the rules were mended on, or the others.")
    ] = "unseen",
    spoken: Annotated[int, typer.Option("--spoken", min=0, help="Turns that a language model answers, about.")] = 60,
    seed: Annotated[int, typer.Option("--seed", help="What numbers, names and order are drawn by.")] = 1,
    json: Annotated[Path | None, typer.Option("--json", help="File to write the figures to, as JSON.")] = None,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Play conversations with the front agent of the stack that runs: task or talk, questions back, follow-ups, times."""
    course = asyncio.run(_course(open_desk(), tenant, rounds(turns, seed, half, spoken), half, window, seed))
    show(course)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(course), indent=2) + b"\n")
    if course.lost or course.doubled:
        raise typer.Exit(1)


async def _course(desk: Desk, tenant: str, scripts: list[Script], half: Half, window: int, seed: int) -> Course:
    count = sum(1 for _ in lines_of(scripts))
    with out.progress(count) as shown:
        bar = shown.add_task("turns", total=count)
        async with open_post(desk, tenant, watch=True) as post:
            began = time.monotonic()
            played = await Player(post, lambda more: shown.advance(bar, more)).play(scripts, window)
    return scored(played, half, window, seed, time.monotonic() - began)


def show(course: Course) -> None:
    """Write the figures for people."""
    out.facts(
        {
            "turns": f"{course.turns} in {course.conversations} conversations, {course.window} at a time, {course.seconds} s",
            "scripts": course.half,
            "answered by a language model": course.spoken,
            "task or talk": course.task_or_talk.told,
            "questions back, precision": course.clarify_precision.told,
            "questions back, recall": course.clarify_recall.told,
            "follow-ups resolved": f"{course.follow_ups.told}, of {course.follow_up_turns}",
            "answered": f"{course.answered:.4g}, of which failed {course.failed:.4g}",
            "lost": course.lost,
            "answered twice": course.doubled,
            "threads not whole": course.incomplete_threads,
            "first piece": f"p50 {course.first_piece.p50_ms} ms, p99 {course.first_piece.p99_ms} ms of {course.first_piece.turns}"
            if course.first_piece
            else None,
            "first piece / whole": course.piece_share.told if course.piece_share else None,
        }
    )
    rows = [(one.wanted, one.turns, one.right_way.told, one.holds.told if one.holds else "", one.of) for one in course.by_wanted]
    out.table(("wanted", "turns", "went the right way", "answer holds what it should", "of"), rows, title="By what is wanted")
    out.table(("domain", "turns", "went the right way"), course.by_domain, title="By domain")
    timed = [(sort, one.turns, one.p50_ms, one.p99_ms) for sort, one in course.times.items()]
    out.table(("answer", "turns", "p50 ms", "p99 ms"), timed, title="A turn, from sent to heard")
