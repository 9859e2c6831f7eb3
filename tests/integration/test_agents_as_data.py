"""Agents as data on the whole system: checks that send a task on, tenants, pools, and files that become versions."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from msgspec.structs import replace

from agents.signature import Key
from events.topics import Names
from events.vouched import HOUSE
from events.wire import Outgoing
from handlers.ordering import signed
from smolit.process.keys import keyring
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Said, Smolit, command_line, until
from tests.toolchain import cache, fetched, npm_folder, tool

ADDED = ("ce_audience", "ce_keyid", "ce_signature")
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, started once for this module in a namespace of their own; they die with this process."""
    watched = tmp_path_factory.mktemp("watched")
    with all_running(stack, tmp_path_factory.mktemp("agents"), lease_s=4.0, agent_dirs=(watched,)) as running:
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


def registered(smolit: Smolit, folder: Path, name: str, content: str) -> None:
    """Register an agent whose spec has this content beside its id."""
    path = folder / f"{name}.yaml"
    path.write_text(f"id: {name}\n{content}")
    assert smolit("agent", "register", str(path)).code == 0


# Both read a date off a text: one where none is, and one that does as it should.
CARELESS = """\
description: Copies what it is told, and calls it a date.
skills: [due-date]
pipeline: steps
settings:
  steps:
    - do: clean
      name: read
      check:
        - {check}
"""
CAREFUL = """\
description: Adds up the days.
skills: [due-date]
pipeline: steps
settings:
  steps:
    - do: arithmetic
      check:
        - range: {field: value, least: 0, most: 1000}
"""
CHECKS = {
    "date": "plausible_date: {field: text, first: '2000-01-01'}",
    "empty": "not_empty: {field: text, least: 20}",
    "schema": "schema: {schema: {type: object, required: [due]}}",
}


@pytest.mark.parametrize("kind", CHECKS)
def test_what_a_check_rejects_is_done_by_another_agent(smolit: Smolit, tmp_path: Path, kind: str) -> None:
    """An implausible date, next to nothing where a text should be, another shape: the task ends completed all the same."""
    careless, careful = f"careless-{kind}", f"careful-{kind}"
    registered(smolit, tmp_path, careless, CARELESS.replace("{check}", CHECKS[kind]).replace("due-date", f"due-{kind}"))
    registered(smolit, tmp_path, careful, CAREFUL.replace("due-date", f"due-{kind}"))
    assert smolit("policy", "set", "uniform", "--scope", kind).code == 0

    def told() -> Said:
        answer = smolit("task", "submit", "14 + 30", "--kind", f"due-{kind}", "--scope", kind, "--wait", "--json").json
        ended = partial(smolit, "task", "show", answer["task_id"], "--json")
        return until(ended, lambda said: said.code == 0 and bool(said.json["task"]["ended_at"]))

    shown = until(told, lambda said: len(said.json["attempts"]) == 2)  # who comes first is left to chance
    first, second = shown.json["attempts"]
    assert (first["agent"], first["outcome"]) == (careless, "failed")
    assert "implausible_output" in str(first["error"])
    assert (second["agent"], second["outcome"]) == (careful, "completed")
    assert shown.json["task"]["outcome"] == "completed"
    assert any(step["name"] == "read.rejected" for step in first["steps"])


def test_an_agent_that_is_not_for_a_tenant_is_left_out_with_the_reason(smolit: Smolit, tmp_path: Path) -> None:
    """`policy explain` says so, and the task goes to whoever may."""
    registered(smolit, tmp_path, "private", "description: x\nskills: [sums]\npipeline: arithmetic\ntenants: [acme]\n")
    registered(smolit, tmp_path, "public", "description: x\nskills: [sums]\npipeline: arithmetic\ntenants: [default]\n")

    answer = smolit("task", "submit", "1 + 1", "--kind", "sums", "--wait", "--json").json
    explained = until(partial(smolit, "policy", "explain", answer["task_id"]), lambda said: said.code == 0)

    assert answer["agent"] == "public"
    assert "Not a candidate: private may not be asked by this tenant" in explained.out
    assert "may not be asked by this tenant" in smolit("task", "submit", "1 + 1", "--agent", "private", "--wait").err


