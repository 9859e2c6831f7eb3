"""A search on a real log: two arms, two workers, killed and taken up again, judged on what no trial saw, its best registered."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from msgspec.structs import replace

from bus.producer import Publisher
from events.topics import Names
from events.wire import encode
from learning.book import Page, PolicyKey
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from smolit.folder import claim
from smolit.process.prepare import prepare
from smolit.process.roster import environment
from smolit.settings import Settings, load_settings
from smolit.stack import local
from tests.builders import stamped
from tests.choosing import offers, simulated
from tests.said import PATIENCE_S, Smolit, redirected, until
from tests.stacks import namespace_on

NEEDED = ("intake", "relay")  # who turns requests into facts; nobody else is there to add to the log
TASKS = 300
SPACE = "gain: {low: 1, high: 400, log: true}\ntrust: {low: 1, high: 100, log: true}\n"


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A log of 300 choices between two agents, by a policy that gave both the same chance, and who answers requests."""
    folder = tmp_path_factory.mktemp("search")
    with namespace_on(stack, folder / "data") as mine, pytest.MonkeyPatch.context() as patch:
        given: dict[str, Any] = {"topic_prefix": mine.topic_prefix, "kafka": mine.kafka, "postgres": mine.postgres}
        made = load_settings(data_dir=folder / "data", encoder="hashed", workers=1, start_timeout_s=200.0, **given)
        for name, value in environment(made, {}).items():
            patch.setenv(name, value)
        claim(made.data_dir)
        asyncio.run(prepare(made, local.Endpoints(mine.kafka, mine.postgres, ours=False), lambda _said: None))
        asyncio.run(_published(mine.kafka, Names(mine.topic_prefix)))
        (folder / "space.yaml").write_text(SPACE)
        with ExitStack() as running:
            for name in NEEDED:
                running.enter_context(_process(name, folder / f"{name}.log"))
            yield made


