"""The page for analysts tells the truth: each block runs as it stands there, and its figures are those of plain Python."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import correlation, fmean, median, quantiles, stdev, variance
from typing import Any

import pytest

from projections.catalog import VIEWS
from projections.view import ANALYST
from smolit.cli import app
from smolit.stack.local import Endpoints
from tests.analysts import AGENTS, Try, begins, tries
from tests.builders import moment
from tests.sql_docs import PAGE, ask, blocks, fill, output
from tests.stacks import namespace_on

BLOCKS = blocks(PAGE.read_text(encoding="utf-8"))
QUERIES = {int(block.heading.split(".")[0]): block for block in BLOCKS if block.language == "sql"}
TRIES = tries()
JUDGED = [one for one in TRIES if one.reward is not None]
Z = 1.96
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def dsn(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database that holds the analysts' four weeks."""
    with namespace_on(stack, tmp_path_factory.mktemp("analysts")) as mine:
        fill(mine.postgres)
        yield mine.postgres


def near(wanted: float) -> Any:
    """Return what equals a figure that was rounded to three places."""
    return pytest.approx(wanted, abs=6e-4)


def grouped(made: Iterable[Try], key: Callable[[Try], Any]) -> dict[Any, list[Try]]:
    """Return attempts by a key."""
    groups: dict[Any, list[Try]] = defaultdict(list)
    for one in made:
        groups[key(one)].append(one)
    return groups


def rewards(made: Iterable[Try]) -> list[float]:
    """Return the rewards of attempts that have one."""
    return [one.reward for one in made if one.reward is not None]


def half(values: list[float]) -> float:
    """Return half the width of the 95 % interval of a mean."""
    return Z * stdev(values) / len(values) ** 0.5


def week_of(one: Try, after_s: float = 0) -> Any:
    """Return the Monday before what happened so long after the submission of an attempt's task."""
    day = moment(begins(one.task) + 30 * (one.attempt - 1) + after_s).date()
    return day - timedelta(days=day.weekday())


def weighted(pairs: list[tuple[float, float]]) -> float:
    """Return the mean of rewards by weights."""
    return sum(weight * reward for weight, reward in pairs) / sum(weight for weight, _ in pairs)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.heading}, {block.language}")
def test_every_block_gives_what_the_page_says(dsn: str, block: Any) -> None:
    """Queries, programs and the plot are run as they stand there; `python -m tests.sql_docs` writes their outputs anew."""
    assert block.output.count("\n") > 2, "the page shows no output"
    assert output(block, dsn) == block.output


def test_the_page_asks_eleven_questions_and_answers_each_in_a_sentence() -> None:
    """Eleven queries, each under a question of its own and after one sentence of what it gives."""
    text = PAGE.read_text(encoding="utf-8")
    told = re.findall(r"^## \d+\. [^\n]+\?\n\n([A-Z](?:(?!\n\n).)*\.)\n\n```sql", text, re.M | re.S)

    assert sorted(QUERIES) == list(range(1, 12))
    assert len(told) == 11


def test_queries_read_public_views_as_the_analyst(dsn: str) -> None:
    """Who asks is the read-only role, and nothing but views stands in the page."""
    known = {view.name for view in VIEWS} | {"pg_catalog"}
    named = {name for block in QUERIES.values() for name in re.findall(r"\b(?:from|join) ([a-z_]+)", block.code)}
    own = {name for block in QUERIES.values() for name in re.findall(r"(?:with|,) ([a-z_]+) as \(", block.code)}

    assert ask(dsn, "select current_user").rows == [(ANALYST,)]
    assert named - own - {"jsonb_array_elements", "took", "lateral", "passed"} <= known


def told(dsn: str, number: int) -> Rows:
    """Return what a query of the page gives."""
    rows = ask(dsn, QUERIES[number].code).told()
    assert rows
    return rows


