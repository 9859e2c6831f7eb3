"""What a back end is, and the typed ways in which a call of one fails; an error text is never an answer."""

from typing import Literal

from msgspec import Struct

Trouble = Literal[
    "unreachable", "broke_off", "timed_out", "rate_limited", "server_error", "refused", "garbage", "too_long", "empty", "misfit"
]
# The back end may do better at once; whoever refused a request would only refuse it again.
AGAIN: frozenset[Trouble] = frozenset({"unreachable", "broke_off", "server_error", "garbage", "empty"})


class Backend(Struct, frozen=True):
    """An OpenAI-compatible endpoint and the model asked of it; `local`: it runs on this machine, and is what is left.

    `model` is what the endpoint calls it; `key` never leaves this struct but in the request's header.
    """

    name: str
    url: str
    key: str
    model: str
    local: bool = False

    def __repr__(self) -> str:
        """Say which it is, without the key."""
        return f"Backend({self.name!r}, {self.url!r}, {self.model!r})"


class BackendFailed(Exception):
    """A call has no answer: how it failed, a sentence, and how long the back end asked to be left alone, in seconds."""

    def __init__(self, trouble: Trouble, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{trouble}: {detail}")
        self.trouble = trouble
        self.detail = detail
        self.retry_after_s = retry_after_s


class Reply(Struct, frozen=True):
    """What a back end answered: its text, the model that it says answered, and the tokens (None: it did not say).

    `cut`: it ended before the model had; `hurried`: because time was up, so that with more time it would be another one.
    """

    text: str
    model: str
    tokens_in: int | None
    tokens_out: int | None
    cut: bool = False
    hurried: bool = False