def test_input_and_output_are_what_the_spec_says(smolit: Smolit, tmp_path: Path) -> None:
    """Who lacks what it needs is no candidate; what does not fit is a failed attempt with the place, and the task says so."""
    inputs = "inputs: {type: object, required: [unit], properties: {unit: {type: string}}}\n"
    content = f"description: x\nskills: [strict]\npipeline: arithmetic\n{inputs}"
    registered(smolit, tmp_path, "strict", content + "outputs: {type: object, required: [nothing]}\n")

    without = smolit("task", "submit", "1 + 1", "--kind", "strict", "--wait")
    wrong = smolit("task", "submit", "1 + 1", "--kind", "strict", "--input", '{"unit": 5}', "--wait")
    given = smolit("task", "submit", "1 + 1", "--kind", "strict", "--input", '{"unit": "m"}', "--wait")

    assert (without.code, "strict needs unit, which did not come with the task" in without.err) == (1, True)
    assert (wrong.code, "bad_input: strict does not take this input: $.unit: 5 is not of type" in wrong.err) == (1, True)
    assert (given.code, "bad_output" in given.err) == (1, True)


def test_a_pool_has_a_worker_of_its_own(smolit: Smolit, tmp_path: Path) -> None:
    """The runner starts one once an agent is in the pool; it does that agent's work, and the house's workers do not."""
    registered(smolit, tmp_path, "heavy", "description: x\nskills: [heavy]\npipeline: arithmetic\npool: models\n")

    answer = smolit("task", "submit", "2 + 2", "--kind", "heavy", "--wait", "--json").json
    shown = until(
        partial(smolit, "task", "show", answer["task_id"], "--json"),
        lambda said: said.code == 0 and any(one["outcome"] for one in said.json["attempts"]),
    )

    assert answer["outcome"] == "completed"
    assert shown.json["attempts"][0]["worker"] == "worker-models"
    assert "worker-models" in smolit("status").out


VERSION = "id: shifty\ndescription: {described}\nskills: [shifty]\npipeline: arithmetic\nversion: '{version}'\n"


def test_a_file_that_is_written_becomes_a_version_without_a_restart(smolit: Smolit, settings: Settings, tmp_path: Path) -> None:
    """New, changed, broken, changed back: each good content is a version and does the next attempt; a bad one changes nothing."""
    (folder,) = settings.agent_dirs
    path, good = folder / "shifty.yaml", VERSION.format(described="Reckons.", version="one")

    def in_force(version: str) -> None:
        shown = partial(smolit, "agent", "show", "shifty", "--json")
        until(shown, lambda said: said.code == 0 and said.json["agent"]["spec"]["version"] == version)

    path.write_text(good)
    in_force("one")
    assert smolit("agent", "diff", str(path)).out == ""
    path.write_text(good.replace("'one'", "'two'").replace("pipeline: arithmetic", "pipeline: sentiment"))
    in_force("two")
    words = ("task", "submit", "I love it", "--kind", "shifty", "--wait", "--json")
    done = until(partial(smolit, *words), lambda said: said.code == 0).json  # who hands out work reads of it by itself
    path.write_text(good + "timeout: 3\n")
    faulty = smolit("agent", "diff", str(path))
    log = settings.data_dir.parent / "runner.log"
    until(lambda: Said(0, log.read_text(), ""), lambda said: "shifty.yaml:6: timeout is not a field" in said.out)
    still = smolit("agent", "show", "shifty", "--json").json["agent"]["spec"]["version"]
    path.write_text(good)
    in_force("one")

    told = smolit("agent", "history", "shifty", "--json").json
    compared = smolit("agent", "diff", "shifty", "--at", "two", "--json").json
    assert (done["output"]["label"], still) == ("positive", "two")
    assert [(one["number"], one["what"], one["version"]) for one in told] == [
        (1, "registered", "one"), (2, "revised", "two"), (3, "revised", "one"),
    ]  # fmt: skip
    assert [change["field"] for change in told[1]["changed"]] == ["pipeline", "version"]
    assert told[0]["digest"] == told[2]["digest"]
    assert [one["field"] for one in compared["differences"]] == ["pipeline", "version"]
    assert (faulty.code, "shifty.yaml:6: timeout is not a field" in faulty.err) == (1, True)
    assert smolit("agent", "history", "nobody").code == 1


