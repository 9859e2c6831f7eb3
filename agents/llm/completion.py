"""What the answer of a back end must be, whole or in pieces; what is none is refused, and what is too long, too."""

from typing import Any

import msgspec
from msgspec import Struct

from agents.llm.backend import BackendFailed, Reply
from agents.llm.trouble import quote

MOST_BYTES = 4_000_000
_LONGEST_NAME = 128
_A_LITTLE = 80  # characters: less than a sentence answers nothing, however many wait


class _Text(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Text
    finish_reason: str | None = None


class _Usage(Struct):
    prompt_tokens: int
    completion_tokens: int


class _Completion(Struct):
    """What the body of an answer must hold; other fields may be there."""

    choices: list[_Choice]
    model: str
    usage: _Usage | None = None


class Gathered:
    """The pieces of a streamed answer so far."""

    def __init__(self, model: str) -> None:
        self.text, self.cut, self.hurried = "", False, False
        self._model = model
        self._usage: tuple[int, int] | None = None
        self._ended = False

    def take(self, chunk: Any) -> str:
        """Return the text of a chunk; a chunk that is none is refused."""
        try:
            piece = _clean(self._piece(chunk))
        except (AttributeError, TypeError, ValueError) as error:
            raise BackendFailed("garbage", "a piece of the stream is no completion") from error
        self.text += piece
        if len(self.text) > MOST_BYTES:
            raise BackendFailed("too_long", f"the answer is longer than {MOST_BYTES} characters")
        return piece

    def _piece(self, chunk: Any) -> str:
        """Return the text of a chunk, and note what else it says."""
        self._model = _clean(chunk.model)[:_LONGEST_NAME] if isinstance(chunk.model, str) else self._model
        if chunk.usage is not None:
            self._usage = (int(chunk.usage.prompt_tokens), int(chunk.usage.completion_tokens))
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        if choice.finish_reason is not None:
            self._ended, self.cut = True, choice.finish_reason == "length"
        return (choice.delta.content or "") if choice.delta is not None else ""

    def hurry(self) -> bool:
        """End it here, and say so, if it has a little to say and did not end by itself."""
        self.hurried = not self._ended and len(self.text) >= _A_LITTLE
        return self.hurried

    def reply(self) -> Reply:
        """Return the whole; raises BackendFailed if there is none."""
        if not self.text.strip():
            raise BackendFailed("empty", "the answer is empty")
        tokens_in, tokens_out = self._usage or (None, None)
        return Reply(self.text, self._model, tokens_in, tokens_out, self.cut or not self._ended, self.hurried or not self._ended)


def read(body: bytes) -> Reply:
    """Return what the body of an answer says.

    Raises:
        BackendFailed: it is no completion, or an empty one.
    """
    try:
        found = msgspec.json.decode(body, type=_Completion)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackendFailed("garbage", f"the reply is no completion: {quote(str(error))}") from error
    text = found.choices[0].message.content if found.choices else None
    if text is None or not text.strip():
        raise BackendFailed("empty", "the answer is empty")
    usage = found.usage
    known = usage is not None and usage.prompt_tokens >= 0 and usage.completion_tokens >= 0
    cut = found.choices[0].finish_reason == "length"
    return Reply(_clean(text), _clean(found.model)[:_LONGEST_NAME], usage.prompt_tokens if known and usage else None,
                 usage.completion_tokens if known and usage else None, cut)  # fmt: skip


def _clean(text: str) -> str:
    """Return a text that every store can hold: no NUL, no half of a character."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
