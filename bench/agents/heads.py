"""The heads there are, and what each is trained on."""

from collections.abc import Callable
from pathlib import Path

from agents.vectors import Encoders
from bench.agents.labelled import lines
from bench.agents.training import Example, Recipe, trained
from learning.encoding import MINILM, TextEncoder
from learning.head import Head
from learning.outcomes import Outcomes
from learning.polarity import ENCODER, LABELS, features, lexicon
from smolit.settings import load_settings

DATA = Path(__file__).resolve().parents[1] / "data"
SIGNS = {"-": "negative", "0": "neutral", "+": "positive"}
SUBJECTS, TRAINED = "mmlupro_mid9", 1_400  # of 2,000 questions, in the order of the file, which is random


def encoder() -> TextEncoder:
    """Open the sentence encoder, which is built where there is none."""
    return Encoders(load_settings().cache / "encoder").open("minilm").encoder


def feedback(name: str) -> list[Example]:
    """Return customer feedback with its polarity."""
    return [Example(SIGNS[line[0]], line[2:]) for line in lines(DATA / f"{name}.txt")]


def questions() -> list[Example]:
    """Return questions with their subjects."""
    return [Example(prompt.domain, prompt.text) for prompt in Outcomes.load(DATA, SUBJECTS).prompts]


def polarity(vectors: TextEncoder) -> Head:
    """Train the head of customer feedback."""
    recipe = Recipe("polarity", 1, ENCODER, LABELS, least=0.45)
    return trained(recipe, feedback("sentiment_train"), lambda text: features(text, vectors, lexicon()))


def subject(vectors: TextEncoder) -> Head:
    """Train the head of subjects."""
    examples = questions()[:TRAINED]
    recipe = Recipe("subject", 1, MINILM, tuple(sorted({one.label for one in examples})), least=0.3)
    return trained(recipe, examples, vectors.encode)


HEADS: dict[str, Callable[[TextEncoder], Head]] = {"polarity": polarity, "subject": subject}
