"""Tag the language of a text: an ISO 639-1 code, or `und` where nothing can be said.

The model is py3langid's (BSD-3, shipped inside its wheel, no pickle), restricted to the languages below: on short texts
the full list of 70 takes "Danke!" for Danish. Lui and Baldwin, "langid.py", ACL 2012.
"""

from functools import cache
from typing import Any

from py3langid import langid  # type: ignore[import-untyped]  # the wheel has no annotations

from learning.text import readable

UNKNOWN = "und"
LANGUAGES = ("de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "zh")
READ_CHARS = 1000  # more does not change the tag, it only costs time
LEAST_LETTERS = 3
LEAST_CONFIDENCE = 0.15  # 11 languages by chance: 0.09


class LanguageTagger:
    """Knows the languages of `LANGUAGES`; safe to call from several threads."""

    def __init__(self, identifier: Any) -> None:
        self._identifier = identifier

    @classmethod
    @cache
    def load(cls) -> "LanguageTagger":
        """Open the model in the installed wheel (about 0.5 s, once in a process)."""
        identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
        identifier.set_languages(LANGUAGES)
        return cls(identifier)

    def tag(self, text: str) -> str:
        """Return the language of a text; `und` for too few letters or too little confidence."""
        head = readable(text[:READ_CHARS])
        if sum(map(str.isalpha, head)) < LEAST_LETTERS:
            return UNKNOWN
        language, confidence = self._identifier.classify(head)
        return str(language) if confidence >= LEAST_CONFIDENCE else UNKNOWN
