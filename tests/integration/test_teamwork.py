"""Split tasks on a real stack: parts side by side, results that flow, failures, limits, cancellation, kills."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from threading import Event, Lock
from typing import Any, ClassVar

import pytest

from smolit.cli import app
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import PATIENCE_S, Smolit, caught_up, command_line, until
from tests.service import served


class Desk(BaseHTTPRequestHandler):
    """Three services in one: each counts under which key it was asked for what."""

    seen: ClassVar[Counter[str]] = Counter()
    lock: ClassVar[Lock] = Lock()
    morning: ClassVar[Event] = Event()  # until it is set, who sleeps sleeps

    def do_POST(self) -> None:
        """Answer by path: `/upper` shouts, `/count` counts words, `/yes` and `/no` say so, `/bad` refuses."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.lock:
            self.seen[f"{self.path} {body['text']}"] += 1
        text = body["text"]
        if self.path == "/sleep":
            self.morning.wait(2 * PATIENCE_S)
        answers: dict[str, Callable[[], Any]] = {
            "/upper": lambda: {"text": text.upper(), "cost_microusd": 100},
            "/count": lambda: {"words": len(text.split()), "cost_microusd": 50},
            "/guess": lambda: {"answer": "physics"},
            "/forty": lambda: {"answer": "It is 40 km."},
            "/fifty": lambda: {"answer": "It is 50 km."},
            "/fifty-cited": lambda: {"answer": "It is 50 km.", "citations": ["map, page 3"]},
        }
        said = answers.get(self.path)
        content = json.dumps(said() if said else {}).encode()
        self.send_response(200 if said else 400)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


AGENTS = {
    "shouter": ("shout", "upper"),
    "counter": ("count", "count"),
    "refuser": ("fail", "bad"),
    "sleeper": ("sleep", "sleep"),
    "forty": ("distance", "forty"),
    "fifty": ("distance", "fifty-cited"),
    "guesser": ("topic", "guess"),
}
PUPIL = "id: pupil\ndescription: Knows what others were told.\nskills: [topic]\npipeline: taught\n"


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, and agents that are services."""
    folder = tmp_path_factory.mktemp("team")
    with served(Desk) as url, all_running(stack, folder, webhook_hosts="127.0.0.1", max_attempts=2) as running:
        for name, (kind, path) in AGENTS.items():
            (folder / f"{name}.yaml").write_text(
                f"id: {name}\ndescription: Does {kind}.\nskills: [{kind}]\npipeline: webhook\n"
                f"settings: {{url: '{url}{path}', idempotent: true}}\n"
            )
        (folder / "pupil.yaml").write_text(PUPIL)
        assert app.run(["agent", "register", *(str(folder / f"{name}.yaml") for name in (*AGENTS, "pupil"))]) == 0
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


def split(smolit: Smolit, plan: Any, text: str = "one two three", *more: str, **given: Any) -> Any:
    """Have a task split by a plan, and return the answer."""
    told = json.dumps({"plan": plan, **given})
    said = smolit("task", "submit", text, "--kind", "team", "--input", told, "--wait", "--json", *more)
    return said.json


DIAMOND = {
    "name": "diamond",
    "steps": [
        {"id": "loud", "kind": "shout", "text": "${task.text}"},
        {"id": "words", "kind": "count", "text": "${loud.output.text}"},
        {"id": "mood", "kind": "sentiment", "text": "I love it: ${loud.output.text}"},
        {"id": "sum", "kind": "arithmetic", "text": "What is ${words.output.words} * 14?", "after": ["mood"]},
    ],
}


def test_a_task_is_split_done_side_by_side_and_merged_with_who_did_what(smolit: Smolit) -> None:
    """Results flow into later steps; the report names each part's task, its agent, its chance, and what it cost."""
    answer = split(smolit, DIAMOND, "four five six")

    assert answer["outcome"] == "completed", answer
    told = answer["output"]
    assert (answer["agent"], told["outcome"], told["missing"]) == ("supervisor", "completed", [])
    assert {one["step"]: one["output"] for one in told["steps"]}["sum"]["value"] == "42"
    parts = [part for step in told["steps"] for part in step["parts"]]
    assert [part["agent"].split("-")[0] for part in parts] == ["shouter", "counter", "sentiment", "arithmetic"]
    assert [part["candidates"] for part in parts] == [1, 1, 2, 1]
    assert all(part["propensity"] == 1.0 for part in parts if part["candidates"] == 1)
    assert 0.0 < parts[2]["propensity"] < 1.0
    assert told["cost_microusd"] == 150
    assert all(part["task_id"] in told["report"] for part in parts)
    assert Desk.seen["/upper four five six"] == 1


