"""Networks on a real stack: trained on the log, promoted, serving, swapped under load, made again to the byte, and told when."""

import asyncio
import functools
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from events.request import GiveFeedback, SubmitTask
from smolit.cli import app
from smolit.cli.desk import open_desk
from smolit.client import Ask
from smolit.folder import networks_in
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Said, Smolit, redirected, until

torch = pytest.importorskip("torch", reason="torch is not installed: make install-train", exc_type=ImportError)

AGENTS, SCOPE, TASKS = ("adder", "sums"), "learned", 480
WORDS = ("--scope", SCOPE, "--kind", "linear", "--epochs", "40", "--rate", "0.1", "--batch", "64", "--hold-out", "0.35", "--json")


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, and two agents that do the same sums."""
    folder = tmp_path_factory.mktemp("retrain")
    with all_running(stack, folder) as running:
        for agent in AGENTS:
            spec = folder / f"{agent}.yaml"
            spec.write_text(f"id: {agent}\ndescription: Does sums.\nskills: [sum]\npipeline: arithmetic\n")
            assert app.run(["agent", "register", str(spec)]) == 0
        yield running


@pytest.fixture(scope="module")
def smolit(settings: Settings) -> Smolit:
    """The command line, as a function."""
    return redirected()


def ask(*requests: Any) -> list[str]:
    """Send requests, and return the ids of the tasks that they submit."""

    async def go() -> list[str]:
        async with open_desk().client("default") as client:
            sent = await client.send([Ask(request) for request in requests])
            return [one.task_id or "" for one in sent]

    return asyncio.run(go())


def rows(question: str, *given: Any) -> list[Any]:
    """Return what Postgres says."""

    async def go() -> list[Any]:
        async with open_desk().reading() as connection:
            return await (await connection.execute(question, given)).fetchall()  # type: ignore[arg-type]

    return asyncio.run(go())


def wait_for(count: int, question: str, *given: Any) -> list[Any]:
    """Return rows once there are so many."""
    until(lambda: Said(0, str(len(rows(question, *given))), ""), lambda said: int(said.out) >= count)
    return rows(question, *given)


def learned(smolit: Smolit, scope: str, tasks: int) -> None:
    """Have sums done by either agent with the same chance, and say that the adder's are right and the others wrong.

    Two thirds come first: when the others are chosen for, what they were worth is known.
    """
    assert smolit("policy", "set", "uniform", "--scope", scope).code == 0
    for agent in AGENTS:  # on a busy machine the second one is served later than the first
        one = ("task", "submit", "1 + 1", "--kind", "sum", "--agent", agent, "--scope", "known", "--wait")
        until(functools.partial(smolit, *one), lambda said: said.code == 0)
    for first, last in ((0, 2 * tasks // 3), (2 * tasks // 3, tasks)):
        ask(*(SubmitTask(text=f"{number} + 1", kind="sum", scope=scope) for number in range(first, last)))
        done = wait_for(last, "select task_id, agent from tasks where scope = %s and state = 'completed'", scope)
        said = [str(task) for (task,) in rows("select task_id from examples where scope = %s", scope)]
        new = [(str(task), agent) for task, agent in done if str(task) not in said]
        ask(*(GiveFeedback(task_id=task, rater="tests", value=float(agent == "adder")) for task, agent in new))
        wait_for(last, "select task_id from examples where scope = %s", scope)


class Story(NamedTuple):
    """Two versions with a network each, the first of them the champion."""

    first: Any
    second: Any


@pytest.fixture(scope="module")
def story(smolit: Smolit) -> Story:
    """A scope is learned, two networks are trained, and the first is put in force."""
    learned(smolit, SCOPE, TASKS)
    several = ("--processes", "2", "--accumulate", "2")
    made = [smolit("policy", "retrain", *WORDS, "--seed", str(seed), *(several if seed else ())) for seed in (0, 1)]
    assert [said.code for said in made] == [0, 0], made
    for number in ("1", "2"):
        said = smolit("model", "validate", number, "--scope", SCOPE)
        assert said.code == 0, said
    said = smolit("model", "promote", "1", "--scope", SCOPE)
    assert said.code == 0, said
    return Story(*(said.json for said in made))


def test_a_network_serves_and_its_choices_are_made_again(smolit: Smolit, story: Story) -> None:
    """It is judged by later choices beside all others, it serves from the next choice on, and each choice is true to the bit."""
    origin, judged = story.first["origin"], story.first["judged"]
    rivals = {one["name"]: one for one in judged["rivals"]}
    said = smolit("task", "submit", "3 + 4", "--kind", "sum", "--scope", SCOPE, "--wait", "--json")
    task = said.json["task_id"]
    (choice,) = until(lambda: smolit("policy", "explain", task, "--json"), lambda said: said.code == 0).json

    assert set(rivals) == {"in force now", "default", "random", "majority", "best single", "cosine"}
    assert rivals["random"]["network_more"]["low"] > 0.3, "the adder is always right, and a coin half of the time"
    assert judged["earned"]["value"] > 0.9
    assert origin["metrics"]["success_calibration_error"] <= 0.05
    assert origin["metrics"]["success_brier"] <= origin["metrics"]["success_brier_of_means"] + 0.01
    assert (choice["policy"], choice["policy_model"]) == ("neural", story.first["model"])
    assert choice["agent"] == "adder"
    assert choice["time"]["foretold"] > 0.0
    assert choice["time"]["low"] < choice["time"]["high"]
    assert "Its network foretold that adder takes" in smolit("policy", "explain", task).out
    assert origin["metrics"]["time_span_covered"] > 0.5
    verified = smolit("policy", "verify", "--json", "-")
    assert verified.code == 0, verified
    assert verified.json["equal"] is True
    assert sum(one["count"] for one in origin["trained"]["reliability"]) == judged["foretold"]["cases"] > 100
    plotted = smolit("plot", "reliability", "1", "--scope", SCOPE)
    assert "told 0" in plotted.out
    assert "true chances would show about" in plotted.err
    assert 0.0 <= origin["metrics"]["graph_off_by"] <= 1e-4


def test_the_same_range_gives_the_same_artefact(smolit: Smolit, story: Story) -> None:
    """Bit for bit: the same rows, network and version, which is registered once."""
    trained = story.first["origin"]["trained"]
    again = smolit("policy", "retrain", *WORDS, "--from", str(trained["start"]), "--to", str(trained["end"] + 1))

    assert again.code == 0, again
    assert again.json["origin"]["parameters"]["model"] == story.first["origin"]["parameters"]["model"]
    assert again.json["origin"]["artefact_sha256"] == story.first["origin"]["artefact_sha256"]
    assert again.json["model"] == story.first["model"]


def test_twenty_swaps_under_load_lose_no_choice(smolit: Smolit, story: Story) -> None:
    """Two networks take turns in force while tasks flow: every task is done, each by the version in force, none set aside."""
    ended, submitted = threading.Event(), []

    def load() -> None:
        while not ended.wait(0.4):  # at most 12 a second: what a slow machine does not do at once is done after the swaps
            numbers = range(len(submitted), len(submitted) + 5)
            submitted.extend(ask(*(SubmitTask(text=f"{number} + 2", kind="sum", scope=SCOPE) for number in numbers)))

    def swapped(swap: int) -> Said:
        wanted = len(submitted) + 10  # each network is in force while some come
        until(lambda: Said(0, str(len(submitted)), ""), lambda said: int(said.out) >= wanted)
        return smolit("model", "promote", str(2 - swap % 2), "--scope", SCOPE, "--unproven", "--reason", f"swap {swap}")

    before = rows("select count(*) from dead_letters")[0][0]
    flow = threading.Thread(target=load)
    flow.start()
    try:
        said = [swapped(swap) for swap in range(20)]
    finally:
        ended.set()
        flow.join()
    done = wait_for(len(submitted), "select task_id from tasks where task_id = any(%s) and state = 'completed'", list(submitted))
    models = rows("select policy_model, count(*) from decisions where task_id = any(%s) group by 1", list(submitted))

    assert [one.code for one in said] == [0] * 20, said
    assert len(done) == len(submitted) > 100
    assert {str(model) for model, _ in models} == {story.first["model"], story.second["model"]}
    assert rows("select count(*) from dead_letters")[0][0] == before
    assert smolit("policy", "verify").code == 0


def test_a_network_that_is_gone_keeps_its_version_out_of_force(smolit: Smolit, story: Story, settings: Settings) -> None:
    """The promotion is refused, by the command and by intake; who served goes on; restored to the byte, it may serve."""
    made = smolit("policy", "retrain", *WORDS, "--seed", "3").json
    number, digest = str(made["number"]), made["origin"]["parameters"]["model"]
    assert smolit("model", "validate", number, "--scope", SCOPE).code == 0
    there = networks_in(settings.data_dir) / digest
    bytes_before = (there / "network.onnx").read_bytes()
    (there / "network.onnx").write_bytes(bytes_before[:-1] + b"\0")
    damaged = smolit("model", "promote", number, "--scope", SCOPE, "--unproven")
    shutil.rmtree(there)
    gone = smolit("policy", "set", "neural", "--scope", SCOPE, "--parameters", json.dumps(made["origin"]["parameters"]))
    done = smolit("task", "submit", "8 + 4", "--kind", "sum", "--scope", SCOPE, "--wait")
    restored = smolit("model", "restore", number, "--scope", SCOPE)

    assert (damaged.code, f"network {digest[:12]}" in damaged.err) == (1, True), damaged
    assert (gone.code, "there is no network" in gone.err) == (1, True), gone
    assert done.code == 0, done
    assert restored.code == 0, restored
    assert (there / "network.onnx").read_bytes() == bytes_before


def test_networks_that_nobody_needs_are_pruned(smolit: Smolit, story: Story, settings: Settings, tmp_path: Path) -> None:
    """Those of versions that serve, or may come back, stay."""
    aside = networks_in(settings.data_dir) / ("ee" * 32)
    aside.mkdir()
    kept = [story.first["origin"]["parameters"]["model"], story.second["origin"]["parameters"]["model"]]

    assert smolit("model", "prune", "--keep", "10", "--scope", SCOPE).code == 0
    there = os.listdir(networks_in(settings.data_dir))

    assert aside.name not in there
    assert set(kept) <= set(there)


def test_what_cannot_be_trained_is_refused_in_one_sentence(smolit: Smolit, story: Story) -> None:
    """Too few rows, with the number it takes; settings that the training gives; and nothing is left registered."""
    few = smolit("policy", "retrain", "--scope", "nowhere")
    taken = smolit("policy", "retrain", "--scope", SCOPE, "--parameters", '{"trained": 4}')
    wrong = smolit("policy", "retrain", "--scope", SCOPE, "--parameters", '{"gain": -1}')

    assert (few.code, "0 judged attempts lie in the range; it takes 200" in few.err) == (1, True), few
    assert (taken.code, "trained is what the training says" in taken.err) == (2, True)
    assert (wrong.code, "gain must be a positive number" in wrong.err) == (2, True)
    assert smolit("model", "list", "--scope", "nowhere", "--json").json == []


def test_it_is_told_when_to_train_again(smolit: Smolit, story: Story) -> None:
    """By date, number or falling reward; `&&` can stand behind it."""
    since = TASKS - story.first["origin"]["trained"]["rows"]
    late, early = (smolit("policy", "due", "--scope", SCOPE, "--tasks", str(n), "--json") for n in (since - 5, 10_000))

    assert (late.code, late.json["reasons"]) == (0, ["tasks"]), late
    assert (early.code, early.json["due"]) == (1, False)
    assert smolit("policy", "due", "--scope", SCOPE).code == 2


def test_a_dry_run_registers_nothing(smolit: Smolit, story: Story) -> None:
    """It trains and judges, and that is all; taken up again it ends where it did, without an epoch more."""
    before = len(smolit("model", "list", "--scope", SCOPE, "--json").json)
    said, again = (smolit("policy", "retrain", *WORDS, "--seed", "7", "--dry-run", *more) for more in ((), ("--resume",)))

    assert (said.code, again.code) == (0, 0), (said, again)
    assert said.json["model"] is None
    assert "epoch 1:" in said.err
    assert "epoch 1:" not in again.err
    assert again.json["origin"]["parameters"] == said.json["origin"]["parameters"]
    assert len(smolit("model", "list", "--scope", SCOPE, "--json").json) == before
