"""Raw features and the map from them to a context."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.encoders import NAMES
from learning.features import (
    ARTEFACTS,
    NORM_LIMIT,
    ContextMap,
    ContextMapUnreadable,
    FeaturesMismatch,
    extract,
    features_version,
    from_half,
    map_stem,
    to_half,
)
from learning.hashed import HashedEncoder
from learning.surface import SURFACE_WIDTH

ENCODER = HashedEncoder()
TEXTS = ["What is 3 + 4?", "Which gas is lightest?\nA. helium\nB. hydrogen", "Das Essen war kalt.", ""]


def test_features_are_small_and_repeatable() -> None:
    """The same text gives the same bytes, 1,384 of them."""
    first, second = extract(TEXTS[1], ENCODER), extract(TEXTS[1], ENCODER)

    assert first == second
    assert [len(part) for part in first] == [2 * 384, 2 * SURFACE_WIDTH]
    assert sum(map(len, first)) == 1384


def test_version_names_encoder_and_surface() -> None:
    """From the version alone one sees what made the features."""
    assert features_version(ENCODER) == f"hashed-words-1:{HashedEncoder.digest[:8]}+surface/1"


def test_half_floats_are_little_endian_and_come_back() -> None:
    """The stored bytes do not depend on the machine."""
    stored = to_half(np.array([1.0, -0.5]))

    assert stored == b"\x00\x3c\x00\xb8"
    assert from_half(stored, 2).tolist() == [1.0, -0.5]


@pytest.mark.parametrize("name", NAMES.values())
def test_a_shipped_map_is_the_one_its_manifest_names(name: str) -> None:
    """The digest of a loaded map is the sha256 of its artefact, which stays below 300 kB."""
    content = (ARTEFACTS / f"{map_stem(name)}.npz").read_bytes()
    manifest = json.loads((ARTEFACTS / f"{map_stem(name)}.json").read_text())

    assert ContextMap.load(name).digest == hashlib.sha256(content).hexdigest() == manifest["sha256"]
    assert len(content) < 300_000


@pytest.mark.parametrize("name", NAMES.values())
def test_a_context_has_a_bias_and_a_bounded_norm(name: str) -> None:
    """Every context ends in 1, and the rest is never longer than the limit."""
    context_map = ContextMap.load(name)

    contexts = [context_map.apply(*extract(text, ENCODER)) for text in TEXTS]

    for context in contexts:
        assert context.shape == (context_map.width,) == (65,)
        assert context.dtype == np.float64
        assert context[-1] == 1.0
        assert 0 < np.linalg.norm(context[:-1]) <= NORM_LIMIT + 1e-12
    assert len({context.tobytes() for context in contexts}) == len(TEXTS)


@given(st.text(alphabet=st.characters(), max_size=200))
def test_any_text_has_a_context(text: str) -> None:
    """Strange texts, lone surrogates included, get a finite context."""
    context = ContextMap.load(HashedEncoder.name).apply(*extract(text, ENCODER))

    assert np.isfinite(context).all()


def test_the_context_is_the_projection_written_down_here() -> None:
    """The map equals a second reading of its artefact: scale, clip, centre, project, bound, bias."""
    embedding, form = extract(TEXTS[1], ENCODER)
    with np.load(ARTEFACTS / f"{map_stem(HashedEncoder.name)}.npz", allow_pickle=False) as stored:
        a = {name: stored[name].astype(np.float64) for name in stored.files}
    numbers = np.frombuffer(form, "<f2").astype(np.float64)
    standard = np.clip((numbers[:52] - a["named_mean"]) / a["named_deviation"], -4, 4)
    weighted = numbers[52:] * a["pattern_weight"]
    pieces = (np.frombuffer(embedding, "<f2").astype(np.float64), standard, weighted / np.sqrt(weighted @ weighted))

    expected = [
        axis @ (piece - a[f"{name}_centre"])
        for name, piece in zip(("embedding", "named", "pattern"), pieces, strict=True)
        for axis in a[f"{name}_axes"]
    ]

    context = ContextMap.load(HashedEncoder.name).apply(embedding, form)
    assert context[:-1] == pytest.approx(expected, abs=1e-12)


def test_features_of_another_length_are_refused() -> None:
    """A map never guesses at features that it was not fitted for."""
    embedding, form = extract(TEXTS[0], ENCODER)

    with pytest.raises(FeaturesMismatch, match="766 bytes of features where 384 float16"):
        ContextMap.load(HashedEncoder.name).apply(embedding[:-2], form)


def drop(artefact: Path, manifest: Path) -> None:
    """Lose the artefact."""
    artefact.unlink()


def damage(artefact: Path, manifest: Path) -> None:
    """Change the artefact behind its manifest's back."""
    artefact.write_bytes(artefact.read_bytes() + b"\0")


def garble(artefact: Path, manifest: Path) -> None:
    """Leave half a manifest."""
    manifest.write_text("{")


@pytest.mark.parametrize("harm", [drop, damage, garble])
def test_a_map_that_is_not_the_shipped_one_is_refused(tmp_path: Path, harm: Callable[[Path, Path], None]) -> None:
    """A lost or changed artefact never serves."""
    stem = map_stem(HashedEncoder.name)
    paths = [tmp_path / f"{stem}.npz", tmp_path / f"{stem}.json"]
    for path in paths:
        path.write_bytes((ARTEFACTS / path.name).read_bytes())
    harm(*paths)

    with pytest.raises(ContextMapUnreadable):
        ContextMap.load(HashedEncoder.name, tmp_path)