def test_what_followed_from_what_is_one_tree_over_all_parts(smolit: Smolit) -> None:
    """Each part's task hangs below the step that asked for it; `plan show` and `plan list` tell the same."""
    task = split(smolit, DIAMOND)["task_id"]

    shown = until(lambda: smolit("plan", "show", task, "--json"), lambda said: said.code == 0 and ended(said.json)).json
    until(lambda: smolit("events", "trace", task), lambda said: said.out.count("task.ended") == 5)
    caught_up(smolit)
    tree = smolit("events", "trace", task).out
    from_log = smolit("events", "trace", task, "--from-log").out

    assert {one["step"]: one["outcome"] for one in shown["steps"]} == dict.fromkeys(("loud", "words", "mood", "sum"), "completed")
    assert tree.count("request ") == 1  # all else follows from it
    assert tree == from_log
    assert task in {one["task_id"] for one in smolit("plan", "list", "--json").json}


def ended(told: Any) -> bool:
    """Say whether a plan and its steps are known to be over."""
    return all(plan["outcome"] for plan in told["plans"]) and all(step["outcome"] for step in told["steps"])


def test_a_part_that_fails_leaves_the_answer_partial_and_what_needs_it_undone(smolit: Smolit) -> None:
    """The house has tried it; what does not need it is done all the same, and the report says what is missing."""
    plan = {
        "name": "gappy",
        "steps": [
            {"id": "bad", "kind": "fail", "text": "x"},
            {"id": "after", "kind": "count", "text": "${bad.output.text}"},
            {"id": "good", "kind": "count", "text": "a b"},
        ],
    }

    partial = split(smolit, plan)["output"]
    needed = split(smolit, {**plan, "steps": [{**plan["steps"][0], "needed": True}, *plan["steps"][1:]]})  # type: ignore[dict-item]

    assert (partial["outcome"], partial["missing"]) == ("partial", ["bad", "after"])
    assert "**Partial**" in partial["report"]
    assert (needed["outcome"], needed["reason"]) == ("failed", "plan_failed")


def test_two_agents_that_contradict_each_other_are_settled_by_evidence_and_the_rule_is_told(smolit: Smolit) -> None:
    """Two different agents are asked; the one that names evidence counts, as a fact with the rule's name."""
    plan = {"name": "far", "steps": [{"id": "far", "kind": "distance", "text": "How far is it?", "ask": 2}]}

    answer = split(smolit, plan)
    shown = until(lambda: smolit("plan", "show", answer["task_id"], "--json"), lambda said: said.code == 0 and ended(said.json))

    (step,) = answer["output"]["steps"]
    assert sorted(part["agent"] for part in step["parts"]) == ["fifty", "forty"]
    assert step["output"]["answer"] == "It is 50 km."
    (row,) = shown.json["steps"]
    assert (row["rule"], row["settled"], len(row["conflicts"])) == ("evidence/1", True, 1)


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (
            {
                "name": "circle",
                "steps": [{"id": one, "kind": "count", "text": f"${{{other}.output}}"} for one, other in ("ab", "ba")],
            },
            "it waits for itself: a -> b -> a",
        ),
        ({"name": "strange", "steps": [{"id": "a", "kind": "flying", "text": "x"}]}, "no agent has the skill 'flying'"),
        ({"name": "lost", "steps": [{"id": "a", "kind": "count", "text": "${b.output}"}]}, "there is no step 'b'"),
        ("nothing", "no shape is called 'nothing'"),
    ],
    ids=["circle", "skill", "step", "name"],
)
def test_a_plan_that_cannot_work_is_refused_with_what_is_wrong(smolit: Smolit, plan: Any, reason: str) -> None:
    """Before anybody is asked for anything."""
    answer = split(smolit, plan, "x", "--max-attempts", "1")

    assert answer["outcome"] == "failed"
    assert reason in answer["detail"]


def test_splitting_that_runs_away_is_stopped(smolit: Smolit) -> None:
    """A plan whose step is split by the same plan, and so on: the depth that the first allows is where it ends."""
    plan: Any = {"name": "leaf", "steps": [{"id": "leaf", "kind": "count", "text": "a b"}]}
    for _ in range(4):
        plan = {
            "name": "deeper",
            "limits": {"depth": 2},
            "steps": [{"id": "down", "kind": "team", "text": "x", "input": {"plan": plan}, "needed": True}],
        }

    answer = split(smolit, plan)

    assert (answer["outcome"], answer["reason"]) == ("failed", "plan_failed")


def test_a_house_shape_is_found_by_what_came_with_the_task(smolit: Smolit) -> None:
    """Nobody names a plan: the input's fields say which shapes fit, and two of them run side by side."""
    told = split_by_shape(smolit, {"review": "I love it, thank you!", "sums": ["2 + 3", "4 * 5"]})

    assert (told["outcome"], told["made_by"]) == ("completed", "shapes:review/1,sums/1")
    assert {one["step"]: one["output"] for one in told["steps"]}["sums_total"]["value"] == "25"


