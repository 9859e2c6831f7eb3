"""The demo's second act: a scan, a review, sales and a question go to a team; all is restarted, and recalled."""

import csv
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from events.answer import AnswerGiven
from events.knowledge_request import AddDocument
from events.request import GivenFile, SubmitTask
from events.topics import ANSWERS
from projections.plan import StepRow, steps_of
from smolit.chat.post import open_post
from smolit.chat.session import Chat, Reply
from smolit.cli.desk import Desk
from smolit.client import Ask, from_here
from smolit.errors import CheckFailed
from smolit.knowledge.taking_in import told

FILES = Path(__file__).parent / "files"
DOMAIN = "demo"
DOCUMENTS = ("returns.md", "warranty.md")
QUESTION = "Who pays for the return of a defective lamp?"
TEXT = "What is the sum of revenue_eur by region?"
SALES = FILES / "sales.csv"
ATTACHED = (("invoice.jpg", "image/jpeg"), ("sales.csv", "text/csv"))
REMEMBERED = "Remember that my favourite lamp is the Fjord."
RECALL = "What is my favourite lamp?"
RECALLED = "Fjord"
USER = "demo"
PATIENCE_S = 180.0


class Given(Struct, frozen=True):
    """What was handed to the team, and what came back: the task, its output, and how long that took in seconds."""

    task_id: str
    output: dict[str, Any]
    seconds: float
    conversation_id: str


class Recalled(Struct, frozen=True):
    """What is known after a restart: the steps of the plan as the read models have them, and what the chat said."""

    steps: tuple[StepRow, ...]
    said: str


class Second(Struct, frozen=True):
    """The second act as `--json` writes it: steps by outcome, money in millionths of a dollar, times in seconds."""

    outcome: str
    steps: dict[str, str]
    agents: dict[str, str]
    cost_microusd: int | None
    seconds: float
    restart_s: float | None
    recalled: bool


async def perform(desk: Desk, tenant: str, run_id: str) -> Given:
    """Take two documents in, say something worth remembering, and let a team do the rest.

    Raises:
        CheckFailed: a document was refused, or the team gave no answer.
    """
    await _teach(desk, tenant)
    conversation = await _remember(desk, tenant)
    began = time.monotonic()
    async with from_here(desk.endpoints.kafka, desk.names, (ANSWERS,)) as reader, desk.client(tenant) as client:
        request_id = f"{run_id}/team/{os.urandom(4).hex()}"
        await client.send([Ask(_task(), request_id)])
        async for event in client.answers(reader, [request_id]):
            fact = event.fact
            if not isinstance(fact, AnswerGiven) or fact.outcome != "completed":
                raise CheckFailed(f"the team gave no answer: {getattr(fact, 'detail', None)}")
            return Given(fact.task_id, fact.output, time.monotonic() - began, conversation)
    raise CheckFailed("the team gave no answer")


async def recall(desk: Desk, tenant: str, given: Given) -> Recalled:
    """Return what the read models know of the plan, and what the chat remembers."""
    async with desk.reading() as connection:
        steps = await steps_of(connection, tenant, given.task_id)
    return Recalled(tuple(steps), await _said(desk, tenant, given.conversation_id, RECALL))


def summed_up(given: Given, recalled: Recalled, restart_s: float | None) -> Second:
    """Return the figures of the act."""
    output = given.output
    steps = {one["step"]: one["outcome"] for one in output["steps"]}
    known = {one.step: one.outcome for one in recalled.steps}
    return Second(
        outcome=output["outcome"],
        steps=steps,
        agents={one["step"]: part["agent"] for one in output["steps"] for part in one["parts"]},
        cost_microusd=output["cost_microusd"],
        seconds=given.seconds,
        restart_s=restart_s,
        recalled=known == steps and RECALLED in recalled.said,
    )


async def _teach(desk: Desk, tenant: str) -> None:
    """Let two documents be known, and wait until they are."""
    requests = [_document(name) for name in DOCUMENTS]
    async for place, end in told(desk, tenant, requests, PATIENCE_S):
        if getattr(end.fact, "reason", None):
            raise CheckFailed(f"{DOCUMENTS[place]} was not taken in: {getattr(end.fact, 'detail', end.fact)}")


def _document(name: str) -> AddDocument:
    return AddDocument(
        domain=DOMAIN, name=name, media_type="text/markdown", content=(FILES / name).read_bytes(), source="demo", replace=True
    )


def _task() -> SubmitTask:
    """Return the task: no single agent can do it."""
    files = tuple(GivenFile(name=name, media_type=kind, content=(FILES / name).read_bytes()) for name, kind in ATTACHED)
    given = {"question": QUESTION, "review": (FILES / "review.txt").read_text().strip(), "series": by_month(SALES.read_text())}
    return SubmitTask(text=TEXT, kind="team", input=given, files=files)


def by_month(table: str) -> list[float]:
    """Return the revenue of each month, in order, of a table of sales."""
    total: Counter[str] = Counter()
    for row in csv.DictReader(table.splitlines()):
        total[row["month"]] += round(float(row["revenue_eur"]))
    return [float(total[month]) for month in sorted(total)]


async def _remember(desk: Desk, tenant: str) -> str:
    """Tell the chat something; return the conversation."""
    async with _chat(desk, tenant, None) as chat:
        await _turn(chat, REMEMBERED)
        return chat.conversation_id


async def _said(desk: Desk, tenant: str, conversation_id: str, question: str) -> str:
    """Ask the chat in a conversation that began before; return what it says."""
    async with _chat(desk, tenant, conversation_id) as chat:
        return await _turn(chat, question)


@asynccontextmanager
async def _chat(desk: Desk, tenant: str, conversation_id: str | None) -> AsyncIterator[Chat]:
    async with open_post(desk, tenant) as post:
        chat = Chat(post, USER, conversation_id)
        await chat.begin()
        yield chat


async def _turn(chat: Chat, text: str) -> str:
    """Return the answer to one turn; what went wrong, in words, where there is none."""
    async for heard in chat.say(text):
        if isinstance(heard, Reply):
            return heard.text
        last = heard
    return str(getattr(last, "detail", last))
