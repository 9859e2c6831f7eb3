"""Every command on a real stack with all processes running: what it prints, how it ends, what it changes."""

import asyncio
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bus.producer import Publisher
from events.request import GiveFeedback
from events.topics import REQUESTS, TASKS, Names
from events.wire import Outgoing
from smolit.cli.desk import now
from smolit.client import Ask, Client, Origin, ends, places_of
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Said, Smolit, caught_up, command_line, until


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, started once for this module in a namespace of their own; they die with this process."""
    with all_running(stack, tmp_path_factory.mktemp("cli")) as running:
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


def ended(smolit: Smolit, text: str, *more: str) -> str:
    """Submit a task of arithmetic, wait for its end, and return its id."""
    answer = smolit("task", "submit", text, "--kind", "arithmetic", "--wait", "--json", *more).json
    until(
        lambda: smolit("task", "show", answer["task_id"], "--json"),
        lambda said: said.code == 0 and bool(said.json["task"]["ended_at"]),
    )
    return str(answer["task_id"])


def test_a_task_is_submitted_answered_and_told(smolit: Smolit) -> None:
    """The answer alone is printed; show, list, watch, trace and explain tell the same task."""
    said = smolit("task", "submit", "12 * (3 + 4)", "--kind", "arithmetic", "--wait")
    task = ended(smolit, "2 + 3")

    assert (said.code, said.out) == (0, "84\n")
    assert "arithmetic answered" in said.err
    assert "completed" in smolit("task", "show", task).out
    assert task in smolit("task", "list", "--state", "completed").out
    assert "attempt 1: arithmetic chosen" in smolit("task", "watch", task).out
    assert "arithmetic was chosen out of 1, with probability 1" in smolit("policy", "explain", task).out
    caught_up(smolit)  # what follows from a task stands in more than one topic
    tree = smolit("events", "trace", task)
    assert tree.out.startswith("request ")
    assert tree.out == smolit("events", "trace", task, "--from-log").out


def test_a_long_output_is_printed_whole(smolit: Smolit, tmp_path: Path) -> None:
    """What is too long for a fact comes from the blob store, at once and later; a task without an output says so."""
    spec = tmp_path / "cleaner.yaml"
    spec.write_text("id: cleaner\ndescription: Cleans texts.\nskills: [cleaning]\npipeline: clean\n")
    assert smolit("agent", "register", str(spec)).code == 0
    text = "a word and another one. " * 4_000

    answer = smolit("task", "submit", text, "--kind", "cleaning", "--wait", "--json").json
    later = until(lambda: smolit("task", "output", answer["task_id"]), lambda said: said.code == 0)
    failed = smolit("task", "submit", "no", "--kind", "astronaut", "--wait", "--json").json["task_id"]
    nothing = until(lambda: smolit("task", "output", failed), lambda said: "is known (yet)" not in said.err)

    assert (answer["output"], answer["output_sha256"] is None) == (None, False)
    assert later.out == f"{text.strip()}\n"
    assert (nothing.code, "has brought nothing: it is failed" in nothing.err) == (1, True)


def test_a_task_that_nobody_can_do_ends_with_one_and_says_why(smolit: Smolit) -> None:
    """The scores of those who do not fit are in the answer; the exit code is 1."""
    said = smolit("task", "submit", "fly to the moon", "--kind", "astronaut", "--wait")

    assert (said.code, said.out) == (1, "")
    assert "no agent fits a task of kind 'astronaut'" in said.err


def test_a_text_without_a_kind_goes_to_who_does_such_tasks(smolit: Smolit) -> None:
    """What agents gave as examples decides; a poem is for the assistant alone, and the choices can be made again."""
    sum_asked = smolit("task", "submit", "What is 19 percent of 350?", "--wait")
    poem = smolit("task", "submit", "Write a short poem about rain.", "--json").json["task_id"]
    explained = until(lambda: smolit("policy", "explain", poem, "--json"), lambda said: said.code == 0 and bool(said.json)).json
    cancelled = smolit("task", "cancel", poem, "--reason", "only the choice was wanted")

    assert (sum_asked.code, sum_asked.out) == (0, "66.5\n")
    assert "arithmetic answered" in sum_asked.err
    (choice,) = explained
    assert [one["agent"] for one in choice["candidates"]] == ["assistant"]
    why = {one["agent"]: one for one in choice["left_out"]}
    assert {why[name]["reason"] for name in ("arithmetic", "sentiment", "summary")} == {"no_fit"}
    assert all(0.0 <= abs(why[name]["fit"]) < 0.5 for name in ("arithmetic", "sentiment", "summary"))
    assert "summary does not fit the text well enough (its description or an example is" in smolit("policy", "explain", poem).out
    assert cancelled.code == 0
    assert smolit("policy", "verify").code == 0


def test_a_file_of_tasks_is_answered_line_by_line(smolit: Smolit, tmp_path: Path) -> None:
    """Each line has its answer as one line of JSON; one that fails makes the command fail."""
    path = tmp_path / "batch.jsonl"
    lines = [{"text": f"{number} + 1", "kind": "arithmetic"} for number in range(5)]
    path.write_text("\n".join(json.dumps(line) for line in lines))

    said = smolit("task", "submit", "--batch", str(path), "--wait")
    with path.open("a") as file:
        file.write('\n{"text": "no", "kind": "astronaut"}')
    failed = smolit("task", "submit", "--batch", str(path), "--wait")

    assert said.code == 0
    assert sorted(json.loads(line)["output"]["value"] for line in said.out.splitlines()) == ["1", "2", "3", "4", "5"]
    assert (failed.code, len(failed.out.splitlines())) == (1, 6)


def test_a_request_sent_twice_counts_once(smolit: Smolit) -> None:
    """One request id names one task; another payload under it is refused with its reason."""
    first = smolit("task", "submit", "1 + 1", "--kind", "arithmetic", "--request-id", "twice")
    again = smolit("task", "submit", "1 + 1", "--kind", "arithmetic", "--request-id", "twice")
    # The answer to the first bears the same id: it must not come while the refusal is waited for.
    shown = partial(smolit, "task", "show", first.out.strip(), "--json")
    until(shown, lambda said: said.code == 0 and bool(said.json["task"]["ended_at"]))
    other = smolit("task", "submit", "1 + 2", "--kind", "arithmetic", "--request-id", "twice", "--wait")

    assert first.out == again.out
    assert other.code == 1
    assert "request_id_reused" in other.err


def test_feedback_is_recorded_revised_and_learned_from(smolit: Smolit) -> None:
    """The last word of a rater counts, and becomes the reward of the attempt."""
    task = ended(smolit, "3 * 3")

    given = smolit("feedback", "give", task, "--value", "0.75", "--rater", "ann", "--comment", "nearly")
    until(lambda: smolit("task", "show", task, "--json"), lambda said: bool(said.json["feedback"]))
    revised = smolit("feedback", "revise", task, "--bad", "--rater", "ann")
    until(
        lambda: smolit("task", "show", task, "--json"),
        lambda said: [one["reward_micro"] for one in said.json["examples"]] == [0],
    )
    caught_up(smolit)  # examples come on another topic than what they were made of

    shown = smolit("task", "show", task, "--json").json["feedback"]
    assert (given.code, revised.code) == (0, 0)
    assert [(one["revision"], one["value"], one["effective"]) for one in shown] == [(0, 0.75, False), (1, 0.0, True)]


def test_feedback_that_cannot_be_meant_ends_with_two(smolit: Smolit) -> None:
    """A value out of range, nothing said at all, and a task id that is none are mistakes in what was typed."""
    task = "00000000-0000-0000-0000-000000000000"

    assert smolit("feedback", "give", task, "--value", "1.5").code == 2
    assert smolit("feedback", "give", task).code == 2
    assert smolit("feedback", "give", "nonsense", "--good").code == 2
    assert smolit("feedback", "revise", task, "--good", "--rater", "nobody").code == 1


def test_a_policy_is_put_in_force_and_given_back(smolit: Smolit) -> None:
    """The command returns once the fact is in the log; an unknown policy is refused with the known ones."""
    before = smolit("policy", "show", "--scope", "games")
    put = smolit("policy", "set", "uniform", "--scope", "games", "--reason", "emergency")
    shown = smolit("policy", "show", "--scope", "games", "--json").json["in_force"]
    back = smolit("policy", "set", "--give-back", "--scope", "games")
    after = smolit("policy", "show", "--scope", "games", "--json").json["in_force"]
    wrong = smolit("policy", "set", "clairvoyant", "--scope", "games")

    assert all(told in before.out for told in ("joint_thompson", '"level":0.17', "Nobody set a policy here before"))
    assert (put.code, shown["decided by"], shown["policy"]) == (0, "a person", "uniform")
    assert (back.code, after["decided by"]) == (0, "default")
    assert wrong.code == 1
    assert "joint_thompson, ridge_igw, three_signals, neural, uniform, fixed" in wrong.err


def test_an_experiment_starts_assigns_and_stops(smolit: Smolit) -> None:
    """Tasks of its scope meet a variant; the results count them; a second start and a second stop are refused."""
    arms = ("--variant", "a=uniform", "--variant", "b=ridge_igw:2")
    start = smolit("experiment", "start", "duel", *arms, "--scope", "duel")
    again = smolit("experiment", "start", "duel", *arms, "--scope", "duel")
    ended(smolit, "4 + 4", "--scope", "duel")
    shown = until(
        lambda: smolit("experiment", "show", "duel", "--json"),
        lambda said: said.code == 0 and sum(one["exposures"] for one in said.json["results"]) == 1,
    )
    stop = smolit("experiment", "stop", "duel", "--reason", "seen enough")
    stopped = smolit("experiment", "stop", "duel")

    assert (start.code, again.code, stop.code, stopped.code) == (0, 1, 0, 1)
    assert shown.json["experiment"]["state"] == "running"
    assert "experiment_exists" in again.err
    assert "duel" in smolit("experiment", "list").out


def test_an_agent_is_registered_paused_resumed_and_retired(smolit: Smolit, tmp_path: Path) -> None:
    """Each change is in force when its command returns; a spec with a fault is not sent at all."""
    spec = tmp_path / "reckoner.yaml"
    spec.write_text("id: reckoner\ndescription: Adds up.\nskills: [sums]\npipeline: arithmetic\n")

    def state() -> str:
        shown = until(lambda: smolit("agent", "show", "reckoner", "--json"), lambda said: said.code == 0)
        return str(shown.json["agent"]["state"])

    changes = [smolit("agent", "register", str(spec)), smolit("agent", "pause", "reckoner", "--reason", "tired")]
    until(lambda: Said(0, state(), ""), lambda said: said.out == "paused")
    changes.append(smolit("agent", "resume", "reckoner"))
    until(lambda: Said(0, state(), ""), lambda said: said.out == "active")
    changes.append(smolit("agent", "retire", "reckoner"))
    until(lambda: Said(0, state(), ""), lambda said: said.out == "retired")
    spec.write_text("id: reckoner\nskils: [sums]\n")

    assert [said.code for said in changes] == [0, 0, 0, 0]
    assert "reckoner" in smolit("agent", "list").out
    assert smolit("agent", "pause", "reckoner").code == 1
    assert smolit("agent", "lint", str(spec)).code == 1
    assert "reckoner.yaml:2" in smolit("agent", "register", str(spec)).err


def test_a_dry_run_publishes_nothing(smolit: Smolit, settings: Settings) -> None:
    """Every change shows what it would ask for, and the request topic stays as it was."""
    task, spec = "00000000-0000-0000-0000-000000000000", str(Path("agents/specs/arithmetic.yaml").resolve())
    topic = Names(settings.topic_prefix).requests_of("default")
    places = [(topic, number) for number in range(REQUESTS.partitions)]
    before = asyncio.run(ends(settings.kafka, places))

    codes = [
        smolit(*words, "--dry-run").code
        for words in (
            ("task", "cancel", task),
            ("task", "forget", task),
            ("feedback", "give", task, "--good"),
            ("feedback", "revise", task, "--good", "--revision", "3"),
            ("agent", "register", spec),
            ("agent", "pause", "arithmetic"),
            ("agent", "resume", "arithmetic"),
            ("agent", "retire", "arithmetic"),
            ("policy", "set", "uniform"),
            ("experiment", "start", "x", "--variant", "a=uniform", "--variant", "b=fixed"),
            ("experiment", "stop", "x"),
            ("projection", "rebuild", "--all"),
            ("projection", "rebuild", "--discard"),
            ("down",),
        )
    ]

    assert set(codes) == {0}
    assert asyncio.run(ends(settings.kafka, places)) == before


def test_every_read_gives_json(smolit: Smolit) -> None:
    """With --json, standard output is JSON and nothing else."""
    task = ended(smolit, "5 + 5")
    reads = [
        ("status",), ("task", "show", task), ("task", "list"), ("task", "similar", task), ("agent", "list"),
        ("agent", "show", "arithmetic"), ("policy", "show"), ("policy", "explain", task), ("experiment", "list"),
        ("events", "trace", task), ("events", "catalog"), ("projection", "list"), ("projection", "lag"), ("dlq", "list"),
        ("agent", "rewards"),
    ]  # fmt: skip

    for words in reads:
        said = smolit(*words, "--json")
        assert said.code == 0, words
        assert said.json is not None, words


def test_what_is_recorded_is_true(smolit: Smolit) -> None:
    """Every choice can be made again to the bit, and the read models are what a naive fold of Kafka says."""
    task = ended(smolit, "6 + 6")
    smolit("feedback", "give", task, "--good", "--rater", "bob")
    ended(smolit, "7 + 7")

    choices = smolit("policy", "verify", "--json", "-")
    models = smolit("projection", "verify", "--all", "--json", "-")

    assert (choices.code, choices.json["equal"], choices.json["mismatches"]) == (0, True, [])
    assert choices.json["choices"] >= 2
    assert (models.code, models.json["equal"]) == (0, True)


def test_another_policy_is_replayed_on_the_log(smolit: Smolit, settings: Settings, tmp_path: Path) -> None:
    """On what uniform chose, uniform differs nowhere and earned what was earned; another differs, and a few tasks are refused."""
    two_add_up(smolit, ("abel", "bela"), "replayed", tmp_path)
    answers = add_up(smolit, range(20), tmp_path)
    cut = asyncio.run(ends(settings.kafka, places_of(Names(settings.topic_prefix), (TASKS,))))
    answers += add_up(smolit, range(20, 60), tmp_path)
    judge(settings, {one["task_id"]: float(one["agent"] == "bela") for one in answers})
    replay = partial(smolit, "policy", "replay", "--scope", "replayed", "--json", "--policy")

    same = until(partial(replay, "uniform"), lambda said: said.json["with_reward"] == 60)
    other = replay("ridge_igw")
    at = ",".join(f"{topic}/{partition}={offset}" for (topic, partition), offset in cut.items())
    halves = [replay("uniform", "--to", at), replay("uniform", "--from", at)]
    never = replay("uniform", "--from", "2020-01-01", "--to", "2020-01-02")

    mean = sum(one["agent"] == "bela" for one in answers) / 60
    assert (same.code, same.json["refused"], same.json["decisions"], same.json["differing_share"]) == (0, None, 60, 0.0)
    assert [same.json[kind]["value"] for kind in ("logged_reward", "ips", "snips")] == [pytest.approx(mean, abs=1e-6)] * 3
    assert (same.json["ess"], same.json["largest_weight"]) == (pytest.approx(60), 1.0)
    assert {one["name"] for one in other.json["differing_by_agent"]} == {"abel", "bela"}
    assert other.code == (1 if other.json["refused"] else 0)
    assert [(one.code, one.json["decisions"]) for one in halves] == [(1, 20), (1, 40)]
    assert all("it takes 50" in one.err for one in halves)
    assert (never.code, replay("nonsense").code) == (1, 2)


def test_another_policy_lives_on_by_itself_on_the_log(smolit: Smolit, settings: Settings, tmp_path: Path) -> None:
    """Uniform choices are a fair sample of any life: a fork learns of its own who is good; too short a one is refused."""
    two_add_up(smolit, ("cleo", "dina"), "forked", tmp_path)
    fork = partial(smolit, "policy", "replay", "--fork", "--seeds", "3", "--scope", "forked", "--json", "--policy")
    founds = []
    for numbers in (range(60), range(60, 180)):  # the second sixty can know how the first went
        answers = add_up(smolit, numbers, tmp_path, "forked")
        judge(settings, {one["task_id"]: float(one["agent"] == "dina") for one in answers})
        judged = numbers.stop
        founds.append(until(partial(fork, "ridge_igw"), lambda said, judged=judged: said.json["with_reward"] == judged))

    short, found = founds
    agents = {one["name"]: one for one in found.json["agents"]}
    assert (short.code, short.json["snips"]) == (1, None)
    assert "of 60 tasks the log knows how the candidate's own choice went" in short.err
    assert (found.code, found.json["tasks"], found.json["seeds"], found.json["fair"]) == (0, 180, 3, True)
    assert 50 <= found.json["matched"] <= 130
    assert (agents["cleo"]["reward"], agents["dina"]["reward"]) == (0.0, 1.0)
    assert agents["dina"]["share"] > 0.6
    assert found.json["matched_reward"]["value"] > found.json["logged_reward"]["value"]
    assert found.json["gain"]["low"] > 0.0
    assert fork("ridge_igw").json == found.json
    told = smolit("policy", "replay", "--fork", "--scope", "forked", "--policy", "ridge_igw")
    assert (told.code, "a fair sample of its own life" in told.out) == (0, True)
    assert smolit("policy", "replay", "--policy", "uniform", "--seeds", "3").code == 2


def test_a_scope_starts_from_what_agents_are_worth_in_another(smolit: Smolit, settings: Settings, tmp_path: Path) -> None:
    """The levels stand in what sets the policy and in every choice, the better agent is ahead at once, and all is true."""
    two_add_up(smolit, ("edda", "fips"), "known", tmp_path)
    answers = add_up(smolit, range(20), tmp_path, "known")
    judge(settings, {one["task_id"]: float(one["agent"] == "fips") for one in answers})
    logged = partial(smolit, "policy", "replay", "--policy", "uniform", "--scope", "known", "--json")
    until(logged, lambda said: said.json["with_reward"] == 20)
    start = partial(smolit, "policy", "set", "joint_thompson", "--scope", "unknown", "--levels-from")

    nowhere, put = start("nowhere"), start("known")
    show = partial(smolit, "policy", "show", "--scope", "unknown", "--json")
    shown = until(show, lambda said: bool(said.json["history"])).json

    def first() -> Said:
        return smolit("policy", "explain", ended(smolit, "1 + 1", "--kind", "known", "--scope", "unknown"), "--json")

    (choice,) = until(first, lambda said: "levels" in said.json[0]["policy_parameters"]).json
    levels = json.loads(shown["in_force"]["parameters"]["levels"])
    chances = {one["agent"]: one["probability"] for one in choice["candidates"]}
    assert (nowhere.code, put.code) == (1, 0)
    assert "nothing was learned in scope 'nowhere'" in nowhere.err
    assert set(levels) == set(chances) == {"edda", "fips"}
    assert levels["fips"] > levels["edda"] + 0.2
    assert chances["fips"] > chances["edda"]
    assert shown["in_force"]["parameters"] == {"level": 0.1, "levels": json.dumps(levels, separators=(",", ":"))}
    assert choice["policy_parameters"].items() >= shown["in_force"]["parameters"].items()
    assert shown["history"][0]["reason"].endswith("starts from the levels of scope known after 20 examples")
    assert smolit("policy", "set", "uniform", "--scope", "unknown", "--levels-from", "known").code == 2
    assert smolit("policy", "verify").code == 0


def two_add_up(smolit: Smolit, names: tuple[str, str], scope: str, tmp_path: Path) -> None:
    """Register agents that add up, and let both have the same chance in that scope, once a worker serves both."""
    for name in names:
        spec = tmp_path / f"{name}.yaml"
        spec.write_text(f"id: {name}\ndescription: Adds up.\nskills: [{scope}]\npipeline: arithmetic\n")
        assert smolit("agent", "register", str(spec)).code == 0
    assert smolit("policy", "set", "uniform", "--scope", scope).code == 0

    def probed() -> Said:
        return smolit("policy", "explain", ended(smolit, "1 + 1", "--kind", scope, "--scope", f"{scope}-probe"))

    until(probed, lambda said: "was chosen out of 2" in said.out)


def add_up(smolit: Smolit, numbers: Iterable[int], tmp_path: Path, scope: str = "replayed") -> list[dict[str, Any]]:
    """Submit additions for whoever serves the scope, and return their answers."""
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"{n} + 1", "kind": scope, "scope": scope}) for n in numbers))
    return [json.loads(line) for line in smolit("task", "submit", "--batch", str(path), "--wait").out.splitlines()]


def judge(settings: Settings, worth: Mapping[str, float]) -> None:
    """Give feedback on tasks, all at once."""
    asks = [Ask(GiveFeedback(task_id=task, rater="eve", value=value)) for task, value in worth.items()]

    async def send() -> None:
        origin = Origin(Names(settings.topic_prefix), "default", "test")
        async with Client(settings.kafka, origin, now, os.urandom) as client:
            await client.send(asks)

    asyncio.run(send())


def test_read_models_are_made_anew_while_everything_runs(smolit: Smolit) -> None:
    """The new generation serves without a restart, the old one is dropped on request, and the one that serves never is."""
    ended(smolit, "12 + 12")
    made = smolit("projection", "rebuild", "--all", "--json")
    after = ended(smolit, "13 + 13")

    there = {one["state"]: one["name"] for one in smolit("projection", "list", "--json").json["generations"]}
    planned = smolit("projection", "drop", there["retired"], "--dry-run")
    still = [one["name"] for one in smolit("projection", "list", "--json").json["generations"]]
    dropped = smolit("projection", "drop", there["retired"])
    models = smolit("projection", "verify", "--all", "--json", "-").json

    assert (made.code, made.json["equal"], made.json["state"]) == (0, True, "serving")
    assert (made.json["refused_reads"], made.json["reads"] > 0) == (0, True)
    assert made.json["generation"] == there["serving"] == models["generation"]
    assert "records" in made.err
    assert smolit("task", "show", after).code == 0
    assert (planned.code, dropped.code, there["retired"] in still) == (0, 0, True)
    assert smolit("projection", "drop", there["serving"]).code == 1
    assert (models["equal"], models["others"]) == (True, [])
    assert smolit("projection", "rebuild").code == 2


def test_an_export_is_the_same_every_time(smolit: Smolit, tmp_path: Path) -> None:
    """One row per ended task of the range; the same range gives the same bytes; lists and CSV agree in number."""
    ended(smolit, "8 + 8")
    caught_up(smolit)  # also with what other tests have asked for and not waited for
    span = ("--since", "2020-01-01", "--until", now().isoformat())
    files = [tmp_path / name for name in ("one.jsonl", "two.jsonl", "three.csv")]

    codes = [smolit("events", "export", *span, "--output", str(file)).code for file in files]

    rows = files[0].read_text().splitlines()
    assert codes == [0, 0, 0]
    assert rows
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(files[2].read_text().splitlines()) == len(rows) + 1


def test_the_tail_of_a_topic_is_printed_in_order(smolit: Smolit) -> None:
    """The last events by time, oldest first; an unknown topic names the known ones."""
    ended(smolit, "9 + 9")

    said = smolit("events", "tail", "--lines", "3", "--no-follow", "--json")
    times = [json.loads(line)["envelope"]["time"] for line in said.out.splitlines()]

    assert (said.code, len(times)) == (0, 3)
    assert times == sorted(times)
    assert smolit("events", "tail", "--topic", "nothing").code == 2


def test_a_dead_letter_is_listed_and_shown_whole(smolit: Smolit, settings: Settings) -> None:
    """What could not be read stands among the dead letters with its reason, its headers and its bytes."""
    topic = Names(settings.topic_prefix).requests_of("default")
    broken = Outgoing(topic, b"k", (("ce_type", b"smolit.task.submit.v1"), ("x-canary", b"\x1b[31mred")), b"{not json")

    async def publish() -> str:
        publisher = Publisher(settings.kafka, "test")
        await publisher.start()
        (place,) = await publisher.publish([broken])
        await publisher.stop()
        return f"{place.topic}/{place.partition}/{place.offset}"

    origin = asyncio.run(publish())
    shown = until(lambda: smolit("dlq", "inspect", origin), lambda said: said.code == 0)

    assert "not_an_event" in shown.out
    assert "{not json" in shown.out
    assert "\x1b" not in shown.out
    assert origin in smolit("dlq", "list", "--limit", "100").out
    assert smolit("dlq", "inspect", "nowhere").code == 2


def waiting(smolit: Smolit, reason: str) -> list[Any]:
    """Return the dead letters that wait for one reason, newest first."""
    return list(smolit("dlq", "list", "--reason", reason, "--limit", "100", "--json").json)


def test_a_refused_request_goes_through_once_the_reason_is_gone(smolit: Smolit, tmp_path: Path) -> None:
    """Replayed, a request that came too early is as good as new; its letter is settled and names where it lies now."""
    spec = tmp_path / "latecomer.yaml"
    spec.write_text("id: latecomer\ndescription: Adds up.\nskills: [sums]\npipeline: arithmetic\n")
    refused = smolit("agent", "pause", "latecomer")
    found = until(
        lambda: smolit("dlq", "list", "--reason", "unknown_agent", "--json"),
        lambda said: any("latecomer" in one["detail"] for one in said.json),
    )
    letter = next(one for one in found.json if "latecomer" in one["detail"])
    origin = f"{letter['origin_topic']}/{letter['origin_partition']}/{letter['origin_offset']}"
    assert smolit("agent", "register", str(spec)).code == 0

    dry = smolit("dlq", "replay", origin, "--dry-run")
    said = smolit("dlq", "replay", origin)
    until(
        lambda: smolit("agent", "show", "latecomer", "--json"),
        lambda now: now.code == 0 and now.json["agent"]["state"] == "paused",
    )
    until(lambda: smolit("dlq", "inspect", origin, "--json"), lambda now: now.json[0]["settled"] == "replayed")

    assert (refused.code, dry.code, said.code) == (1, 0, 0)
    assert origin in dry.err
    assert smolit("dlq", "inspect", origin, "--json").json[0]["replayed_as"].startswith(letter["origin_topic"])
    assert smolit("dlq", "replay", origin).err.startswith("Error: no such dead letter waits")
    assert origin in smolit("dlq", "list", "--all", "--limit", "1000").out


def test_what_stays_sick_is_replayed_so_often_and_no_more(smolit: Smolit, settings: Settings) -> None:
    """Each replay is a dead letter again, with its count; beyond the limit it takes an admin, and a purge ends it."""
    topic = Names(settings.topic_prefix).requests_of("default")
    headers = (("ce_specversion", b"1.0"), ("ce_id", b"sick"), ("ce_source", b"test"), ("ce_type", b"smolit.task.explode.v1"))

    async def publish() -> None:
        publisher = Publisher(settings.kafka, "test")
        await publisher.start()
        await publisher.publish([Outgoing(topic, b"sick", headers, b"{}")])
        await publisher.stop()

    def counts() -> list[int]:
        return [
            int(bytes.fromhex(dict(one["original_headers"]).get("smolit_replay", b"0".hex())))
            for one in waiting(smolit, "unknown_type")
        ]

    asyncio.run(publish())
    for count in range(settings.max_replays + 1):
        until(lambda: Said(0, json.dumps(counts()), ""), lambda said, count=count: said.json == [count])  # type: ignore[misc]
        last = smolit("dlq", "replay", "--reason", "unknown_type")
    stranger = smolit("dlq", "replay", "--reason", "unknown_type", "--force", "--tenant", "stranger")
    forced = smolit("dlq", "replay", "--reason", "unknown_type", "--force")
    until(lambda: Said(0, json.dumps(counts()), ""), lambda said: said.json == [settings.max_replays + 1])
    young = smolit("dlq", "purge", "--reason", "unknown_type", "--older-than", "1h")
    purged = smolit("dlq", "purge", "--reason", "unknown_type", "--older-than", "0s")
    until(lambda: smolit("dlq", "list", "--reason", "unknown_type", "--json"), lambda said: said.json == [])

    assert (last.code, stranger.code, forced.code, young.code, purged.code) == (1, 2, 0, 1, 0)
    assert "replayed 3 times already, and 3 are allowed" in last.err
    assert smolit("dlq", "purge").code == 2


def test_what_is_not_there_is_said(smolit: Smolit) -> None:
    """Asking about what nobody knows ends with 1 and one sentence."""
    nobody = "00000000-0000-0000-0000-000000000000"
    for words in (
        ("task", "show", nobody),
        ("task", "watch", nobody),
        ("task", "similar", nobody),
        ("policy", "explain", nobody),
        ("events", "trace", nobody),
        ("agent", "show", "nobody"),
        ("experiment", "show", "none"),
        ("dlq", "inspect", "smolit.requests.v1/0/999999"),
    ):
        said = smolit(*words)
        assert (said.code, said.out) == (1, ""), words
        assert said.err.startswith("Error: no "), words


def test_another_tenant_sees_nothing(smolit: Smolit) -> None:
    """Tasks of one tenant are not shown to another."""
    task = ended(smolit, "10 + 10")

    assert smolit("task", "show", task, "--tenant", "stranger").code == 1
    assert smolit("task", "list", "--tenant", "stranger", "--json").json == []


def test_a_cancellation_that_comes_too_late_is_still_heard(smolit: Smolit) -> None:
    """Cancelling is a request; the task's end says whether it was in time."""
    task = ended(smolit, "11 + 11")

    said = smolit("task", "cancel", task, "--reason", "never mind")

    assert said.code == 0
    until(lambda: smolit("task", "show", task, "--json"), lambda now: bool(now.json["task"]["cancel_requested_at"]))
    assert smolit("task", "show", task, "--json").json["task"]["outcome"] == "completed"


