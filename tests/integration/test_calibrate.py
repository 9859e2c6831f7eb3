"""Calibration on a real stack: agents that truly differ do the same past tasks, judged, paid for, and learned from."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest

from smolit.cli import app
from smolit.settings import PROJECT, Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Said, Smolit, caught_up, command_line, until
from tests.service import served

PAGE = PROJECT / "docs" / "calibration.md"
COSTS = {"exact": 300, "even": 200, "lazy": 100, "fresh": 50}


def answer(agent: str, text: str) -> str:
    """Return what an agent makes of a sum: one is right, one only about even numbers, the others not at all."""
    numbers = [int(part) for part in text.split("+")]
    right = {"exact": True, "even": all(number % 2 == 0 for number in numbers)}
    return str(sum(numbers) if right.get(agent.partition("-")[0]) else 0)


class Service(BaseHTTPRequestHandler):
    """Answers as the agent that the path names, says what that cost, and counts who was asked what."""

    asked: ClassVar[Counter[tuple[str, str]]] = Counter()

    def do_POST(self) -> None:
        """Answer, or fail for the agent that always does."""
        task = json.loads(self.rfile.read(int(self.headers["content-length"])))
        agent = self.path.strip("/")
        self.asked[agent, task["text"]] += 1
        told = {
            "text": "" if agent == "broken" else answer(agent, task["text"]),
            "cost_microusd": COSTS.get(agent.partition("-")[0], 0),
        }
        body = json.dumps(told).encode()
        self.send_response(400 if agent == "broken" else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where the service is."""
    with served(Service) as there:
        yield there


def register(folder: Path, url: str, *agents: str, skill: str = "sum") -> None:
    """Register agents that the service answers for."""
    for agent in agents:
        spec = folder / f"{agent}.yaml"
        spec.write_text(
            f"id: {agent}\ndescription: Adds numbers.\nskills: [{skill}]\npipeline: webhook\n"
            f"settings: {{url: '{url}{agent}', idempotent: true}}\n"
        )
        assert app.run(["agent", "register", str(spec)]) == 0


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory, url: str) -> Iterator[Settings]:
    """All processes, and three agents that differ."""
    folder = tmp_path_factory.mktemp("calibrate")
    with all_running(stack, folder, webhook_hosts="127.0.0.1") as running:
        register(folder, url, "exact", "even", "lazy")
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


def past(smolit: Smolit, scope: str, texts: list[str], kind: str = "sum") -> dict[str, str]:
    """Have past tasks done by whomever the policy chooses, judge them as a person would, and return their ids by text."""
    found: dict[str, str] = {}
    for text in texts:
        said = smolit("task", "submit", text, "--kind", kind, "--scope", scope, "--wait", "--json").json
        found[text] = said["task_id"]
        right = str(sum(int(part) for part in text.split("+")))
        words = ("--good",) if said["output"]["text"] == right else ("--bad", "--correction", right)
        assert smolit("feedback", "give", said["task_id"], *words, "--rater", "ann").code == 0
    for task in found.values():
        until(
            lambda task=task: smolit("task", "show", task, "--json"), lambda said: said.code == 0 and bool(said.json["examples"])
        )
    caught_up(smolit)  # examples and the ends of attempts come on two topics, in no order
    return found


def calibration(smolit: Smolit, name: str) -> Any:
    """Return a calibration as it is listed."""
    return next(one for one in smolit("policy", "calibrations", "--json").json if one["calibration_id"] == name)


def copies_of(smolit: Smolit, name: str) -> list[Any]:
    """Return the submissions of a calibration's copies, as the log has them."""
    return [one for one in facts(smolit, "tasks", "task.submitted") if (one["copy_of"] or {}).get("calibration") == name]


def facts(smolit: Smolit, topic: str, kind: str) -> list[Any]:
    """Return all facts of a kind, as the log has them."""
    log = smolit("events", "tail", "--topic", topic, "--lines", "10000", "--no-follow", "--json").out.splitlines()
    return [one["data"] for one in map(json.loads, log) if one["type"] == f"smolit.{kind}.v1"]


