"""What people say of themselves, read out by rules, English and German: subject, and the sentence as it was said.

Two of one subject contradict each other, and the later one holds. What the rules miss can be told with `remember that`.
"""

import hashlib
import re

from msgspec import Struct

from agents.front import rules
from agents.front.clause import clauses, question_besides, sentences

METHOD = "rules/2"
_MOST_MORE = 60  # characters of a clause behind what a rule saw that still belong to it


class Said(Struct, frozen=True):
    """One thing that was said: what it is about, and in which words."""

    subject: str
    text: str


_RULES = tuple(zip((subject for subject, _ in rules.RULES), rules.compiled(pattern for _, pattern in rules.RULES), strict=True))
_THINGS: tuple[tuple[str | None, "re.Pattern[str]"], ...] = (
    *((None, one) for one in rules.compiled(rules.THINGS)),
    *zip((noun for noun, _ in rules.NAMED_THINGS), rules.compiled(one for _, one in rules.NAMED_THINGS), strict=True),
)
_ASKED = re.compile(
    r"(?:^|[.!;\n])\W*(?:(?:and|but|so|ok(?:ay)?|please|bitte|also|you should|can you|could you|kannst du|just)\s+)*"
    r"(?:(?:remember|memori[sz]e|don't forget|do not forget|keep in mind|bear in mind|vergiss nicht|denk daran"
    r"|denk dran)(?!\s+(?:to|zu|when|wann|me)\b)"
    r"|(?:make|take) a note(?: of)?|note (?:down|to self|for later)|note(?=:)|for (?:future reference|the record)"
    r"|merke? dir|bitte merken|notiere? (?:dir )?)\b\s*(?:bitte\b)?\s*[,:]?\s*"
    r"(?:that|dass|this|dies)?\s*[,:]?\s*(?P<what>.{3,500}?)\s*[.!]?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_OVER = re.compile(
    r"^(?P<one>.+?)\s+(?:over|to|rather than|instead of|than|better than|more than|statt|vor|gegenüber"
    r"|als)\s+(?P<other>.+?)(?:\s+vor)?$",
    re.IGNORECASE,
)
_STOP = re.compile(r"\b(?:not sure|anymore|any more|mehr|very|so much|sehr|gern(?:e)?|better|more)\b", re.IGNORECASE)

_WANTED = re.compile(
    r"^\W*(?:please\s+|bitte\s+|you (?:can|should|may)\s+|(?:can|could|would) you\s+(?:please\s+)?|kannst du\s+"
    r"|ok(?:ay)?,?\s+)*"
    r"(?:forget|erase|delete|vergiss|vergesse?|lösche?)\b\s*(?:about\s+|bitte\s+)?(?P<what>.+?)\W*$",
    re.IGNORECASE | re.DOTALL,
)
_OF_ME = re.compile(r"\b(my|mine|me|i|i'm|myself|mein\w*|mich|mir|ich)\b", re.IGNORECASE)


def told(text: str) -> list[Said]:
    """Return what a sentence or more says of its speaker, each subject once: what comes later in the text holds."""
    found: dict[str, Said] = {}
    for clause in clauses(text):
        one = _about_thing(clause) or _about_speaker(clause)
        if one is not None:
            found.pop(one.subject, None)
            found[one.subject] = one
    if not found and (what := asked_to_remember(text)) is not None:
        return [note(what)]
    return list(found.values())


def note(what: str) -> Said:
    """Return something to be remembered as a note: two of them do not contradict each other."""
    return Said(f"note:{hashlib.sha256(what.lower().encode()).hexdigest()[:12]}", what)


def asked_to_remember(text: str) -> str | None:
    """Return what somebody asks to be remembered in so many words; None: they ask for nothing of the kind."""
    asked = _ASKED.search(text) if not text.rstrip().endswith("?") else None
    return " ".join(asked["what"].split()) if asked is not None else None


def besides(text: str) -> str:
    """Return what a turn says besides what it tells of its speaker: its other sentences, and what a telling one asks behind."""
    rest = [question_besides(one) if told(one) else one.strip() for one in sentences(text)]
    return " ".join(one for one in rest if one)


def to_forget(text: str) -> str | None:
    """Return what somebody wants forgotten of themselves; None: they want nothing of the kind (`forget it` is no such wish)."""
    found = _WANTED.match(text.strip())
    return found["what"] if found is not None and _OF_ME.search(found["what"]) else None


def subject_of(about: str, thing: str, value: str) -> str:
    """Return the subject of what is about the same as by the rules, so that whoever reads it out corrects the other.

    `about` is a rule's own subject, or `other`, which is about a thing of the speaker's.
    """
    if about in ("allergy", "likes"):
        return _named(f"{about}:{{what}}", value)
    if about == "other":
        return rules.KNOWN_NOUNS.get(thing, f"my:{_key(thing)}")
    return _named(about, value)


def _about_speaker(clause: str) -> Said | None:
    """Return what a clause says of its speaker, by the first rule that fits."""
    for subject, pattern in _RULES:
        if (match := pattern.match(clause)) is not None and (what := match["what"].strip(" ,'")):
            return Said(_named(subject, what), _whole(clause, match.end()))
    return None


def _about_thing(clause: str) -> Said | None:
    """Return what a clause says of a thing of the speaker's, or of somebody who is theirs."""
    for noun, pattern in _THINGS:
        if (match := pattern.match(clause)) is not None:
            thing = noun or " ".join(match["noun"].lower().split())
            return Said(rules.KNOWN_NOUNS.get(thing, f"my:{_key(thing)}"), _whole(clause, match.end()))
    return None


def _whole(clause: str, end: int) -> str:
    """Return what is remembered of a clause: what the rule saw, and what ends it."""
    rest = clause[end:]
    return clause if not rest.strip() or len(rest) < _MOST_MORE else clause[:end].strip(" ,")


def _named(subject: str, what: str) -> str:
    """Return a subject; a preference between two things is about both, so that the other way round contradicts it."""
    if subject == "prefers":
        pair = _OVER.match(what)
        both = sorted((_key(pair["one"]), _key(pair["other"]))) if pair else [_key(what)]
        return f"prefers:{'|'.join(both)}"[:128]
    return subject.format(what=_key(what))[:128]


def _key(what: str) -> str:
    """Return words as part of a subject's name."""
    plain = _STOP.sub(" ", what.lower())
    return "-".join(re.findall(r"\w+", plain))[:60] or "it"
