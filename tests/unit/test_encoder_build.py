"""The encoder: built from checked weights, the same twice, and one text at a time."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from learning.encoder import (
    GRAPH_FILE,
    MANIFEST_FILE,
    TOKENIZER_FILE,
    Encoder,
    open_session,
    read_manifest,
)
from learning.encoder_build import WeightFiles, build_encoder, build_float_graph, ensure_encoder, find_weights
from learning.encoding import WIDTH, EncoderMismatch, EncoderMissing, open_tokenizer
from learning.hashed import character_grams, signed_buckets

CARD = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
TEXTS = [*CARD, "", "Was ist 12 plus 30?", "x = 3", "Solve for x.\nA. 1\nB. 2", "lamp " * 400]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the int8 encoder once for this module."""
    folder = tmp_path_factory.mktemp("encoder")
    build_encoder(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(cache: Path) -> Encoder:
    """Open the built encoder."""
    return Encoder.load(cache)


@pytest.fixture(scope="module")
def reference(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """Open the float32 graph of the same weights."""
    graph = tmp_path_factory.mktemp("reference") / "full.onnx"
    build_float_graph(find_weights(), graph)
    return Encoder(open_session(graph), open_tokenizer(cache / TOKENIZER_FILE), "float32")


def test_the_float_graph_gives_the_published_similarities(reference: Encoder) -> None:
    """The model card's three sentences come out with its similarities to four decimals."""
    vectors = np.array([reference.encode(text) for text in CARD])

    similar = vectors @ vectors.T

    assert similar[[0, 0, 1], [1, 2, 2]].round(4).tolist() == pytest.approx([0.6660, 0.1046, 0.1411], abs=1e-6)


def test_int8_stays_close_to_float(encoder: Encoder, reference: Encoder) -> None:
    """Quantising turns no vector further than a cosine of 0.97."""
    cosines = [float(encoder.encode(text) @ reference.encode(text)) for text in TEXTS]

    assert min(cosines) >= 0.97


def test_a_second_build_is_byte_identical(cache: Path, tmp_path: Path) -> None:
    """The same weights and tools give the same files."""
    build_encoder(tmp_path)

    for name in (GRAPH_FILE, TOKENIZER_FILE, MANIFEST_FILE):
        assert (tmp_path / name).read_bytes() == (cache / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((GRAPH_FILE, TOKENIZER_FILE, MANIFEST_FILE))


def test_a_built_encoder_is_not_built_again(cache: Path) -> None:
    """What lies in the cache is checked and used."""
    before = (cache / GRAPH_FILE).stat().st_mtime_ns

    manifest = ensure_encoder(cache)

    assert manifest == read_manifest(cache)
    assert (cache / GRAPH_FILE).stat().st_mtime_ns == before


def test_same_text_same_bytes_whatever_is_encoded_beside_it(encoder: Encoder) -> None:
    """Four threads that encode other texts at the same time change no byte of a vector."""
    alone = [encoder.encode(text).tobytes() for text in TEXTS]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: encoder.encode(text).tobytes(), TEXTS * 5))

    assert together == alone * 5


@pytest.mark.parametrize(
    "text",
    ["", " ", "\0", "\ud800", "a\udfff\ud83d\ude00", "x" * 1_000_000, "word " * 200_000],
    ids=lambda text: f"{len(text)}-{text[:3]!r}",
)
def test_any_text_gives_a_unit_vector(encoder: Encoder, text: str) -> None:
    """Empty, huge and broken texts get a vector of length one."""
    vector = encoder.encode(text)

    assert vector.shape == (WIDTH,)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-5)


def test_text_beyond_the_128th_token_counts_for_nothing(encoder: Encoder) -> None:
    """Truncation is part of the encoder's contract, so both ends of it are pinned."""
    start = "lamp " * 126  # with its two marks 128 tokens

    assert np.array_equal(encoder.encode(start), encoder.encode(start + "river"))
    assert not np.array_equal(encoder.encode("lamp " * 125 + "river"), encoder.encode(start))


def test_no_socket_is_opened(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading and encoding work with the network cut."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)

    assert Encoder.load(cache).encode("offline").shape == (WIDTH,)


def test_missing_encoder_says_where(tmp_path: Path) -> None:
    """An empty folder is refused by name."""
    with pytest.raises(EncoderMissing, match=r"no encoder in .*: manifest\.json is missing"):
        Encoder.load(tmp_path)


def flip_a_byte(folder: Path) -> None:
    """Damage the graph."""
    content = bytearray((folder / GRAPH_FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / GRAPH_FILE).write_bytes(content)


def name_other_weights(folder: Path) -> None:
    """Let the manifest name weights that this release does not know."""
    notes = json.loads((folder / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).write_text(json.dumps(notes | {"weights_sha256": "0" * 64}))


def garble_the_manifest(folder: Path) -> None:
    """Leave half a manifest."""
    (folder / MANIFEST_FILE).write_text('{"name": ')


@pytest.mark.parametrize("damage", [flip_a_byte, name_other_weights, garble_the_manifest])
def test_a_mismatch_refuses(cache: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Damaged or foreign files never serve."""
    for name in (GRAPH_FILE, TOKENIZER_FILE, MANIFEST_FILE):
        (tmp_path / name).write_bytes((cache / name).read_bytes())
    damage(tmp_path)

    with pytest.raises(EncoderMismatch, match="delete the folder"):
        Encoder.load(tmp_path)


def test_other_weights_are_not_built(tmp_path: Path) -> None:
    """Weights with another sha256 are refused before they are read, and leave nothing behind."""
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"not the weights")

    with pytest.raises(EncoderMismatch, match=r"model\.safetensors has sha256"):
        build_encoder(tmp_path / "cache", WeightFiles(weights, find_weights().tokenizer))

    assert not list((tmp_path / "cache").iterdir())


def test_torch_is_not_needed() -> None:
    """What builds the encoder loads no torch, though it may be there for those who train networks."""
    program = "import sys, learning.encoder_build; print('torch' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "False"


def spelled(text: str) -> NDArray[np.float64]:
    """Count hashed character trigrams: the baseline an encoder has to beat."""
    return signed_buckets(character_grams(text.lower(), (3, 4, 5)), 4096).astype(np.float64)


def test_meaning_routes_better_than_spelling(encoder: Encoder) -> None:
    """On 72 labelled German and English tasks of six domains the encoder's top-1 beats a character hash."""
    stored = json.loads((Path(__file__).parent.parent / "data" / "labelled_tasks.json").read_text(encoding="utf-8"))
    domains = sorted(stored["descriptions"])

    def top_1(encode: Callable[[str], NDArray[np.floating]]) -> float:
        table = np.array([encode(stored["descriptions"][domain]) for domain in domains])
        nearest = [domains[int(np.argmax(table @ encode(task["text"])))] for task in stored["tasks"]]
        return float(np.mean([domain == task["domain"] for domain, task in zip(nearest, stored["tasks"], strict=True)]))

    meaning, spelling = top_1(encoder.encode), top_1(spelled)
    assert meaning >= spelling + 0.15, f"encoder {meaning:.3f}, character hash {spelling:.3f}"
    assert meaning >= 0.6
