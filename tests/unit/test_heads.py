"""Heads on the encoder: chances, tensors that are the ones that were written, training that repeats, and what they are worth."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from agents.catalog import build
from agents.errors import AgentFailed
from agents.pipelines.classify import unreadable
from bench.agents.heads import HEADS, encoder, feedback
from bench.agents.judged import Judged, accuracy, calibration_error, macro_f1
from bench.agents.sentiment import by_lexicon, largest
from bench.agents.training import Example, Recipe, digest, temperature, trained
from events.agent import AgentSpec
from learning.errors import ArtefactMissing, ArtefactUnusable
from learning.head import FOLDER, Head, Vector, load, save
from learning.polarity import LABELS, Polarity
from tests.contract.test_agents import do, toolbox
from tests.unit.test_pipelines import run

RECIPE = Recipe("sides", 1, "test", ("left", "right"), least=0.9)


def side(text: str) -> Vector:
    """Return two numbers of a text such as `-3 1`."""
    return np.array([float(part) for part in text.split()], dtype=np.float32)


def sides() -> list[Example]:
    """Return points left and right of a line, some of them wrong."""
    rng = np.random.default_rng(1)
    points = rng.normal(0, 1, (120, 2))
    told = points[:, 0] + rng.normal(0, 0.5, 120) > 0
    return [Example("right" if right else "left", f"{x:.3f} {y:.3f}") for (x, y), right in zip(points, told, strict=True)]


def test_a_head_tells_chances_and_says_when_it_is_unsure() -> None:
    """They sum to one; near the line neither label is sure enough."""
    head = trained(RECIPE, sides(), side)

    far, near = head.chances(side("3 0")), head.chances(side("0 0"))
    assert sum(far.values()) == pytest.approx(1.0)
    assert (head.choice(far), head.choice(near)) == ("right", None)


def test_the_same_texts_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    """Trained twice, written twice: one digest; other texts have another."""
    first, again = (save(trained(RECIPE, sides(), side), tmp_path / name) for name in ("one", "two"))
    other = save(trained(RECIPE, sides()[1:], side), tmp_path / "three")

    files = [(tmp_path / name / f"sides.{ending}").read_bytes() for name in ("one", "two") for ending in ("safetensors", "json")]
    assert files[:2] == files[2:]
    assert first.manifest == again.manifest
    assert other.manifest.sha256 != first.manifest.sha256
    assert other.manifest.data_sha256 != first.manifest.data_sha256


def test_only_the_tensors_that_were_written_are_opened(tmp_path: Path) -> None:
    """A missing, changed or foreign file is refused by name."""
    with pytest.raises(ArtefactMissing, match="there is no head 'sides'"):
        load("sides", tmp_path)
    made = save(trained(RECIPE, sides(), side), tmp_path)
    assert load("sides", tmp_path).manifest == made.manifest

    path = tmp_path / "sides.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ArtefactUnusable, match="not the file that its manifest names"):
        load("sides", tmp_path)
    path.unlink()
    with pytest.raises(ArtefactMissing, match="is missing"):
        load("sides", tmp_path)
    (tmp_path / "sides.json").write_text("{}")
    with pytest.raises(ArtefactUnusable, match="manifest cannot be read"):
        load("sides", tmp_path)


def test_the_temperature_makes_chances_mean_what_they_say() -> None:
    """Logits that are right in three of four cases, and much too sure of it, are cooled to three in four."""
    logits = np.array([[10.0, 0.0]] * 100)
    wanted = np.array([0] * 75 + [1] * 25)

    heat = temperature(logits, wanted)

    assert 1 / (1 + np.exp(-10 / heat)) == pytest.approx(0.75, abs=0.03)


def test_figures_of_classifiers_by_hand() -> None:
    """Accuracy, macro-F1 and calibration error of four texts."""
    of = [Judged("a", "a", 1.0), Judged("a", "b", 1.0), Judged("b", "b", 0.5), Judged("b", "b", 0.5)]

    assert accuracy(of) == 0.75
    assert macro_f1(of) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert calibration_error(of) == pytest.approx((abs(2.0 - 1) + abs(1.0 - 2)) / 4)
    assert [one.said for one in largest([Example("x", ""), Example("y", ""), Example("y", "")])] == ["y", "y", "y"]


def test_the_labelled_comments_are_whole_and_apart() -> None:
    """As many of each label, none twice, none in both sets."""
    train, test = feedback("sentiment_train"), feedback("sentiment_test")

    for some, each in ((train, 80), (test, 40)):
        assert [sum(one.label == label for one in some) for label in LABELS] == [each] * 3
    texts = [one.text for one in (*train, *test)]
    assert len(set(texts)) == len(texts)


def test_the_heads_that_are_shipped_are_what_their_recipe_makes() -> None:
    """Trained here on the same texts, the head of comments says the same (another processor may change a last digit)."""
    shipped, made = load("polarity"), HEADS["polarity"](encoder())

    assert made.manifest.data_sha256 == shipped.manifest.data_sha256 == digest(feedback("sentiment_train"))
    assert made.manifest.regularisation == shipped.manifest.regularisation
    assert np.allclose(made.weights, shipped.weights, atol=0.05)
    assert {path.stem for path in FOLDER.glob("*.json")} == set(HEADS)


def test_the_head_of_comments_beats_the_lexicon_on_what_it_never_saw() -> None:
    """By eight of a hundred at least, of twelve measured."""
    model, examples = Polarity.open(encoder()), feedback("sentiment_test")
    ours = [max(chances := model.chances(one.text), key=lambda label: chances[label]) for one in examples]

    head = accuracy([Judged(one.label, said) for one, said in zip(examples, ours, strict=True)])
    lexicon = accuracy([Judged(one.label, by_lexicon(one.text)) for one in examples])
    assert head >= lexicon + 0.08


@pytest.mark.parametrize(
    ("text", "label", "flag"),
    [
        ("Wonderful service, I am delighted.", "positive", None),
        ("The worst experience ever, I want my money back.", "negative", None),
        ("The office opens at nine.", "neutral", None),
        ("", None, "empty"),
        ("12 34 ?!", None, "empty"),
        ("Das Paket kam viel zu spät und war völlig zerdrückt.", None, "unsupported_language"),
    ],
)
async def test_the_worker_labels_or_flags(text: str, label: str | None, flag: str | None) -> None:
    """An empty text or another language is flagged, never guessed."""
    output = (await do(build(AgentSpec("a", "d", ("s",), "polarity"), toolbox()), text, {})).output

    assert (output["label"], output["flag"]) == (label, flag)
    assert (output["confidence"] > 0.5) is (label is not None)


@pytest.mark.parametrize(
    ("text", "flag"),
    [("", "empty"), ("1 + 2", "empty"), ("一二三", "unsupported_language"), ("Какой закон?", "unsupported_language"),
     ("Welche Länder?", None), ("What is the α of β?", None)],
)  # fmt: skip
def test_a_text_in_another_script_is_not_classified(text: str, flag: str | None) -> None:
    """The encoder would put it somewhere, and be sure of it."""
    assert unreadable(text) == flag


async def test_a_worker_without_its_encoder_fails_by_name() -> None:
    """So that the task goes to an agent that needs none."""
    for pipeline in ("polarity", "classify", "summary"):
        with pytest.raises(AgentFailed) as caught:
            await run(pipeline, "It is good. It is bad.")
        assert caught.value.reason == "model_missing"


def test_a_manifest_knows_no_other_fields() -> None:
    """What a later release adds is not taken for what this one knows."""
    told = msgspec.to_builtins(load("subject").manifest)

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**told, "more": 1}, type(load("subject").manifest))


def test_a_head_of_another_shape_is_refused(tmp_path: Path) -> None:
    """As many rows as labels."""
    made = trained(RECIPE, sides(), side)
    save(Head(made.manifest, made.weights[:1], made.bias[:1]), tmp_path)

    with pytest.raises(ArtefactUnusable, match="another shape"):
        load("sides", tmp_path)
