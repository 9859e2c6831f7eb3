"""Summaries: the most important sentences of a text, as they stand in it."""

import asyncio
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work
from agents.reading.summary import Sentence, chosen, sentences, stacked
from learning.encoding import EncoderError, TextEncoder

MOST_SENTENCES = 400  # each is encoded: 400 take some seconds


class SummarySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How many sentences a summary has."""

    sentences: Annotated[int, Meta(ge=1, le=20)] = 3


class Summary:
    """Summarizes `input.text`, or the task's text; every sentence is told with where it stands."""

    name: ClassVar[str] = "summary"
    Settings: ClassVar[type[Struct]] = SummarySettings

    def __init__(self, settings: SummarySettings, toolbox: Toolbox) -> None:
        self._settings, self._encoders = settings, toolbox.encoders

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Split, encode, choose.

        Raises:
            AgentFailed: there is nothing to summarize, too much of it, or the model is not here.
        """
        given = work.input.get("text")
        text = given if isinstance(given, str) else work.text
        watch = Stopwatch(timer)
        with watch.step("split"):
            found = await asyncio.to_thread(sentences, text)
        if not any(map(str.isalpha, text)):
            raise AgentFailed("empty_text", "there is nothing to summarize: the text has no words")
        if len(found) > MOST_SENTENCES:
            raise AgentFailed("text_too_long", f"{len(found)} sentences; {MOST_SENTENCES} are summarized at most")
        with watch.step("load"):
            encoder = await asyncio.to_thread(self._open)
        with watch.step("choose", model=encoder.name):
            picked = await asyncio.to_thread(self._choose, found, encoder)
        told = [{"text": one.text, "start": one.start, "end": one.end} for one in picked]
        return Result({"summary": " ".join(one.text for one in picked), "sentences": told, "of": len(found)}, watch.steps)

    def _choose(self, found: list[Sentence], encoder: TextEncoder) -> list[Sentence]:
        vectors = stacked([encoder.encode(one.text) for one in found])
        return [found[number] for number in chosen(vectors, self._settings.sentences)]

    def _open(self) -> TextEncoder:
        try:
            return self._encoders.open("minilm").encoder
        except EncoderError as error:
            raise AgentFailed("model_missing", str(error)) from error
