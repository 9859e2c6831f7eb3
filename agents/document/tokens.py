"""Counts tokens as the encoders do, word by word: most words come again."""

import re
from functools import cache, lru_cache

from tokenizers import Tokenizer

_WORD = re.compile(r"\w+|[^\w\s]")
_REMEMBERED = 50_000


class TokenCount:
    """How many tokens a text has for a tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._of_word = lru_cache(_REMEMBERED)(self._count)

    def __call__(self, text: str) -> int:
        """Return the tokens of a text."""
        return sum(map(self._of_word, _WORD.findall(text.lower())))

    def _count(self, word: str) -> int:
        return len(self._tokenizer.encode(word, add_special_tokens=False).ids)


@cache
def counter() -> TokenCount:
    """Return what counts tokens of the sentence encoder and of the static one, which share their words."""
    from learning.encoding import open_tokenizer
    from learning.static import ARTEFACTS, TOKENIZER_FILE

    return TokenCount(open_tokenizer(ARTEFACTS / TOKENIZER_FILE))
