"""The demo's sample of recorded outcomes, and the reader of such files."""

import gzip
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from bench.make_sample import MID9, SAMPLE_SET, SIZE, make_sample
from learning.outcomes import Outcomes, OutcomesUnreadable

ROOT = Path(__file__).parent.parent.parent
SAMPLE = ROOT / "bench" / "data"
SOURCE = ROOT.parent / "shared" / "data" / "routing"


@pytest.fixture(scope="module")
def sample() -> Outcomes:
    """Read the sample once for this module."""
    return Outcomes.load(SAMPLE, SAMPLE_SET)


def test_the_sample_holds_every_outcome(sample: Outcomes) -> None:
    """2,000 different questions, nine models, a score and a cost for each pair."""
    assert len({prompt.prompt_id for prompt in sample.prompts}) == len(sample.prompts) == SIZE
    assert set(sample.models) == set(MID9)
    assert len(sample.table) == SIZE * len(MID9)
    assert {outcome.score for outcome in sample.table.values()} == {0.0, 1.0}
    assert all(outcome.cost > 0 for outcome in sample.table.values())


def test_the_sample_is_not_grouped_by_domain(sample: Outcomes) -> None:
    """The order is random: neighbours share their domain about as often as strangers do."""
    domains = [prompt.domain for prompt in sample.prompts]

    same = sum(first == second for first, second in pairwise(domains)) / len(domains)

    expected = sum((domains.count(domain) / len(domains)) ** 2 for domain in set(domains))
    assert same == pytest.approx(expected, abs=0.03)


def test_one_known_outcome_is_found(sample: Outcomes) -> None:
    """A look-up by prompt id and model gives the row of the file."""
    with gzip.open(SAMPLE / f"{SAMPLE_SET}.scores.csv.gz", "rt", encoding="utf-8") as stream:
        prompt_id, model, score, cost = stream.read().splitlines()[1].split(",")

    assert sample.outcome(prompt_id, model) == (float(score), float(cost))
    with pytest.raises(KeyError):
        sample.outcome(prompt_id, "nobody")


def test_no_model_dominates_the_sample(sample: Outcomes) -> None:
    """The best single model stays far below the best model per question: there is something to learn."""
    best_single = max(map(sample.mean_score, sample.models))
    best_each = sum(max(sample.outcome(prompt.prompt_id, model).score for model in sample.models) for prompt in sample.prompts)

    assert best_single == pytest.approx(0.495, abs=1e-9)
    assert best_each / SIZE == pytest.approx(0.8345, abs=1e-9)


def test_the_sample_is_what_the_script_draws() -> None:
    """Drawing again from the full data gives the same rows in the same order."""
    if not SOURCE.is_dir():
        pytest.skip("the full routing data does not lie beside this checkout, so the sample cannot be drawn again")

    made = make_sample(SOURCE)

    assert sorted(made) == sorted(path.name for path in SAMPLE.glob("*.csv.gz"))
    for name, content in made.items():
        assert gzip.decompress(content) == gzip.decompress((SAMPLE / name).read_bytes())


def without_scores(folder: Path) -> None:
    """Lose a file."""
    (folder / "s.scores.csv.gz").unlink()


def with_half_a_file(folder: Path) -> None:
    """Cut a file short."""
    path = folder / "s.scores.csv.gz"
    path.write_bytes(path.read_bytes()[:-9])


def with_a_hole(folder: Path) -> None:
    """Leave out one outcome."""
    write(folder, "p1,a,1,0.1\np1,b,0,0.1\np2,a,1,0.1\n")


def with_a_word(folder: Path) -> None:
    """Put a word where a score belongs."""
    write(folder, "p1,a,good,0.1\np2,a,1,0.1\n")


def with_a_short_row(folder: Path) -> None:
    """Leave out a field."""
    write(folder, "p1,a,1\n")


def with_other_columns(folder: Path) -> None:
    """Swap two columns."""
    write(folder, "a,p1,1,0.1\na,p2,0,0.1\n", columns="model,prompt_id,score,cost")


def with_a_prompt_twice(folder: Path) -> None:
    """Hold a prompt twice."""
    write(folder, "p1,a,1,0.1\np2,a,0,0.1\n", prompts="p1,law,one\np2,law,two\np1,law,three\n")


def with_an_outcome_twice(folder: Path) -> None:
    """Let an agent have two scores on one prompt."""
    write(folder, "p1,a,1,0.1\np2,a,0,0.1\np1,a,0,0.1\n")


def with_no_number(folder: Path) -> None:
    """Write a score as some programs write what is missing."""
    write(folder, "p1,a,nan,0.1\np2,a,0,0.1\n")


def with_a_score_of_seven(folder: Path) -> None:
    """Score by another scale."""
    write(folder, "p1,a,7,0.1\np2,a,0,0.1\n")


def with_a_negative_cost(folder: Path) -> None:
    """Pay the caller."""
    write(folder, "p1,a,1,-1\np2,a,0,0.1\n")


def write(
    folder: Path,
    scores: str,
    columns: str = "prompt_id,model,score,cost",
    prompts: str = "p1,law,one\np2,law,two\n",
) -> None:
    """Write a set of two prompts with the given outcomes."""
    (folder / "s.prompts.csv.gz").write_bytes(gzip.compress(f"prompt_id,domain,prompt\n{prompts}".encode()))
    (folder / "s.scores.csv.gz").write_bytes(gzip.compress(f"{columns}\n{scores}".encode()))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (without_scores, "there is no set s in"),
        (with_half_a_file, "s.scores.csv.gz cannot be read"),
        (with_a_hole, "the set s lacks outcomes"),
        (with_a_word, "the outcome of a on p1 is not a number"),
        (with_other_columns, "s.scores.csv.gz: the columns are model, prompt_id, score, cost instead of prompt_id, model, score"),
        (with_a_prompt_twice, "the set s holds the prompt p1 more than once"),
        (with_an_outcome_twice, "the set s holds more than one outcome of a on p1"),
        (with_no_number, "the score of a on p1 is nan, which is not 0 to 1"),
        (with_a_score_of_seven, "the score of a on p1 is 7.0, which is not 0 to 1"),
        (with_a_negative_cost, "the cost of a on p1 is -1.0, which is no amount of money"),
        (with_a_short_row, "s.scores.csv.gz line 2: 3 fields instead of 4"),
    ],
)
def test_a_broken_set_is_refused_by_name(tmp_path: Path, harm: Callable[[Path], None], message: str) -> None:
    """What is missing or wrong is named in one sentence."""
    write(tmp_path, "p1,a,1,0.1\np2,a,0,0.1\n")
    harm(tmp_path)

    with pytest.raises(OutcomesUnreadable, match=re.escape(message)):
        Outcomes.load(tmp_path, "s")
