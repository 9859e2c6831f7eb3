"""Answers from memory alone: everything, what a question names, or what is nearest to it; else that it is not known. Pure."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from agents.front import words
from agents.front.asked import LEAST_LIKE, asks_for_all, direct_answer


class Memory(Struct, frozen=True):
    """A memory that holds; `cosine` says how near it is to a question, where it was looked for by one.

    `source`: the message, or the request, that told it.
    """

    memory_id: str
    subject: str
    text: str
    learned_at: datetime
    cosine: float = 0.0
    source: str = ""


def recollect(question: str, known: Sequence[Memory], nearest: Sequence[Memory]) -> tuple[list[Memory], str]:
    """Return the memories that answer a question, and the answer; `known` is newest first, `nearest` nearest first."""
    if known and asks_for_all(question):
        return list(known), words.all_recalled([one.text for one in known])
    subject = direct_answer(question, {one.subject: one.text for one in known})
    named = next((one for one in known if one.subject == subject), None)
    if named is None and nearest and nearest[0].cosine >= LEAST_LIKE:
        named = nearest[0]
    return ([named], words.recalled(named.text, named.learned_at)) if named is not None else ([], words.NOTHING_KNOWN)
