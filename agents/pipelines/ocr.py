"""OCR: the text of scans and PDFs, line by line, with boxes and confidence."""

import asyncio
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work
from agents.reading.engine import Engine
from agents.reading.file import Limits, read_file
from agents.reading.page import Page, confidence_of


class OcrSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How much is read, and how sure it has to be: below `least_confidence` an attempt fails, and another agent tries."""

    pages: Annotated[int, Meta(ge=1, le=200)] = 20
    least_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.0


class Ocr:
    """Reads every file of a task; a blank page has an empty text and no confidence."""

    name: ClassVar[str] = "ocr"
    Settings: ClassVar[type[Struct]] = OcrSettings

    def __init__(self, settings: OcrSettings, toolbox: Toolbox) -> None:
        self._settings, self._blobs = settings, toolbox.blobs

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Read, and check that it was worth it.

        Raises:
            AgentFailed: there is no file, one is neither image nor PDF, or what was read is too unsure.
        """
        if not work.files:
            raise AgentFailed("no_file", "there is nothing to read: the task came without a file (`task submit --file PATH`)")
        watch = Stopwatch(timer)
        with watch.step("fetch"):
            contents = [(file.name, await self._blobs.get(file.sha256)) for file in work.files]
        with watch.step("load"):
            engine = await asyncio.to_thread(Engine.load)
        with watch.step("read", model=engine.model):
            pages = [page for name, content in contents for page in await self._read(engine, name, content)]
        with watch.step("check"):
            output = _output(pages)
            self._check(output["confidence"])
        return Result(output, watch.steps)

    async def _read(self, engine: Engine, name: str, content: bytes) -> list[Page]:
        return await asyncio.to_thread(read_file, name, content, engine, Limits(self._settings.pages))

    def _check(self, confidence: float) -> None:
        """Refuse what is too unsure to be passed on."""
        if confidence < self._settings.least_confidence:
            least = self._settings.least_confidence
            raise AgentFailed("implausible", f"what was read is sure by {confidence:.2f} only; {least:.2f} are asked for")


def _output(pages: list[Page]) -> dict[str, Any]:
    """Return all pages, and the text and the confidence of all of them together."""
    lines = [line for page in pages for line in page.lines]
    return {
        "text": "\n\n".join(page.text for page in pages if page.text),
        "confidence": confidence_of(lines),
        "pages": msgspec.json.decode(msgspec.json.encode(pages)),  # lists, as everybody will read them
    }