def test_a_task_that_names_its_agent_is_done_by_it_or_by_nobody(smolit: Smolit, tmp_path: Path, url: str) -> None:
    """Propensity 1 and a reason for all others; a name nobody has is refused, a paused or failing agent ends the task."""
    register(tmp_path, url, "broken", skill="sums")
    chosen = smolit("task", "submit", "1+2", "--kind", "sum", "--agent", "lazy", "--scope", "named", "--wait", "--json").json
    decision = until(
        lambda: smolit("policy", "explain", chosen["task_id"], "--json"), lambda said: said.code == 0 and bool(said.json)
    ).json[0]
    ghost = smolit("task", "submit", "1+2", "--agent", "ghost", "--wait")
    failed = smolit("task", "submit", "1+2", "--kind", "sums", "--agent", "broken", "--wait", "--json").json
    assert smolit("agent", "pause", "lazy").code == 0
    paused = smolit("task", "submit", "1+2", "--kind", "sum", "--agent", "lazy", "--wait", "--json").json
    assert smolit("agent", "resume", "lazy").code == 0

    assert (chosen["agent"], decision["propensity"], len(decision["candidates"])) == ("lazy", 1.0, 1)
    assert {(one["agent"], one["reason"]) for one in decision["left_out"]} >= {
        ("exact", "not_asked_for"),
        ("even", "not_asked_for"),
    }
    assert (ghost.code, "agent: there is no agent 'ghost'" in ghost.err) == (1, True)
    assert (failed["outcome"], failed["reason"]) == ("failed", "no_other_agent")
    assert failed["detail"].startswith("broken failed, and nobody else was asked for")
    assert paused["detail"] == "agent 'lazy' was asked for, but is paused"
    assert smolit("agent", "retire", "broken").code == 0


def test_people_judge_and_what_waits_for_them_is_taken_up_again(smolit: Smolit) -> None:
    """Without a judgement it says what is unjudged and stays open; judged, it ends, with its cost, and nothing was done twice."""
    texts = ["3+4", "2+4", "5+9"]
    tasks = past(smolit, "people", texts)
    words = ("--scope", "people", "--tasks", "3", "--patience", "2s", "--id", "by-people")

    dry = smolit("policy", "calibrate", *words, "--dry-run", "--json").json
    waiting = smolit("policy", "calibrate", *words)
    made = copies_of(smolit, "by-people")
    for copy in made:
        right = str(sum(int(part) for part in copy["text"].split("+")))
        good = "--good" if answer(copy["agent"], copy["text"]) == right else "--bad"
        assert smolit("feedback", "give", copy["task_id"], good, "--rater", "ann").code == 0
    done = smolit("policy", "calibrate", "--resume", "by-people", "--patience", "60s", "--json")

    caught_up(smolit)
    found = calibration(smolit, "by-people")
    assert {one["task_id"] for one in dry["calibration"]["tasks"]} == set(tasks.values())
    assert (waiting.code, "6 are answered and not judged" in waiting.err, "--resume by-people" in waiting.err) == (1, True, True)
    assert (done.code, done.json["why"]) == (0, "tasks_done")
    assert Counter(copy["text"] for copy in made) == dict.fromkeys(texts, 2)
    assert [Service.asked[agent, text] for agent in ("exact", "even", "lazy") for text in texts] == [1] * 9
    assert sum(one["rewarded"] for one in found["agents"]) == sum(one["copies"] for one in found["agents"]) == 6
    assert sum(one["cost_microusd"] for one in found["agents"]) == sum(COSTS[copy["agent"]] for copy in made)
    assert smolit("policy", "calibrate", "--resume", "by-people").code == 1  # it is over