def test_like_tasks_are_found_told_and_forgotten(smolit: Smolit) -> None:
    """A task finds one that asks the same, so does its text, and a choice is explained by it; a forgotten one is never found."""
    text = "117 * 119 + 123"
    first, second = ended(smolit, text), ended(smolit, f"{text} + 2")
    smolit("feedback", "give", first, "--value", "0.25", "--rater", "ann")

    def like(*more: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = smolit("task", "similar", *more, "--kind", "arithmetic", "--k", "3", "--json").json
        return found

    until(
        lambda: smolit("task", "similar", second, "--json"),
        lambda said: any((one["task_id"], one["reward"]) == (first, 0.25) for one in said.json),
    )
    nearest, by_text, told = like(second)[0], like("--text", text)[0], smolit("policy", "explain", second)

    assert (nearest["task_id"], nearest["agent"], nearest["outcome"]) == (first, "arithmetic", "completed")
    assert (by_text["task_id"], by_text["cosine"]) == (first, pytest.approx(1.0, abs=1e-3))
    assert first in smolit("task", "similar", second).out
    assert "tasks most like it (cosine" in told.out
    assert "- arithmetic did" in told.out
    assert smolit("policy", "explain", second, "--json").json[0]["like_tasks"][0]["task_id"] == first
    assert smolit("task", "similar").code == smolit("task", "similar", second, "--text", text).code == 2
    assert smolit("task", "similar", "--text", " ").code == 2

    assert smolit("task", "forget", first, "--reason", "private").code == 0
    until(lambda: smolit("task", "similar", first), lambda said: said.code == 1)
    assert first not in [one["task_id"] for one in like(second) + like("--text", text)]
    assert "no longer found by likeness: private" in smolit("events", "tail", "--no-follow").out


def test_doctor_finds_nothing_wrong(smolit: Smolit) -> None:
    """With everything running, every finding is well."""
    said = smolit("doctor", "--json")

    assert [one for one in said.json if not one["well"]] == []
    assert said.code == 0


def test_a_server_that_does_not_answer_is_one_sentence(smolit: Smolit, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Kafka, or no Postgres: exit code 1, and a sentence that says where nobody answered."""
    monkeypatch.setenv("SMOLIT_POSTGRES", "postgresql://nobody:geheimnis@127.0.0.1:1/none")
    read = smolit("task", "list")
    monkeypatch.setenv("SMOLIT_KAFKA", "127.0.0.1:1")
    change = smolit("policy", "set", "uniform")

    assert (read.code, change.code) == (1, 1)
    assert "Postgres" in read.err
    assert "geheimnis" not in read.err
    assert "Kafka" in change.err
    assert len(read.err.splitlines()) == len(change.err.splitlines()) == 1
