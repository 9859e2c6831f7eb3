"""The static encoder: a table of token vectors that is shipped."""

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import run

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.encoding import WIDTH, EncoderMismatch, EncoderMissing
from learning.static import ARTEFACTS, MANIFEST_FILE, TABLE_FILE, TOKENIZER_FILE, StaticEncoder

ENCODER = StaticEncoder.load()
LABELLED = Path(__file__).parent.parent / "data" / "labelled_tasks.json"


def test_a_vector_is_the_mean_of_its_tokens_rows() -> None:
    """A second reading of the artefact gives the same vector: look up, scale, average, turn, unit length."""
    with np.load(ARTEFACTS / TABLE_FILE, allow_pickle=False) as stored:
        table = stored["rows"].astype(np.float64) * stored["scales"].astype(np.float64)[:, None] @ stored["axes"]
    vocabulary = json.loads((ARTEFACTS / TOKENIZER_FILE).read_text(encoding="utf-8"))["model"]["vocab"]
    mean = table[[vocabulary[token] for token in ("what", "is", "3", "+", "4", "?")]].mean(axis=0)

    np.testing.assert_allclose(ENCODER.encode("What is 3 + 4?"), mean / np.linalg.norm(mean), atol=1e-6)


@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_text_has_a_unit_vector(text: str) -> None:
    """Strange texts, lone surrogates and empty ones included."""
    vector = ENCODER.encode(text)

    assert vector.shape == (WIDTH,)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-5)


def test_only_the_first_tokens_count() -> None:
    """A text of any length costs a bounded amount of work."""
    assert ENCODER.encode("lamp " * 128).tobytes() == ENCODER.encode("lamp " * 128 + "sea " * 50_000).tobytes()


def test_the_same_text_gives_the_same_bytes_whatever_runs_beside_it() -> None:
    """Threads do not disturb one another."""
    texts = [f"Question {number}: which gas is lightest?" for number in range(200)]
    alone = [ENCODER.encode(text).tobytes() for text in texts]

    with ThreadPoolExecutor(4) as threads:
        assert [vector.tobytes() for vector in threads.map(ENCODER.encode, texts)] == alone


def test_it_routes_as_the_sentence_encoder_does() -> None:
    """On the 72 labelled tasks the nearest description is the right one at least six times in ten; by chance it is one in six."""
    stored = json.loads(LABELLED.read_text(encoding="utf-8"))
    domains = sorted(stored["descriptions"])
    table = np.array([ENCODER.encode(stored["descriptions"][domain]) for domain in domains])

    right = [domains[int(np.argmax(table @ ENCODER.encode(task["text"])))] == task["domain"] for task in stored["tasks"]]

    assert np.mean(right) >= 0.6


def test_it_needs_no_runtime_of_networks() -> None:
    """A process that uses it loads neither onnxruntime nor what builds graphs."""
    program = "import sys; from learning.static import StaticEncoder; StaticEncoder.load(); print('onnxruntime' in sys.modules)"

    assert run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("name", [TABLE_FILE, TOKENIZER_FILE])
def test_a_changed_file_never_serves(tmp_path: Path, name: str) -> None:
    """What is not the one that the manifest names is refused, and so is one that is not there."""
    for file in (TABLE_FILE, TOKENIZER_FILE, MANIFEST_FILE):
        shutil.copy(ARTEFACTS / file, tmp_path / file)
    with (tmp_path / name).open("ab") as stream:
        stream.write(b" ")

    with pytest.raises(EncoderMismatch, match="not what its manifest names"):
        StaticEncoder.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(EncoderMissing, match=name):
        StaticEncoder.load(tmp_path)