def test_one_that_was_killed_goes_on_and_repeats_nothing(smolit: Smolit) -> None:
    """Taken up it does the rest: every agent every task once, judged by what was known; the next choices follow from that."""
    texts = [f"{number}+{number + 13}" for number in range(20, 28)] + ["40+2", "60+8"]
    past(smolit, "killed", texts)
    words = ("--scope", "killed", "--tasks", "10", "--judge", "reference", "--at-a-time", "1", "--id", "cut")
    argv = [sys.executable, "-P", "-m", "smolit", "policy", "calibrate", *words]
    process = subprocess.Popen(argv, env=dict(os.environ), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    asked = len(texts) + 4  # of 30: once for each past task, and for some copies
    until(lambda: Said(0, str(asked_for(texts)), ""), lambda said: int(said.out) > asked)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(copies_of(smolit, "cut"))

    gone_on = smolit("policy", "calibrate", "--resume", "cut", "--json")

    copies = copies_of(smolit, "cut")
    assert (gone_on.code, gone_on.json["why"]) == (0, "tasks_done"), gone_on
    assert before < len(copies) == 20
    assert [Service.asked[agent, text] for agent in ("exact", "even", "lazy") for text in texts] == [1] * 30
    earned = {one["agent"]: one["mean_reward"] for one in gone_on.json["agents"]}
    assert (earned["exact"], earned["lazy"]) == (1.0, 0.0)
    (mine,) = [one for one in facts(smolit, "experiments", "calibration.ended") if one["calibration_id"] == "cut"]
    assert (mine["copies"], mine["judged"], mine["costed"]) == (20, 20, 20)
    assert mine["cost_microusd"] == sum(COSTS[copy["agent"]] for copy in copies)
    choosing = until(
        lambda: Said(0, json.dumps(chances_for(smolit, "31+44", "killed")), ""), lambda said: sure_of_exact(said.json)
    )
    chances = choosing.json
    assert max(chances, key=lambda agent: chances[agent]) == "exact"
    assert chances["exact"] > 0.5 > 2 * chances["lazy"]


def asked_for(texts: list[str]) -> int:
    """Return how often the service was asked one of these."""
    return sum(count for (_, text), count in list(Service.asked.items()) if text in texts)


def sure_of_exact(chances: dict[str, float]) -> bool:
    """Say whether what was learned is in force: who chooses follows the log a moment behind."""
    return chances["exact"] > 0.5 > 2 * chances["lazy"]


def chances_for(smolit: Smolit, text: str, scope: str) -> dict[str, float]:
    """Return each agent's probability for a task that is asked for now."""
    asked = smolit("task", "submit", text, "--kind", "sum", "--scope", scope, "--wait", "--json").json
    shown = until(
        lambda: smolit("policy", "explain", asked["task_id"], "--json"), lambda said: said.code == 0 and bool(said.json)
    ).json[0]
    return {one["agent"]: one["probability"] for one in shown["candidates"]}


def calibrated(smolit: Smolit, scope: str, texts: list[str]) -> None:
    """Have past tasks done again by both others, to the end and as far as it is listed, under the name of the scope."""
    past(smolit, scope, texts)
    words = ("--scope", scope, "--tasks", str(len(texts)), "--judge", "reference", "--id", scope)
    said = smolit("policy", "calibrate", *words)
    assert (said.code, "tasks_done" in said.out) == (0, True), said
    caught_up(smolit)  # its end, its copies and what was learned of them stand in three topics


def test_a_budget_and_the_worth_of_knowing_end_it(smolit: Smolit) -> None:
    """What all copies may cost is not exceeded, and where nothing is to be gained nothing is done at all."""
    past(smolit, "paid", ["71+2", "71+4", "71+6", "71+8"])
    words = ("--scope", "paid", "--judge", "reference", "--at-a-time", "4", "--json")

    spent = smolit("policy", "calibrate", *words, "--budget", "0.0011", "--id", "budget")
    idle = smolit("policy", "calibrate", *words, "--tasks", "4", "--worth", "0.000001", "--horizon", "1", "--id", "idle")
    stopped = smolit("policy", "calibrate", "--resume", "idle")

    caught_up(smolit)
    cost = sum(one["cost_microusd"] for one in calibration(smolit, "budget")["agents"])
    assert (spent.code, spent.json["why"], 0 < cost <= 1_100) == (0, "budget_spent", True), spent
    assert (idle.code, idle.json["why"], idle.json["agents"]) == (0, "not_worth_it", [])
    assert (stopped.code, "is over" in stopped.err) == (1, True)


def test_a_new_agent_is_tried_on_a_few_tasks(smolit: Smolit, tmp_path: Path, url: str) -> None:
    """Only the new one works, on past tasks that others have done; asked again, it has done them all."""
    register(tmp_path, url, "exact-add", skill="add")
    past(smolit, "hired", ["81+3", "82+3", "83+3"], kind="add")
    register(tmp_path, url, "fresh-add", skill="add")
    words = ("--new", "fresh-add", "--scope", "hired", "--judge", "reference")
    done = until(lambda: smolit("policy", "calibrate", *words, "--json"), lambda said: said.code == 0)  # until it is live

    again = smolit("policy", "calibrate", *words)

    assert [(one["agent"], one["copies"], one["mean_reward"]) for one in done.json["agents"]] == [("fresh-add", 3, 0.0)]
    assert (again.code, "has done all of the 3 past tasks" in again.err) == (1, True)


def test_what_cannot_be_meant_is_told(smolit: Smolit) -> None:
    """Neither much nor little, a stranger, a scope without a past, a calibration that nobody knows."""
    assert smolit("policy", "calibrate").code == 2
    assert smolit("policy", "calibrate", "--tasks", "1", "--agents", "lazy", "--new", "lazy").code == 2
    stranger = smolit("policy", "calibrate", "--tasks", "1", "--agents", "nobody")
    empty = smolit("policy", "calibrate", "--tasks", "1", "--scope", "empty")
    unknown = smolit("policy", "calibrate", "--stop", "unknown")

    assert (stranger.code, "agent 'nobody' is not active" in stranger.err) == (2, True)
    assert (empty.code, "no past task of scope 'empty'" in empty.err) == (1, True)
    assert (unknown.code, "no calibration 'unknown' is known" in unknown.err) == (1, True)


def test_an_analyst_sees_what_it_cost(smolit: Smolit) -> None:
    """The query of the page runs as it stands there, as the role that only reads, and says what the command says."""
    calibrated(smolit, "analysed", ["91+5", "92+5"])
    query = PAGE.read_text().partition("```sql\n")[2].partition("```")[0]
    with psycopg.connect(os.environ["SMOLIT_POSTGRES"], options="-c role=smolit_analyst") as connection:
        rows = connection.execute(query.encode()).fetchall()

    told = {agent: (copies, rewarded, cost) for name, agent, copies, rewarded, _, cost in rows if name == "analysed"}
    agents = calibration(smolit, "analysed")["agents"]
    assert told == {one["agent"]: (one["copies"], one["rewarded"], one["cost_microusd"]) for one in agents}
    assert sum(copies for copies, _, _ in told.values()) == 4
    assert all(cost == copies * COSTS[agent] for agent, (copies, _, cost) in told.items())
    assert "analysed" in smolit("policy", "calibrations").out


def test_all_is_true_and_copies_do_not_pass_for_choices(smolit: Smolit) -> None:
    """Read models and choices are what the log says; who is judged, and how choices went, leave copies out."""
    calibrated(smolit, "true", ["101+5", "102+6", "103+7"])

    models, choices = smolit("projection", "verify", "--all", "--json", "-"), smolit("policy", "verify", "--json", "-")

    assert (models.code, models.json["equal"]) == (0, True), models
    assert (choices.code, choices.json["equal"], choices.json["mismatches"]) == (0, True, [])
    curve = smolit("plot", "learning", "--scope", "true", "--windows", "2", "--json").json
    assert [one["tasks"] for one in curve if one["part"] is None] == [3]
    shares = smolit("plot", "agents", "--scope", "true", "--json").json
    assert sum(one["chosen"] for one in shares) == sum(one["rewarded"] for one in shares) == 3
    assert sum(one["completed"] for one in smolit("agent", "rewards", "--scope", "true", "--json").json) == 3
    assert smolit("policy", "replay", "--policy", "uniform", "--scope", "true", "--json").json["decisions"] == 3