def test_who_is_good_at_what(dsn: str) -> None:
    """Counts, shares and intervals by kind and agent."""
    found = told(dsn, 1)
    groups = grouped(TRIES, lambda one: (one.kind, one.agent))

    assert {(row["kind"], row["agent"]) for row in found} == set(groups)
    for row in found:
        made = groups[row["kind"], row["agent"]]
        earned = rewards(made)
        assert (row["attempts"], row["rewarded"]) == (len(made), len(earned))
        assert row["completed"] == pytest.approx(fmean(one.outcome == "completed" for one in made), abs=6e-3)
        assert (row["mean_reward"], row["high"]) == (near(fmean(earned)), near(fmean(earned) + half(earned)))
    assert next(row["agent"] for row in found if row["kind"] == "law") == "anna"


def test_the_learning_curve(dsn: str) -> None:
    """Parts of the stream, and what a uniform choice would have earned on each; later is better."""
    first = [one for one in JUDGED if one.attempt == 1]
    found = told(dsn, 2)
    size, more = divmod(len(first), 5)

    for number, row in enumerate(found):
        start = number * size + min(number, more)
        part = first[start : start + size + (number < more)]
        earned = rewards(part)
        weights = [1 / one.chances[one.agent] / len(one.chances) for one in part]
        assert (row["tasks"], row["mean_reward"]) == (len(part), near(fmean(earned)))
        assert row["high"] - row["low"] == pytest.approx(2 * half(earned), abs=2e-3)
        assert row["uniform"] == near(weighted(list(zip(weights, earned, strict=True))))
    assert found[-1]["mean_reward"] > found[0]["mean_reward"]


def test_what_one_agent_alone_would_have_earned(dsn: str) -> None:
    """Inverse propensities undo that agents were given what suits them."""
    found = told(dsn, 3)
    groups = grouped((one for one in JUDGED if one.attempt == 1), lambda one: one.agent)

    assert [row["agent"] for row in found] == sorted(AGENTS, key=lambda agent: -_alone(groups[agent]))
    for row in found:
        made = groups[row["agent"]]
        weights = [1 / one.chances[one.agent] for one in made]
        assert (row["tasks"], row["on_its_own_tasks"]) == (len(made), near(fmean(rewards(made))))
        assert row["on_all_tasks"] == near(_alone(made))
        assert row["worth_tasks"] == pytest.approx(sum(weights) ** 2 / sum(weight**2 for weight in weights), abs=0.6)


def _alone(made: list[Try]) -> float:
    return weighted([(1 / one.chances[one.agent], one.reward or 0.0) for one in made])


def test_what_each_domain_costs(dsn: str) -> None:
    """Known costs only; per attempt, per completed task, per reward."""
    groups = grouped(TRIES, lambda one: one.kind)

    for row in told(dsn, 4):
        made = groups[row["kind"]]
        known = [one.cost for one in made if one.cost is not None]
        assert (row["attempts"], row["costed"], row["usd"]) == (len(made), len(known), sum(known) / 1e6)
        assert row["usd_per_1000_attempts"] == near(fmean(known) / 1e3)
        completed = sum(one.outcome == "completed" for one in made)
        assert row["usd_per_1000_completed"] == near(sum(known) / completed / 1e3)
        assert row["usd_per_1000_rewards"] == near(sum(known) / sum(rewards(made)) / 1e3)


