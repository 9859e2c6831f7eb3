"""The reward on a real stack: what is asked for with a dial, and judged in every way there is, is worth what a hand reckons."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from smolit.cli import app
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Smolit, caught_up, command_line, until
from tests.service import served

COST, ANSWER = 3_000, "the cat sat down"


class Service(BaseHTTPRequestHandler):
    """Answers every task alike, and says what it cost."""

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"text": ANSWER, "cost_microusd": COST}).encode()
        self.send_response(200)
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


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory, url: str) -> Iterator[Settings]:
    """All processes; the tenant weighs latency unless a task says otherwise."""
    folder = tmp_path_factory.mktemp("reward")
    with all_running(stack, folder, webhook_hosts="127.0.0.1", latency="0.25", cost_half_microusd="1000") as running:
        spec = folder / "service.yaml"
        spec.write_text(
            "id: service\ndescription: Tells a story.\nskills: [story]\npipeline: webhook\n"
            f"settings: {{url: '{url}', idempotent: true}}\n"
        )
        assert app.run(["agent", "register", str(spec)]) == 0
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


def shown(smolit: Smolit, task: str, holds: Callable[[Any], bool]) -> Any:
    """Return what is known of a task, once it is as wanted."""
    return until(lambda: smolit("task", "show", task, "--json"), lambda said: said.code == 0 and holds(said.json)).json


def learned(told: Any) -> bool:
    """Say whether a task's example and the end of its attempt are known: they come on two topics, in no order."""
    return bool(told["examples"]) and any(one["outcome"] is not None for one in told["attempts"])


def done(smolit: Smolit, *more: str) -> str:
    """Have the service do a task, and return its id."""
    said = smolit("task", "submit", "tell me of the cat", "--kind", "story", "--wait", "--json", *more)
    assert said.code == 0, said
    return str(said.json["task_id"])


def by_hand(quality: float, costs: float, latency: float, attempt: Any) -> int:
    """Return the reward in millionths, from what the read model says that the attempt took."""
    assert attempt["cost_microusd"] == COST
    of_cost, of_time = 1_000 / (1_000 + COST), 1_000_000 / (1_000_000 + attempt["duration_us"])
    return round(((1 - costs - latency) * quality + costs * of_cost + latency * of_time) * 1e6)


JUDGED: dict[str, tuple[tuple[str, ...], float]] = {
    "boolean": (("--good",), 1.0),
    "score": (("--value", "0.25"), 0.25),
    "better": (("--better-than", "{other}"), 1.0),
    "as good": (("--as-good-as", "{other}/1"), 0.5),
    "worse": (("--worse-than", "{other}"), 0.0),
    "correction": (("--correction", "a cat sat up"), 0.5),  # two of four words
    "comment": (("--comment", "great answer, thanks"), (1 + 0.7906) / 2),  # VADER's compound score of it
}


@pytest.mark.parametrize(("judged", "quality"), JUDGED.values(), ids=list(JUDGED))
def test_every_kind_of_feedback_becomes_the_reward_that_a_hand_reckons(
    smolit: Smolit, judged: tuple[str, ...], quality: float
) -> None:
    """Quality by what was said, cost and latency by what the task asked for, whatever the tenant's own weights are."""
    other = done(smolit) if "{other}" in " ".join(judged) else ""
    task = done(smolit, "--costs", "0.5", "--latency", "0.125")
    given = smolit("feedback", "give", task, *(word.format(other=other) for word in judged), "--rater", "ann")

    found = shown(smolit, task, learned)

    assert given.code == 0, given
    (example,), (attempt,) = found["examples"], found["attempts"]
    assert (example["rule"], example["reward_micro"]) == ("balance/1", by_hand(quality, 0.5, 0.125, attempt))


def test_the_operators_weights_hold_where_a_task_says_nothing(smolit: Smolit) -> None:
    """Latency weighs a quarter here; the weights that were fixed are told, and a task may have its own, one by one."""
    usual, own = done(smolit), done(smolit, "--costs", "0.5", "--latency", "0")
    for task in (usual, own):
        assert smolit("feedback", "give", task, "--value", "0.5").code == 0

    found = [shown(smolit, task, learned) for task in (usual, own)]
    rewards = [one["examples"][0]["reward_micro"] for one in found]

    assert rewards == [by_hand(0.5, 0, 0.25, found[0]["attempts"][0]), by_hand(0.5, 0.5, 0, found[1]["attempts"][0])]
    assert (
        "Its reward weighs quality 0.75, cost 0 (0.001 dollars are worth one half) and latency 0.25 (1 s"
        in smolit("policy", "explain", usual).out
    )
    assert smolit("policy", "explain", own, "--json").json[0]["reward"] == {
        "rule": "balance/1",
        "cost_weight": 0.5,
        "latency_weight": 0.0,
        "cost_half_microusd": 1_000,
        "latency_half_us": 1_000_000,
    }


def test_what_cannot_be_is_refused_with_its_field(smolit: Smolit) -> None:
    """Weights of more than the whole, and feedback that says nothing usable, never become facts."""
    task = done(smolit)

    weights = smolit("task", "submit", "x", "--kind", "story", "--costs", "0.9", "--wait")
    alone = smolit("feedback", "give", task, "--better-than", "1")
    both = smolit("task", "submit", "x", "--costs", "0.9", "--latency", "0.2")
    unmeant = (("--good", "--better-than", task), ("--worse-than", "x"), ("--better-than", task, "--worse-than", task))
    typed = [smolit("feedback", "give", task, *words).code for words in unmeant]

    assert (weights.code, alone.code, both.code, typed) == (1, 1, 2, [2, 2, 2])
    assert "costs: cost and latency together weigh 1.15" in weights.err
    assert "against: two answers to one task are told apart" in alone.err


def test_nobody_said_anything_and_all_is_true(smolit: Smolit) -> None:
    """A task without feedback is no example; what is recorded is what a naive fold of Kafka says."""
    silent = done(smolit, "--costs", "0.5")
    for _ in range(3):  # a mean has no interval of one
        judged = done(smolit, "--costs", "0.5")
        assert smolit("feedback", "give", judged, "--comment", "useless").code == 0
        shown(smolit, judged, learned)
    shown(smolit, silent, lambda told: bool(told["task"]["ended_at"]))
    caught_up(smolit)

    models, choices = smolit("projection", "verify", "--all", "--json", "-"), smolit("policy", "verify", "--json", "-")

    rewards = smolit("agent", "rewards", "--json").json

    assert shown(smolit, silent, lambda _: True)["examples"] == []
    assert [(one["agent"], one["judged"] < one["completed"], one["failed"]) for one in rewards] == [("service", True, 0)]
    assert rewards[0]["weighted_mean"]["low"] <= rewards[0]["judged_mean"]["value"]
    assert "had all been judged" in smolit("agent", "rewards").out
    assert "sentiment -0.421 by vaderSentiment/" in smolit("events", "trace", judged).out
    assert (models.code, models.json["equal"], choices.code, choices.json["equal"]) == (0, True, 0, True)
