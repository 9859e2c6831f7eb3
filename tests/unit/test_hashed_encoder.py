"""The hashed encoder and the hashing below it: the same numbers everywhere, for any text."""

import numpy as np
import pytest

from learning.hashed import HashedEncoder, character_grams, signed_buckets, word_grams


def test_grams_are_words_pairs_and_inner_characters() -> None:
    """Two short words give themselves, their pair and the characters between word marks."""
    grams = list(word_grams("ab c"))

    assert grams == ["ab", "c", "ab c", "<ab", "ab>", "<ab>", "<c>"]


def test_hashing_is_the_same_on_every_machine() -> None:
    """The bucket and sign of a gram are those of its CRC-32, written down here once."""
    vector = signed_buckets(["lamp"], 8)  # crc32("lamp") = 0x99F75266: highest bit set, the others 6 modulo 8

    assert vector.tolist() == [0, 0, 0, 0, 0, 0, -1, 0]


def test_repetition_counts_less_each_time() -> None:
    """A gram seen three times weighs 1 + log 3, not 3."""
    vector = signed_buckets(["lamp"] * 3 + ["q"], 1024)

    assert np.abs(vector).max() / np.abs(vector[vector != 0]).min() == pytest.approx(1 + np.log(3), rel=1e-6)


@pytest.mark.parametrize("text", ["", "???", "\ud800", "\0", "x" * 1_000_000, "Größe 12,5"], ids=lambda text: ascii(text[:3]))
def test_any_text_gives_a_unit_vector(text: str) -> None:
    """No text is refused, and every vector has length one."""
    vector = HashedEncoder().encode(text)

    assert vector.shape == (384,)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-6)


def test_shared_words_bring_texts_together() -> None:
    """A text is nearer to one with which it shares words than to one with which it shares none."""
    encode = HashedEncoder().encode
    lamp, lamps, law = (encode(text) for text in ("how bright is the lamp", "the lamp is bright", "sue your landlord"))

    assert lamp @ lamps > lamp @ law + 0.2


def test_character_grams_of_a_short_text_end() -> None:
    """Sizes beyond the text give nothing."""
    assert list(character_grams("ab", (1, 2, 3))) == ["a", "b", "ab"]
