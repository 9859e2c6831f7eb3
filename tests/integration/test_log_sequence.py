"""Logging never changes behaviour: with a bad sink the same tasks make the same events, in one order, by the same agents."""

import asyncio
import os
from pathlib import Path

import pytest

from bus.reader import PartitionReader
from events.answer import AnswerGiven
from events.event import Message
from events.heartbeat import WorkerSeen
from events.ids import task_id
from events.request import SetPolicy, SubmitTask
from events.topics import AGENTS_LIVE, ANSWERS, DEFAULT_TENANT, TASKS, Names
from events.wire import Incoming, decode
from smolit.cli.agent import register
from smolit.client import Ask, Client, Origin, ends, from_here, places_of, reading
from smolit.process.ports import utc_now
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import PATIENCE_S

TASKS_ASKED = 12
AGENTS = ("ann", "bob", "cid")
SOURCE = "test"
Step = tuple[str, str, str | None]


def spec(folder: Path, name: str) -> Path:
    """Write the spec of one of several agents that can do the same."""
    path = folder / f"{name}.yaml"
    path.write_text(f"id: {name}\ndescription: Adds up.\nskills: [sums]\npipeline: arithmetic\n")
    return path


def client(settings: Settings) -> Client:
    """Return a producer whose requests have the same ids in every run."""
    return Client(settings.kafka, Origin(Names(settings.topic_prefix), DEFAULT_TENANT, SOURCE), utc_now, os.urandom)


async def one_at_a_time(settings: Settings) -> None:
    """Put `uniform` in force, then ask for one task after the other, each after the answer to the one before."""
    async with client(settings) as asking:
        await asking.effect(Ask(SetPolicy(policy="uniform", reason="test")), timeout_s=60)
        async with from_here(settings.kafka, Names(settings.topic_prefix), (ANSWERS,)) as reader:
            await everybody_is_live(settings)
            await ask(asking, reader, "warm")  # who chooses has heard of it by then
            for number in range(TASKS_ASKED):
                await ask(asking, reader, f"request-{number}")


async def ask(asking: Client, reader: PartitionReader, request_id: str) -> None:
    """Ask for one task and wait for its answer."""
    await asking.send([Ask(SubmitTask(text="1 + 1", kind="sums"), request_id)])
    async for event in asking.answers(reader, [request_id]):
        assert isinstance(event.fact, AnswerGiven)


async def everybody_is_live(settings: Settings) -> None:
    """Wait until a worker says that it serves every agent: it does so from its next heartbeat on."""
    place = (Names(settings.topic_prefix).of(AGENTS_LIVE), 0)
    async with reading(settings.kafka, {place: 0}) as reader, asyncio.timeout(PATIENCE_S):
        seen: frozenset[str] = frozenset()
        while not seen >= set(AGENTS):
            said = [decode(record.headers, record.value).fact for record in await reader.fetch() if record.value is not None]
            seen = frozenset(agent for fact in said if isinstance(fact, WorkerSeen) for agent in fact.agents)


async def facts(settings: Settings) -> list[Message]:
    """Return every fact about tasks, in log order within each."""
    places = places_of(Names(settings.topic_prefix), (TASKS,))
    last = {place: end for place, end in (await ends(settings.kafka, places)).items() if end}
    if not last:
        return []
    records: list[Incoming] = []
    async with reading(settings.kafka, dict.fromkeys(last, 0)) as reader:
        while sum(last.values()) > len(records):
            records += await reader.fetch()
    return [decode(record.headers, record.value).fact for record in records]


async def sequence(settings: Settings) -> list[Step]:
    """Return type, task and agent of every fact about the tasks that count, task by task."""
    asked = {task_id(DEFAULT_TENANT, SOURCE, f"request-{number}") for number in range(TASKS_ASKED)}
    told = [(fact.event_type.name, fact.key, getattr(fact, "agent", None)) for fact in await facts(settings)]
    return sorted((step for step in told if step[1] in asked), key=lambda step: step[1])  # stable: the log's order stays


def run(stack: local.Endpoints, folder: Path, sink: Path | None) -> list[Step]:
    """Run everything with a log sink and return what happened."""
    folder.mkdir()
    # Long heartbeats: whether an agent is live must not hang on how busy the machine is.
    given = {"choice_secret": "the same", "log_file": sink, "log_level": "debug", "heartbeat_s": 5.0}
    with all_running(stack, folder, **given) as settings:
        register([spec(folder, name) for name in AGENTS])
        asyncio.run(one_at_a_time(settings))
        return asyncio.run(sequence(settings))


@pytest.fixture(scope="module")
def normal(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    """What happens when the log is written as it should be."""
    folder = tmp_path_factory.mktemp("normal")
    steps = run(stack, folder / "run", folder / "good.log")
    assert "handled" in (folder / "good.log").read_text()
    return steps


@pytest.mark.parametrize("sink", ["full", "unread"])  # one that is missing, and all others, in test_log_sinks.py
def test_a_bad_sink_changes_no_event(sink: str, normal: list[Step], stack: local.Endpoints, tmp_path: Path) -> None:
    """With the sink full or never read, the sequence of (type, task, agent) is the one of a normal run."""
    os.mkfifo(tmp_path / "unread")
    paths = {"full": Path("/dev/full"), "unread": tmp_path / "unread"}

    odd = run(stack, tmp_path / "odd", paths[sink])

    assert odd == normal
    assert len({agent for name, _, agent in normal if name == "agent.chosen"}) > 1
    assert sum(name == "task.ended" for name, _, _ in normal) == TASKS_ASKED
