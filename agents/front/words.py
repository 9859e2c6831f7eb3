"""What the front agent says, and what it gives a language model to say it with. Pure."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from agents.context import Chosen, Count, Part, Report, choose
from agents.front.summary import summary
from agents.port import Message

BUDGET = 700  # tokens of a context: SmolLM2's window of 2,048, less the answer and what the tokenizers differ by
SYSTEM = (
    "You are the front desk of smolit, where agents do tasks. Talk briefly and kindly, in the user's language. "
    "Use what is known of the user. If you do not know something, say so."
)
NO_MODEL = (
    "No language model is there, so I cannot talk freely. I give tasks to agents, remember what you tell me of yourself "
    "and answer questions about it; `/agents` shows who is there."
)
_SUMMARY = 120  # tokens
NO_REPORT = Report(BUDGET, 0, {}, 0)  # of an answer for which no model was asked


class Remembered(Struct, frozen=True):
    """A memory as a model is told it: its words, and how near they are to what was asked."""

    memory_id: str
    text: str
    cosine: float


class Line(Struct, frozen=True):
    """One message of the thread before: whether the user said it, and what."""

    mine: bool
    text: str


def context(text: str, thread: Sequence[Line], memories: Sequence[Remembered], count: Count, budget: int = BUDGET) -> Chosen:
    """Return what a model is told: the question always, then the latest turns, fitting memories, and what was said long before.

    Turns that have no room are summed up by their most telling sentences.
    """
    recent = thread[-8:]
    parts = [Part("system", SYSTEM)]
    parts += [Part("memory", f"The user said: {one.text}", 0.9 + one.cosine / 10, one.memory_id) for one in memories]
    if older := [line.text for line in thread[: -len(recent) or None]] if len(thread) > len(recent) else []:
        parts.append(Part("summary", f"Before: {summary(older, _SUMMARY, count)}", 0.6))
    parts += [
        Part("user" if line.mine else "assistant", line.text, 0.8 * (place + 1) / len(recent))
        for place, line in enumerate(recent)
    ]
    return choose([*parts, Part("question", text)], budget, count)


def messages(chosen: Chosen) -> tuple[Message, ...]:
    """Return the chosen context as messages: what is known stands in the system's message."""
    known = "\n".join(part.text for part in chosen.parts if part.sort in ("system", "memory", "summary"))
    roles = {"user": "user", "assistant": "assistant", "question": "user"}
    said = [Message(roles[part.sort], part.text) for part in chosen.parts if part.sort in roles]  # type: ignore[arg-type]
    return (Message("system", known), *said)


def recalled(text: str, learned_at: datetime) -> str:
    """Return a memory as an answer, with when it was said."""
    return f'You told me on {learned_at:%d %B %Y}: "{text}".'


def all_recalled(memories: Sequence[str]) -> str:
    """Return everything that is remembered, as an answer."""
    return "You told me: " + "; ".join(f'"{text}"' for text in memories) + "."


NOTHING_KNOWN = "I do not know that: you have not told me, or it was forgotten."


NOTHING_TO_FORGET = "I remember nothing of the kind; `smolit memory show` lists what I do."


LEFT = "All right, I leave that."


def forgotten(count: int) -> str:
    """Return that something is forgotten, without its words."""
    return f"Forgotten: {'one thing' if count == 1 else f'{count} things'} that you told me."


def noted(texts: Sequence[str]) -> str:
    """Return that something is remembered."""
    quoted = "; ".join(f'"{text}"' for text in texts)
    return f"I will remember: {quoted}. (`smolit memory forget` undoes it.)"
