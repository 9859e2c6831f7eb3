"""Shapes of networks at equal cost: what each costs is known before it is made, and what a search may ask for is checked."""

from pathlib import Path

import pytest

from learning.statistics import paired_difference
from smolit.cli import app
from smolit.errors import UsageInvalid
from smolit.search import architecture
from smolit.search.architecture import POLICY, SPACE, START, cost, over_seeds, typed, words_of
from smolit.search.space import default_in, holds, space_of
from tests.training.kit import job, world
from training.errors import ShapeImpossible
from training.job import Words
from training.size import NEAR, budget, check_cost, hidden_of

WIDTH, AGENTS = 65, 9


def shapes() -> list[dict[str, float]]:
    """Return every shape of the built-in space."""
    found: list[dict[str, float]] = [{}]
    for one in SPACE:
        found = [{**each, one.name: value} for each in found for value in one.values]
    return found


def test_every_shape_that_is_offered_costs_what_the_starting_net_costs() -> None:
    """Within five hundredths of its numbers, whatever depth, heads, trunk and axes; width is what pays for them."""
    start = budget(Words(), WIDTH, AGENTS)
    costs = [cost(shape, WIDTH, AGENTS)[0] for shape in shapes()]

    assert len(costs) == 2 * 3 * 3 * 3 * 4
    assert all(abs(one - start) <= NEAR * start for one in costs)
    assert hidden_of(Words(), WIDTH, AGENTS) == Words().hidden
    assert hidden_of(Words(depth=3), WIDTH, AGENTS) < Words().hidden < hidden_of(Words(heads=0), WIDTH, AGENTS)


def test_a_shape_that_cannot_be_had_at_that_cost_is_refused_by_name() -> None:
    """Agents alone would take more numbers than the whole net has."""
    with pytest.raises(ShapeImpossible, match="4000 numbers an agent"):
        check_cost(Words(agent=4000), WIDTH, AGENTS)


def test_the_starting_net_is_in_the_space_and_is_the_default_of_words() -> None:
    """What a search compares with is what `policy retrain` trains by itself."""
    assert words_of({}) == words_of(START) == Words(folds=0)
    assert default_in(POLICY, space_of(POLICY, None)) == START
    assert all(holds(one, START[one.name]) for one in SPACE)
    assert words_of({"shared": 0.0, "depth": 2.0, "axes": 24.0}, 7) == Words(kind="mlp", depth=2, axes=24, seed=7, folds=0)


def test_what_is_printed_trains_that_shape(capsys: pytest.CaptureFixture[str]) -> None:
    """Every option that it names is one of `policy retrain`."""
    words = typed({"shared": 0.0, "depth": 2.0}).split()
    assert app.run([*words[1:3], "--help"]) == 0
    told = capsys.readouterr().out

    assert "--kind mlp --depth 2" in " ".join(words)
    assert all(word in told for word in words if word.startswith("--"))


@pytest.mark.parametrize(
    "space", ["gain: {low: 1, high: 2}", "depth: {low: 1, high: 3}", "heads: {values: [1.5]}", "axes: {values: [-1]}"]
)
def test_a_space_that_no_network_has_is_refused(tmp_path: Path, space: str) -> None:
    """Settings of policies, and what is no whole number."""
    (tmp_path / "space.yaml").write_text(space)

    with pytest.raises(UsageInvalid):
        space_of(POLICY, tmp_path / "space.yaml")


def test_whole_numbers_of_a_file_are_taken(tmp_path: Path) -> None:
    """A file may narrow the search."""
    (tmp_path / "space.yaml").write_text("depth: {low: 1, high: 3, whole: true}\nheads: {values: [1, 2]}\n")

    assert [one.name for one in space_of(POLICY, tmp_path / "space.yaml")] == ["depth", "heads"]


def test_shapes_are_compared_seed_by_seed() -> None:
    """The words say who wins; the interval is that of the seeds, paired."""
    best, start = [0.52, 0.51, 0.53, 0.55], [0.50, 0.50, 0.50, 0.53]
    found = over_seeds({"default": start, "best": best}, {"random": "it crashed"}, "seeds")
    equal = over_seeds({"default": start, "best": start}, {}, "seeds")

    assert found.figures["over_default"] == pytest.approx(paired_difference(best, start).value)
    assert "which it beats" in found.verdict
    assert "no figure of the best random setting: it crashed" in found.verdict
    assert "is the default one" in equal.verdict


def test_registering_is_left_to_the_training(capsys: pytest.CaptureFixture[str]) -> None:
    """A search of shapes registers nothing, and says what does."""
    assert app.run(["policy", "search", "--policy", "neural", "--register"]) == 2
    assert "smolit policy retrain" in capsys.readouterr().err


def test_a_shape_that_cannot_be_had_is_a_failed_trial_before_anything_is_trained() -> None:
    """Its reason is kept, as of any trial."""
    scorer = architecture.OnNetwork(None, job(world(tasks=50).rows), b"", 50)  # type: ignore[arg-type]  # nothing is looked up
    scored = scorer({"agent": 4000.0}, ())

    assert (scored.state, "4000 numbers an agent" in scored.reason) == ("failed", True)
