"""Questions for what people told of themselves: which turns are such questions, and which memory one names. Pure."""

import re
from collections.abc import Mapping

LEAST_LIKE = 0.35  # cosine of a question with a memory that may answer it
_ABOUT_ME = re.compile(
    r"\b(what(?:'s| is| was| are)|where|when|who(?:'s| is)|which|how old|how (?:is|are)|(?:what )?do you (?:know|remember)"
    r"|do you still know|remember"
    r"|wie|wo|wann|wer|welche\w*|was|weißt du|erinnerst du)\b[^.!]*\b(my|mine|me|i|am i|mein\w*|mich|mir|ich)\b"
    r"|\b(?:what|who)\b.{0,30}\b(?:am i|was i)\b"
    r"|\bwhat\b.{0,20}\b(?:do|did|can) (?:i|we)\b.{0,20}\b(?:prefer|like|love|adore|hate|dislike|loathe|stand|eat|drink|play"
    r"|speak|study|drive"
    r"|use|do for (?:a living|work)|call)\b|\bwo(?:gegen|mit|von|rauf) (?:bin|habe|arbeite) ich\b"
    r"|^\W*(?:do|did|am|have) i (?:still )?(?:like|prefer|eat|drink|speak|play|work|live|have|own|married|allergic)\b",
    re.IGNORECASE,
)
_ABOUT_MY_THINGS = re.compile(
    r"\b(this|attached|file|document|text|table|report|contract|csv|pdf|scan)\b|\d\s*[-+*/]\s*\d", re.IGNORECASE
)
_ALL = re.compile(
    r"\b(?:know|remember|told you|weißt du|weisst du|gemerkt|erinnerst)\b.{0,20}\b(?:about me|of me|über mich|von mir)\b",
    re.IGNORECASE,
)


def asks_memory(text: str) -> bool:
    """Say whether somebody asks for what they told of themselves."""
    return bool(_ABOUT_ME.search(text)) and text.rstrip().endswith("?") and not _ABOUT_MY_THINGS.search(text)


def asks_for_all(text: str) -> bool:
    """Say whether somebody asks for everything that is remembered."""
    return bool(_ALL.search(text))


def direct_answer(question: str, known: Mapping[str, str]) -> str | None:
    """Return the subject of a memory that a question names outright, such as `name` for "What is my name?".

    `known` is newest first: of several of one sort it is the newest that is meant.
    """
    for sort, pattern in _SUBJECTS:
        named = next((one for one in known if one == sort or (sort.endswith(":") and one.startswith(sort))), None)
        if named is not None and pattern.search(question):
            return named
    words = set(re.findall(r"\w+", question.lower()))
    mine = [subject for subject in known if subject.startswith("my:") and set(subject[3:].split("-")) <= words]
    return max(mine, key=len, default=None)


def _pattern(words: str) -> "re.Pattern[str]":
    return re.compile(words, re.IGNORECASE)


_SUBJECTS: tuple[tuple[str, "re.Pattern[str]"], ...] = (
    ("home:from", _pattern(r"\b(i come from|am i from|komme ich her|woher komme ich)\b")),
    ("name", _pattern(r"\b(my name|i called|who am i|ich heiße|heiße ich|mein name)\b")),
    ("home", _pattern(r"\b(i live|my (?:home|address)|wohne ich|ich wohne|lebe ich)\b")),
    ("work", _pattern(r"\b(i (?:still )?work|my (?:job|employer|profession)|do i do for|i study|arbeite ich|mein beruf)\b")),
    ("birthday", _pattern(r"\b(my birthday|i born|mein geburtstag|geboren)\b")),
    ("age", _pattern(r"\b(how old (?:am|will|was) i|my age|wie alt (?:bin|werde) ich)\b")),
    (
        "allergy:",
        _pattern(
            r"\b(?:allerg\w+|(?:can|must|may|should) i not (?:eat|drink|have)|(?:not|never) (?:eat|have)"
            r"|intoleran\w+|vertrage)\b"
        ),
    ),
    ("diet", _pattern(r"\b(?:i eat meat|vegetarian|vegan|not eat|not drink|esse ich|trinke ich)\b")),
    ("speaks", _pattern(r"\b(?:which languages?|i speak|spreche ich)\b")),
    ("plays:", _pattern(r"\b(?:i play|instrument|spiele ich)\b")),
    ("uses:", _pattern(r"\b(?:we|i) (?:use|run|build|work with)\b")),
    ("prefers:", _pattern(r"\b(?:prefer|rather|lieber|bevorzuge)\b")),
)