async def _published(kafka: str, names: Names) -> None:
    """Write the log as the system would have: each choice names the offset of the last example that it knew."""
    used = ContextMap.load(HashedEncoder().name)
    log, _ = simulated(offers(Page(PolicyKey.of("uniform", {}).make(used.width)), used, TASKS), 1)
    choices = [replace(one, policy=replace(one.policy, upto=max(-1, one.policy.upto // 10))) for one in log.choices]
    facts = [*choices, *(fact for found in log.examples.values() for _, fact in found)]
    publisher = Publisher(kafka, "tests")
    await publisher.start()
    try:
        await publisher.publish([encode(names.of(fact.event_type.topic), stamped(fact)) for fact in facts])
    finally:
        await publisher.stop()


@contextmanager
def _process(name: str, log: Path) -> Iterator[None]:
    argv = [sys.executable, "-P", "-m", "smolit", "run", name, "--until-eof"]
    with (
        log.open("wb") as file,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=file, stdout=file, env=dict(os.environ)) as one,
    ):
        try:
            yield
        finally:
            one.terminate()


@pytest.fixture(scope="module")
def smolit(settings: Settings) -> Smolit:
    """The command line, as a function."""
    return redirected()


def words(settings: Settings, search_id: str, *more: str, trials: int = 8) -> list[str]:
    """Return a search as one types it."""
    space = str(settings.data_dir.parent / "space.yaml")
    plain = [
        "policy",
        "search",
        "--policy",
        "ridge_igw",
        "--space",
        space,
        "--trials",
        str(trials),
        "--workers",
        "2",
        "--seed",
        "3",
    ]
    return [*plain, "--id", search_id, "--json", *more]


@pytest.fixture(scope="module")
def whole(smolit: Smolit, settings: Settings) -> Any:
    """A search that nobody disturbed."""
    said = smolit(*words(settings, "whole", "--register"))
    assert said.code == 0, said
    return said.json


def tried(found: Any) -> list[Any]:
    """Return trials without what they took."""
    return [{**one, "scored": {**one["scored"], "seconds": None}} for one in found["trials"]]


def test_a_search_has_two_arms_of_equal_budget_and_a_judgement(whole: Any, smolit: Smolit, settings: Settings) -> None:
    """Trials are facts with scores; the end says what best, default and random earn on choices that no trial saw."""
    trials, ended = whole["trials"], whole["ended"]
    listed = smolit("policy", "searches", "--json").json
    told = smolit("policy", "searches", "--id", "whole")
    with psycopg.connect(settings.postgres.get_secret_value()) as connection:
        states = dict(connection.execute("select state, count(*) from optuna.trials group by 1").fetchall())

    assert [one["arm"] for one in trials] == ["guided"] * 8 + ["random"] * 8
    assert {one["scored"]["state"] for one in trials} <= {"completed", "pruned"}
    assert max(one["scored"]["score"] or 0 for one in trials[:8]) == whole["best"]["scored"]["score"]
    assert trials[0]["parameters"] == {"gain": 20.0, "trust": 10.0}
    assert ended["why"] == "budget_spent"
    assert {"default", "best", "random", "over_default", "over_random", "choices"} <= ended["figures"].keys()
    assert "choices that no trial saw" in ended["verdict"]
    assert whole["search"] in [one["search"] for one in listed]
    assert ended["verdict"][:40] in " ".join(told.out.split())
    assert sum(states.values()) >= 16


def test_the_best_setting_is_a_version_that_scores_the_same_again(whole: Any, smolit: Smolit, settings: Settings) -> None:
    """It names search and trial, was validated with its score, and may be promoted; a score that is not so is rejected."""
    (listed,) = [one for one in smolit("model", "list", "--json").json if one["model"] == whole["model"]]
    again = smolit("model", "validate", whole["model"])
    promoted = smolit("model", "promote", whole["model"])

    best = whole["best"]
    assert listed["origin"]["trial"] == {
        "search_id": "whole",
        "arm": "guided",
        "number": best["number"],
        "score": best["scored"]["score"],
    }
    assert best["parameters"].items() <= listed["origin"]["parameters"].items()
    assert listed["verdict"] == "validated"
    assert f"its trial scores {best['scored']['score']:.6f} again" in again.err
    assert promoted.code == 0


def test_killed_it_goes_on_and_comes_to_the_same(whole: Any, smolit: Smolit, settings: Settings) -> None:
    """SIGKILL twice in the midst of trials, workers die with it; taken up again, its trials are those of the whole search."""
    command = [sys.executable, "-m", "smolit"]
    for kill in range(2):
        argv = [*command, *words(settings, "torn")] if kill == 0 else [*command, "policy", "search", "--resume", "torn", "--json"]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as one:
            assert one.stderr is not None
            seen = 0
            for line in one.stderr:
                seen += "trial" in line and " of 8: " in line
                if seen == 3:
                    break
            time.sleep(0.2 * kill)
            workers = psutil.Process(one.pid).children(recursive=True)
            one.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=PATIENCE_S)
        assert not alive
    half = smolit("policy", "searches", "--id", "torn", "--json").json
    early = smolit("policy", "search", "--resume", "torn", "--dry-run")
    said = smolit("policy", "search", "--resume", "torn", "--json")

    assert said.code == 0, said
    assert half["ended"] is None
    assert 6 <= len(half["trials"]) < 16
    assert (early.code, "would go on" in early.err) == (0, True)
    assert tried(said.json) == tried(whole)
    assert said.json["ended"]["figures"] == whole["ended"]["figures"]
    assert smolit("policy", "search", "--resume", "torn").code == 2


def test_optunas_tables_may_be_lost(whole: Any, smolit: Smolit, settings: Settings) -> None:
    """What was tried is in our facts: stopped, its tables gone, it goes on to the same trials."""
    argv = [sys.executable, "-m", "smolit", *words(settings, "bare")]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as one:
        assert one.stderr is not None
        next(line for line in one.stderr if "guided trial 4 of" in line)
        one.send_signal(signal.SIGSTOP)  # it does not end while the other asks
        twice = smolit("policy", "search", "--resume", "bare")
        one.send_signal(signal.SIGKILL)
    with psycopg.connect(settings.postgres.get_secret_value(), autocommit=True) as connection:
        connection.execute("drop schema optuna cascade")
    said = until(partial(smolit, "policy", "search", "--resume", "bare", "--json"), lambda said: "somebody else" not in said.err)

    assert (twice.code, "by somebody else" in twice.err) == (2, True)
    assert said.code == 0, said
    assert tried(said.json) == tried(whole)


def test_a_trial_whose_process_is_killed_has_failed_and_the_search_goes_on(smolit: Smolit, settings: Settings) -> None:
    """The worker is replaced; the fact says what happened."""
    argv = [sys.executable, "-m", "smolit", *words(settings, "hurt", trials=6)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
        os.kill(_worker(one.pid), signal.SIGKILL)
        told, _ = one.communicate(timeout=400)
    found = json.loads(told)
    failed = [each for each in found["trials"] if each["scored"]["state"] == "failed"]

    assert one.returncode == 0
    assert len(failed) == 1
    assert failed[0]["scored"]["reason"].startswith(("its process ended: killed by signal 9", "its process could not be reached"))
    assert len(found["trials"]) == 12
    assert found["ended"]["best"] is not None


def _worker(parent: int) -> int:
    """Return a worker of a search as soon as there is one: it was given its first trial, and is not ready yet."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        for one in psutil.Process(parent).children(recursive=True):
            with suppress(psutil.Error):  # it may have ended meanwhile
                if "spawn_main" in " ".join(one.cmdline()):
                    return one.pid
        time.sleep(0.01)
    raise AssertionError("no worker came")


def test_the_budget_in_seconds_ends_it_and_what_cannot_be_meant_is_refused(smolit: Smolit, settings: Settings) -> None:
    """Each in one sentence."""
    short = smolit(*words(settings, "short", "--seconds", "0.5", trials=500))
    over = [
        smolit("policy", "search"),
        smolit("policy", "search", "--policy", "uniform"),
        smolit("policy", "search", "--policy", "nonsense"),
        smolit("policy", "search", "--policy", "ridge_igw", "--scope", "nowhere"),
        smolit("policy", "search", "--resume", "unheard"),
        smolit(*words(settings, "short")),
    ]
    dry = smolit(*words(settings, "dry", "--dry-run"))

    assert short.code == 0, short
    assert 2 <= len(short.json["trials"]) < 100
    assert [one.code for one in over] == [2, 2, 2, 1, 1, 1]
    assert all(one.err.strip().splitlines()[-1].startswith("Error") for one in over)
    assert dry.json["window"]["scored"] == 120
    assert "dry" not in [one["search"] for one in smolit("policy", "searches", "--json").json]