def test_what_language_models_cost_each_agent(dsn: str) -> None:
    """Sums over the steps that asked one; who asked none is there with zeros, and its cost is not known."""
    groups = grouped(TRIES, lambda one: one.agent)

    for row in told(dsn, 11):
        asked = [us for one in groups[row["agent"]] for name, us in one.steps if name == "write"]
        tokens = [sum(us // size for us in asked) for size in (2_000, 10_000)]
        assert (row["attempts"], row["calls"], row["tokens_in"], row["tokens_out"]) == (
            len(groups[row["agent"]]), len(asked), *tokens,
        )  # fmt: skip
        assert row["usd"] == (near(sum(us // 50_000 for us in asked) / 1e6) if asked else None)
        assert float(row["seconds"]) == pytest.approx(sum(asked) / 1e6, abs=0.05)


def test_how_the_experiment_stands(dsn: str) -> None:
    """First choices by variant, and the difference with its interval."""
    groups = grouped((one for one in JUDGED if one.attempt == 1 and one.variant), lambda one: one.variant)
    a, b = rewards(groups["a"]), rewards(groups["b"])
    error = (variance(a) / len(a) + variance(b) / len(b)) ** 0.5

    (row,) = told(dsn, 5)

    exposed = sum(one.variant == "b" and one.attempt == 1 for one in TRIES)
    assert (row["variant"], row["exposures"], row["rewarded"]) == ("b", exposed, len(b))
    assert row["difference"] == near(fmean(b) - fmean(a))
    assert (row["low"], row["high"]) == (
        near(fmean(b) - fmean(a) - Z * error),
        near(fmean(b) - fmean(a) + Z * error),
    )


def test_who_drifts(dsn: str) -> None:
    """Means by week, and the change in standard errors; the one who was made worse stands out."""
    groups = grouped(JUDGED, lambda one: (one.agent, week_of(one, 61)))
    found = told(dsn, 6)

    assert {(row["agent"], row["week"]) for row in found} == set(groups)
    for row in found:
        earned = rewards(groups[row["agent"], row["week"]])
        assert (row["rewarded"], row["mean_reward"]) == (len(earned), near(fmean(earned)))
    changed = [(row["errors"], row["agent"]) for row in found if row["errors"] is not None]
    assert min(changed)[1] == "carl"


def test_which_steps_are_slow(dsn: str) -> None:
    """Medians, percentiles and parts of the agent's time."""
    took: dict[tuple[str, str], list[int]] = defaultdict(list)
    for one in TRIES:
        for name, duration in one.steps:
            took[one.agent, name].append(duration)

    found = told(dsn, 7)

    assert {(row["agent"], row["step"]) for row in found} == set(took)
    for row in found:
        mine = took[row["agent"], row["step"]]
        whole = sum(sum(times) for (agent, _), times in took.items() if agent == row["agent"])
        assert row["p50_ms"] == pytest.approx(median(mine) / 1000, abs=0.06)
        assert row["p95_ms"] == pytest.approx(quantiles(mine, n=20, method="inclusive")[-1] / 1000, abs=0.06)
        assert row["part_of_time"] == near(sum(mine) / whole)
    assert found[0]["step"] == "compute"


def test_where_tasks_wait(dsn: str) -> None:
    """Each stage by its own length."""
    found = {row["stage"]: row for row in told(dsn, 8)}

    waits = [1 + one.task % 5 for one in TRIES if one.attempt == 1]
    assert (found["2 admitted to chosen"]["p50_s"], found["2 admitted to chosen"]["p95_s"]) == (2, 2)
    assert (found["3 chosen to started"]["tasks"], found["3 chosen to started"]["p50_s"]) == (len(waits), median(waits))
    ended = sum(one.outcome == "completed" for one in TRIES)
    assert found["all of it"]["tasks"] == ended


def test_what_exploring_costs(dsn: str) -> None:
    """By week: how often, how sure, and what either sort of choice earned."""
    groups = grouped(TRIES, lambda one: week_of(one, 3))

    for row in told(dsn, 9):
        made = groups[row["week"]]
        assert (row["choices"], row["explored"]) == (len(made), near(fmean(one.explored for one in made)))
        assert row["mean_propensity"] == near(fmean(one.chances[one.agent] for one in made))
        assert row["reward_likeliest"] == near(fmean(rewards(one for one in made if not one.explored)))


def test_whether_raters_agree(dsn: str) -> None:
    """Only attempts that both judged count; the stricter one is below."""
    both = [one.said for one in TRIES if len(one.said) == 2]
    ann, bob = [said["ann"] for said in both], [said["bob"] for said in both]

    first, second = told(dsn, 10)

    assert (first["rater"], second["rater"], first["shared"]) == ("ann", "bob", len(both))
    assert first["above_others"] == near(fmean(ann) - fmean(bob)) == -second["above_others"]
    assert second["correlation"] == near(correlation(ann, bob))


@pytest.fixture
def smolit(dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command line on the analysts' database."""
    monkeypatch.setenv("SMOLIT_POSTGRES", dsn)
    monkeypatch.setenv("SMOLIT_KAFKA", "nobody.invalid:9092")

    def call(*arguments: str) -> tuple[int, str, str]:
        code = app.run(["plot", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_the_plotted_curve_is_the_pages(dsn: str, smolit: Callable[..., tuple[int, str, str]]) -> None:
    """`smolit plot learning` and the query of the page agree, and the whole stream comes last."""
    parts = told(dsn, 2)

    *found, whole = json.loads(smolit("learning", "--windows", "5", "--json")[1])

    assert [one["tasks"] for one in found] == [row["tasks"] for row in parts]
    for one, row in zip(found, parts, strict=True):
        assert (one["mean_reward"], one["uniform"]) == (near(row["mean_reward"]), near(row["uniform"]))
    first = [one for one in JUDGED if one.attempt == 1]
    pairs = [(1 / one.chances[one.agent] / len(one.chances), one.reward or 0.0) for one in first]
    uniform = weighted(pairs)
    error = sum((weight * (reward - uniform)) ** 2 for weight, reward in pairs) ** 0.5 / sum(weight for weight, _ in pairs)
    assert (whole["part"], whole["tasks"], whole["mean_reward"]) == (None, len(first), pytest.approx(fmean(rewards(first))))
    assert (whole["uniform"], whole["uniform_high"]) == (pytest.approx(uniform), near(uniform + Z * error))


def test_plotted_agents_and_costs_add_up(smolit: Callable[..., tuple[int, str, str]]) -> None:
    """Shares sum to one, rewards and costs are those of plain Python."""
    agents = json.loads(smolit("agents", "--scope", "default", "--json")[1])
    cost = json.loads(smolit("cost", "--json")[1])

    by_agent, by_kind = grouped(TRIES, lambda one: one.agent), grouped(TRIES, lambda one: one.kind)
    assert sum(one["share"] for one in agents) == pytest.approx(1)
    for one in agents:
        earned = rewards(by_agent[one["agent"]])
        assert (one["chosen"], one["rewarded"]) == (len(by_agent[one["agent"]]), len(earned))
        assert (one["mean_reward"], one["reward_low"]) == (near(fmean(earned)), near(fmean(earned) - half(earned)))
    for one in cost:
        known = [made.cost for made in by_kind[one["kind"]] if made.cost is not None]
        assert (one["cost_microusd"], one["costed"]) == (sum(known), len(known))
        assert one["mean_microusd"] == pytest.approx(fmean(known))


@pytest.mark.parametrize("chart", ["learning", "agents", "cost"])
def test_a_chart_is_drawn_in_the_terminal_and_as_a_picture(
    smolit: Callable[..., tuple[int, str, str]], tmp_path: Path, chart: str
) -> None:
    """Both at once, with exit code 0."""
    code, drawn, said = smolit(chart, "--png", str(tmp_path / f"{chart}.png"))

    assert (code, "●" in drawn, "├" in drawn) == (0, True, True)
    assert f"{chart}.png shows it" in said
    assert (tmp_path / f"{chart}.png").read_bytes().startswith(b"\x89PNG")


def test_a_scope_without_tasks_is_said_to_be_so(smolit: Callable[..., tuple[int, str, str]]) -> None:
    """Nothing to plot is one sentence and exit code 1, for every chart."""
    assert {smolit(chart, "--scope", "nowhere")[0] for chart in ("learning", "agents", "cost")} == {1}
    assert "nothing to plot" in smolit("learning", "--scope", "nowhere")[2]