def test_each_entry_is_done_by_itself_and_then_all_of_them_together(smolit: Smolit) -> None:
    """Two reviews: a tone of each side by side, and one summary that waits for nothing but the texts; the report tells."""
    reviews = ["I love it, thank you!", "It broke at once, and nobody answered."]

    told = split_by_shape(smolit, {"reviews": reviews})
    items = json.dumps({"items": ["It is 40 km.", "It is 50 km."]})
    compared = smolit("task", "submit", "Compare.", "--kind", "compare", "--wait", "--json", "--input", items)

    by = {one["step"]: one["output"] for one in told["steps"]}
    assert (told["outcome"], told["made_by"]) == ("completed", "shapes:reviews/1")
    assert [by["reviews_1_sentiment"]["label"], by["reviews_2_sentiment"]["label"]] == ["positive", "negative"]
    assert all(review in by["reviews_summary"]["summary"] for review in reviews)
    assert "All 3 steps were done." in told["report"]
    assert (compared.json["agent"], compared.json["output"]["same"]) == ("compare", False)


def split_by_shape(smolit: Smolit, given: dict[str, Any]) -> Any:
    """Have a task split by what comes with it, and return the output."""
    said = smolit("task", "submit", "Look at this.", "--kind", "team", "--wait", "--json", "--input", json.dumps(given))
    return said.json["output"]


def test_cancelling_a_split_task_cancels_its_parts(smolit: Smolit) -> None:
    """A part that is being done is over with the task that it belongs to."""
    plan = {"name": "long", "steps": [{"id": "nap", "kind": "sleep", "text": "x"}]}
    task = smolit("task", "submit", "x", "--kind", "team", "--input", json.dumps({"plan": plan})).out.strip()
    shown = until(lambda: smolit("plan", "show", task, "--json"), lambda said: said.code == 0 and bool(said.json["steps"]))
    assert smolit("task", "cancel", task, "--reason", "enough").code == 0
    told = until(lambda: smolit("plan", "show", task, "--json"), lambda said: bool(said.json["plans"][0]["outcome"])).json
    part = until(lambda: smolit("events", "trace", task, "--json"), lambda said: said.out.count('"task.ended"') == 2)
    Desk.morning.set()

    assert shown.json["steps"][0]["outcome"] is None
    assert told["plans"][0]["outcome"] == "given_up"
    assert part.out.count('"outcome": "cancelled"') == 2


def test_what_one_agent_was_told_another_knows_until_it_is_taken_back(smolit: Smolit) -> None:
    """A correction of one agent's answer is the other's on a like task, with author, source and version; revoked, it is gone."""
    asked = ("task", "submit", "Which topic has the question of stolen goods?", "--kind", "topic", "--wait", "--json")
    first = smolit(*asked, "--agent", "guesser").json["task_id"]
    nothing = smolit(*asked, "--agent", "pupil").json
    assert smolit("feedback", "give", first, "--rater", "ann", "--correction", "law").code == 0

    knows = until(lambda: smolit(*asked, "--agent", "pupil"), lambda told: told.json["outcome"] == "completed").json["output"]
    assert smolit("feedback", "revise", first, "--rater", "ann", "--revision", "1", "--good").code == 0
    gone = until(lambda: smolit(*asked, "--agent", "pupil"), lambda told: told.json["outcome"] == "failed").json

    assert (nothing["outcome"], gone["outcome"]) == ("failed", "failed")
    assert "nothing_taught" in gone["detail"]
    assert knows["answer"] == "law"
    (lesson,) = knows["citations"]
    assert (lesson["task_id"], lesson["rater"], lesson["revision"], lesson["agent"]) == (first, "ann", 0, "guesser")


def test_plans_and_read_models_follow_from_the_log(smolit: Smolit) -> None:
    """Every plan of the tests before comes out of the log again, fact by fact; so do the read models."""
    plans = until(lambda: smolit("plan", "verify"), lambda said: said.code == 0)
    models = until(lambda: smolit("projection", "verify", "plans", "plan_steps"), lambda said: said.code == 0)

    assert "all as in the log" in plans.err
    assert models.code == 0


def test_a_goal_that_is_text_alone_is_split_by_what_it_asks_for(smolit: Smolit) -> None:
    """Each request goes to whom it suits, the result of one into the next, and the plan says what made it."""
    text = "Work out 6 * 7, then add 8 to the result. Is this review positive or negative: I love it, great service!"

    answer = smolit("task", "submit", text, "--kind", "team", "--wait", "--json").json

    output = answer["output"]
    steps = {one["title"]: one for one in output["steps"]}
    assert output["outcome"] == "completed"
    assert output["made_by"] == "text:requests/1"
    assert [steps[name]["output"]["value"] for name in ("Work out 6 * 7", "add 8 to the result.")] == ["42", "50"]
    (judged,) = [one for one in output["steps"] if one["kind"] == "sentiment"]
    assert judged["output"]["label"] == "positive"
    assert all(part["propensity"] for one in output["steps"] for part in one["parts"])


def test_a_text_that_nobody_clearly_does_is_not_split(smolit: Smolit) -> None:
    """It fails by name, and nobody was asked for a part."""
    said = smolit("task", "submit", "Phone our customers and book a hall.", "--kind", "team", "--wait", "--json")

    assert (said.code, said.json["outcome"]) == (1, "failed")
    assert "no_plan" in said.json["detail"]
    assert smolit("plan", "show", said.json["task_id"]).code == 1
