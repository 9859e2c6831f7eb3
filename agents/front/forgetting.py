"""Which memories somebody means who wants something forgotten: by rules, English and German. Pure."""

import re
from collections.abc import Sequence

from agents.front.asked import direct_answer
from agents.front.recollect import Memory
from agents.front.remember import told

_ALL = re.compile(
    r"\b(?:everything|all|alles)\b.{0,40}\b(?:me|my\w*|i|told|mich|mir|ich)\b|\bwhat(?:ever)? i (?:have )?told you\b",
    re.IGNORECASE,
)
_LEAD = re.compile(r"^(?:that|dass|the fact that)\s+", re.IGNORECASE)
_EMPTY = re.compile(
    r"the|that|what|where|when|which|who|how|about|you|told|said|remember|know|have|are|was|were|and|for|with|like|live|work"
    r"|name|called|ist|sind|meine?|meine[nrm]|mich|mir|ich|dass|der|die|das|den|dem|und"
)


def meant(what: str, known: Sequence[Memory]) -> list[Memory]:
    """Return what is meant: all, those that a sentence tells, one that is named, or the only one that has these words."""
    if _ALL.search(what):
        return list(known)
    by_subject = {one.subject: one for one in known}
    said = [one.subject for one in told(_LEAD.sub("", what))]
    if any(subject in by_subject for subject in said):
        return [by_subject[subject] for subject in said if subject in by_subject]
    named = direct_answer(what, {one.subject: one.text for one in known})
    if named is not None:
        return [by_subject[named]]
    words = _words(what)
    alike = [one for one in known if words and words <= _words(f"{one.text} {one.subject}")]
    return alike if len(alike) == 1 else []


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[^\W_]{3,}", text.lower()) if not _EMPTY.fullmatch(word)}
