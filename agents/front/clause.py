"""Clauses in which somebody may speak of themselves: what is quoted, asked, or material behind a colon is none of them. Pure.

A rule about a clause may then stand at its very beginning, so `he says that I live in Rome` and `if I lived in Rome` say nothing.
"""

import re
from collections.abc import Iterator

from agents.grammar import ASKS

_STOPS = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|St|Prof|Hr|Fr|No|Nr)\.", re.IGNORECASE)
_DOT = "\u2024"  # stands for a full stop that ends no sentence
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|(?<!\w)'[^']*\s[^']*'(?!\w)|(?<!\w)‘[^’]*\s[^’]*’(?!\w)")
_SENTENCE = re.compile(r"[^.!?;\n]+[.!?;\n]?")
_LED = (
    r"(?:(?:hi|hello|hey|hallo|moin|good (?:morning|evening|afternoon)|yes|yeah|no|nein|ja|nope|actually|eigentlich|well|oh"
    r"|so|also"
    r"|btw|by the way|übrigens|ok(?:ay)?|sorry|between us|to be honest|honestly|frankly|fyi|please|bitte|and|und|but|aber"
    r"|that|dass"
    r"|just so you know|you should know|as you know|like i said|i mean|i think|remember|note|keep in mind|bear in mind"
    r"|(?:please )?don't forget|merke? dir|since|because|weil|then|for \w+|at \w+|now|these days|currently|today|thanks"
    r"|thank you)"
    r"\b\s*[,:]?\s*(?:that\b|dass\b)?\s*[,:-]?\s*)*"
)
_LEAD = re.compile(r"^\W*" + _LED, re.IGNORECASE)
_NOTE = re.compile(
    r"^\W*(?:please\s+|bitte\s+)?(?:remember|note|note to self|note down|don't forget|do not forget|keep in mind|bear in mind"
    r"|(?:make|take) a note|for future reference|for the record|write (?:this|that|it) down|merke? dir|notiere? dir"
    r"|vergiss nicht|fyi"
    r"|hi|hello|hey|hallo)\b[^:]{0,20}$",
    re.IGNORECASE,
)
_I = r"(?:i|i'm|i've|i'll|i'd|we|we're|we've|my|our|ich|wir|mein\w*|unser\w*)\b"
_NEXT = re.compile(
    rf"\s*,?\s+(?:and|but|und|aber|so|because|since|weil|denn)\s+(?={_I}|komme\b|wohne\b|arbeite\b|bin\b|(?:s?he|they|it)\b)"
    rf"|\s*,\s+(?={_I})"
    r"|\s+[-–]\s+",
    re.IGNORECASE,
)
_TAIL = re.compile(
    rf"(?:^|,\s*|\s+(?:and|so|und)\s+)(?:(?:and|so|und)\s+)?(?:{ASKS}|could|am|have you|kannst|könntest|hast|weißt)\b[^?]*\?$",
    re.IGNORECASE,
)


def clauses(text: str) -> Iterator[str]:
    """Yield the clauses of a text in order, without what only leads to them."""
    for sentence in _sentences(text):
        told = _without_question(sentence)
        for part in _NEXT.split(told) if told else ():
            whole = _LEAD.sub("", part).replace(_DOT, ".").strip(" ,.;!\"'\n")
            if whole:
                yield " ".join(whole.split())


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, as they stand there."""
    return [one for one in _SENTENCE.findall(text) if one.strip()]


def question_besides(sentence: str) -> str:
    """Return the question that a sentence ends with, without what was told before it; empty: it ends with none."""
    if not sentence.rstrip().endswith("?"):
        return ""
    return sentence.strip()[len(_without_question(sentence)) :].strip(" ,")


def _sentences(text: str) -> Iterator[str]:
    """Yield sentences; what stands behind a colon is somebody's material, unless it is to be noted, and ends it all."""
    plain = _STOPS.sub(lambda found: found[0][:-1] + _DOT, _QUOTED.sub(' "" ', text.replace("’", "'")))
    for sentence in _SENTENCE.findall(plain):
        head, colon, tail = re.sub(r"(?<=\d):(?=\d)", "\u2236", sentence).partition(":")
        if not colon:
            yield sentence
        elif _NOTE.match(head):
            yield tail.replace("\u2236", ":")
        else:
            return


def _without_question(sentence: str) -> str:
    """Return what a sentence tells before it asks; one that only asks tells nothing."""
    if not sentence.rstrip().endswith("?"):
        return sentence
    asked = _TAIL.search(sentence.strip())
    return sentence.strip()[: asked.start()] if asked is not None else ""
