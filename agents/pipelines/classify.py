"""Classification: which of a trained head's labels fits a text, with calibrated confidence, or none for sure."""

import asyncio
import functools
from typing import ClassVar

from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work
from learning.encoding import EncoderError, TextEncoder
from learning.errors import ArtefactError
from learning.head import Head, load

MOST_CHARS = 50_000  # of which the encoder reads the first 8,192


class ClassifySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which head judges: a name in `learning/artefacts/heads`."""

    head: str = "subject"


class Classify:
    """Labels a text by the sentence encoder and a linear head."""

    name: ClassVar[str] = "classify"
    Settings: ClassVar[type[Struct]] = ClassifySettings

    def __init__(self, settings: ClassifySettings, toolbox: Toolbox) -> None:
        self._settings, self._encoders = settings, toolbox.encoders

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Judge `input.text`, or the task's text where there is none; a text without letters, or in another script, has no label.

        Raises:
            AgentFailed: the text is too long, or the model is not here.
        """
        given = work.input.get("text")
        text = given if isinstance(given, str) else work.text
        if len(text) > MOST_CHARS:
            raise AgentFailed("text_too_long", f"{len(text)} characters; {MOST_CHARS} are judged at most")
        watch = Stopwatch(timer)
        with watch.step("load"):
            head, encoder = await asyncio.to_thread(self._open)
        if (flag := unreadable(text)) is not None:
            return Result({"label": None, "confidence": 0.0, "chances": {}, "flag": flag}, watch.steps)
        with watch.step("judge", model=head.model):
            chances = head.chances(await asyncio.to_thread(encoder.encode, text))
        label = head.choice(chances)
        shown = {name: round(chance, 4) for name, chance in sorted(chances.items(), key=lambda one: -one[1])[:5]}
        output = {"label": label, "confidence": max(shown.values()), "chances": shown, "flag": None if label else "unsure"}
        return Result(output, watch.steps)

    def _open(self) -> tuple[Head, TextEncoder]:
        try:
            return _head(self._settings.head), self._encoders.open("minilm").encoder
        except (EncoderError, ArtefactError) as error:
            raise AgentFailed("model_missing", str(error)) from error


def unreadable(text: str) -> str | None:
    """Return why a text is not judged: it has no letters, or most are of a script that the encoder was not trained on."""
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return "empty"
    return "unsupported_language" if 2 * sum(map(str.isascii, letters)) < len(letters) else None


@functools.cache
def _head(name: str) -> Head:
    """Open a head, once in a process."""
    return load(name)