def test_a_changed_description_changes_who_fits(smolit: Smolit, tmp_path: Path) -> None:
    """A task without a kind is matched with what agents say of themselves, as they say it now."""
    registered(smolit, tmp_path, "changeling", "description: Waters the plants.\nskills: [x]\npipeline: arithmetic\n")
    words = ("task", "submit", "translate this french letter about two horses", "--wait", "--json")
    before = smolit("policy", "explain", smolit(*words).json["task_id"])
    registered(
        smolit, tmp_path, "changeling",
        "description: Translates a french letter about horses.\nskills: [x]\npipeline: arithmetic\n",
    )  # fmt: skip
    after = smolit(*words).json
    shown = until(
        partial(smolit, "task", "show", after["task_id"], "--json"), lambda said: said.code == 0 and bool(said.json["decisions"])
    )

    assert before.code == 1 or "changeling does not fit the text well enough" in before.out
    assert "changeling" in {one["agent"] for one in shown.json["decisions"][0]["candidates"]}


def test_a_scaffold_works_as_it_is(smolit: Smolit, tmp_path: Path) -> None:
    """Written, registered and asked, without a word of it changed; a second one of the name is not written over it."""
    made = smolit("agent", "new", "newcomer", "--into", str(tmp_path))
    assert smolit("agent", "register", made.out.strip()).code == 0

    answer = smolit("task", "submit", "I love it", "--agent", "newcomer", "--wait", "--json").json

    assert (answer["outcome"], answer["output"]["label"]) == ("completed", "positive")
    assert smolit("agent", "new", "newcomer", "--into", str(tmp_path)).code == 2


def test_a_folder_is_watched_from_the_command_line(smolit: Smolit, tmp_path: Path) -> None:
    """What lies in it becomes versions, once; what is wrong is said by file and line."""
    (tmp_path / "seen.yaml").write_text("id: seen\ndescription: x\nskills: [x]\npipeline: arithmetic\n")
    (tmp_path / "wrong.yaml").write_text("id: wrong\n")

    first = smolit("agent", "watch", str(tmp_path), "--rounds", "1")
    again = smolit("agent", "watch", str(tmp_path), "--rounds", "1")

    assert "seen: version 1 (" in first.out
    assert "wrong.yaml:1: description is missing; the agent stays as it was" in first.out
    assert "version" not in again.out


def node() -> list[str]:
    """Return how to run the worker in Node, with the packages of its lock."""
    return [tool("node"), str(npm_folder(EXAMPLES / "node") / "worker.mjs")]


def go() -> list[str]:
    """Return how to run the worker in Go, compiled once per content."""
    compiler, source = tool("go"), EXAMPLES / "go"
    files = [source / "go.mod", source / "go.sum", *sorted((source / "worker").iterdir())]
    binary = cache("go-worker", files) / "worker"
    if not binary.exists():
        fetched([compiler, "build", "-mod=readonly", "-o", str(binary), "./worker"], source)
    return [str(binary)]


def python() -> list[str]:
    """Return how to run the worker in Python."""
    return [sys.executable, str(EXAMPLES / "python_aiokafka" / "worker.py")]


