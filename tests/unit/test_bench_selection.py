"""`smolit bench selection`: what a policy may know, how a set is parted, and that the table is what was measured."""

import csv
import gzip
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.selection.bound import bounds, picked
from bench.selection.course import Course, replay
from bench.selection.learner import Entry, ours
from bench.selection.peer import PEERS, Peer, installed
from bench.selection.report import Spread, rows_of
from bench.selection.routing import POOLS, Routing, RoutingInvalid, apart, held_out, open_set, told_domains
from bench.selection.world import ScoreNotEarned, World
from learning.encoding import WIDTH
from learning.errors import InvalidPolicySetting, UnknownPolicy
from learning.hashed import HashedEncoder
from learning.outcomes import Outcomes
from learning.policies import DEFAULT
from smolit.cli.app import run

SHARED = Path("../shared/data/routing")
COLUMNS = {"a": 0, "b": 1, "c": 2}
REWARDS = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]])
UNIFORM = Entry("uniform", "uniform")
RIDGE = Entry("ridge", "ridge_igw")


def routing(tasks: int = 80, agents: int = 3, seed: int = 1) -> Routing:
    """Return texts of two domains; agent 0 is good at the first, agent 1 at the second."""
    bits = np.random.default_rng(seed)
    side = bits.integers(2, size=tasks)
    contexts = np.stack([side, 1 - side, bits.random(tasks) / 10, np.ones(tasks)], axis=1).astype(float)
    scores = np.full((tasks, agents), 0.2)
    scores[np.arange(tasks), side] = 1.0
    costs = np.tile(np.arange(1.0, agents + 1), (tasks, 1))
    return Routing(
        agents=tuple(f"model-{number}" for number in range(agents)),
        contexts=contexts,
        domains=tuple("left" if one else "right" for one in side),
        keys=tuple(f"{number * 2**32 // tasks:08x}" for number in range(tasks)),
        scores=scores,
        costs=costs,
        fits=np.full((tasks, agents), np.nan),
    )


