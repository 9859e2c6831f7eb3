"""Measure the encoders: texts per second on the demo's questions, and top-1 routing of the labelled tasks.

Run: python -m bench.encoder --encoder FOLDER [--texts 300]
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.make_sample import SAMPLE_SET
from learning.encoder import Encoder
from learning.encoding import TextEncoder
from learning.hashed import HashedEncoder
from learning.outcomes import Outcomes
from learning.static import StaticEncoder

ROOT = Path(__file__).parent.parent
LABELLED = ROOT / "tests" / "data" / "labelled_tasks.json"


def texts_per_second(encoder: TextEncoder, texts: Sequence[str]) -> float:
    """Encode the texts one by one and return how many fit into a second."""
    started = time.perf_counter()
    for text in texts:
        encoder.encode(text)
    return len(texts) / (time.perf_counter() - started)


def routed(encoder: TextEncoder, labelled: Path = LABELLED) -> list[tuple[str, str, str]]:
    """Return (domain, language, domain of the description nearest by cosine) for each labelled task."""
    stored = json.loads(labelled.read_text(encoding="utf-8"))
    domains = sorted(stored["descriptions"])
    table = np.array([encoder.encode(stored["descriptions"][domain]) for domain in domains])
    return [
        (task["domain"], task["language"], domains[int(np.argmax(table @ encoder.encode(task["text"])))])
        for task in stored["tasks"]
    ]


def main() -> None:
    """Print one line per encoder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the built encoder")
    parser.add_argument("--texts", type=int, default=300)
    options = parser.parse_args()
    questions = [prompt.text for prompt in Outcomes.load(ROOT / "bench" / "data", SAMPLE_SET).prompts[: options.texts]]
    for encoder in (Encoder.load(options.encoder), StaticEncoder.load(), HashedEncoder()):
        answers = routed(encoder)
        share = {
            language: np.mean([domain == chosen for domain, spoken, chosen in answers if language in ("all", spoken)])
            for language in ("all", "en", "de")
        }
        speed = texts_per_second(encoder, questions)
        shown = ", ".join(f"{language} {value:.3f}" for language, value in share.items())
        print(f"{encoder.name}: {speed:.0f} texts/s; top-1 of {len(answers)} tasks: {shown}")


if __name__ == "__main__":
    main()
