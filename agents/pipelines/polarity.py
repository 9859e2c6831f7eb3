"""Sentiment by a trained head: positive, negative or neutral, with calibrated confidence, or unsure."""

import asyncio
from typing import Any, ClassVar

from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work
from agents.pipelines.sentiment import MOST_CHARS
from learning.encoding import EncoderError
from learning.errors import ArtefactError
from learning.polarity import Polarity, lexicon


class PolaritySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to set."""


class TrainedPolarity:
    """Labels a text; an empty one and one in another language are flagged, never guessed."""

    name: ClassVar[str] = "polarity"
    Settings: ClassVar[type[Struct]] = PolaritySettings

    def __init__(self, _settings: PolaritySettings, toolbox: Toolbox) -> None:
        self._encoders = toolbox.encoders

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Judge `input.text`, or the task's text where there is none.

        Raises:
            AgentFailed: the text is too long, or the model is not here.
        """
        given = work.input.get("text")
        text = given if isinstance(given, str) else work.text
        if len(text) > MOST_CHARS:
            raise AgentFailed("text_too_long", f"{len(text)} characters; {MOST_CHARS} are judged at most")
        watch = Stopwatch(timer)
        with watch.step("language"):
            flagged = await asyncio.to_thread(lambda: lexicon().unreadable(text))
        if flagged is not None:
            return Result({**_told(None, {}), "language": flagged.language, "flag": flagged.flag}, watch.steps)
        with watch.step("load"):
            model = await asyncio.to_thread(self._open)
        with watch.step("judge", model=model.model):
            chances = await asyncio.to_thread(model.chances, text)
        label = model.label(chances)
        return Result({**_told(label, chances), "language": "en", "flag": None if label else "unsure"}, watch.steps)

    def _open(self) -> Polarity:
        try:
            return Polarity.open(self._encoders.open("minilm").encoder)
        except (EncoderError, ArtefactError) as error:
            raise AgentFailed("model_missing", str(error)) from error


def _told(label: str | None, chances: dict[str, float]) -> dict[str, Any]:
    """Return label, chances, and the score from -1 to 1 that they come to."""
    shown = {name: round(chance, 4) for name, chance in chances.items()}
    compound = round(chances["positive"] - chances["negative"], 4) if chances else None
    return {"label": label, "confidence": max(shown.values(), default=0.0), "compound": compound, "chances": shown}