@contextmanager
def elsewhere(
    program: list[str], pool: str, name: str, settings: Settings, key: Path | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """Lend a worker that lives elsewhere, once it has announced itself; without a key it signs nothing."""
    given = {**os.environ, "SMOLIT_KAFKA": settings.kafka, "SMOLIT_TOPIC_PREFIX": settings.topic_prefix}
    given |= {"SMOLIT_WORKER_KEY": str(key) if key else "", "SMOLIT_HOUSE_KEY": house(settings).public}

    for _ in range(120):  # it ends where its pool has no topic yet, and whoever runs it starts it again
        nice = ["nice", "-n", "19"]  # it takes what processors there are, and what it speaks to needs some
        process = subprocess.Popen(
            [*nice, *program, pool, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=given
        )
        assert process.stdout
        if process.stdout.readline() == "announced\n":
            break
        said = process.communicate()
        time.sleep(0.5)
    else:
        raise AssertionError(f"{name} never announced itself: {said}")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def at_work(settings: Settings, name: str) -> int:
    """Return how many attempts are with a worker."""
    query = "select count(*) from ops.work_attempt where state = 'running' and worker like %s"
    with psycopg.connect(settings.postgres.get_secret_value()) as connection:
        row = connection.execute(query, (f"%#{name}",)).fetchone()
    return int(row[0]) if row else 0


def busy(smolit: Smolit, pool: str) -> Said:
    """Return as JSON how many attempts each worker of a pool says that it is at."""
    listed = [one for one in smolit("agent", "workers", "--json").json if one["pool"].endswith(f"/{pool}")]
    return Said(0, json.dumps({one["worker"]: one["busy"] for one in listed}), "")


def house(settings: Settings) -> Key:
    """Return the key that commands are signed with."""
    return keyring(settings).key("default", HOUSE)


def reasons(letters: Said, language: str) -> set[str]:
    """Return why something of one language's workers was set aside."""
    return {one["reason"] for one in letters.json if f"examples/{language}" in one["detail"]}


def key_id(smolit: Smolit, language: str, worker: str) -> str:
    """Return the id of a worker's key."""
    (found,) = (one["key_id"] for one in smolit("agent", "keys", "--json").json if one["who"] == f"examples/{language}#{worker}")
    return str(found)


def in_use(keys: Said, language: str) -> dict[str, bool]:
    """Return by worker whether its key was used and not revoked."""
    of_language = [one for one in keys.json if one["source"] == f"examples/{language}"]
    return {one["worker"]: one["used_at"] is not None and one["revoked_at"] is None for one in of_language}


async def whole(kafka: str, topic: str) -> list[Any]:
    """Return every record of a topic, up to the ends seen now."""
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        ends, found = await consumer.end_offsets(consumer.assignment()), list[Any]()
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            found += [one for records in (await consumer.getmany(timeout_ms=500)).values() for one in records]
        return found


async def mislead(settings: Settings, language: str) -> None:
    """Tell the heir what the house did not tell it, or not on this topic, or not now, or told it before."""
    topic, key = Names(settings.topic_prefix).work_of("default", language), house(settings)
    given = [one for one in await whole(settings.kafka, topic) if json.loads(one.value)["worker"] == "heir"]
    true = max((one for one in given if dict(one.headers)["ce_type"] == b"smolit.attempt.do.v1"), key=lambda one: one.timestamp)
    bare = Outgoing(topic, b"heir", tuple(pair for pair in true.headers if pair[0] not in ADDED), true.value)
    old = tuple((name, b"2026-01-01T00:00:00Z" if name == "ce_time" else text) for name, text in bare.headers)
    ours = signed(bare, key)
    made = [
        bare,
        signed(bare, Key(HOUSE, b"t" * 32)),
        replace(ours, value=(ours.value or b"").replace(b'"text":"factor', b'"text":"FACTOR')),
        signed(replace(bare, topic=f"{topic}-other"), key),
        signed(replace(bare, headers=old), key),
        ours,
    ]
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        for one in made:
            await producer.send_and_wait(topic, one.value, key=one.key, headers=list(one.headers))


@pytest.mark.parametrize(
    ("language", "program", "numbers"),
    [
        ("node", node, ["9007195909437503", "9007199254740881", "91", "1001", "35", "143"]),
        ("go", go, ["9999997800000121", "9999997800000121", "91", "1001", "35", "143"]),
        ("python", python, ["99999640000243", "99999999999973", "91", "1001", "35", "143"]),
    ],
)
def test_an_agent_elsewhere_is_killed_and_another_does_its_work(
    smolit: Smolit, settings: Settings, tmp_path: Path, language: str, program: Callable[[], list[str]], numbers: list[str]
) -> None:
    """kill -9 in the middle of the work: a second worker gets what the first had, and every task is completed, once.

    Each signs with its own key; a third one without, or with the stolen key of another, gets nothing and is recorded. Commands
    that the house did not give, or not to this pool, or not now, are reported and not done.
    """
    command, keys = program(), {name: tmp_path / name for name in ("victim", "heir")}
    for name, key in keys.items():
        assert smolit("agent", "key", f"examples/{language}#{name}", "--make", str(key), "--pool", language).code == 0
    registered(
        smolit, tmp_path, f"factor-{language}",
        f"description: Factors whole numbers.\nskills: [factor-{language}]\npipeline: remote\npool: {language}\n"
        f"settings: {{sources: [examples/{language}], effects: nothing}}\noutputs: {{type: object, required: [factors]}}\n",
    )  # fmt: skip
    batch = tmp_path / "batch.jsonl"
    batch.write_text("\n".join(json.dumps({"text": f"factor {n}", "kind": f"factor-{language}"}) for n in numbers))
    with ExitStack() as stack:
        victim = stack.enter_context(elsewhere(command, language, "victim", settings, keys["victim"]))
        for name, with_what in (("nobody", None), ("thief", keys["victim"])):
            stack.enter_context(elsewhere(command, language, name, settings, with_what))
        sent = smolit("task", "submit", "--batch", str(batch))
        until(lambda: Said(at_work(settings, "victim"), "", ""), lambda said: said.code == 2)
        os.kill(victim.pid, signal.SIGKILL)
        stack.enter_context(elsewhere(command, language, "heir", settings, keys["heir"]))
        tasks = [json.loads(line)["task_id"] if line.startswith("{") else line for line in sent.out.split("\n") if line]
        shown = [
            until(
                partial(smolit, "task", "show", task, "--json"),
                lambda said: said.code == 0 and bool(said.json["task"]["ended_at"]),
            ).json
            for task in tasks
        ]
        now = smolit("task", "submit", "factor 6", "--kind", f"factor-{language}", "--wait")  # its command is of this minute
        assert now.code == 0
        asyncio.run(mislead(settings, language))
        wanted = {f"command_{reason}" for reason in ("unsigned", "unknown_key", "forged", "foreign_pool", "late", "replayed")}
        letters = partial(smolit, "dlq", "list", "--limit", "1000", "--json")
        refused = until(letters, lambda said: {"unsigned", "unknown_key", *wanted} <= reasons(said, language))

    taken_over = "select count(*) from ops.work_attempt where epoch > 1 and state = 'completed' and worker = %s"
    with psycopg.connect(settings.postgres.get_secret_value()) as connection:
        row = connection.execute(taken_over, (f"default:examples/{language}#heir",)).fetchone()
    assert row
    assert row[0] >= 1
    assert [(task["task"]["outcome"], len(task["attempts"])) for task in shown] == [("completed", 1)] * len(numbers)
    until(lambda: busy(smolit, language), lambda said: said.json == {"victim": 0, "heir": 0})
    assert reasons(refused, language) <= {"unsigned", "unknown_key", *wanted}
    assert smolit("agent", "revoke-key", f"examples/{language}#victim", key_id(smolit, language, "victim")).code == 0
    until(
        partial(smolit, "agent", "keys", "--json"),
        lambda said: in_use(said, language) == {"victim": False, "heir": True},
    )
    assert smolit("agent", "house-key").out.strip() == house(settings).public
    for number, task in zip(numbers, shown, strict=True):
        factors = [int(one) for one in task["attempts"][0]["output"]["factors"]]
        product = 1
        for one in factors:
            product *= one
        assert product == int(number)