def write_set(
    folder: Path,
    first: int = 0,
    name: str = "small",
    score: Callable[[int, str], float] = lambda number, model: float("xy"[number % 2] == model),
    cost: Callable[[str], str] = lambda _: "0.001",
) -> None:
    """Write a set of three models and 60 texts in the format of the routing data."""
    folder.mkdir(exist_ok=True)
    prompts = [("prompt_id", "domain", "prompt")]
    scores = [("prompt_id", "model", "score", "cost")]
    for number in range(first, first + 60):
        prompts.append((f"p{number}", f"d{number % 2}", f"{'Add' if number % 2 else 'Translate'} {number} things"))
        scores += [(f"p{number}", model, str(score(number, model)), cost(model)) for model in ("x", "y", "z")]
    for part, rows in (("prompts", prompts), ("scores", scores)):
        with gzip.open(folder / f"{name}.{part}.csv.gz", "wt", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(rows)


def bench(folder: Path, *options: str) -> int:
    """Run the command on the small set without peers, and return its exit code."""
    return run(["bench", "selection", "--no-peers", "--data", str(folder), "--set", "small", *options])


def test_a_score_that_was_not_earned_is_not_told() -> None:
    """A learner that asks what another agent would have earned is refused by name."""
    world = World(REWARDS, COLUMNS)
    world.choose("b", 0.5)

    assert world.reward(0, "b") == 0.2
    with pytest.raises(ScoreNotEarned, match="c was not chosen"):
        world.reward(0, "c")


def test_a_score_that_is_not_due_is_not_told() -> None:
    """Before the choice is made, and until the delay is over, nobody learns what it earned."""
    world = World(REWARDS, COLUMNS, delay=1)
    world.choose("a", 0.5)

    assert list(world.due()) == []
    with pytest.raises(ScoreNotEarned, match="not due"):
        world.reward(0, "a")
    world.choose("b", 0.5)
    assert [(told.step, told.agent, told.reward) for told in world.due()] == [(0, "a", 0.1)]


def test_calibration_shows_all_agents_of_the_first_tasks_and_no_more() -> None:
    """The first tasks are given to everybody; after them only the chosen agent's score is told."""
    world = World(REWARDS, COLUMNS, calibrate=1)
    world.choose("a", 0.5)
    assert [(told.agent, told.propensity, told.reward) for told in world.due()] == [("a", 1, 0.1), ("b", 1, 0.2), ("c", 1, 0.3)]

    world.choose("c", 0.5)
    assert [(told.agent, told.propensity, told.reward) for told in world.due()] == [("c", 0.5, 0.6)]


def test_a_replay_repeats_itself_and_another_seed_is_another_order() -> None:
    """One seed fixes order, names and draws."""
    course = Course(*held_out(routing(), 0.3))
    first, again, other = (replay(course, RIDGE, seed).rewards.tolist() for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_a_policy_learns_from_what_it_is_shown_and_not_before_it_is_due() -> None:
    """On an easy set a policy ends above chance; one whose feedback never comes stays where it began."""
    course = Course(*held_out(routing(600), 0.3))
    told = replay(course, RIDGE, 3)
    never = replay(Course(course.stream, course.test, delay=10_000), RIDGE, 3)

    assert told.test > 0.9
    assert never.test < 0.7
    assert told.rewards[-100:].mean() > never.rewards.mean() + 0.2


def test_an_uniform_choice_is_judged_by_its_probabilities() -> None:
    """A policy without a favourite earns on the test what its probabilities would."""
    course = Course(*held_out(routing(), 0.3))

    assert replay(course, UNIFORM, 1).test == pytest.approx(course.test.scores.mean())


def test_drift_lets_the_best_agent_fail_from_half_way() -> None:
    """The best agent's rewards shrink in the second half, so the best in hindsight earns less."""
    course = Course(*held_out(routing(), 0.3))

    assert replay(Course(course.stream, course.test, drift=True), UNIFORM, 1).best < replay(course, UNIFORM, 1).best


def test_cost_takes_its_weight_from_the_score() -> None:
    """With weight W a reward is 1 - W of the score and W of how cheap the agent is against the dearest."""
    course = Course(*held_out(routing(), 0.3), costs=0.5)
    rewards = course.rewards(course.stream)

    assert rewards[:, 2] == pytest.approx(0.5 * course.stream.scores[:, 2])
    assert rewards[:, 0] == pytest.approx(0.5 * course.stream.scores[:, 0] + 0.5 * (1 - 1 / 3))


def test_held_out_texts_and_their_repeats_stay_apart() -> None:
    """Every text falls on one side by its key, and a test loses what the stream holds, too."""
    whole = routing(100)
    stream, test = held_out(whole, 0.3)

    assert len(stream.keys) + len(test.keys) == 100
    assert not set(stream.keys) & set(test.keys)
    assert apart(stream, whole).keys == test.keys


def test_bounds_are_what_they_say() -> None:
    """On a set where the domain tells who is best, all that know it earn everything, and chance earns the mean."""
    stream, test = held_out(routing(400), 0.3)
    found = {name: picked(stream.scores, rule.stream) for name, rule in bounds(stream, test, stream.scores, test.scores).items()}

    assert found["random"] == pytest.approx(stream.scores.mean())
    assert found["best single, in hindsight"] == pytest.approx(stream.scores.mean(axis=0).max())
    assert (
        found["best per task, in hindsight"]
        == found["best per domain, in hindsight"]
        == found["full information: ridge"]
        == found["full information: kNN"]
        == 1.0
    )


def test_full_information_never_sees_the_row_it_picks_for() -> None:
    """On scores that are pure chance, learners with full information earn chance on the stream, not their own answers."""
    stream, test = held_out(routing(600, agents=5), 0.3)
    noise = np.random.default_rng(5).random(stream.scores.shape)
    found = {name: picked(noise, rule.stream) for name, rule in bounds(stream, test, noise, test.scores).items()}

    assert found["full information: kNN"] < 0.56
    assert found["full information: ridge"] < 0.56


def test_told_domains_stand_before_the_bias() -> None:
    """A domain becomes one number per domain, and the bias stays last."""
    whole = routing(10)
    told = told_domains(whole, ["left", "right"])

    assert told.contexts.shape[1] == whole.contexts.shape[1] + 2
    assert (told.contexts[:, -1] == 1.0).all()
    assert (told.contexts[:, -3] == [float(domain == "left") for domain in whole.domains]).all()


def test_differences_are_paired_by_order() -> None:
    """A learner that is always .1 above another is so with no doubt at all, however much the orders differ."""
    assert Spread.of([0.1, 0.5, 0.9], [0.0, 0.4, 0.8]).half == pytest.approx(0.0, abs=1e-12)
    assert Spread.of([0.3]).mean == 0.3
    assert math.isnan(Spread.of([0.3]).half)  # of a single order nobody knows


def test_the_default_is_what_others_are_compared_with() -> None:
    """The default differs from itself by nothing."""
    course = Course(*held_out(routing(), 0.3))
    passes = {entry.label: [replay(course, entry, seed) for seed in (1, 2)] for entry in (RIDGE, UNIFORM)}
    rows = rows_of(passes, "ridge")

    assert rows["ridge"].over_default == Spread(0.0, 0.0)
    assert rows["uniform"].over_default.mean == pytest.approx(rows["uniform"].stream.mean - rows["ridge"].stream.mean)


def test_policies_are_named_with_their_settings() -> None:
    """The default comes first; a policy is asked for by name, with settings as JSON behind it, and mistakes are named."""
    asked = ours(['ridge_igw:{"gain": 5}', "uniform", DEFAULT])

    assert [(entry.kind, entry.settings) for entry in asked] == [(DEFAULT, {}), ("ridge_igw", {"gain": 5.0}), ("uniform", {})]
    with pytest.raises(UnknownPolicy):
        ours(["ridge_igv"])
    with pytest.raises(InvalidPolicySetting):
        ours(["ridge_igw:gain"])


def test_an_agent_that_the_set_does_not_hold_is_named(tmp_path: Path) -> None:
    """Whoever mistypes an agent is told which there are; a single one is no choice."""
    write_set(tmp_path)

    with pytest.raises(RoutingInvalid, match="'w'; it has x, y, z"):
        open_set(tmp_path, "small", ["x", "w"], HashedEncoder())
    with pytest.raises(RoutingInvalid, match="two agents"):
        open_set(tmp_path, "small", ["x"], HashedEncoder())


def test_vectors_that_nobody_recorded_are_not_made_up(tmp_path: Path) -> None:
    """Whoever asks for recorded vectors gets them, or is told that there are none."""
    write_set(tmp_path)

    with pytest.raises(RoutingInvalid, match=r"small\.emb\.npy"):
        open_set(tmp_path, "small", [], None)
    for wrong in (np.eye(3, WIDTH), np.full((60, WIDTH), np.nan), np.array(["a"])):
        np.save(tmp_path / "small.emb.npy", wrong)
        with pytest.raises(RoutingInvalid, match=f"60 x {WIDTH} finite"):
            open_set(tmp_path, "small", [], None)
    (tmp_path / "small.emb.npy").write_bytes(b"no array")
    with pytest.raises(RoutingInvalid, match="no array of vectors"):
        open_set(tmp_path, "small", [], None)
    np.save(tmp_path / "small.emb.npy", np.eye(len(Outcomes.load(tmp_path, "small").prompts), WIDTH))
    assert open_set(tmp_path, "small", [], None)[1] == "recorded"


def test_a_peer_that_is_not_installed_is_left_out() -> None:
    """What cannot be imported is told apart from what can, without importing anything."""
    absent = Peer("nobody's", "no_such_module_anywhere", PEERS[0].make)

    assert absent in installed((*PEERS, absent))[1]


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.label)
def test_a_peer_learns_an_easy_set(peer: Peer) -> None:
    """Each peer that is installed runs behind our verbs and earns more than chance where that is easy."""
    if peer not in installed()[0]:
        pytest.skip(f"{peer.label} is not installed; `make install-bench` installs it")
    course = Course(*held_out(routing(500), 0.3))
    found = replay(course, Entry(peer.label, peer.label), 1)

    assert found.rewards[-100:].mean() > course.stream.scores.mean() + 0.1
    assert math.isfinite(found.test)


def test_the_command_prints_a_table_and_writes_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bounds and learners stand in the table and in the file; progress goes to standard error."""
    write_set(tmp_path)
    options = ["--seeds", "2", "--no-peers", "--policy", "uniform", "--calibrate", "2", "--drift", "--costs", "0.2"]
    code = run(["bench", "selection", "--data", str(tmp_path), "--set", "small", *options[:-3], "--json", str(tmp_path / "f")])

    told, found = capsys.readouterr(), json.loads((tmp_path / "f").read_text())
    assert code == 0, told.err
    assert "full information: ridge" in told.out
    assert "extra calls" in told.out
    assert list(found["learners"]) == [f"{DEFAULT} (default)", "uniform"]
    assert found["about"]["tasks"] + found["about"]["test_tasks"] == 60
    assert found["bounds"]["best per domain, in hindsight"]["stream"] == 1.0
    assert len(found["learners"]["uniform"]["by_order"]) == 2


def test_the_file_names_every_figure_with_its_interval(tmp_path: Path) -> None:
    """Programs find each figure under a name of its own, the same as in the table, and its interval beside it."""
    write_set(tmp_path)
    options = ["--seeds", "3", "--policy", "uniform", "--calibrate", "2", "--drift", "--costs", "0.2"]
    assert bench(tmp_path, *options, "--json", str(tmp_path / "f")) == 0
    found = json.loads((tmp_path / "f").read_text())
    row = found["learners"][f"{DEFAULT} (default)"]

    assert (found["stream_mean"], found["test_mean"]) == (row["stream"]["mean"], row["test"]["mean"])
    assert found["worst_order"] == row["worst"] <= found["over_best_single"]
    assert (found["extra_calls"], found["extra_cost"]) == (4, pytest.approx(4 * 0.001))
    names = ["stream_mean", "first500_mean", "test_mean", "learn_choose_ms_p99", "before500_mean", "next500_mean", "last500_mean"]
    for name in [*names, "random", "best_single", "per_domain", "oracle"]:
        low, high = found[f"{name}_ci"]
        assert low <= found[name] <= high, name
        assert (name in found["policies"]["uniform"]) == (name in names)
    assert found["random"] < found["best_single"] <= found["per_domain"] <= found["oracle"] + 1e-9
    assert found["peers"] == {}


def test_a_single_order_has_no_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was measured once is told without an interval, rather than with one of nothing."""
    write_set(tmp_path)
    assert bench(tmp_path, "--seeds", "1", "--policy", "uniform", "--hold-out", "0", "--json", str(tmp_path / "f")) == 0

    found, table = json.loads((tmp_path / "f").read_text()), capsys.readouterr().out.partition("ms p50")[2]
    assert found["stream_mean_ci"] is None
    assert found["best_single"] == found["best_single_ci"][0] == found["best_single_ci"][1]
    assert "test_mean" not in found
    assert "+-" not in table


def test_shares_are_of_the_agent_that_scores_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However dear it is: with a weight of cost the best reward may be a cheap agent's, which is no measure of quality."""
    dear = lambda model: "1.0" if model == "x" else "0.01"  # noqa: E731
    write_set(tmp_path, score=lambda number, model: {"x": 1.0, "y": 0.9, "z": 0.0}[model], cost=dear)
    options = ["--seeds", "2", "--policy", 'fixed:{"agent": "agent-000"}', "--costs", "0.5"]
    assert bench(tmp_path, *options, "--json", str(tmp_path / "f")) == 0
    found = json.loads((tmp_path / "f").read_text())

    assert (found["about"]["best_agent"], found["about"]["best_score_agent"]) == ("y", "x")
    assert re.search(r"best single, in hindsight +0.9000 +90.0% +1.0%", capsys.readouterr().out)
    assert found["score_share"] == pytest.approx(found["learners"][f"{DEFAULT} (default)"]["score"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "none"], "there is no set none in"),
        (["--agents", "x,w"], "no agent 'w'; it has x, y, z"),
        (["--agents", "x"], "not x alone"),
        (["--agents", "x,y,x"], "x is named more than once"),
        (["--policy", "ridge_igv"], "no policy 'ridge_igv'"),
        (["--policy", 'ridge_igw:{"gian": 1}'], "ridge_igw has no setting 'gian'; it has ridge, trust, gain, floor"),
        (["--policy", 'ridge_igw:{"gain": "much"}'], "gain must be a number, not 'much'"),
        (["--policy", 'uniform:{"gain": 1}'], "uniform has no setting 'gain'; it has none"),
        (["--calibrate", "99"], "more than the"),
        (["--features", "recorded"], "no vectors are recorded"),
        (["--json", "/"], "is a folder"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake_of_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    """One sentence that says what there is, exit code 2, and nothing is measured before it."""
    write_set(tmp_path)

    assert bench(tmp_path, "--seeds", "1", *options) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert told.out == ""
    assert len(told.err.strip().splitlines()) == 1


def test_drift_and_cost_have_tables_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under drift the table tells what was earned before and after; a weight of cost adds scores and costs."""
    write_set(tmp_path)
    write_set(tmp_path / "test", first=60)
    common = f"bench selection --data {tmp_path} --set small --seeds 1 --no-peers --policy uniform".split()

    assert run([*common, "--drift", "--hold-out", "0"]) == 0
    assert "500 after" in capsys.readouterr().out
    assert run([*common, "--costs", "0.3", "--domain", "--test", str(tmp_path / "test")]) == 0
    assert "cost, of its" in capsys.readouterr().out


def test_a_test_must_hold_texts_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is learned from does not judge: texts of the stream are taken out of the test, and an empty one is refused."""
    write_set(tmp_path)

    assert run(f"bench selection --data {tmp_path} --set small --test {tmp_path}".split()) == 2
    assert "holds no text that the stream does not" in capsys.readouterr().err


def test_the_public_sets_are_read_as_they_were_published() -> None:
    """The bounds of the routing data come out as its README says."""
    if not (SHARED / "llmrouter.emb.npy").exists():
        pytest.skip(f"the routing data is not in {SHARED}")
    from learning.outcomes import Outcomes

    outcomes = Outcomes.load(SHARED, "mmlupro")

    assert max(outcomes.mean_score(model) for model in POOLS["mid9"]) == pytest.approx(0.4983, abs=5e-5)
    assert max(outcomes.mean_score(model) for model in POOLS["frontier10"]) == pytest.approx(0.7018, abs=5e-5)
