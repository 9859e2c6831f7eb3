"""What people say of themselves, read out by rules, English and German: subject, and the sentence as it was said.

Two of one subject contradict each other, and the later one holds. What the rules miss can be told with `remember that`.
"""

import hashlib
import re
from collections.abc import Iterator

from msgspec import Struct

METHOD = "rules/1"
_END = r"(?P<what>[^.!?;\n]{1,120}?)(?=\s*(?:$|[.!?;\n]|,\s|\s+(?:and|und|but|aber)\s+(?:i|my|ich|mein)\b))"
_LEAD = r"(?:^|(?<=[.!?;,\n])\s*|\b(?:and|und|but|aber|that|dass|actually|no|nein|also|hi|hello|hallo|btw)\s+,?\s*)"


class Said(Struct, frozen=True):
    """One thing that was said: what it is about, and in which words."""

    subject: str
    text: str


_RULES: tuple[tuple[str, str], ...] = (
    ("name", r"(?:my name is|my name's|call me|i am called|i'm called|mein name ist|ich heiße|ich heisse|nenn mich)\s+"),
    (
        "home",
        r"(?:i (?:now |currently )?live in|i(?:'ve| have)? (?:just )?moved to"
        r"|ich (?:wohne|lebe) (?:jetzt |nun )?in|ich bin nach)\s+",
    ),
    ("work", r"(?:i work (?:as|at|for|in)|i am employed (?:as|at|by)|ich arbeite (?:jetzt |nun )?(?:als|bei|für|in))\s+"),
    ("age", r"(?:i am|i'm|ich bin)\s+(?=\d{1,3}\s+(?:years old|jahre alt))"),
    ("birthday", r"(?:i was born on|my birthday is(?: on)?|ich bin geboren am|ich habe am|mein geburtstag ist(?: am)?)\s+"),
    ("allergy:{what}", r"(?:i am|i'm|ich bin)\s+(?:allergic to|allergisch gegen)\s+"),
    ("likes:{what}", r"(?:i (?:really )?(?:like|love|enjoy)|ich mag|ich liebe)\s+"),
    ("likes:{what}", r"(?:i (?:do not|don't|no longer) (?:like|love|enjoy)|i (?:hate|dislike)|ich hasse)\s+"),
    ("prefers", r"(?:i (?:would )?prefer|i'd prefer|ich bevorzuge|ich ziehe)\s+"),
)
_COMPILED = tuple((subject, re.compile(_LEAD + f"(?P<all>{head}{_END})", re.IGNORECASE)) for subject, head in _RULES)
_MINE = re.compile(
    _LEAD + r"(?P<all>(?:my|mein|meine)\s+(?P<noun>[\w-]+(?:\s[\w-]+){0,3}?)\s+(?:is|are|ist|sind)\s+" + _END + ")", re.IGNORECASE
)
_ASKED = re.compile(
    r"\b(?:please\s+)?(?:remember|note|don't forget|do not forget|merke? dir|bitte merken|vergiss nicht)\b\s*[,:]?\s*"
    r"(?:that|dass|this|dies)?\s*[,:]?\s*(?P<what>.{3,500}?)\s*[.!]?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_KNOWN_NOUNS = {"name": "name", "birthday": "birthday", "geburtstag": "birthday", "age": "age", "alter": "age"}
_OVER = re.compile(
    r"^(?P<one>.+?)\s+(?:over|to|rather than|instead of|statt|vor|gegenüber)\s+(?P<other>.+?)(?:\s+vor)?$", re.IGNORECASE
)
_STOP = re.compile(r"\b(?:not sure|anymore|any more|mehr|very|so much|sehr|gern(?:e)?)\b", re.IGNORECASE)

_WANTED = re.compile(
    r"^\W*(?:please\s+|bitte\s+|you (?:can|should|may)\s+|(?:can|could|would) you\s+(?:please\s+)?|kannst du\s+|ok(?:ay)?,?\s+)*"
    r"(?:forget|erase|delete|vergiss|vergesse?|lösche?)\b\s*(?:about\s+|bitte\s+)?(?P<what>.+?)\W*$",
    re.IGNORECASE | re.DOTALL,
)
_OF_ME = re.compile(r"\b(my|mine|me|i|i'm|myself|mein\w*|mich|mir|ich)\b", re.IGNORECASE)


def told(text: str) -> list[Said]:
    """Return what a sentence or more says of its speaker, each subject once: what comes later in the text holds."""
    found: dict[str, Said] = {}
    if _is_question(text):
        return []
    for one in _found(text):
        found.pop(one.subject, None)
        found[one.subject] = one
    asked = _ASKED.search(text)
    if asked is not None and not found:
        what = " ".join(asked["what"].split())
        found = {"": Said(f"note:{hashlib.sha256(what.lower().encode()).hexdigest()[:12]}", what)}
    return list(found.values())


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
        return _KNOWN_NOUNS.get(thing, f"my:{_key(thing)}")
    return _named(about, value)


def _is_question(text: str) -> bool:
    """Say whether the text asks and tells nothing: `my name is Ann, what is yours?` tells all the same."""
    return text.rstrip().endswith("?") and not re.search(r"[.!,;]\s+\S", text)


def _found(text: str) -> Iterator[Said]:
    places: list[tuple[int, Said]] = []
    for subject, pattern in _COMPILED:
        for match in pattern.finditer(text):
            what = _clean(match["what"])
            if what and not _asks(match["all"], text, match.end()):
                places.append((match.start(), Said(_named(subject, what), _sentence(match["all"]))))
    for match in _MINE.finditer(text):
        noun = " ".join(match["noun"].lower().split())
        what = _clean(match["what"])
        if what and not _asks(match["all"], text, match.end()):
            places.append((match.start(), Said(_KNOWN_NOUNS.get(noun, f"my:{_key(noun)}"), _sentence(match["all"]))))
    for _, one in sorted(places, key=lambda place: place[0]):
        yield one


def _asks(_said: str, text: str, end: int) -> bool:
    return text[end:].lstrip()[:1] == "?"


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


def _clean(what: str) -> str:
    return " ".join(what.split()).strip(" ,\"'")


def _sentence(said: str) -> str:
    return " ".join(said.split()).strip(" ,")
