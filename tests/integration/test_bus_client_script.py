"""The client script of docs/clients.md against a real Kafka, with a stand-in for the system behind it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.admin import provision
from bus.broadcast import Broadcast
from bus.producer import Publisher
from events.answer import AnswerGiven, RequestRefused
from events.event import Fact
from events.ids import request_key, task_id
from events.request import SubmitTask
from events.stamp import stamp
from events.topics import Names
from events.wire import Incoming, decode, encode
from tests.golden.sample import NOW

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = DOCS / "clients" / "submit_librdkafka.py"
REQUESTS, ANSWERS = "smolit.requests.v1", "smolit.answers.v1"


def answer_to(record: Incoming) -> list[Fact]:
    """Return what the system would say: to a poem no, to everything else yes, and something to somebody else first."""
    event = decode(record.headers, record.value)
    source, request_id = event.envelope.source, event.id
    assert isinstance(event.fact, SubmitTask)
    task = task_id("default", source, request_id)
    given = AnswerGiven(
        tenant="default",
        task_id=task,
        request_id=request_id,
        requested_by=source,
        outcome="completed",
        output={"text": event.fact.text, "kind": event.fact.kind},
    )
    refused = RequestRefused(
        tenant="default",
        request_key=request_key("default", source, request_id),
        request_id=request_id,
        requested_by=source,
        reason="no_poems",
        detail="`kind` is not offered",
        origin=record.origin,
    )
    other = AnswerGiven(tenant="default", task_id=task, request_id="other", requested_by=source, outcome="failed")
    return [other, refused if event.fact.kind == "poem" else given]


@pytest.fixture
async def answering(kafka: str) -> AsyncIterator[str]:
    """A Kafka behind which every request is answered."""
    topics = Names().all(["default"])
    await provision(kafka, {name: topics[name] for name in (REQUESTS, ANSWERS)})
    asked: asyncio.Queue[Incoming] = asyncio.Queue()
    broadcast, publisher = Broadcast(kafka, "test", [REQUESTS]), Publisher(kafka, "test")
    await broadcast.start(asked.put_nowait)
    await publisher.start()
    working = asyncio.create_task(_work(asked, publisher))
    yield kafka
    working.cancel()
    await asyncio.wait([working])
    await publisher.stop()
    await broadcast.stop()


async def _work(asked: asyncio.Queue[Incoming], publisher: Publisher) -> None:
    """Answer requests one by one."""
    while True:
        facts = answer_to(await asked.get())
        events = [stamp(fact, source="test", now=NOW, correlation="c", cause="e") for fact in facts]
        await publisher.publish([encode(ANSWERS, event) for event in events])


async def run(*arguments: str) -> tuple[int | None, str, str]:
    """Run the script; return its exit code and what it said."""
    script = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(90):
        out, err = await script.communicate()
    return script.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("text", ["What is 17 * 23?", "Größe, 漢字 und 😀"])
@pytest.mark.parametrize("kind", [None, "arithmetic"])
async def test_the_script_submits_a_task_and_prints_its_answer(answering: str, text: str, kind: str | None) -> None:
    """What librdkafka wrote is read by us, and what we answered finds the one who asked."""
    code, out, err = await run(answering, text, *([kind] if kind else []))

    assert (code, err) == (0, "")
    assert json.loads(out)["output"] == {"text": text, "kind": kind}


async def test_the_script_prints_a_refusal(answering: str) -> None:
    """A refused request is answered too."""
    code, out, _ = await run(answering, "Roses are red", "poem")

    assert code == 0
    assert json.loads(out)["detail"] == "`kind` is not offered"


def test_the_page_shows_the_script_as_it_is() -> None:
    """The code in the documentation is the code that is tested."""
    page = (DOCS / "clients.md").read_text()

    assert page.split("```python\n")[1].split("```")[0] == SCRIPT.read_text()
